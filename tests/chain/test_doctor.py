"""Bad set-ups of the chain layer: each a coded error that names the next step."""

from __future__ import annotations

import json
import secrets
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chain import doctor
from chain.checks import chain_settings_check
from chain.client import rpc_client
from chain.contracts import contract
from chain.doctor import ChainSetupError, cursor_check, index_check
from chain.indexer.loop import index_until_head
from chain.models import Block, Cursor, Log
from chain.status import freshness
from tests.chain.conftest import HolderProjector, Wallet, canonical_digest, holder_digest
from tests.chain.test_indexer import pay, treasurer

__all__ = ["treasurer"]

pytestmark = [pytest.mark.chain, pytest.mark.django_db]

ADA = b"\xaa" * 20
NOWHERE = "http://127.0.0.1:9"


def refusal(command: str, *args: str) -> str:
    with pytest.raises(CommandError) as caught:
        call_command(command, *args, stdout=StringIO())
    return str(caught.value)


@pytest.fixture
def file(
    session_deployment: dict[str, Any], deployment: Any, tmp_path: Path, settings: Any
) -> dict[str, Any]:
    """The deployment's content; ``write(file)`` puts it in force."""
    copy: dict[str, Any] = json.loads(json.dumps(session_deployment))
    settings.ALTHING_DEPLOYMENT = tmp_path / "deployment.json"
    write(copy, settings)
    return copy


def write(file: dict[str, Any], settings: Any) -> None:
    # Under a new name: a file in use is looked at only every second.
    settings.ALTHING_DEPLOYMENT = settings.ALTHING_DEPLOYMENT.with_name(secrets.token_hex(4))
    settings.ALTHING_DEPLOYMENT.write_text(json.dumps(file), encoding="utf-8")


def test_all_is_well(holders: HolderProjector) -> None:
    index_until_head()
    out = StringIO()
    call_command("chain_doctor", stdout=out)
    lines = out.getvalue().splitlines()
    assert len(lines) == len(doctor.CHECKS)
    assert all(line.startswith("ok") for line in lines), out.getvalue()


def test_every_contract_of_ours_has_the_functions_of_its_abi(deployment: Any) -> None:
    client = rpc_client()
    for name in deployment["contracts"]:
        code = client.code(contract(name).address)
        assert doctor.selectors_missing(name, code) == [], name
        others = [other for other in deployment["contracts"] if other != name]
        assert all(doctor.selectors_missing(other, code) for other in others)


@pytest.mark.parametrize("args", [("--once",), ("--until-head",)])
def test_an_unreachable_node(
    holders: HolderProjector, settings: Any, args: tuple[str, ...]
) -> None:
    settings.RPC_URL = NOWHERE
    said = refusal("index", *args)
    assert "rpc_unreachable" in said
    assert "RPC_URL" in said
    assert not Cursor.objects.exists()


def test_a_node_of_another_chain(holders: HolderProjector, file: Any, settings: Any) -> None:
    settings.CHAIN_ID = file["chain_id"] = 10
    write(file, settings)
    said = refusal("index", "--until-head")
    assert "chain_mismatch" in said
    assert "serves chain 31337" in said
    assert not Cursor.objects.exists()


def test_a_deployment_of_another_chain(holders: HolderProjector, settings: Any) -> None:
    settings.CHAIN_ID = 10
    assert "deployment_chain" in refusal("index", "--until-head")


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "deployment_missing"), ("{", "deployment_malformed"), ("[]", "deployment_malformed")],
)
def test_a_deployment_file_that_is_none(
    holders: HolderProjector, settings: Any, tmp_path: Path, content: str | None, code: str
) -> None:
    settings.ALTHING_DEPLOYMENT = tmp_path / "deployment.json"
    if content is not None:
        settings.ALTHING_DEPLOYMENT.write_text(content, encoding="utf-8")
    for command in (("index", "--until-head"), ("rebuild_projections",), ("index",)):
        said = refusal(*command)
        assert code in said
        assert said.rstrip().endswith(".")


def test_an_address_without_code(holders: HolderProjector, file: Any, settings: Any) -> None:
    file["contracts"]["AlthingGovernor"]["address"] = "0x" + "12" * 20
    write(file, settings)
    said = refusal("index", "--until-head")
    assert "contract_no_code" in said
    assert "AlthingGovernor at 0x12" in said


def test_an_abi_that_is_not_the_contracts(
    holders: HolderProjector, file: Any, settings: Any
) -> None:
    governor, token = (file["contracts"][name] for name in ("AlthingGovernor", "AlthingToken"))
    governor["address"], token["address"] = token["address"], governor["address"]
    write(file, settings)
    said = refusal("index", "--until-head")
    assert "contract_abi_mismatch" in said
    assert not Cursor.objects.exists()


def test_a_start_in_the_future(holders: HolderProjector, file: Any, settings: Any) -> None:
    file["first_block"] = 10**9
    write(file, settings)
    said = refusal("index", "--until-head")
    assert "start_block_in_future" in said
    assert "synced" in said


CORRUPTIONS: dict[str, dict[str, Any]] = {
    "cursor_hash_mismatch": {"hash": b"\x66" * 32},
    "cursor_negative": {"number": -1},
    "cursor_headerless": {"number": 10**6},
}


@pytest.mark.parametrize("code", CORRUPTIONS)
def test_a_corrupt_cursor_is_named_and_put_right_without_loss(
    holders: HolderProjector, treasurer: Wallet, code: str
) -> None:
    pay(treasurer, ADA)
    index_until_head()
    digest = (canonical_digest(), holder_digest())
    count = Log.objects.count()
    Cursor.objects.update(**CORRUPTIONS[code])
    for command in (("index", "--until-head"), ("rebuild_projections",), ("index",)):
        said = refusal(*command)
        assert code in said
        assert "resolve_reorg" in said
    assert (canonical_digest(), holder_digest()) == digest
    call_command("resolve_reorg", stdout=StringIO())
    assert code in refusal("index", "--until-head"), "without --yes nothing changes"
    call_command("resolve_reorg", "--yes", stdout=StringIO())
    index_until_head()
    assert freshness().state == "ok"
    assert (canonical_digest(), holder_digest()) == digest
    assert Log.objects.count() == count


def test_a_cursor_whose_header_is_gone(holders: HolderProjector, treasurer: Wallet) -> None:
    pay(treasurer, ADA)
    index_until_head()
    Block.objects.filter(number=Cursor.objects.get().number).delete()
    assert "cursor_headerless" in refusal("index", "--once")
    call_command("resolve_reorg", "--yes", stdout=StringIO())
    index_until_head()
    assert cursor_check().endswith("running")


def test_a_cursor_below_the_first_block(holders: HolderProjector, file: Any, settings: Any) -> None:
    index_until_head()
    number = Cursor.objects.get().number
    file["first_block"] = number + 2
    write(file, settings)
    with pytest.raises(ChainSetupError) as caught:
        cursor_check()
    assert caught.value.code == "cursor_below_start"


def test_a_cursor_of_another_chain(holders: HolderProjector) -> None:
    index_until_head()
    Cursor.objects.update(chain_id=5)
    said = refusal("index", "--until-head")
    assert "cursor_of_other_chain" in said
    assert "chain 5" in said


def test_the_doctor_names_each_problem_once(
    holders: HolderProjector, file: Any, settings: Any
) -> None:
    index_until_head()
    file["contracts"]["AlthingToken"]["address"] = "0x" + "12" * 20
    write(file, settings)
    settings.RPC_URL_SECOND = NOWHERE
    Cursor.objects.update(state=Cursor.State.HALTED_DEEP_REORG, error="A reorganisation.")
    out = StringIO()
    with pytest.raises(CommandError, match="3 of 9 checks"):
        call_command("chain_doctor", "--json", stdout=out)
    found = {item["check"]: item for item in json.loads(out.getvalue())["checks"]}
    wrong = {name: item["code"] for name, item in found.items() if item["code"]}
    assert wrong == {
        "second node": "second_rpc_unreachable",
        "contracts": "contract_no_code",
        "halt": "index_halted",
    }
    assert all(found[name]["next_step"] for name in wrong)


def test_a_node_with_another_history(holders: HolderProjector, treasurer: Wallet) -> None:
    pay(treasurer, ADA)
    index_until_head()
    final = Cursor.objects.get().finalized_number
    Block.objects.filter(number=final).update(hash=b"\x77" * 32)
    with pytest.raises(ChainSetupError) as caught:
        doctor.history_check(rpc_client())
    assert caught.value.code == "history_differs"
    index_check()


@pytest.mark.parametrize(
    ("name", "value", "id_"),
    [
        ("RPC_URL", "localhost:8545", "chain.E001"),
        ("RPC_URL_SECOND", "ftp://node.example", "chain.E001"),
        ("CHAIN_FINALITY", "soon", "chain.E002"),
        ("CHAIN_FINALITY", "-1", "chain.E002"),
        ("CHAIN_ID", 10, "chain.E003"),
    ],
)
def test_settings_that_no_node_need_be_asked_about(
    deployment: Any, settings: Any, name: str, value: Any, id_: str
) -> None:
    assert chain_settings_check(None) == []
    setattr(settings, name, value)
    found = chain_settings_check(None)
    assert [message.id for message in found] == [id_]
    assert found[0].hint


def test_no_deployment_file_is_no_error_before_one_is_deployed(
    settings: Any, tmp_path: Path
) -> None:
    settings.ALTHING_DEPLOYMENT = tmp_path / "none.json"
    assert chain_settings_check(None) == []


def test_one_node_of_several_that_is_no_use(holders: HolderProjector, settings: Any) -> None:
    settings.RPC_URLS = NOWHERE
    with pytest.raises(ChainSetupError) as caught:
        doctor.providers_check(rpc_client())
    assert caught.value.code == "rpc_unreachable"
    assert "127.0.0.1" in caught.value.detail
    index_check()
