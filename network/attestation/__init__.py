"""Verification of GPU attestation evidence: pure Python, no Django, no network, no clock.

``verify_evidence`` is the door in. Evidence formats and rules are described in the modules, after
DMTF DSP0274 (SPDM 1.1), TCG DICE, ISO 19770-2 (SWID), W3C XMLDSig and IETF RATS.
"""

from .appraisal import Appraisal, DeviceAppraisal, Status
from .bounded import BoundedCache
from .caches import Caches
from .ear import EAR_PROFILE, EvidenceStale, ear_claims, trust_vector
from .errors import EvidenceError, Finding, Severity
from .evidence import DeviceEvidence, EvidenceFormatError, NodeEvidence, devices_from_json
from .facts import NodeFacts
from .identity import device_identities, device_identity
from .measured import ComputeFacts, RoundOutcome
from .policy import Policy, RimExpired, Tier
from .rim import ChainedRimStore, DirectoryRimStore, MappingRimStore, RimStore
from .trust import TrustAnchor, TrustAnchors
from .verifier import verify_evidence

__all__ = [
    "EAR_PROFILE",
    "Appraisal",
    "BoundedCache",
    "Caches",
    "ChainedRimStore",
    "ComputeFacts",
    "DeviceAppraisal",
    "DeviceEvidence",
    "DirectoryRimStore",
    "EvidenceError",
    "EvidenceFormatError",
    "EvidenceStale",
    "Finding",
    "MappingRimStore",
    "NodeEvidence",
    "NodeFacts",
    "Policy",
    "RimExpired",
    "RimStore",
    "RoundOutcome",
    "Severity",
    "Status",
    "Tier",
    "TrustAnchor",
    "TrustAnchors",
    "device_identities",
    "device_identity",
    "devices_from_json",
    "ear_claims",
    "trust_vector",
    "verify_evidence",
]
