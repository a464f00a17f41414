"""A node as the API meets it: real keys, real signatures, emulated GPUs."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from django.conf import settings
from django.test import Client
from eth_keys import keys as eth_keys

from chain import clock
from network.attestation.emulator import EmulatedGpu
from network.http_signatures import sign_request
from network.registration import ML_DSA_REGISTER_CONTEXT

#: Where what a node sends goes, below ``/api/v1/``; anything else is an address already.
WHERE = {"challenges": "attestations/challenges"}


@dataclass
class TestNode:
    """Signs and sends as a node does. ``gpus`` are its cards; ``can_attest`` is False where the
    vendor signs no reports for them; ``ml_dsa`` is its second key, if it has one."""

    __test__ = False

    node_id: bytes
    operator_key: bytes
    gpus: list[EmulatedGpu]
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    client: Client = field(default_factory=Client)
    can_attest: bool = True
    ml_dsa: MLDSA65PrivateKey | None = None

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    @property
    def path(self) -> str:
        return f"/api/v1/nodes/0x{self.node_id.hex()}"

    def prove_keys(self, **changes: Any) -> Any:
        """The whole proof of possession; ``changes`` spoil the last request, None leaves out."""
        keys = {"ed25519": f"0x{self.public_key.hex()}"}
        if self.ml_dsa is not None:
            keys["ml_dsa_65"] = f"0x{self.ml_dsa.public_key().public_bytes_raw().hex()}"
        challenge = self.post_open("key-challenges", keys)
        if challenge.status_code != 201:
            return challenge
        digest = bytes.fromhex(challenge.json()["digest"][2:])
        body: dict[str, Any] = keys | {
            "nonce": challenge.json()["nonce"],
            "operator_signature": f"0x{operator_sign(self.operator_key, digest).hex()}",
            "node_signature": f"0x{self.key.sign(digest).hex()}",
        }
        if self.ml_dsa is not None:
            signature = self.ml_dsa.sign(digest, ML_DSA_REGISTER_CONTEXT)
            body["ml_dsa_signature"] = f"0x{signature.hex()}"
        body = {name: value for name, value in (body | changes).items() if value is not None}
        return self.post_open("keys", body)

    def post_open(self, what: str, body: Any) -> Any:
        return self.client.post(f"{self.path}/{what}/", body, content_type="application/json")

    def post(self, what: str, body: Any = None, **options: Any) -> Any:
        """A signed POST below ``/api/v1/``, with the options of :meth:`signed`."""
        return self.client.post(**self.signed(what, body, **options))

    def signed(self, what: str, body: Any = None, **options: Any) -> dict[str, Any]:
        """What Django's test client posts for a signed request. ``raw`` replaces the body,
        ``headers`` change what was signed, ``idempotency_key`` and ``nonce`` are the profile's."""
        if body is None:
            body = {"devices": self.identities()} if what == "challenges" else {}
        raw = options.pop("raw", json.dumps(body).encode())
        path = options.pop("path", f"/api/v1/{WHERE.get(what, what)}")
        spoilt = options.pop("headers", {})
        headers = sign_request(
            method="POST",
            url=settings.SITE_URL + path,
            body=raw,
            private_key=options.pop("key", self.key),
            idempotency_key=options.pop("idempotency_key", secrets.token_hex(8)),
            now_s=options.pop("now_s", clock.now_s()),
            ml_dsa_65=options.pop("ml_dsa_65", self.ml_dsa),
            **options,
        )
        headers = {name: value for name, value in (headers | spoilt).items() if value is not None}
        content_type = headers.pop("Content-Type")
        return {"path": path, "data": raw, "content_type": content_type, "headers": headers}

    def identities(self) -> list[str]:
        """Its cards that can attest, as a challenge is asked for."""
        return [f"0x{gpu.identity_sha256}" for gpu in self.gpus] if self.can_attest else []

    def report(self, challenge: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """A report that answers a challenge, with real evidence of every card that can attest."""
        nonce = bytes.fromhex(challenge["nonce"][2:])
        devices = []
        for gpu in self.gpus if self.can_attest else []:
            evidence = gpu.evidence(nonce)
            devices.append(
                {
                    "arch": gpu.firmware.architecture,
                    "evidence": base64.b64encode(evidence.report).decode(),
                    "certificate": base64.b64encode(evidence.certificate_chain).decode(),
                }
            )
        return {
            "nonce": challenge["nonce"],
            "seq": challenge["next_seq"],
            "previous_hash": challenge["previous_hash"],
            "inventory": self.inventory(),
            "devices": devices,
        } | changes

    def inventory(self) -> dict[str, Any]:
        """What the node says it has."""
        gpus = [
            {"index": index, "uuid": gpu.uuid, "mig": False, "vgpu": False}
            for index, gpu in enumerate(self.gpus)
        ]
        return {"source": "ALTHING EMULATED", "gpus": gpus}

    def challenge(self) -> dict[str, Any]:
        answer = self.post("challenges")
        assert answer.status_code == 201, answer.content
        return dict(answer.json())

    def attest(self, **changes: Any) -> Any:
        """Challenge and report in one go; returns the report's answer."""
        return self.post("attestations", self.report(self.challenge(), **changes))


def operator_sign(private_key: bytes, digest: bytes) -> bytes:
    """An Ethereum signature over a digest, 65 bytes with v 27 or 28."""
    raw = bytearray(eth_keys.PrivateKey(private_key).sign_msg_hash(digest).to_bytes())
    raw[64] += 27
    return bytes(raw)


@contextmanager
def later(seconds: float) -> Iterator[None]:
    """The service's clock ``seconds`` ahead (or behind)."""
    source = clock._source
    with clock.clock_override(lambda: source() + timedelta(seconds=seconds)):
        yield


def in_threads(count: int, work: Any) -> list[Any]:
    """Run ``work(i)`` in threads at once; return what each returned."""
    results: list[Any] = [None] * count

    def run(index: int) -> None:
        results[index] = work(index)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
