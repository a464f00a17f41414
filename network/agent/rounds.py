"""One round of attestation: challenge, evidence, signed report, verdict; crash-safe."""

from __future__ import annotations

import hashlib
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from network.agent.client import ServiceClient, body_encode
from network.agent.errors import AttestationUnavailable, ServiceUnreachable
from network.agent.home import Home, NodeKeys, State
from network.agent.sources import Source, evidence_json
from network.attestation.evidence import DeviceEvidence
from network.attestation.identity import device_identity

logger = logging.getLogger(__name__)

#: Times that the same report is sent while no answer comes; a challenge lives about 120 s.
SEND_TRIES: Final = 4
#: Seconds before the first repetition; doubled each time.
SEND_WAIT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one round brought. ``answer`` is the service's; ``note`` explains missing evidence."""

    seq: int
    answer: dict[str, Any]
    note: str | None = None

    @property
    def verdict(self) -> dict[str, Any]:
        """The verdict as the API gives it."""
        verdict = self.answer.get("verdict")
        return verdict if isinstance(verdict, dict) else {}

    @property
    def accepted(self) -> bool:
        """Affirming or warning: the node counts."""
        return self.verdict.get("status") in ("affirming", "warning")


@dataclass(frozen=True)
class Node:
    """This node, ready to report. ``sleep`` waits that many seconds; tests replace it."""

    client: ServiceClient
    home: Home
    source: Source
    keys: NodeKeys
    node_id: str
    require_evidence: bool = False
    sleep: Callable[[float], object] = time.sleep

    def attest(self) -> Outcome:
        """Do one round.

        Raises:
            AttestationUnavailable: ``emulator_untrusted``, or no evidence where it is required.
            GpuError, ServiceRefused, ServiceUnreachable, KeysError
        """
        if self.source.emulated:
            emulator_check(self.client)
        identities, note = self._identities()
        challenge = self.client.post_signed(
            "attestations/challenges/",
            body_encode({"devices": [f"0x{identity}" for identity in identities]}),
            keys=self.keys,
            idempotency_key=f"challenge-{uuid.uuid4().hex}",
        )
        nonce, seq, previous = _challenge_read(challenge)
        state = self._reconcile(seq, previous)
        devices = self._evidence(nonce, identities)
        body = body_encode(
            {
                "nonce": f"0x{nonce.hex()}",
                "seq": seq,
                "previous_hash": previous,
                "emulated": self.source.emulated,
                "inventory": self.source.inventory(),
                "devices": [evidence_json(device) for device in devices],
            }
        )
        digest = f"0x{hashlib.sha256(body).hexdigest()}"
        # On disk before it is sent: a crash in between must not make us forget it.
        self.home.state_save(replace(state, pending_seq=seq, pending_hash=digest))
        answer = self._send(body, digest, seq)
        self.home.state_save(State(last_seq=seq, last_hash=digest))
        return Outcome(seq=seq, answer=answer, note=note)

    def _identities(self) -> tuple[Sequence[str], str | None]:
        """The devices that can attest, and why none can where none does."""
        try:
            return sorted(set(self.source.identities())), None
        except AttestationUnavailable as error:
            if self.require_evidence:
                raise
            return (), error.detail

    def _evidence(self, nonce: bytes, identities: Sequence[str]) -> list[DeviceEvidence]:
        """The evidence of the devices that the challenge names, and of no others."""
        if not identities:
            return []
        named = set(identities)
        return [
            device
            for device in self.source.evidence(nonce)
            if device_identity(device.certificate_chain) in named
        ]

    def _reconcile(self, seq: int, previous: str | None) -> State:
        """Compare our memory with the service's, which decides; tell when they differ."""
        state = self.home.state_load()
        if (seq - 1, previous) == (state.last_seq, state.last_hash):
            return state
        if (seq - 1, previous) == (state.pending_seq, state.pending_hash):
            logger.info("report %d had arrived although its answer did not", seq - 1)
        else:
            logger.warning(
                "the service's last report of this node is %d (%s), this agent's is %d (%s): "
                "its state was lost, or another agent uses the same key",
                seq - 1,
                previous,
                state.last_seq,
                state.last_hash,
            )
        return State(last_seq=seq - 1, last_hash=previous)

    def _send(self, body: bytes, digest: str, seq: int) -> dict[str, Any]:
        """Post the report; send the very same one again while no answer comes."""
        for attempt in range(SEND_TRIES):
            try:
                return self.client.post_signed(
                    "attestations/",
                    body,
                    keys=self.keys,
                    # Names these bytes, so that a repetition is answered and not judged twice.
                    idempotency_key=f"report-{seq}-{digest[2:34]}",
                )
            except ServiceUnreachable as error:
                if attempt == SEND_TRIES - 1:
                    raise
                wait_s = max(error.retry_after_s or 0, SEND_WAIT_S * 2**attempt)
                logger.warning("%s; sending report %d again in %.0f s", error.detail, seq, wait_s)
                self.sleep(wait_s)
        raise AssertionError("unreachable")


def emulator_check(client: ServiceClient) -> None:
    """Refuse to send emulated evidence to a service that does not trust an emulator."""
    if client.get("network/trust/").get("emulator_trusted") is not True:
        raise AttestationUnavailable(
            "emulator_untrusted",
            f"{client.server} does not trust emulated GPUs; --emulated works only with "
            "demonstrations and test networks that say so.",
        )


def _challenge_read(challenge: dict[str, Any]) -> tuple[bytes, int, str | None]:
    nonce, seq = challenge.get("nonce"), challenge.get("next_seq")
    previous = challenge.get("previous_hash")
    try:
        value = bytes.fromhex(str(nonce).removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != 32 or type(seq) is not int or not isinstance(previous, str | None):
        raise ServiceUnreachable("challenge_malformed", "The service's challenge makes no sense.")
    return value, seq, previous
