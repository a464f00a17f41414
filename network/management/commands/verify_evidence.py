"""Check saved evidence from end to end and explain every step."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain import clock
from network.attestation import (
    Appraisal,
    ChainedRimStore,
    DirectoryRimStore,
    EvidenceFormatError,
    NodeEvidence,
    Policy,
    Tier,
    verify_evidence,
)
from network.attestation.evidence import DeviceKind
from network.attestation.explain import Outcome, Step, explain
from network.attestation.saved import (
    SavedEvidence,
    nonce_read,
    revocation_read,
    saved_evidence_read,
)
from network.attestation.spdm import NONCE_BYTES
from network.errors import PolicyUnavailable
from network.management.times import time_option
from network.selectors.policy import policy_current
from network.verification import manifest_files, trust_anchors

REJECTED, UNREADABLE = 1, 2
#: Stands for the class where no registration is at hand.
NO_CLASS = "unregistered"
MARKS = {
    Outcome.PASSED: "ok",
    Outcome.NOTE: "note",
    Outcome.WARNING: "warning",
    Outcome.FAILED: "FAILED",
    Outcome.NOT_CHECKED: "not checked",
}


class Command(BaseCommand):
    """Reads a report as a node sent it, a list of devices, or a directory with NVIDIA's sample
    (``network.attestation.saved``), and verifies it with this deployment's roots and manifests.

    Without ``--policy`` every check is enforced that can be made from files, and T4 is asked; no
    database and no network are needed. Exits with 0 for accepted, 1 for rejected, 2 for a file or
    an option that cannot be read.
    """

    help = "Check saved evidence from end to end and explain every step."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="JSON file, or directory of a sample.")
        parser.add_argument("--at", help="Judge as of this time, ISO 8601; UTC where it says none.")
        parser.add_argument("--nonce", help="The challenge in hex; else the one in the file.")
        parser.add_argument("--rims", type=Path, help="Directory with more <id>.swidtag manifests.")
        parser.add_argument("--ocsp", type=Path, help="Directory with OCSP responses, *.ocsp.")
        parser.add_argument("--crl", type=Path, help="Directory with revocation lists, *.crl.")
        parser.add_argument(
            "--policy",
            choices=["strict", "current"],
            default="strict",
            help="strict: all that files can show; current: the DAO's, as voted.",
        )
        parser.add_argument("--class", dest="gpu_class", help="Class the node is registered as.")
        parser.add_argument("--json", action="store_true", help="One JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = time_option("--at", options["at"]) or clock.now()
        gpu_class = options["gpu_class"] or NO_CLASS
        ocsp, crl = options["ocsp"], options["crl"]
        is_looked_up = ocsp is not None or crl is not None
        policy = _policy(options["policy"], gpu_class, enforce_revocation=is_looked_up)
        try:
            saved = saved_evidence_read(options["file"])
            given = nonce_read(options["nonce"]) if options["nonce"] else saved.nonce
            revocation = (
                revocation_read(ocsp=ocsp, crl=crl, received_at=now) if is_looked_up else None
            )
        except EvidenceFormatError as error:
            raise CommandError(f"{error.code}: {error.detail}", returncode=UNREADABLE) from error
        evidence = NodeEvidence(
            nonce=_own_nonce(saved) if given is None else given,
            devices=saved.devices,
            # A file shows no signature by the node's key.
            inventory_signed=False,
            gpu_class=gpu_class,
            gpu_count=sum(device.kind is DeviceKind.GPU for device in saved.devices),
        )
        trust = trust_anchors()
        appraisal = verify_evidence(
            evidence,
            policy=policy,
            now=now,
            trust=trust,
            rims=_rims(saved, options["rims"]),
            revocation=revocation,
        )
        steps = explain(
            evidence, appraisal, trust=trust, now=now, challenge_known=given is not None
        )
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(appraisal, steps, now), indent=2))
        else:
            self._write(steps, now, options["policy"])
        if not appraisal.accepted:
            sys.exit(REJECTED)

    def _write(self, steps: tuple[Step, ...], now: datetime, policy: str) -> None:
        self.stdout.write(f"Judged as of {now:%Y-%m-%d %H:%M:%S} UTC by the {policy} policy.")
        place: int | None = None
        for number, step in enumerate(steps, start=1):
            if step.device is not None and step.device != place:
                place = step.device
                self.stdout.write(f"Device {place}")
            codes = f" [{', '.join(step.codes)}]" if step.codes else ""
            self.stdout.write(f"{number:3}. {step.title}: {MARKS[step.outcome]}{codes}")
            self.stdout.write(f"     {step.words}")
            for next_step in step.next_steps:
                self.stdout.write(f"     Next: {next_step}")


def _policy(name: str, gpu_class: str, *, enforce_revocation: bool) -> Policy:
    if name == "strict":
        return Policy(
            version=0,
            enforce_revocation=enforce_revocation,
            enforce_rim=True,
            enforce_measurements=True,
            required_tiers={gpu_class: Tier.T4},
        )
    if gpu_class == NO_CLASS:
        raise CommandError("--policy current needs --class.", returncode=UNREADABLE)
    try:
        return policy_current().appraisal_policy()
    except PolicyUnavailable as error:
        raise CommandError(error.detail, returncode=UNREADABLE) from error


def _rims(saved: SavedEvidence, directory: Path | None) -> ChainedRimStore:
    more = () if directory is None else (DirectoryRimStore(directory),)
    return ChainedRimStore((saved.rims, *more, manifest_files()))


def _own_nonce(saved: SavedEvidence) -> bytes:
    """The first report's own nonce, where nobody kept the challenge: its check is then no check."""
    report = saved.devices[0].report if saved.devices else b""
    return report[4 : 4 + NONCE_BYTES].ljust(NONCE_BYTES, b"\0")


def _as_json(appraisal: Appraisal, steps: tuple[Step, ...], now: datetime) -> dict[str, Any]:
    return {
        "accepted": appraisal.accepted,
        "status": appraisal.status.value,
        "tier": appraisal.tier.name,
        "emulated": appraisal.emulated,
        "judged_as_of": now.isoformat(),
        "devices": [
            {
                "report_sha256": device.report_sha256,
                "measurements_compared": device.measurements_compared,
                "measurements_matched": device.measurements_matched,
                "collateral": dict(device.collateral),
            }
            for device in appraisal.devices
        ],
        "steps": [step.as_json() for step in steps],
    }
