"""Nodes: registration, capacity, stake, suspension, exit. Keys: the node's id in hex.

Logs say when to read; what a row shows is the contract's own answer at a block's
hash (``node``, ``unbonds``). Capacity and stake are never summed from logs.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chain.projections import BlockHeader, DecodedLog, History, Projector, Read
from network.models import Node, NodeEvent, NodeStatus
from network.projectors.parameters import log_position, time_of

CONTRACT = "NodeRegistry"
EVENTS = (
    "NodeRegistered",
    "NodeCapacityUpdated",
    "NodeKeysRotated",
    "StakeAdded",
    "UnstakeRequested",
    "NodeSuspended",
    "NodeResumed",
    "ExitRequested",
    "StakeWithdrawn",
    "CaseOpened",
    "CaseContested",
    "CaseDecided",
    "CaseDismissed",
    # Takes stake, unbonding or bonded.
    "DebtCollected",
)


def _node_key(args: dict[str, Any]) -> Iterable[str]:
    return [args["nodeId"].hex()]


class NodesProjector(Projector):
    """Writes Node and NodeEvent."""

    name = "network.nodes"
    models = (Node, NodeEvent)
    events: Mapping[tuple[str, str], Callable[[dict[str, Any]], Iterable[str]]] = {
        (CONTRACT, event): _node_key for event in EVENTS
    }

    def due_keys(self, *, block: BlockHeader) -> Iterable[str]:
        """Name the nodes whose suspension has run out: no log marks it."""
        over = Node.objects.filter(
            status=NodeStatus.SUSPENDED, suspended_until__lte=time_of(block.timestamp)
        )
        return [node_id.hex() for node_id in over.values_list("node_id", flat=True)]

    def reads(self, *, keys: list[str], block: BlockHeader) -> Iterable[Read]:
        for key in keys:
            yield node_read(key)
            yield unbonds_read(key)

    def recompute(self, *, key: str, history: History) -> None:
        logs = history.logs()
        found = history.read_at(node_read(key))
        registered = next((log for log in logs if log.event == "NodeRegistered"), None)
        if registered is None or found is None:
            Node.objects.filter(node_id=bytes.fromhex(key)).delete()
            return
        state, block_number = found
        node, _ = Node.objects.update_or_create(
            node_id=bytes.fromhex(key),
            defaults={
                **_registration_fields(registered),
                **_state_fields(state, now_s=history.block.timestamp),
                **_event_fields(logs),
                "unbonding_wei": _unbonding_wei(key, history),
                "block_number": block_number,
            },
        )
        _events_write(node, logs)


def node_read(key: str) -> Read:
    return Read(CONTRACT, "node", (bytes.fromhex(key),))


def unbonds_read(key: str) -> Read:
    return Read(CONTRACT, "unbonds", (bytes.fromhex(key),))


def short_text(raw: bytes) -> str:
    """Read a bytes32 that holds short ASCII text padded with zeros; other bytes as 0x hex."""
    text = raw.rstrip(b"\x00")
    if text.isascii() and text.decode("ascii").isprintable():
        return text.decode("ascii")
    return f"0x{raw.hex()}"[:32]


def _registration_fields(registered: DecodedLog) -> dict[str, Any]:
    return {
        "metadata_uri": registered.args["metadataURI"],
        "registered_at": time_of(registered.block_timestamp),
        "registered_tx": registered.transaction_hash,
        "position": log_position(registered),
    }


def _state_fields(state: dict[str, Any], *, now_s: int) -> dict[str, Any]:
    until_s, exit_s = state["suspendedUntil"], state["exitRequestedAt"]
    if state["exited"]:
        status = NodeStatus.EXITED
    elif exit_s:
        status = NodeStatus.EXITING
    elif until_s > now_s:
        status = NodeStatus.SUSPENDED
    else:
        status = NodeStatus.REGISTERED
    return {
        "operator": state["operator"],
        "keys_hash": state["keysHash"],
        "gpu_class": short_text(state["gpuClass"]),
        "gpu_count": state["gpuCount"],
        "region": short_text(state["region"]),
        "stake_wei": state["stake"],
        "status": status,
        "suspended_until": time_of(until_s) if until_s else None,
        "exit_requested_at": time_of(exit_s) if exit_s else None,
    }


def _event_fields(logs: list[DecodedLog]) -> dict[str, Any]:
    """What the contract's state does not keep: the reason of a suspension, the exit's end."""
    fields: dict[str, Any] = {"suspended_reason": "", "withdrawable_at": None}
    for log in logs:
        if log.event == "NodeSuspended":
            fields["suspended_reason"] = short_text(log.args["reason"])
        elif log.event == "NodeResumed":
            fields["suspended_reason"] = ""
        elif log.event == "ExitRequested":
            fields["withdrawable_at"] = time_of(log.args["withdrawableAt"])
    return fields


def _unbonding_wei(key: str, history: History) -> int:
    unbonds = history.read(unbonds_read(key)) or ()
    return sum(int(unbond["amount"]) for unbond in unbonds)


def _events_write(node: Node, logs: list[DecodedLog]) -> None:
    node.events.all().delete()
    NodeEvent.objects.bulk_create(
        NodeEvent(
            position=log_position(log),
            node=node,
            event=log.event,
            args={name: _json_value(value) for name, value in log.args.items()},
            occurred_at=time_of(log.block_timestamp),
            block_number=log.block_number,
            transaction_hash=log.transaction_hash,
        )
        for log in logs
    )


def _json_value(value: Any) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
