"""What a compute challenge costs its two sides, as ratios measured on one machine.

    python -m bench.compute [--n 1024] [--rounds 1] [--openings 64] [--seconds 3]

Prints one JSON line. Every case is measured in one run, in turns, by CPU time: on a shared machine
the absolute figures move together, the ratios between them do not. All of it is numpy on a CPU, so
nothing here says how fast a GPU is.

prove        the whole product, its hashes and the opening, by the numpy backend
freivalds    the service checks the rows it was sent against its secret
recompute    the service computes the rows again
epoch        the service prepares its secret, once per epoch and size
generate     one n x n matrix is made
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

from network.compute import (
    Basis,
    Challenge,
    Check,
    Deadline,
    EpochSecret,
    NumpyBackend,
    Params,
    Prover,
    Round,
    prng,
    verify_opening,
)

DEADLINE = Deadline(commit_ms=None, open_ms=10**9, basis=Basis.UNCALIBRATED)


def challenge(params: Params) -> Challenge:
    digest = hashlib.sha256(b"bench").digest()
    return Challenge(params, digest[:16], digest, digest, "GPU-bench", 1, digest)


def check(params: Params) -> Callable[[], None]:
    """A check of an honest opening, as the service does it: once the round has been played."""
    asked = challenge(params)
    prover = Prover(asked, NumpyBackend())
    round_ = Round(asked, DEADLINE, starts_ms=0).begin(0).commit(prover.commit(), 0)
    round_ = round_.draw(0, random.Random(1)).open(0)
    data = prover.open(round_.indices)
    secret = EpochSecret.make(asked) if params.check is Check.FREIVALDS else None

    def work() -> None:
        outcome = verify_opening(round_, data, secret)
        assert outcome.passed
        assert outcome.rows_checked == params.openings

    return work


def cases(params: Params) -> dict[str, Callable[[], object]]:
    asked = challenge(params)
    prover = Prover(asked, NumpyBackend())

    def prove() -> None:
        prover.commit()
        prover.open(range(params.openings))

    return {
        "prove": prove,
        "freivalds": check(params),
        "recompute": check(replace(params, check=Check.RECOMPUTE)),
        "epoch": lambda: EpochSecret.make(asked),
        "generate": lambda: prng.rows(prng.epoch_key(asked), params.n, 0, params.n),
    }


def medians(work: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Median CPU seconds of every case, measured in turns."""
    spent: dict[str, list[float]] = {name: [] for name in work}
    deadline = time.process_time() + seconds
    while time.process_time() < deadline or len(spent["prove"]) < 3:
        for name, call in work.items():
            started = time.process_time()
            call()
            spent[name].append(time.process_time() - started)
    return {name: statistics.median(times) for name, times in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--openings", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3.0, help="CPU seconds to spend")
    parser.add_argument("--json", action="store_true", help="what is printed anyway")
    options = parser.parse_args()
    params = Params(n=options.n, rounds=options.rounds, openings=options.openings)
    short = replace(params, check=Check.RECOMPUTE)
    cost = medians(cases(params), options.seconds)
    print(
        json.dumps(
            {
                "n": params.n,
                "rounds": params.rounds,
                "openings": params.openings,
                "prove_over_freivalds": round(cost["prove"] / cost["freivalds"], 2),
                "prove_over_recompute": round(cost["prove"] / cost["recompute"], 2),
                "recompute_over_freivalds": round(cost["recompute"] / cost["freivalds"], 2),
                "epoch_over_freivalds": round(cost["epoch"] / cost["freivalds"], 2),
                "prove_over_generate": round(cost["prove"] / cost["generate"], 2),
                "freivalds_bytes_over_recompute_bytes": round(
                    params.opening_bytes / short.opening_bytes, 2
                ),
            }
        )
    )


if __name__ == "__main__":
    main()
