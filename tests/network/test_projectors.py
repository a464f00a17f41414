"""What the chain says against what the tables say: real contracts, the real indexer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chain.client import chain_call, chain_head
from chain.indexer.rebuild import projections_rebuild
from network.models import (
    Node,
    NodeEvent,
    NodeStatus,
    Parameter,
    ParameterChange,
    ParameterSet,
    ParameterTightening,
    SetStatus,
)
from network.selectors import policy_at, policy_current
from network.selectors.parameters import parameter_history, parameter_state
from tests.network.conftest import ATTESTOR, GUARDIAN, OPERATOR, World, node, parameter

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
HOUR_S = 3600


def head_time() -> datetime:
    return datetime.fromtimestamp(chain_head().timestamp, tz=UTC)


def tables() -> dict[str, Any]:
    """Everything the projectors wrote."""
    models = (Parameter, ParameterSet, ParameterChange, ParameterTightening, Node, NodeEvent)
    return {m.__name__: list(m.objects.order_by("pk").values()) for m in models}


def crowd(world: World) -> None:
    """Two large nodes: the attestor may suspend a tenth of all stake at most."""
    world.register_node(b"\x11" * 32, gpu_count=16)
    world.register_node(b"\x12" * 32, gpu_count=16)


def agree_with_chain() -> None:
    """Every parameter's value and bounds are those that the contract gives."""
    head = chain_head()
    for row in Parameter.objects.all():
        state = parameter_state(row, at=head_time())
        value = int.from_bytes(chain_call("NetworkParameters", "get", (row.key,), head.hash), "big")
        assert int(state.value, 0) == value, row.name
        assert row.matches_chain, row.name
        if not row.is_numeric:
            assert state.allowed is None
            continue
        lowest, highest = chain_call("NetworkParameters", "allowedRange", (row.key,), head.hash)
        assert state.allowed is not None
        assert lowest <= state.allowed[0] <= state.allowed[1] <= highest, row.name
        assert state.allowed[0] - lowest < row.step
        assert highest - state.allowed[1] < row.step
        allowed_at = chain_call("NetworkParameters", "allowedAt", (row.key,), head.hash)
        assert state.allowed_at_s == allowed_at, row.name


def test_the_registry_as_deployed(indexed: World) -> None:
    assert Parameter.objects.count() == len(chain_call("NetworkParameters", "keys", ()))
    ttl = parameter("attest.ttl")
    assert (ttl.kind, ttl.unit, ttl.value, ttl.min, ttl.max, ttl.step) == (
        "SECONDS",
        "s",
        "2700",
        120,
        604800,
        60,
    )
    assert ttl.version == 0
    assert ttl.group == "attest"
    agree_with_chain()
    policy = policy_current()
    assert (policy.version, policy.ttl_s) == (0, 2700)
    assert policy.required_tier("h100_80g") == 4


def test_a_routine_change_is_in_force_at_once(indexed: World) -> None:
    tx = indexed.parameters_set(attest__ttl=1800)
    indexed.index()
    ttl = parameter("attest.ttl")
    assert (ttl.value, ttl.version, ttl.last_changed_tx) == ("1800", 1, tx)
    (change,) = ttl.changes.all()
    assert (change.old, change.new, change.transaction_hash) == ("2700", "1800", tx)
    # Not final yet: nothing is judged by it.
    assert policy_current().ttl_s == 2700
    indexed.settle()
    policy = policy_current()
    assert (policy.ttl_s, policy.version, policy.set_id) == (1800, 1, 1)
    before = policy_at(block_number=ttl.defined_block)
    assert (before.ttl_s, before.version) == (2700, 0)
    assert before.digest != policy.digest
    agree_with_chain()


def test_a_pending_set_becomes_current_by_time_alone(indexed: World) -> None:
    key = "stake.per_gpu_h100_80g"
    old, new = 420 * 10**18, 460 * 10**18
    indexed.parameters_set(**{key.replace(".", "__"): new})
    indexed.settle()
    row = parameter(key)
    (change,) = row.changes.all()
    now = head_time()
    assert change.effective_at > now
    assert row.value == str(old)
    assert row.next_change_at == change.effective_at
    state = parameter_state(row, at=now)
    assert state.pending == change
    assert state.value == str(old)
    assert parameter_state(row, at=change.effective_at).value == str(new)
    assert change.set.status_at(now) == SetStatus.SCHEDULED
    assert policy_current().version == 0
    agree_with_chain()

    indexed.pass_time(HOUR_S + 60)
    indexed.index()
    row = parameter(key)
    assert (row.value, row.version, row.next_change_at) == (str(new), 1, None)
    assert policy_current().version == 1
    assert policy_current().values[key] == str(new)
    agree_with_chain()


def test_a_vetoed_set_never_counts(indexed: World) -> None:
    indexed.parameters_set(stake__per_gpu_h100_80g=460 * 10**18)
    indexed.settle()
    indexed.send(indexed.accounts[GUARDIAN].address, "NetworkParameters", "veto", (1,))
    indexed.settle()
    row = parameter("stake.per_gpu_h100_80g")
    (history, _defined) = parameter_history(row, at=head_time())
    assert (history.status, history.set_id) == (SetStatus.VETOED, 1)
    indexed.pass_time(HOUR_S + 60)
    indexed.index()
    row = parameter("stake.per_gpu_h100_80g")
    assert (row.value, row.version) == (str(420 * 10**18), 0)
    assert parameter_state(row, at=head_time()).pending is None
    assert policy_current().version == 0
    agree_with_chain()


def test_undo_restores_and_says_so(indexed: World) -> None:
    indexed.parameters_set(attest__ttl=1800)
    indexed.timelock("NetworkParameters", "undo", (1,))
    indexed.settle()
    row = parameter("attest.ttl")
    assert (row.value, row.version) == ("2700", 2)
    undone, undoing = ParameterSet.objects.order_by("set_id")
    assert (undone.undone_by, undone.status_at(head_time())) == (2, SetStatus.UNDONE)
    assert undoing.status_at(head_time()) == SetStatus.EFFECTIVE
    assert policy_current().version == 2
    agree_with_chain()


def test_a_withdrawn_undo_undid_nothing(indexed: World) -> None:
    indexed.parameters_set(stake__per_gpu_h100_80g=460 * 10**18)
    indexed.pass_time(HOUR_S + 60)
    indexed.timelock("NetworkParameters", "undo", (1,))
    indexed.settle()
    assert ParameterSet.objects.get(set_id=1).undone_by == 2
    indexed.timelock("NetworkParameters", "withdraw", (2,))
    indexed.settle()
    first, second = ParameterSet.objects.order_by("set_id")
    assert (first.undone_by, first.status_at(head_time())) == (None, SetStatus.EFFECTIVE)
    assert second.status_at(head_time()) == SetStatus.WITHDRAWN
    assert parameter("stake.per_gpu_h100_80g").value == str(460 * 10**18)
    agree_with_chain()


def test_a_tightening_holds_and_lapses(indexed: World) -> None:
    row = parameter("attest.enforce_measurements")
    assert row.value == "0"
    guardian = indexed.accounts[GUARDIAN].address
    one = (1).to_bytes(32, "big")
    indexed.send(guardian, "NetworkParameters", "tighten", (row.key, one))
    indexed.settle()
    row = parameter("attest.enforce_measurements")
    assert (row.value, row.voted_value) == ("1", "0")
    assert policy_current().appraisal_policy().enforce_measurements
    assert policy_current().version == 1
    agree_with_chain()
    tightening = row.tightenings.get()
    assert tightening.in_force_at(head_time())

    indexed.pass_time(int((tightening.lapses_at - head_time()).total_seconds()) + 1)
    indexed.index()
    row = parameter("attest.enforce_measurements")
    assert (row.value, row.next_change_at) == ("0", None)
    assert policy_current().version == 2
    assert not policy_current().appraisal_policy().enforce_measurements
    agree_with_chain()


def test_a_reorganisation_takes_a_change_back(indexed: World) -> None:
    snapshot = indexed.rpc("evm_snapshot")
    before = tables()
    indexed.parameters_set(attest__ttl=1800)
    indexed.index()
    assert parameter("attest.ttl").value == "1800"
    indexed.rpc("evm_revert", snapshot)
    indexed.rpc("anvil_mine", hex(2))
    indexed.index()
    assert parameter("attest.ttl").value == "2700"
    assert ParameterSet.objects.count() == 0
    after = tables()
    for rows in (before, after):
        for row in rows["Parameter"]:
            # Read again at the newest block that touched it: another block, the same answer.
            row.pop("valued_at")
            row.pop("chain_value_block")
    assert after == before


def test_a_node_through_its_life(indexed: World) -> None:
    crowd(indexed)
    node_id = indexed.register_node(b"\x01" * 32)
    indexed.settle()
    row = node(node_id)
    assert (row.gpu_class, row.gpu_count, row.region) == ("h100_80g", 2, "eu-north")
    assert (row.status, row.stake_wei) == (NodeStatus.REGISTERED, 840 * 10**18)
    operator = indexed.accounts[OPERATOR].address
    assert row.operator == operator

    attestor = indexed.accounts[ATTESTOR].address
    reason = b"evidence".ljust(32, b"\0")
    indexed.send(attestor, "NodeRegistry", "suspend", (node_id, reason, b"\x02" * 32))
    indexed.settle()
    row = node(node_id)
    assert (row.status, row.suspended_reason) == (NodeStatus.SUSPENDED, "evidence")
    assert row.suspended_until is not None

    # It runs out by time; no log says so.
    indexed.pass_time(int((row.suspended_until - head_time()).total_seconds()) + 1)
    indexed.index()
    assert node(node_id).status == NodeStatus.REGISTERED

    indexed.send(operator, "NodeRegistry", "rotateKeys", (node_id, b"\x03" * 32))
    indexed.send(operator, "NodeRegistry", "updateCapacity", (node_id, 1))
    indexed.send(operator, "NodeRegistry", "requestUnstake", (node_id, 10**18))
    indexed.send(operator, "NodeRegistry", "requestExit", (node_id,))
    indexed.settle()
    row = node(node_id)
    assert (row.keys_hash, row.gpu_count, row.status) == (b"\x03" * 32, 1, NodeStatus.EXITING)
    assert row.unbonding_wei == 840 * 10**18
    assert row.withdrawable_at is not None

    indexed.pass_time(15 * 24 * HOUR_S)
    indexed.send(operator, "NodeRegistry", "withdraw", (node_id, operator))
    indexed.settle()
    row = node(node_id)
    assert (row.status, row.unbonding_wei) == (NodeStatus.EXITED, 0)
    assert [event.event for event in row.events.order_by("position")] == [
        "NodeRegistered",
        "NodeSuspended",
        "NodeKeysRotated",
        "NodeCapacityUpdated",
        "UnstakeRequested",
        "ExitRequested",
        "StakeWithdrawn",
    ]


def test_a_rebuild_gives_the_same_tables(indexed: World) -> None:
    crowd(indexed)
    node_id = indexed.register_node(b"\x01" * 32)
    indexed.parameters_set(attest__ttl=1800)
    indexed.parameters_set(stake__per_gpu_h100_80g=460 * 10**18)
    indexed.settle()
    guardian, attestor = (indexed.accounts[index].address for index in (GUARDIAN, ATTESTOR))
    indexed.send(guardian, "NetworkParameters", "veto", (2,))
    key = parameter("attest.enforce_measurements").key
    indexed.send(guardian, "NetworkParameters", "tighten", (key, (1).to_bytes(32, "big")))
    indexed.send(attestor, "NodeRegistry", "suspend", (node_id, b"x".ljust(32, b"\0"), b"\2" * 32))
    indexed.settle()
    indexed.timelock("NetworkParameters", "undo", (1,))
    indexed.pass_time(int(timedelta(days=4).total_seconds()))
    indexed.index()
    before = tables()
    assert before["ParameterTightening"]
    projections_rebuild()
    assert tables() == before
