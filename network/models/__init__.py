"""The network's tables: what the chain says (projected) and what nodes prove (received).

Projected tables are written by ``network.projectors`` alone and can be rebuilt
from the logs at any time. Received tables hold evidence that exists nowhere
else: they point at nodes without a database constraint, so that rebuilding a
projection or a reorg never deletes what a node sent.
"""

from network.models.attestation import (
    Attestation,
    AttestationState,
    Challenge,
    ChallengePurpose,
    DeviceFinding,
    FindingSeverity,
    Verdict,
    VerdictStatus,
)
from network.models.cases import CaseKind, CaseStatus, NodeCase
from network.models.collateral import (
    AllowList,
    AllowListKind,
    ChainCertificate,
    CollateralVersion,
    Crl,
    OcspResponse,
    Rim,
    RimKind,
)
from network.models.compute import (
    FINAL_ROUND_STATUSES,
    FINAL_TASK_STATUSES,
    CohortReason,
    ComputeCohort,
    ComputeEpoch,
    ComputeRound,
    ComputeTask,
    RoundStatus,
    TaskStatus,
)
from network.models.devices import Device
from network.models.energy import EnergyHour, EnergyReading
from network.models.epochs import Epoch, EpochLeaf, EpochLedger, EpochRecord
from network.models.evidence import AttestationEvidence
from network.models.nodes import (
    Node,
    NodeEvent,
    NodeKey,
    NodeKeyAction,
    NodeKeyEvent,
    NodeKeyStatus,
    NodeStatus,
)
from network.models.parameters import (
    ActivationKind,
    Parameter,
    ParameterChange,
    ParameterClass,
    ParameterKind,
    ParameterSet,
    ParameterTightening,
    SetStatus,
    TightenDirection,
)
from network.models.requests import IdempotencyKey, SignatureNonce
from network.models.standing import (
    Incident,
    IncidentAction,
    IncidentEvent,
    IncidentState,
    Strike,
    VerifierBuild,
)

__all__ = [
    "FINAL_ROUND_STATUSES",
    "FINAL_TASK_STATUSES",
    "ActivationKind",
    "AllowList",
    "AllowListKind",
    "Attestation",
    "AttestationEvidence",
    "AttestationState",
    "CaseKind",
    "CaseStatus",
    "ChainCertificate",
    "Challenge",
    "ChallengePurpose",
    "CohortReason",
    "CollateralVersion",
    "ComputeCohort",
    "ComputeEpoch",
    "ComputeRound",
    "ComputeTask",
    "Crl",
    "Device",
    "DeviceFinding",
    "EnergyHour",
    "EnergyReading",
    "Epoch",
    "EpochLeaf",
    "EpochLedger",
    "EpochRecord",
    "FindingSeverity",
    "IdempotencyKey",
    "Incident",
    "IncidentAction",
    "IncidentEvent",
    "IncidentState",
    "Node",
    "NodeCase",
    "NodeEvent",
    "NodeKey",
    "NodeKeyAction",
    "NodeKeyEvent",
    "NodeKeyStatus",
    "NodeStatus",
    "OcspResponse",
    "Parameter",
    "ParameterChange",
    "ParameterClass",
    "ParameterKind",
    "ParameterSet",
    "ParameterTightening",
    "Rim",
    "RimKind",
    "RoundStatus",
    "SetStatus",
    "SignatureNonce",
    "Strike",
    "TaskStatus",
    "TightenDirection",
    "Verdict",
    "VerdictStatus",
    "VerifierBuild",
]
