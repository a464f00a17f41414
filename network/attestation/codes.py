"""Every code that the verifier can emit: what it means, and what the operator does next.

Codes are stable: a code never changes its meaning, and one that is no longer used stays unused.
``docs/findings.md`` is this list, and a test compares both with the sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Cause(StrEnum):
    """What can lead to a code.

    EVIDENCE: what a node sends about its devices, judged with the manifests and statements that the
    service holds; CLAIMS: what it says beside, unsigned by a device; REQUEST: with which keys it
    signs; ROUND: how it plays a compute round; SERVICE: the service's own state, settings, files or
    faults, whatever the node sends.
    """

    EVIDENCE = "evidence"
    CLAIMS = "claims"
    REQUEST = "request"
    ROUND = "round"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Code:
    """One plain sentence each."""

    meaning: str
    next_step: str


_OTHER_CHAIN: Final = "Send the chain as NVML gives it; if it stays so, ask the vendor."
_OTHER_MANIFEST: Final = "None for you: the service's manifest is at fault; tell its operator."
_OTHER_STATEMENT: Final = "None for you: the service has to renew its statements."
_NOT_GENUINE: Final = "Read the report from NVML anew and send it unchanged."
_AGENT: Final = "Update the agent and send the evidence as it collects it."
_SAVED_FILE: Final = "Check the path, and that the file is what the agent saved."
_ANSWER: Final = "Update the agent; answer every GPU's challenge on that GPU and at once."
_ROUND_TOLD: Final = "None: the message changed nothing. Update the agent if it repeats."
_SIGNED_AGAIN: Final = "Ask the GPU for a new report; update its firmware if it stays so."

_ON_THE_LIST: Final = "Install a version that is on the network's list."
_LIST_ABSENT: Final = "None for you: the service has to take in the list and the manifest."

#: The next step of a code that needs none.
NOTHING_TO_DO: Final = "None."

CODES: Final[Mapping[str, Code]] = {
    "chain.algorithm": Code("A certificate has no P-384 key.", _OTHER_CHAIN),
    "chain.count": Code("The chain has too few or too many certificates.", _OTHER_CHAIN),
    "chain.expired": Code(
        "A certificate of the device's chain has run out.", "Ask the vendor for a newer chain."
    ),
    "chain.extension": Code(
        "A certificate has a critical extension that is unknown here.", _OTHER_CHAIN
    ),
    "chain.leaf_usage": Code("The first certificate is not one that signs reports.", _OTHER_CHAIN),
    "chain.name": Code("A certificate was not issued by the one that follows it.", _OTHER_CHAIN),
    "chain.not_ca": Code("A certificate may not issue the one before it.", _OTHER_CHAIN),
    "chain.not_yet_valid": Code(
        "A certificate begins in the future.", "Check the clock of the service, then the chain."
    ),
    "chain.pem": Code(
        "The chain cannot be read, or is not written in the one accepted form.", _OTHER_CHAIN
    ),
    "chain.root_certificate": Code(
        "The root has the pinned key but is not a certificate that this key issued.", _OTHER_CHAIN
    ),
    "chain.root_unpinned": Code(
        "The chain ends in a root that is not trusted here.",
        "Use a GPU of a vendor that this network trusts; emulated ones count nowhere else.",
    ),
    "chain.signature": Code(
        "A certificate's signature is wrong, or encoded in another way than it was made.",
        _OTHER_CHAIN,
    ),
    "challenge.failed": Code(
        "The node's last compute round was answered wrongly or too late.",
        "See the round's own findings; another round follows within the hour.",
    ),
    "challenge.lapsed": Code(
        "The last compute round that was passed is too long ago.",
        "Keep the agent running; rounds come several times a day.",
    ),
    "challenge.missed": Code(
        "The node's last compute round was not begun in time.",
        "Keep the agent running; another round follows within the hour.",
    ),
    "challenge.none": Code(
        "No compute round has been played with this node yet, so tier T2 is not proven.",
        "Keep the agent running; the first round comes within minutes of a report.",
    ),
    "challenge.not_whole": Code(
        "The inventory does not list every GPU of the round as neither split nor virtual.",
        "Switch MIG off, pass whole GPUs through, and let the agent list them.",
    ),
    "challenge.other_gpus": Code(
        "The last compute round was for fewer GPUs than are registered.",
        "Let the agent list every registered GPU; the next round covers them.",
    ),
    "challenge.uncalibrated": Code(
        "The round was passed, but this class has no measured deadline, so it proves no tier.",
        "None: the class has to be calibrated first.",
    ),
    "class.sku_unknown": Code(
        "Of this board it is not known here which class it belongs to.",
        "None: the tier stays. Tell the service's operator the SKU.",
    ),
    "compute.begin_early": Code(
        "The round was to begin before its time.",
        _ROUND_TOLD,
    ),
    "compute.begin_late": Code(
        "The round was to begin after its window of five seconds.",
        "Let the agent ask in time, and keep the machine's network up.",
    ),
    "compute.clock_backwards": Code(
        "The service's clock went backwards; the round is void.",
        _ROUND_TOLD,
    ),
    "compute.commit_length": Code(
        "The commitment does not have its exact length.",
        _ANSWER,
    ),
    "compute.entry_range": Code(
        "An opened entry is larger than any product of int8 rows can be.",
        _ANSWER,
    ),
    "compute.index_duplicate": Code(
        "A row was opened twice.",
        _ANSWER,
    ),
    "compute.index_extra": Code(
        "A row was opened that was not asked for.",
        _ANSWER,
    ),
    "compute.index_missing": Code(
        "A row that was asked for was not opened.",
        _ANSWER,
    ),
    "compute.index_order": Code(
        "The rows were not opened in the order they were asked for.",
        _ANSWER,
    ),
    "compute.index_range": Code(
        "A row was opened that the matrix does not have.",
        _ANSWER,
    ),
    "compute.late": Code(
        "The commitment arrived after its deadline, by the service's clock.",
        "Let nothing else run on the GPU, and see whether the class is the right one.",
    ),
    "compute.no_begin": Code(
        "The round was not begun in its window of five seconds.",
        "Keep the agent running; another round follows within the hour.",
    ),
    "compute.no_commit": Code(
        "No commitment arrived.",
        "See the agent's log: the product was not finished or not sent.",
    ),
    "compute.no_opening": Code(
        "No opening arrived.",
        "See the agent's log: the rows were not sent.",
    ),
    "compute.open_late": Code(
        "The opening arrived after its deadline, by the service's clock.",
        "Use an uplink of at least 100 Mbit/s.",
    ),
    "compute.open_length": Code(
        "The opening does not have its exact length.",
        _ANSWER,
    ),
    "compute.out_of_turn": Code(
        "The message does not belong to this state of the round.",
        _ROUND_TOLD,
    ),
    "compute.root_mismatch": Code(
        "An opened row does not lead to the committed root.",
        _ANSWER,
    ),
    "compute.row_wrong": Code(
        "An opened row is not the product of the two matrices.",
        _ANSWER,
    ),
    "compute.second_commit": Code(
        "Another root was sent after the first one.",
        _ROUND_TOLD,
    ),
    "compute.uncalibrated": Code(
        "No deadline has been measured for this class and size.",
        "None: the class has to be calibrated first.",
    ),
    "compute.wrong_round": Code(
        "The message was made for another round, GPU, node, epoch or size.",
        _ANSWER,
    ),
    "device.class_mismatch": Code(
        "The GPU belongs to another class than the node is registered as.",
        "Register the node in the class of its GPUs.",
    ),
    "device.duplicate": Code(
        "One physical GPU was offered more than once, or by two nodes.",
        "Offer every GPU once, on one node; one that moved counts there after the waiting time.",
    ),
    "device.type_mismatch": Code(
        "The device is not of the kind or architecture that it was offered as.",
        "Offer every device as what it is: a GPU by its architecture, a switch as LS10.",
    ),
    "device.unknown_type": Code(
        "Of this type of device nothing is known here, so it is not appraised as one that is.",
        "Offer only GPUs that the documentation lists, or wait for a newer verifier.",
    ),
    "dice.debug": Code(
        "The GPU says that it runs in a debug state.",
        "Use a production part with production firmware.",
    ),
    "dice.key_mismatch": Code(
        "The leaf names another issuer's key than the chain holds.", _OTHER_CHAIN
    ),
    "dice.malformed": Code("The leaf's firmware identity cannot be read.", _OTHER_CHAIN),
    "driver.not_allowed": Code(
        "The driver is genuine, and not on the list that the network voted for.", _ON_THE_LIST
    ),
    "driver.not_evaluated": Code(
        "Whether the driver is on the network's list cannot be said.", _LIST_ABSENT
    ),
    "energy.claim_refused": Code(
        "A GPU's energy claim is no measurement, so it is not counted.",
        "Send the values as NVML gives them, sampled after the challenge.",
    ),
    "energy.class_unknown": Code(
        "Nobody here knows how much power cards of this class can draw.",
        "None for you: the network has to say what the class is.",
    ),
    "energy.implausible": Code(
        "A GPU claims more or less energy than such a card can draw; an estimate counts instead.",
        "Check the card's sensors, its power limit and the node's clock.",
    ),
    "evidence.invalid": Code("The evidence sent is not in the documented form.", _AGENT),
    "evidence.stale": Code(
        "The report had run out when a token was to be made from it.", "Send a new report."
    ),
    "evidence.too_many": Code("More devices were sent than can be read.", "Split the node."),
    "evidence.unreadable": Code("The saved evidence cannot be read.", _SAVED_FILE),
    "evidence.vendor_unknown": Code(
        "The devices of this vendor cannot be verified here.",
        "Leave the vendor out for NVIDIA's devices; others prove no more than tier T2 so far.",
    ),
    "fwid.absent": Code(
        "Report or certificate names no firmware id, so the two were not compared.",
        "None: older firmware does not tell it.",
    ),
    "fwid.malformed": Code("The report's firmware id has a wrong length.", _SIGNED_AGAIN),
    "fwid.mismatch": Code(
        "Report and certificate are of different firmware.", "Restart the GPU and collect both."
    ),
    "inventory.incomplete": Code(
        "The signed inventory lists fewer GPUs than are registered, so it does not prove T1.",
        "Let the agent see every registered GPU.",
    ),
    "meas.mismatch": Code(
        "A measurement differs from what the vendor's manifest allows.",
        "Install the vendor's driver and VBIOS of these versions unchanged, then restart.",
    ),
    "meas.missing": Code("The manifest has a measurement that the report has not.", _SIGNED_AGAIN),
    "meas.svn_too_low": Code(
        "The report's security version is lower than the manifest asks for, or is not given.",
        "Update the GPU's firmware; the older one has a known weakness.",
    ),
    "node.devices_missing": Code(
        "Fewer GPUs sent evidence than are registered.",
        "Bring the others back, or lower the count.",
    ),
    "node.devices_unregistered": Code(
        "More GPUs sent evidence than are registered.", "Raise the registered count."
    ),
    "node.emulated_mixed": Code(
        "Emulated and genuine GPUs were offered together.", "Run them as separate nodes."
    ),
    "node.mode_mixed": Code(
        "The GPUs of the node run in different modes.", "Set one confidential mode on all of them."
    ),
    "node.switches_missing": Code(
        "The GPUs run in protected PCIe mode and no switch sent evidence.",
        "Collect the switches' evidence too and send it with the GPUs'.",
    ),
    "node.too_many_devices": Code(
        "More GPUs or switches were offered than a node may have.", "Split the node."
    ),
    "node.topology": Code(
        "GPUs and switches are not linked only to each other, or are not eight and four.",
        "Offer all eight GPUs and four switches of one board, each once.",
    ),
    "nonce.mismatch": Code(
        "The report answers another challenge than the one issued.",
        "Ask for a challenge and answer that one; let no other program ask the GPU meanwhile.",
    ),
    "policy.class_unknown": Code(
        "The network has voted no tier for this class, so nothing is enough.",
        "Register in a class that has one, or propose the parameter.",
    ),
    "pq.absent": Code(
        "The node has registered no post-quantum key that counts, so it signs with Ed25519 alone.",
        "Make one (keygen --add-ml-dsa), rotate the keys on chain and prove them.",
    ),
    "report.bad_header": Code("The report is not a signed SPDM 1.1 exchange.", _NOT_GENUINE),
    "report.dup_index": Code("A measurement index is zero or comes twice.", _NOT_GENUINE),
    "report.not_dmtf": Code("A measurement is not in the DMTF format.", _NOT_GENUINE),
    "report.opaque_duplicate": Code("A field of the report comes twice.", _NOT_GENUINE),
    "report.opaque_overflow": Code("The report's opaque data has wrong lengths.", _NOT_GENUINE),
    "report.opaque_version": Code(
        "The report's opaque data is of a version that is not known here.",
        "Wait for a newer verifier, or use a driver of the documented versions.",
    ),
    "report.record_overflow": Code("The measurement record has wrong lengths.", _NOT_GENUINE),
    "report.too_long": Code("The report is longer than any can be.", _NOT_GENUINE),
    "report.too_short": Code("The report is shorter than any can be.", _NOT_GENUINE),
    "report.trailing_bytes": Code("Something follows the report's signature.", _NOT_GENUINE),
    "revocation.good": Code("The chain's certificates are not revoked.", NOTHING_TO_DO),
    "revocation.hold": Code(
        "A certificate is on hold: its issuer suspended it for now.", "Ask the vendor why."
    ),
    "revocation.malformed": Code(
        "A stored statement on revocation cannot be used.", _OTHER_STATEMENT
    ),
    "revocation.not_checked": Code(
        "Nobody could say whether a certificate is revoked.",
        "None for you: the service holds no statement on this chain yet.",
    ),
    "revocation.revoked": Code(
        "The issuer has revoked a certificate of the chain.",
        "Take the GPU out of service and ask the vendor.",
    ),
    "revocation.stale": Code(
        "What is known about revocation is out of date.",
        _OTHER_STATEMENT,
    ),
    "revocation.unknown": Code(
        "The issuer does not know a certificate of the chain.", "Ask the vendor."
    ),
    "rim.chain": Code("The manifest's signer does not count for this device.", _OTHER_MANIFEST),
    "rim.digest": Code("The manifest was changed after it was signed.", _OTHER_MANIFEST),
    "rim.doctype": Code("The manifest has a document type.", _OTHER_MANIFEST),
    "rim.expired": Code(
        "The manifest's signer has run out.", "Update driver or VBIOS to a newer manifest's."
    ),
    "rim.index_conflict": Code("Two values are claimed for one measurement.", _OTHER_MANIFEST),
    "rim.keyinfo": Code("The manifest's certificates cannot be read.", _OTHER_MANIFEST),
    "rim.malformed": Code("The manifest is not in the vendor's form.", _OTHER_MANIFEST),
    "rim.not_allowed": Code(
        "The manifest is genuine, and not on the list that the network voted for.", _ON_THE_LIST
    ),
    "rim.not_evaluated": Code(
        "Whether the manifest is on the network's list cannot be said.", _LIST_ABSENT
    ),
    "rim.not_found": Code(
        "There is no manifest for this driver or VBIOS; the finding says why.",
        "Use a driver and VBIOS that the service has manifests for, or tell its operator.",
    ),
    "rim.not_yet_valid": Code("The manifest's signer begins in the future.", _OTHER_MANIFEST),
    "rim.profile": Code("The manifest is not signed in the one accepted way.", _OTHER_MANIFEST),
    "rim.signature": Code("The manifest's signature is wrong.", _OTHER_MANIFEST),
    "rim.version": Code("The manifest is for another product or version.", _OTHER_MANIFEST),
    "sig.report": Code(
        "The report is not signed by the leaf certificate's key.",
        "Collect report and chain of the same GPU in one go.",
    ),
    "tier.required": Code(
        "The node proves a lower tier than its class must.", "See the other findings first."
    ),
    "verifier.fault": Code(
        "The verifier itself failed on this device.", "Send another report; tell the operator."
    ),
}

#: By the part of a code before the dot; all others are EVIDENCE.
CAUSE_BY_PREFIX: Final[Mapping[str, Cause]] = {
    "challenge": Cause.ROUND,
    "compute": Cause.ROUND,
    "energy": Cause.CLAIMS,
    "pq": Cause.REQUEST,
}
#: Codes whose cause differs from that of their prefix.
CAUSE_BY_CODE: Final[Mapping[str, Cause]] = {
    # A token was asked for too late.
    "evidence.stale": Cause.SERVICE,
    # A file of somebody's, read by hand.
    "evidence.unreadable": Cause.SERVICE,
    # The network has not voted.
    "policy.class_unknown": Cause.SERVICE,
    "verifier.fault": Cause.SERVICE,
}


def cause(code: str) -> Cause:
    """What can lead to ``code``."""
    return CAUSE_BY_CODE.get(code) or CAUSE_BY_PREFIX.get(code.split(".")[0], Cause.EVIDENCE)


def code_words(codes: Iterable[str]) -> dict[str, dict[str, str]]:
    """``{code: {"meaning", "next_step"}}`` of the codes that are listed here, sorted, each once."""
    return {
        code: {"meaning": CODES[code].meaning, "next_step": CODES[code].next_step}
        for code in sorted(set(codes) & CODES.keys())
    }


def next_steps(codes: Iterable[str]) -> tuple[str, ...]:
    """What the operator does about ``codes``, in their order, each once; nothing for those that
    ask for nothing."""
    steps = (CODES[code].next_step for code in codes if code in CODES)
    return tuple(dict.fromkeys(step for step in steps if step != NOTHING_TO_DO))
