"""Lists that the DAO votes for: their files, their roots, and what they do to verdicts."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chain import clock
from chain.hashing import keccak
from network.attestation import Severity, Status, Tier, verify_evidence
from network.attestation.allow_lists import AllowList, AllowLists, driver_digest
from network.attestation.emulator import HOPPER, EmulatorAuthority
from network.attestation.emulator.manifests import driver_manifest, vbios_manifest
from network.attestation.evidence import NodeEvidence
from network.attestation.rim import load_rim
from network.epochs.merkle import inner_hash
from network.errors import NetworkError
from network.models import AllowList as AllowListRow
from network.models import AllowListKind, Rim, Verdict
from network.services.collateral_lists import (
    digests_of,
    list_ingest,
    list_read,
    list_root,
    lists_forget,
)
from network.services.rederivation import verdict_rederive
from tests.network.attestation.samples import (
    AUTHORITY,
    EMULATED_RIMS,
    EMULATOR_TRUST,
    NONCE,
    NOW,
    STRICT,
    gpu,
)
from tests.network.conftest import World
from tests.network.nodes import TestNode

DRIVER = driver_manifest(AUTHORITY, HOPPER)[1]
MANIFESTS = frozenset(
    hashlib.sha256(xml).hexdigest()
    for _, xml in (driver_manifest(AUTHORITY, HOPPER), vbios_manifest(AUTHORITY, HOPPER))
)
DRIVERS = frozenset({driver_digest(load_rim(DRIVER))})
OTHER = frozenset({"00" * 32})


def judged(lists: AllowLists, *, rims: Any = EMULATED_RIMS, enforce: bool = True) -> Any:
    """An honest card judged by these lists."""
    evidence = NodeEvidence(
        nonce=NONCE,
        devices=(gpu().evidence(NONCE),),
        inventory_signed=True,
        gpu_class="h100_80g",
        gpu_count=1,
    )
    policy = dataclasses.replace(STRICT, enforce_rim=enforce)
    return verify_evidence(
        evidence, policy=policy, now=NOW, trust=EMULATOR_TRUST, rims=rims, allow_lists=lists
    )


def findings(appraisal: Any) -> dict[str, Any]:
    return {
        item.code: item
        for item in appraisal.devices[0].findings
        if item.code.split(".")[1] in {"not_allowed", "not_evaluated"}
    }


def test_what_is_on_the_lists_passes() -> None:
    lists = AllowLists(AllowList("aa", MANIFESTS | OTHER), AllowList("bb", DRIVERS | OTHER))
    appraisal = judged(lists)
    assert appraisal.status is Status.AFFIRMING
    assert findings(appraisal) == {}


def test_what_is_not_on_the_lists_is_refused_by_name() -> None:
    appraisal = judged(AllowLists(AllowList("aa", OTHER), AllowList("bb", OTHER)))
    assert appraisal.status is Status.CONTRAINDICATED
    found = findings(appraisal)
    assert set(found) == {"rim.not_allowed", "driver.not_allowed"}
    assert found["driver.not_allowed"].data["driver_digest"] in DRIVERS
    assert found["driver.not_allowed"].data["version"] == HOPPER.driver_version
    # One for each of the two manifests.
    codes = [item.code for item in appraisal.devices[0].findings]
    assert codes.count("rim.not_allowed") == 2


def test_without_the_list_behind_the_root_nothing_is_evaluated() -> None:
    lists = AllowLists(AllowList("aa", None), AllowList("bb", None))
    found = findings(judged(lists))
    assert set(found) == {"rim.not_evaluated", "driver.not_evaluated"}
    assert {item.data["root"] for item in found.values()} == {"aa", "bb"}
    assert all(item.data["reason"] == "list" for item in found.values())
    assert judged(lists).status is Status.CONTRAINDICATED
    observed = judged(lists, enforce=False)
    assert observed.status is Status.WARNING
    assert observed.tier is Tier.T4
    assert {item.severity for item in findings(observed).values()} == {Severity.WARNING}


def test_a_driver_without_a_manifest_cannot_be_on_a_list() -> None:
    found = findings(judged(AllowLists(drivers=AllowList("bb", DRIVERS)), rims=EMPTY))
    assert found["driver.not_evaluated"].data["reason"] == "manifest"


class _Empty:
    def get(self, rim_id: str) -> None:
        return None


EMPTY = _Empty()


def test_a_driver_stays_the_same_when_its_manifest_is_signed_anew() -> None:
    later = dataclasses.replace(AUTHORITY, rim_signer_valid_until=NOW + timedelta(days=9))
    again = driver_manifest(later, HOPPER)[1]
    assert again != DRIVER
    assert driver_digest(load_rim(again)) in DRIVERS
    newer = dataclasses.replace(HOPPER, driver_version="551.00.00")
    assert driver_digest(load_rim(driver_manifest(AUTHORITY, newer)[1])) not in DRIVERS


# --- Files ---------------------------------------------------------------------------------

A, B, C = "11" * 32, "22" * 32, "ff" * 32


def test_a_root_is_that_of_the_written_rule() -> None:
    leaves = [keccak(b"\0" + bytes.fromhex(item)) for item in (A, B, C)]
    assert list_root([A]) == leaves[0]
    assert list_root([A, B, C]) == inner_hash(inner_hash(leaves[0], leaves[1]), leaves[2])


def test_a_list_is_read_with_what_is_for_people() -> None:
    content = f"# drivers\n\n{A} first\n{B}\n{C}\tlast\r\n".encode()
    assert list_read(content) == [A, B, C]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "allow_list_empty"),
        (b"# nothing\n\n", "allow_list_empty"),
        (b"hello", "allow_list_malformed"),
        (A[:-1].encode(), "allow_list_malformed"),
        (f"{A}0".encode(), "allow_list_malformed"),
        (f"0x{A}".encode(), "allow_list_malformed"),
        (C.upper().encode(), "allow_list_malformed"),
        (f" {A}".encode(), "allow_list_malformed"),
        ("ä".encode(), "allow_list_malformed"),
        (f"{B}\n{A}".encode(), "allow_list_order"),
        (f"{A}\n{A}".encode(), "allow_list_order"),
        ("\n".join(f"{n:064x}" for n in range(20_001)).encode(), "allow_list_too_long"),
    ],
)
def test_a_file_that_is_no_list_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(NetworkError) as refused:
        list_read(content)
    assert refused.value.code == code


# --- The service ---------------------------------------------------------------------------

MakeNode = Callable[..., TestNode]


def store(kind: AllowListKind, *, without: str = "") -> bytes:
    """Take in the list of all manifests in the store, and return its root."""
    entries = digests_of(kind, Rim.objects.all())
    lines = [digest for digest, rim_id in entries if not without or without not in rim_id]
    content = "\n".join(lines).encode()
    return list_ingest(content, kind=kind, source="test", at=clock.now())[0].root


def vote(service: World, **roots: bytes) -> None:
    values = {f"attest__{name}": int.from_bytes(root, "big") for name, root in roots.items()}
    service.parameters_set(**values)
    service.pass_time(86_400)
    service.settle()


def codes(node: TestNode) -> set[str]:
    """Of a new report's verdict, those that are about lists."""
    assert node.attest().status_code == 201
    rows = Verdict.objects.latest("pk").device_findings.all()
    return {row.code for row in rows if row.code.endswith(("not_allowed", "not_evaluated"))}


@pytest.mark.chain
@pytest.mark.django_db
def test_a_vote_for_a_list_changes_the_next_verdict(make_node: MakeNode, service: World) -> None:
    node = make_node(gpu_count=1)
    assert codes(node) == set()
    manifests, drivers = store(AllowListKind.RIM), store(AllowListKind.DRIVER)
    vote(service, rim_root=manifests, driver_digest_root=drivers)
    assert codes(node) == set()
    recorded = Verdict.objects.latest("pk").inputs["allow_lists"]
    assert recorded == {"rim": manifests.hex(), "driver": drivers.hex()}
    narrower = store(AllowListKind.RIM, without=HOPPER.driver_version)
    vote(service, rim_root=narrower)
    assert codes(node) == {"rim.not_allowed"}
    # A root whose list nobody has published here: said, and never a crash.
    vote(service, rim_root=b"\x01" * 32, driver_digest_root=b"\x02" * 32)
    assert codes(node) == {"rim.not_evaluated", "driver.not_evaluated"}
    assert Verdict.objects.latest("pk").inputs["allow_lists"] == {}
    for verdict in Verdict.objects.all():
        assert verdict_rederive(verdict).equal
    # A list that is found later does not change what was judged without it.
    AllowListRow.objects.filter(root=manifests).update(root=b"\x03" * 32)
    lists_forget()
    with pytest.raises(NetworkError) as refused:
        verdict_rederive(Verdict.objects.order_by("pk")[1])
    assert refused.value.code == "collateral_missing"


@pytest.mark.chain
@pytest.mark.django_db
def test_the_command(
    service: World,
    emulator: tuple[Path, EmulatorAuthority],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(CommandError, match="no genuine manifest"):
        call_command("allow_list", "rim")
    # The emulator's stand in for genuine ones here.
    Rim.objects.update(emulated=False)
    call_command("allow_list", "driver")
    made = capsys.readouterr().out
    root = made.split()[2]
    assert made.startswith(f"# attest.driver_digest_root {root}\n")
    file = tmp_path / "drivers.txt"
    file.write_text(made)
    call_command("allow_list", "driver", "--import", str(file))
    text = capsys.readouterr().out
    assert root in text
    assert "No list is in force" in text
    vote(service, driver_digest_root=bytes.fromhex(root[2:]))
    call_command("allow_list", "driver", "--import", str(file))
    text = capsys.readouterr().out
    assert text.startswith("known")
    assert "This is the list in force" in text
    file.write_text(A)
    call_command("allow_list", "driver", "--import", str(file))
    assert "Another list is in force" in capsys.readouterr().out
    file.write_text("hello")
    with pytest.raises(CommandError, match="allow_list_malformed"):
        call_command("allow_list", "driver", "--import", str(file))
    with pytest.raises(CommandError, match="file_unreadable"):
        call_command("allow_list", "driver", "--import", str(tmp_path))
