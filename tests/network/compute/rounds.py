"""Small challenges, played by a real prover and judged by the real verifier."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from network.compute import (
    Basis,
    Challenge,
    Check,
    Deadline,
    EpochSecret,
    NumpyBackend,
    Outcome,
    Params,
    Prover,
    Round,
    verify_opening,
)
from network.compute.wire import Opened, opening_encode, opening_entries

DEADLINE = Deadline(commit_ms=10_000, open_ms=400, basis=Basis.MEASURED)
STARTS_MS = 1_000_000
BEGUN_MS = STARTS_MS + 1_000
COMMITTED_MS = BEGUN_MS + 4_000
DRAWN_MS = COMMITTED_MS + 1
OPENED_MS = DRAWN_MS + 300


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def challenge(
    *,
    n: int = 128,
    rounds: int = 1,
    openings: int = 16,
    check: Check = Check.FREIVALDS,
    name: str = "first",
) -> Challenge:
    """A challenge whose nonce and id follow from ``name``; the node, GPU and epoch are fixed."""
    return Challenge(
        params=Params(n=n, rounds=rounds, openings=openings, check=check),
        challenge_id=digest(name)[:16],
        nonce=digest(f"nonce of {name}"),
        node_key=digest("node key"),
        gpu_id="GPU-6e5a7f1c-0000-4000-8000-000000000001",
        epoch=20_780,
        epoch_seed=digest("epoch"),
    )


@cache
def secret_of(epoch_seed: bytes, epoch: int, n: int) -> EpochSecret:
    """One secret per matrix B, as the service keeps it."""
    return EpochSecret.make(replace(challenge(n=n), epoch_seed=epoch_seed, epoch=epoch))


def secret_for(asked: Challenge) -> EpochSecret | None:
    if asked.params.check is Check.RECOMPUTE:
        return None
    return secret_of(asked.epoch_seed, asked.epoch, asked.params.n)


def begun(asked: Challenge, deadline: Deadline = DEADLINE) -> Round:
    return Round(challenge=asked, deadline=deadline, starts_ms=STARTS_MS).begin(BEGUN_MS)


def drawn(asked: Challenge, commitment: bytes, *, seed: int = 1) -> Round:
    committed = begun(asked).commit(commitment, COMMITTED_MS)
    return committed.draw(DRAWN_MS, random.Random(seed))


def prover_for(asked: Challenge) -> Prover:
    return Prover(asked, NumpyBackend())


def judge(round_: Round, data: bytes) -> Outcome:
    return verify_opening(round_.open(OPENED_MS), data, secret_for(round_.challenge))


def play(asked: Challenge, prover: Prover | None = None, *, seed: int = 1) -> Outcome:
    """A whole round. ``prover`` is an honest one for the challenge unless another is given."""
    prover = prover or prover_for(asked)
    round_ = drawn(asked, prover.commit(), seed=seed)
    return judge(round_, prover.open(round_.indices))


def play_changed(asked: Challenge, change: Callable[[list[Opened]], Sequence[Opened]]) -> Outcome:
    """A round with an honest commitment whose opening was changed before it was sent."""
    prover = prover_for(asked)
    round_ = drawn(asked, prover.commit())
    entries = opening_entries(asked.params, prover.open(round_.indices))
    assert entries is not None
    return judge(round_, opening_encode(asked, change(entries)))


def codes(outcome: Outcome) -> list[str]:
    return [finding.code for finding in outcome.findings]
