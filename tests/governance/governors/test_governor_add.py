"""The command: what it prints, what it stores, and how it refuses."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chain.addresses import to_checksum
from chain.contracts import deployment as deployment_read
from chain.models import WatchedContract
from config.embedded.process import free_port
from governance.models import GovernorAct, IndexedGovernor
from tests.governance.governors.local import LocalGovernor

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
Factory = Callable[[str], LocalGovernor]


def run(address: bytes | str, *options: str) -> str:
    out = io.StringIO()
    text = address if isinstance(address, str) else to_checksum(address)
    call_command("governor_add", text, *options, stdout=out)
    return out.getvalue()


def refused(address: bytes | str, *options: str) -> str:
    with pytest.raises(CommandError) as caught:
        run(address, *options)
    return str(caught.value)


def nothing_stored() -> bool:
    return not (
        IndexedGovernor.objects.exists()
        or GovernorAct.objects.exists()
        or WatchedContract.objects.exists()
    )


@pytest.mark.parametrize("kind", ["oz5_fractional", "oz4_timelock", "compound_governor", "bravo"])
def test_a_governor_is_added_with_its_timelock(
    kind: str, governor_factory: Factory, deployment: dict[str, Any]
) -> None:
    governor = governor_factory(kind)
    out = run(governor.address, "--name", "Local one", "--actor", "a person")
    assert f"Governor      {to_checksum(governor.address)} on chain 31337" in out
    assert "Added as Local one." in out
    row = IndexedGovernor.objects.get()
    assert bytes(row.address) == governor.address
    assert (row.name, row.added_by, row.creation_block) == (
        "Local one",
        "a person",
        governor.created_at,
    )
    followed = {bytes(w.address): (w.abi, w.first_block) for w in WatchedContract.objects.all()}
    bravo = kind == "bravo"
    compound = kind in ("bravo", "compound_governor")
    assert followed == {
        governor.address: ("GovernorBravo" if bravo else "GovernorOZ", governor.created_at),
        governor.timelock: (
            "TimelockCompound" if compound else "TimelockOZ",
            governor.created_at,
        ),
    }
    act = GovernorAct.objects.get()
    assert (act.act, act.actor) == (GovernorAct.Act.ADD, "a person")


def test_a_dry_run_reports_and_stores_nothing(
    governor_factory: Factory, deployment: dict[str, Any]
) -> None:
    governor = governor_factory("oz5_access")
    out = run(governor.address, "--dry-run")
    assert "  access_manager: " in out
    assert out.rstrip().endswith("Nothing was stored (--dry-run).")
    report = json.loads(run(governor.address, "--dry-run", "--json"))
    assert report["family"] == "oz_v5"
    assert [limit["code"] for limit in report["limits"]] == ["access_manager"]
    assert report["outcome"] == "Nothing was stored (--dry-run)."
    assert nothing_stored()


def test_adding_twice_says_so(governor_factory: Factory, deployment: dict[str, Any]) -> None:
    governor = governor_factory("oz5_overridable")
    assert "Added as Local OZ5 overridable." in run(governor.address)
    again = run(governor.address)
    assert "It was added before" in again
    assert IndexedGovernor.objects.count() == 1
    assert [act.act for act in GovernorAct.objects.all()] == ["update", "add"]


def test_a_wrong_address_our_own_and_a_wrong_node_are_refused(
    governor_factory: Factory, deployment: dict[str, Any]
) -> None:
    ours = deployment_read().address("AlthingGovernor")
    assert "(governor_is_ours)" in refused(ours)
    assert "(address_malformed)" in refused("0x12")
    governor = governor_factory("oz5_overridable")
    swapped = to_checksum(governor.address).swapcase().replace("0X", "0x")
    assert "(address_checksum)" in refused(swapped)
    nobody = f"http://127.0.0.1:{free_port()}"
    assert "(governor_node_unreachable)" in refused(governor.address, "--rpc", nobody)
    malformed = refused(governor.address, "--rpc", "ws://someone:secret@node")
    assert "(governor_rpc_malformed)" in malformed
    assert "secret" not in malformed
    assert "(governor_start_in_future)" in refused(governor.address, "--from-block", "9999999")
    assert "(governor_not_a_governor)" in refused(governor.token)
    assert nothing_stored()


def test_another_chain_is_refused(
    governor_factory: Factory, deployment: dict[str, Any], settings: Any
) -> None:
    governor = governor_factory("oz5_overridable")
    settings.CHAIN_ID = 1
    settings.ALTHING_DEPLOYMENT = settings.BASE_DIR / "deployments" / "none.json"
    for options in ((), ("--rpc", settings.RPC_URL)):
        text = refused(governor.address, *options)
        assert "serves chain 31337, " in text
        assert "(governor_wrong_chain)" in text
    assert nothing_stored()


def test_refusals_are_json_too(deployment: dict[str, Any]) -> None:
    out = io.StringIO()
    address = to_checksum(deployment_read().address("AlthingToken"))
    with pytest.raises(CommandError):
        call_command("governor_add", address, "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["code"] == "governor_is_ours"
    assert answer["data"] == {}
