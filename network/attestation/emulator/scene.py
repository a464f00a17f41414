"""One emulated node as the verifier meets it: what it sends, and what the service holds."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from cryptography import x509

from network.attestation.allow_lists import NO_LISTS, AllowLists
from network.attestation.appraisal import Appraisal
from network.attestation.certificates import load_device_chain
from network.attestation.chain_revocation import RevocationMaterial, StoredDocument
from network.attestation.classes import CLASS_CHIPS
from network.attestation.errors import EvidenceError
from network.attestation.evidence import DeviceEvidence, NodeEvidence, devices_from_json
from network.attestation.inventory import inventory_gpu_count
from network.attestation.ocsp import ocsp_request
from network.attestation.policy import Policy, Tier
from network.attestation.rim import MappingRimStore
from network.attestation.trust import TrustAnchors
from network.attestation.verifier import verify_evidence

from .authority import EmulatorAuthority
from .firmware import HOPPER
from .gpu import EmulatedGpu
from .manifests import firmware_manifests
from .revocation import EmulatedResponder

NONCE: Final = hashlib.sha256(b"the challenge of a scene").digest()
#: Everything enforced, and T4 asked of every class.
STRICT: Final = Policy(
    version=0,
    enforce_revocation=True,
    enforce_rim=True,
    enforce_measurements=True,
    enforce_energy=True,
    required_tiers=dict.fromkeys(CLASS_CHIPS, Tier.T4),
)
#: How old the statements on revocation are.
STATEMENT_AGE: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Scene:
    """A node with one honest GPU, unless something is changed. ``now`` is timezone-aware.

    ``devices`` are as a request holds them (JSON values); ``manifests`` by id; ``answers`` are OCSP
    responses in DER. The same authority and time give the same bytes.
    """

    authority: EmulatorAuthority
    now: datetime
    devices: tuple[Mapping[str, Any], ...]
    manifests: Mapping[str, bytes]
    answers: tuple[bytes, ...]
    inventory: Mapping[str, Any]
    gpu_class: str = "h100_80g"
    gpu_count: int = 1
    policy: Policy = STRICT
    allow_lists: AllowLists = NO_LISTS

    @classmethod
    def honest(cls, authority: EmulatorAuthority, *, now: datetime) -> Scene:
        """Nothing is wrong."""
        gpu = EmulatedGpu(authority, "scene")
        scene = cls(
            authority=authority,
            now=now,
            devices=(),
            manifests=firmware_manifests(authority, [HOPPER]),
            answers=(),
            inventory={"gpus": [{"uuid": gpu.uuid}]},
        )
        return scene.sending(gpu.evidence(NONCE)).answered(EmulatedResponder(authority))

    @cached_property
    def gpu(self) -> EmulatedGpu:
        """The node's GPU, honest whatever the scene is."""
        return EmulatedGpu(self.authority, "scene")

    def sending(self, *devices: DeviceEvidence) -> Scene:
        """The same node with other evidence; as many GPUs are registered and listed as sent."""
        return replace(
            self,
            devices=tuple(device_json(device) for device in devices),
            gpu_count=len(devices),
            inventory={"gpus": [{"uuid": f"GPU-{number}"} for number, _ in enumerate(devices)]},
        )

    def answered(self, responder: EmulatedResponder, *, at: datetime | None = None) -> Scene:
        """With what ``responder`` says at ``at`` (an hour ago if not given) of the GPU's chain."""
        chain = load_device_chain(self.gpu.certificate_chain).certificates
        at = at or self.now - STATEMENT_AGE
        answers = tuple(
            responder.answer(ocsp_request(certificate, issuer), now=at)
            for certificate, issuer in itertools.pairwise(chain[1:])
        )
        return replace(self, answers=answers)

    @property
    def device_certificate(self) -> x509.Certificate:
        """Certificate 1 of the GPU's chain."""
        return self.gpu.device.certificate

    def judge(self) -> Appraisal:
        """Read the request and judge it. Raises EvidenceFormatError as the service does."""
        evidence = NodeEvidence(
            nonce=NONCE,
            devices=devices_from_json(self.devices),
            inventory_signed=inventory_gpu_count(self.inventory) >= self.gpu_count,
            gpu_class=self.gpu_class,
            gpu_count=self.gpu_count,
        )
        documents = [StoredDocument(der, self.now) for der in self.answers]
        return verify_evidence(
            evidence,
            policy=self.policy,
            now=self.now,
            trust=self.authority.trust(TrustAnchors({}, {})),
            rims=MappingRimStore(self.manifests),
            revocation=RevocationMaterial.load(ocsp=documents),
            allow_lists=self.allow_lists,
        )

    def codes(self) -> frozenset[str]:
        """Every code that judging gives, notes too."""
        try:
            appraisal = self.judge()
        except EvidenceError as error:
            return frozenset({error.code})
        return frozenset(finding["code"] for finding in appraisal.findings_json())


def device_json(device: DeviceEvidence) -> dict[str, Any]:
    """One device as a request holds it."""
    return {
        "arch": device.claimed_architecture,
        "uuid": device.claimed_uuid,
        "vendor": device.vendor,
        "evidence": base64.b64encode(device.report).decode("ascii"),
        "certificate": base64.b64encode(device.certificate_chain).decode("ascii"),
    }
