"""Derive a stored verdict again: the same evidence, as of its time, with the very collateral that
its ``inputs`` name. What was taken in, withdrawn or voted since changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from network.attestation import (
    Appraisal,
    MappingRimStore,
    NodeEvidence,
    NodeFacts,
    Policy,
    TrustAnchors,
    devices_from_json,
    verify_evidence,
)
from network.attestation.allow_lists import AllowList, AllowLists
from network.attestation.trust import TrustAnchor
from network.epochs.digest import PublishedVerdict
from network.errors import NotFound, Refused
from network.models import Crl, OcspResponse, Verdict
from network.selectors.evidence import evidence_read
from network.services.collateral_lists import lists_in_force
from network.services.collateral_store import (
    StoredStatement,
    revocation_material,
    rim_xml,
    statement_of_answer,
    statement_of_list,
)
from network.services.epochs_hash import verdict_published
from network.services.verdicts import findings_json
from network.verification import CACHES, VERIFIER_BUILD


@dataclass(frozen=True, slots=True)
class Rederivation:
    """A verdict as derived again. ``differences`` are the fields in which it is another one than
    the stored; ``other_build`` names the build that made it, where that is not this one."""

    verdict: Verdict
    derived: PublishedVerdict
    differences: tuple[str, ...]
    other_build: str | None

    @property
    def equal(self) -> bool:
        """The hash that was stored is the hash of what was derived."""
        return not self.differences and self.derived.hash == self.verdict.verdict_hash


def verdict_rederive(verdict: Verdict) -> Rederivation:
    """Verify a verdict's evidence again as of its receipt.

    Raises:
        NotFound: ``collateral_missing``, a document that it names is not stored, or not as it was.
        Refused: ``inputs_unreadable``, the verdict does not say what it was made from.
    """
    inputs = verdict.inputs
    try:
        appraisal, recorded = _appraise(verdict, inputs)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(
            "inputs_unreadable",
            f"Verdict {verdict.pk} does not say completely what it was made from.",
        ) from error
    derived = Verdict(
        attestation=verdict.attestation,
        node_id=verdict.node_id,
        status=appraisal.status.value,
        tier=int(appraisal.tier),
        required_tier=int(appraisal.required_tier),
        policy_version=verdict.policy_version,
        policy_hash=verdict.policy_hash,
        policy_block=verdict.policy_block,
        # As a row holds them: numbers, texts and lists.
        findings=json.loads(json.dumps(findings_json(appraisal))),
        inputs=inputs | recorded,
        emulated=appraisal.emulated,
        judged_at=verdict.judged_at,
        evidence_at=verdict.attestation.received_at,
        fresh_until=verdict.attestation.received_at + timedelta(seconds=_policy(verdict).ttl_s),
        rejudge_of=verdict.rejudge_of,
    )
    published, stored = verdict_published(derived), verdict_published(verdict)
    found, wanted = published.as_json(), stored.as_json()
    build = inputs.get("build")
    return Rederivation(
        verdict=verdict,
        derived=published,
        differences=tuple(name for name in wanted if found[name] != wanted[name]),
        other_build=None if build == VERIFIER_BUILD else str(build),
    )


def _appraise(verdict: Verdict, inputs: Mapping[str, Any]) -> tuple[Appraisal, dict[str, Any]]:
    """The outcome, and those parts of its record that the collateral gave anew."""
    body = json.loads(evidence_read(verdict.attestation))
    evidence = NodeEvidence(
        nonce=verdict.attestation.challenge_id,
        devices=devices_from_json(body["devices"]),
        inventory_signed=inputs["inventory_gpus"] >= inputs["gpu_count"],
        gpu_class=inputs["gpu_class"],
        gpu_count=inputs["gpu_count"],
    )
    rims = {rim_id: _rim(rim_id, sha256) for rim_id, sha256 in inputs["rims"].items()}
    statements = [_statement(item) for item in inputs["revocation"]]
    appraisal = verify_evidence(
        evidence,
        policy=_policy(verdict),
        now=verdict.attestation.received_at,
        trust=_trust(inputs["anchors"]),
        rims=MappingRimStore(rims),
        caches=CACHES,
        facts=NodeFacts.from_json(inputs["facts"]),
        revocation=revocation_material(statements),
        allow_lists=_lists(verdict.policy["values"], inputs["allow_lists"]),
    )
    return appraisal, {"revocation": [statement.as_json() for statement in statements]}


def _policy(verdict: Verdict) -> Policy:
    values: dict[str, str] = verdict.policy["values"]
    numeric = {name: int(value) for name, value in values.items() if not value.startswith("0x")}
    return Policy.from_parameters(numeric, version=verdict.policy_version)


def _trust(recorded: list[dict[str, Any]]) -> TrustAnchors:
    """The roots that counted then: the vendor's as this build knows them, the others by key."""
    known = TrustAnchors.nvidia()
    pinned: dict[str, dict[str, TrustAnchor]] = {"device": {}, "rim": {}}
    for item in recorded:
        kind, spki = item["kind"], item["spki_sha256"]
        anchor = (known.device if kind == "device" else known.rim).get(spki)
        pinned[kind][spki] = anchor or TrustAnchor("recorded", spki, emulated=item["emulated"])
    return TrustAnchors(pinned["device"], pinned["rim"])


def _lists(values: Mapping[str, str], recorded: Mapping[str, str]) -> AllowLists:
    """The allow-lists of the policy as they were at hand then."""

    def as_then(kind: str, now: AllowList | None) -> AllowList | None:
        if now is None or kind not in recorded:
            return None if now is None else AllowList(now.root, None)
        if now.digests is None:
            raise _missing(f"{kind} allow-list", now.root)
        return now

    now = lists_in_force(values)
    return AllowLists(as_then("rim", now.rims), as_then("driver", now.drivers))


def _rim(rim_id: str, sha256: str) -> bytes:
    try:
        return rim_xml(bytes.fromhex(sha256))
    except OSError as error:
        raise _missing(f"manifest {rim_id}", sha256) from error


def _statement(item: Mapping[str, Any]) -> StoredStatement:
    sha256 = bytes.fromhex(item["sha256"])
    try:
        if item["source"] == "ocsp":
            return statement_of_answer(OcspResponse.objects.get(pk=sha256))
        return statement_of_list(Crl.objects.get(pk=sha256))
    except (OSError, OcspResponse.DoesNotExist, Crl.DoesNotExist) as error:
        raise _missing(f"{item['source']} document", item["sha256"]) from error


def _missing(what: str, sha256: str) -> NotFound:
    return NotFound(
        "collateral_missing",
        f"The {what} with digest {sha256} is not stored here, or not as it was.",
        {"sha256": sha256},
    )
