"""Addresses, fields, the clock, keys, deployment files and freshness."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, models
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from chain import clock
from chain.addresses import AddressInvalid, parse_address, to_checksum
from chain.client import chain_call, chain_head
from chain.contracts import contract, contract_at
from chain.deployment import DeploymentInvalid, deployment
from chain.fields import UINT256_MAX, AddressField, Hash32Field, Uint256Field
from chain.models import Cursor, Signer, TxIntent
from chain.rpc.errors import ContractReverted
from chain.sender.alarms import alarms
from chain.sender.fees import Fees, fees_bump, fees_first, fees_suggest
from chain.sender.loop import outbox_run_once
from chain.status import freshness

# EIP-55's own examples.
CHECKSUMS = [
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
]


@pytest.mark.parametrize("text", CHECKSUMS)
def test_checksums_of_eip_55(text: str) -> None:
    assert to_checksum(parse_address(text)) == text
    assert parse_address(text.lower()) == parse_address(text)


@given(st.binary(min_size=20, max_size=20))
def test_addresses_round_trip(address: bytes) -> None:
    assert parse_address(to_checksum(address)) == address


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "address_malformed"),
        ("0x", "address_malformed"),
        ("0x" + "1" * 39, "address_malformed"),
        ("0x" + "1" * 41, "address_malformed"),
        ("1" * 40, "address_malformed"),
        ("0X" + "1" * 40, "address_malformed"),
        ("0x" + "1" * 40 + "\n", "address_malformed"),
        ("0x" + "\uff11" * 40, "address_malformed"),
        ("\u202e0x" + "1" * 40, "address_malformed"),
        ("vitalik.eth", "address_malformed"),
        (CHECKSUMS[0].replace("aA", "Aa"), "address_checksum"),
        (None, "address_malformed"),
        (7, "address_malformed"),
    ],
)
def test_what_is_no_address_is_refused(text: Any, code: str) -> None:
    with pytest.raises(AddressInvalid) as caught:
        parse_address(text)
    assert caught.value.code == code


class Sample(models.Model):
    """A table with one of each field."""

    address = AddressField()
    digest = Hash32Field(null=True)
    amount_wei = Uint256Field()

    class Meta:
        app_label = "chain"
        db_table = "test_sample"
        managed = False

    def __str__(self) -> str:
        return ""


@pytest.mark.django_db
def test_fields_keep_bytes_and_exact_integers() -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Sample)
    row = Sample.objects.create(address=b"\x11" * 20, amount_wei=UINT256_MAX)
    Sample.objects.create(address="0x" + "22" * 20, digest=b"\x03" * 32, amount_wei=1)
    row.refresh_from_db()
    assert (row.address, row.digest, row.amount_wei) == (b"\x11" * 20, None, UINT256_MAX)
    assert type(row.address) is bytes
    assert type(row.amount_wei) is int
    assert Sample.objects.get(address=b"\x22" * 20).digest == b"\x03" * 32
    assert Sample.objects.filter(amount_wei__gt=2**255).count() == 1
    assert Sample.objects.filter(address__in=[b"\x11" * 20, b"\x22" * 20]).count() == 2
    total = Sample.objects.filter(amount_wei__lt=5).aggregate(total=models.Sum("amount_wei"))
    assert total == {"total": 1}
    Sample.objects.filter(pk=row.pk).update(amount_wei=models.F("amount_wei") - 1)
    row.refresh_from_db()
    assert row.amount_wei == UINT256_MAX - 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (AddressField(), b"\x11" * 19),
        (AddressField(), "0xzz"),
        (Hash32Field(), b""),
        (Uint256Field(), -1),
        (Uint256Field(), UINT256_MAX + 1),
        (Uint256Field(), 1.5),
        (Uint256Field(), "1e3"),
        (Uint256Field(), float("nan")),
        (Uint256Field(), float("inf")),
    ],
)
def test_fields_refuse_what_does_not_fit(field: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        field.to_python(value)


def test_the_clock_can_be_set_and_is_set_back() -> None:
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    with clock.clock_override(lambda: moment):
        assert clock.now() == moment
        assert clock.now_s() == 1893456000
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


# --- fees -------------------------------------------------------------------------------

GWEI = 10**9


def test_first_fees_stay_under_the_cap_or_wait() -> None:
    suggested = fees_suggest(base_fee_wei=10 * GWEI, tip_wei=0, tip_floor_wei=GWEI)
    assert suggested == Fees(21 * GWEI, GWEI)
    assert fees_first(suggested, base_fee_wei=10 * GWEI, cap_wei=100 * GWEI) == suggested
    capped = fees_first(suggested, base_fee_wei=10 * GWEI, cap_wei=15 * GWEI)
    assert capped == Fees(15 * GWEI, GWEI)
    assert fees_first(suggested, base_fee_wei=10 * GWEI, cap_wei=10 * GWEI) is None


@given(
    st.integers(1, 10**13),
    st.integers(1, 10**12),
    st.integers(1, 10**13),
    st.integers(0, 10**12),
    st.integers(1, 10**14),
)
def test_a_bump_raises_both_by_an_eighth_and_obeys_the_cap(
    max_fee: int, tip: int, base: int, market_tip: int, cap: int
) -> None:
    old = Fees(max_fee, min(tip, max_fee))
    suggested = fees_suggest(base_fee_wei=base, tip_wei=market_tip, tip_floor_wei=1)
    new = fees_bump(old, suggested, cap_wei=cap)
    if new is None:
        assert -(-old.max_fee_wei * 9 // 8) > cap
        return
    assert new.max_fee_wei * 8 >= old.max_fee_wei * 9
    assert new.tip_wei * 8 >= old.tip_wei * 9
    assert new.tip_wei <= new.max_fee_wei <= cap


# --- keys -------------------------------------------------------------------------------


@pytest.fixture
def keystore(tmp_path: Path, settings: Any) -> Path:
    path = tmp_path / "keeper.json"
    made = Account.encrypt(b"\x07" * 32, "open sesame", kdf="pbkdf2", iterations=1000)
    path.write_text(json.dumps(made))
    (tmp_path / "passphrase").write_text("open sesame\n")
    for secret in (path, tmp_path / "passphrase"):
        secret.chmod(0o600)
    settings.KEEPER_KEYSTORE = path
    settings.KEEPER_PASSPHRASE_FILE = tmp_path / "passphrase"
    return path


@pytest.mark.django_db
def test_without_a_key_intents_say_who_may_send(settings: Any) -> None:
    settings.KEEPER_KEYSTORE = None
    moment = clock.now()
    TxIntent.objects.create(
        idem_key="a",
        kind="k",
        chain_id=31337,
        to=b"\x11" * 20,
        data=b"",
        data_hash=b"\x11" * 32,
        created_at=moment,
        updated_at=moment,
    )
    outbox_run_once()
    assert "Anyone may send" in TxIntent.objects.get().why_waiting
    assert not Signer.objects.exists()


@pytest.mark.chain
@pytest.mark.django_db(transaction=True)
def test_the_ticks_do_the_work(deployment: Any, keystore: Path, projectors: Any) -> None:
    from chain.tasks import index_tick, outbox_tick

    index_tick()
    assert Cursor.objects.get().number == chain_head().number
    outbox_tick()
    outbox_tick()
    assert Signer.objects.get().balance_wei == 0
    (alarm,) = alarms()
    assert "Fund it" in alarm.sentence


# --- contracts and calls ----------------------------------------------------------------


@pytest.mark.chain
def test_calls_by_name_and_reverts_by_name(deployment: Any) -> None:
    token = contract("AlthingToken")
    assert contract_at(token.address) == "AlthingToken"
    assert contract_at(b"\x11" * 20) is None
    assert chain_call("AlthingToken", "symbol") == "ALT"
    assert chain_call("AlthingToken", "balanceOf", (b"\x11" * 20,), chain_head().hash) == 0
    with pytest.raises(ContractReverted) as caught:
        chain_call("AlthingGovernor", "state", (5,))
    assert caught.value.code == "GovernorNonexistentProposal"
    assert caught.value.arguments == {"proposalId": 5}
    with pytest.raises(ContractReverted) as caught:
        chain_call("NetworkParameters", "get", (b"\x11" * 32,))
    assert caught.value.code == "ParameterUnknown"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "deployment_missing"),
        ("{", "deployment_malformed"),
        ("{}", "deployment_malformed"),
        ('{"chain_id":1,"first_block":1,"contracts":{}}', "deployment_chain"),
        (
            '{"chain_id":31337,"first_block":1,"contracts":{"A":{"address":"0x12"}}}',
            "deployment_malformed",
        ),
    ],
)
def test_deployment_files_that_do_not_serve_are_refused(
    content: str | None, code: str, tmp_path: Path, settings: Any
) -> None:
    path = tmp_path / "deployment.json"
    if content is not None:
        path.write_text(content)
    settings.ALTHING_DEPLOYMENT = path
    with pytest.raises(DeploymentInvalid) as caught:
        deployment()
    assert caught.value.code == code


# --- freshness --------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "ok"),
        ({"head_number": 104}, "ok"),
        ({"head_number": 105}, "amber"),
        ({"head_number": 125}, "red"),
        ({"error": "The node is behind."}, "amber"),
        ({"silent_s": 500}, "red"),
        ({"state": "halted_deep_reorg"}, "halted"),
    ],
)
def test_freshness_is_one_word_and_a_sentence(changes: dict[str, Any], state: str) -> None:
    assert freshness().state == "red"
    moment = clock.now()
    seen = moment - timedelta(seconds=changes.pop("silent_s", 0))
    row = {"number": 100, "head_number": 100, "timestamp": 1000, "head_timestamp": 1000}
    Cursor.objects.create(
        chain_id=31337, hash=b"\x11" * 32, indexed_at=moment, seen_at=seen, **(row | changes)
    )
    fresh = freshness()
    assert fresh.state == state
    assert bool(fresh.detail) == (state != "ok")
    assert fresh.lag_blocks == changes.get("head_number", 100) - 100


@pytest.mark.django_db
def test_a_tick_without_a_node_is_logged_and_not_raised(
    settings: Any,
    keystore: Path,
    caplog: pytest.LogCaptureFixture,
    session_deployment: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from chain.indexer import follow
    from chain.tasks import index_tick, outbox_tick

    settings.RPC_URL = "http://127.0.0.1:9"
    # Each trouble is told once; another test may have met it in this process.
    monkeypatch.setattr(follow, "_tick_trouble", follow._Trouble())
    for _ in range(3):
        index_tick()
    outbox_tick()
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
