"""Faults that a node, or somebody who listens to one, brings: F20."""

from __future__ import annotations

import json
import random
import secrets
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.chaos.chainside import HOLDER
from bench.chaos.run import Run

if TYPE_CHECKING:
    from tests.network.nodes import TestNode

#: Public on purpose: anvil's first default key, worth nothing anywhere else.
OPERATOR_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
#: Attacks between two honest reports.
HONEST_EVERY = 100
HOUR_S = 3600
#: Where reports go.
REPORTS = "/api/v1/attestations"


def f20_attestations(run: Run) -> None:
    """Reports replayed, duplicated, out of order, forged, an hour off: none may be accepted."""
    from network.models import Attestation

    count = 100_000 if run.world.long else 1_000
    node = node_make(run)
    stream = Stream(node, run.rng)
    honest = 2  # the one that proved the node, and the one that the stream overhears
    for number in range(count):
        stream.attack()
        if number % HONEST_EVERY == HONEST_EVERY - 1:
            honest += 1
            if not stream.honest():
                run.counts.add("lost", f"an honest report was refused: {stream.last}")
    stored = Attestation.objects.count()
    run.counts.add("doubled", f"{stored} reports stored, {honest} honest", max(0, stored - honest))
    run.counts.add("lost", f"{stored} reports stored, {honest} honest", max(0, honest - stored))
    accepted = sum(number for status, number in stream.statuses.items() if status < 400)
    run.counts.add("doubled", f"{accepted} attacks were answered as if accepted", accepted)
    broken = sum(number for status, number in stream.statuses.items() if status >= 500)
    run.counts.add("wrong", f"{broken} attacks were answered 5xx: {stream.last}", broken)
    times = sorted(stream.times_s)
    run.figures |= {
        "attacks": count,
        "answers": dict(stream.statuses),
        "p99 ms of a refusal": round(times[len(times) * 99 // 100] * 1000, 1),
    }
    run.finish(fresh=False)


def node_make(run: Run) -> TestNode:
    """A node registered on chain, with emulated cards, its keys proven and one report accepted."""
    from django.conf import settings

    from chain import clock
    from chain.contracts import contract
    from network.attestation.emulator import EmulatedGpu, emulator_prepare
    from network.registration import keys_hash
    from network.services.collateral_directories import manifests_import
    from tests.network.nodes import TestNode

    chain = run.chain
    folder = run.stage.folder / "emulator"
    authority = emulator_prepare(folder)
    settings.EMULATOR_ROOT_DIR = folder
    settings.EAR_KEY_PATH = ear_key(run)
    manifests_import(at=clock.now())
    key = Ed25519PrivateKey.generate()
    operator = bytes.fromhex(chain.accounts[HOLDER][2:])
    hash_ = keys_hash(operator=operator, ed25519=key.public_key().public_bytes_raw())
    registry, token = contract("NodeRegistry"), contract("AlthingToken")
    class_, region = b"h100_80g".ljust(32, b"\0"), b"eu-north".ljust(32, b"\0")
    place = f"0x{registry.address.hex()}"
    approve = token.encode("approve", (registry.address, 10**24))
    args = (hash_, class_, 1, region, "https://node.example/meta")
    chain.must(
        chain.send(HOLDER, f"0x{token.address.hex()}", f"0x{approve.hex()}"),
        chain.send(HOLDER, place, f"0x{registry.encode('register', args).hex()}"),
    )
    chain.mine(3)
    asked = {"to": place, "data": f"0x{registry.encode('nodeIdOf', (operator, hash_)).hex()}"}
    node_id = bytes.fromhex(chain.rpc("eth_call", asked, "latest")[2:])
    run.index()
    cards = [EmulatedGpu(authority, f"chaos-{run.seed}")]
    node = TestNode(node_id, OPERATOR_KEY, cards, key)
    for answer in (node.prove_keys(), node.attest()):
        if answer.status_code != 201:
            raise RuntimeError(f"The harness's own node is refused: {answer.content!r}")
    return node


def ear_key(run: Run) -> Any:
    """A P-256 key as a deployment holds it."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path = run.stage.folder / "ear.pem"
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(pem)
    return path


class Stream:
    """Attacks built from what the node really sent."""

    def __init__(self, node: TestNode, rng: random.Random) -> None:
        self._node, self._rng = node, rng
        self._heard: list[tuple[bytes, dict[str, str]]] = []
        self._report: dict[str, Any] = {}
        self.statuses: Counter[int] = Counter()
        self.times_s: list[float] = []
        self.last = ""
        self._capture()

    def honest(self) -> bool:
        """A report as it should be; kept, so that it can be replayed."""
        return self._capture() == 201

    def attack(self) -> None:
        """One request that must be refused."""
        kinds = (self._replay, self._duplicate, self._reorder, self._forge, self._stranger)
        body, headers = self._rng.choice((*kinds, self._hour_off))()
        began = time.perf_counter()
        status = self._send(body, headers)
        self.times_s.append(time.perf_counter() - began)
        self.statuses[status] += 1

    def _capture(self) -> int:
        self._report = self._node.report(self._node.challenge())
        body = json.dumps(self._report).encode()
        headers = self._sign(body)
        self._heard.append((body, headers))
        return self._send(body, headers)

    def _sign(self, body: bytes, *, key: Any = None, now_s: int | None = None) -> dict[str, str]:
        from django.conf import settings

        from chain import clock
        from network.http_signatures import sign_request

        return dict(
            sign_request(
                method="POST",
                url=f"{settings.SITE_URL}{REPORTS}",
                body=body,
                private_key=key or self._node.key,
                idempotency_key=secrets.token_hex(8),
                now_s=clock.now_s() if now_s is None else now_s,
            )
        )

    def _send(self, body: bytes, headers: dict[str, str]) -> int:
        rest = dict(headers)
        answer = self._node.client.post(
            REPORTS,
            body,
            content_type=rest.pop("Content-Type"),
            headers=rest,
        )
        self.last = f"{answer.status_code} {answer.content[:300]!r}"
        return int(answer.status_code)

    # --- kinds ------------------------------------------------------------------------

    def _replay(self) -> tuple[bytes, dict[str, str]]:
        """Byte for byte what was sent before."""
        return self._rng.choice(self._heard)

    def _duplicate(self) -> tuple[bytes, dict[str, str]]:
        """The same report, signed anew."""
        body, _ = self._rng.choice(self._heard)
        return body, self._sign(body)

    def _reorder(self) -> tuple[bytes, dict[str, str]]:
        """A report out of its place."""
        seq = self._report["seq"] + self._rng.choice((-1, 0, 2, 1000))
        body = json.dumps(self._report | {"seq": seq}).encode()
        return body, self._sign(body)

    def _forge(self) -> tuple[bytes, dict[str, str]]:
        """A body changed after it was signed."""
        body, headers = self._rng.choice(self._heard)
        place = self._rng.randrange(len(body))
        return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :], headers

    def _stranger(self) -> tuple[bytes, dict[str, str]]:
        """Signed by somebody else's key."""
        body, _ = self._rng.choice(self._heard)
        return body, self._sign(body, key=Ed25519PrivateKey.generate())

    def _hour_off(self) -> tuple[bytes, dict[str, str]]:
        """Signed by a clock that is an hour ahead or behind."""
        from chain import clock

        now_s = clock.now_s() + self._rng.choice((-HOUR_S, HOUR_S))
        body = json.dumps(self._report).encode()
        return body, self._sign(body, now_s=now_s)
