"""Two accounts that send, each with a key of its own; the kind of an intent decides which."""

from __future__ import annotations

from typing import Any

import pytest

from chain.contracts import contract
from chain.metrics import account_figures
from chain.models import Signer, TxIntent
from chain.outbox import (
    Go,
    account_missing,
    intent_kind,
    intent_kind_register,
    intent_submit,
)
from chain.rpc.client import RpcClient
from chain.rpc.errors import Transient
from chain.sender.alarms import alarms
from chain.sender.keys import key_from_private
from chain.sender.loop import outbox_run_once
from chain.sender.rehearsal import intent_rehearse
from tests.chain.sending import by_hand, delegatee, delegation, key, mine, read, submit

__all__ = ["delegation", "key"]

State, Wait = TxIntent.State, TxIntent.Wait
pytestmark = [pytest.mark.chain, pytest.mark.django_db]

ONE, TWO = b"\x11" * 20, b"\x22" * 20


@pytest.fixture
def attestation(delegation: Any) -> None:
    """A kind of intent that the attestor sends, whose effect can be read back as the other's."""
    intent_kind_register(
        name="test.attest",
        preflight=lambda intent: Go(),
        calls=(("AlthingToken", "delegate"),),
        account="attestor",
    )


def submit_attest(to: bytes) -> TxIntent:
    token = contract("AlthingToken")
    return intent_submit(
        idem_key=f"attest:{to.hex()}",
        kind="test.attest",
        to=token.address,
        data=token.encode("delegate", (to,)),
    )


@pytest.fixture
def other(web3_accounts: list[Any]) -> Any:
    return key_from_private(web3_accounts[9].private_key)


def test_a_kind_decides_who_signs_and_sends(
    attestation: None,
    client: RpcClient,
    key: Any,
    other: Any,
    rpc: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = {"keeper": key, "attestor": other}
    monkeypatch.setattr("chain.sender.accounts.key_from_settings", keys.get)
    with by_hand(rpc):
        mine_, theirs = submit(ONE), submit_attest(TWO)
        outbox_run_once()
        mine(rpc, 4)
        outbox_run_once()
    assert (read(mine_).state, read(theirs).state) == (State.FINALIZED_OK, State.FINALIZED_OK)
    assert (delegatee(client, key.address), delegatee(client, other.address)) == (ONE, TWO)
    assert [signer.account for signer in Signer.objects.order_by("account")] == [
        "attestor",
        "keeper",
    ]
    assert account_missing("attestor") == account_missing("keeper") == ""


def test_an_account_without_a_key_holds_up_nobody_else(
    attestation: None,
    client: RpcClient,
    key: Any,
    rpc: Any,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    assert "No sender has run" in account_missing("attestor")
    monkeypatch.setattr("chain.sender.accounts.key_from_settings", {"keeper": key}.get)
    with by_hand(rpc):
        mine_, theirs = submit(ONE), submit_attest(TWO)
        outbox_run_once()
    assert read(mine_).state == State.BROADCAST
    assert (read(theirs).state, theirs.wait_code) == (State.PLANNED, Wait.NO_KEY)
    assert "suspends no node" in theirs.why_waiting
    assert account_missing("attestor") == theirs.why_waiting
    assert account_figures()["attestor"]["state"] == "no_key"
    assert account_figures()["keeper"] == {"state": "ready", "sentence": ""}
    # No key is no alarm: another service may be the attestor.
    assert alarms() == []


def test_one_key_is_never_two_accounts(
    attestation: None, client: RpcClient, key: Any, rpc: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chain.sender.accounts.key_from_settings", lambda account: key)
    with by_hand(rpc):
        mine_, theirs = submit(ONE), submit_attest(TWO)
        outbox_run_once()
    assert read(mine_).state == State.BROADCAST
    assert (read(theirs).state, theirs.wait_code) == (State.PLANNED, Wait.KEY_UNAVAILABLE)
    (alarm,) = alarms()
    assert (alarm.code, alarm.subject) == ("key_shared", "attestor")
    # It can be planned all the same: a key that is mended sends it.
    assert account_missing("attestor") == ""


def test_both_keys_may_fail_to_open_at_once(
    attestation: None, client: RpcClient, settings: Any, tmp_path: Any
) -> None:
    for name in ("KEEPER", "ATTESTOR"):
        setattr(settings, f"{name}_KEYSTORE", str(tmp_path / "nowhere"))
        setattr(settings, f"{name}_PASSPHRASE_FILE", str(tmp_path / "nothing"))
    mine_, theirs = submit(ONE), submit_attest(TWO)
    outbox_run_once()
    found = alarms()
    assert {(alarm.code, alarm.subject) for alarm in found} == {
        ("keystore_unreadable", "keeper"),
        ("keystore_unreadable", "attestor"),
    }
    assert "The attestor's key cannot be used" in read(theirs).why_waiting
    assert "The keeper's key cannot be used" in read(mine_).why_waiting
    settings.KEEPER_KEYSTORE = settings.ATTESTOR_KEYSTORE = ""
    outbox_run_once()
    assert alarms() == []


def test_a_node_that_says_nothing_of_one_account_does_not_stop_the_other(
    attestation: None,
    client: RpcClient,
    key: Any,
    other: Any,
    rpc: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = {"keeper": key, "attestor": other}
    monkeypatch.setattr("chain.sender.accounts.key_from_settings", keys.get)

    def unanswered(intent: TxIntent) -> Go:
        raise Transient("It does not answer.")

    delegation_kind = intent_kind("test.delegate")
    assert delegation_kind is not None
    intent_kind_register(name="test.delegate", preflight=unanswered, calls=delegation_kind.calls)
    with by_hand(rpc):
        submit(ONE)
        theirs = submit_attest(TWO)
        with pytest.raises(Transient):
            outbox_run_once()
    assert read(theirs).state == State.BROADCAST


def test_a_rehearsal_asks_for_the_key_of_the_kind(
    attestation: None, client: RpcClient, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = submit_attest(TWO)
    assert "attestor key" in intent_rehearse(intent)[1]
    monkeypatch.setattr("chain.sender.rehearsal.key_from_settings", {"attestor": other}.get)
    code, sentence = intent_rehearse(intent)
    assert code == Wait.DRY_RUN
    assert f"from 0x{other.address.hex()}" in sentence
