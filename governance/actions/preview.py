"""A proposal before it is signed: its id, its calls, what they do and what is odd about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chain.addresses import to_checksum
from chain.client import call_simulate, chain_call, chain_head, rpc_client
from chain.contracts import contract, deployment
from chain.decoding import AbiError
from chain.errors_text import revert_sentence
from chain.formatting import amount_text
from chain.proposal_id import proposal_id
from chain.rpc.errors import ContractReverted
from chain.signatures import keccak
from governance.actions.build import BuiltCall
from governance.actions.decode import DecodedAction, decode_action, proposal_kind
from governance.actions.parameters import parameter_infos
from governance.checks import CheckContext, CheckedAction, Finding, check_proposal
from governance.models import Delegate, Proposal, ProposalAction, RoutineCall

#: Solidity's panic code for taking from an empty list.
PANIC_EMPTY_LIST = 0x31
#: Delegates an address is compared with: the ones an attacker would imitate.
KNOWN_DELEGATES = 100
#: Words after a figure in prose that make it a claim about the actions.
UNITS = frozenset({"alt", "eth", "wei", "s", "seconds", "bps"})


@dataclass(frozen=True, slots=True)
class ProposalPreview:
    """Everything the last step of the wizard shows and the wallet signs.

    ``calldata_hash`` is keccak256 of the calldatas joined; ``description`` is the exact text that
    goes on chain.
    """

    proposal_id: int
    calldata_hash: bytes
    calls: tuple[BuiltCall, ...]
    description: str
    kind: str
    is_constitutional: bool
    actions: tuple[DecodedAction, ...]
    findings: tuple[Finding, ...]
    block_number: int

    @property
    def blocks(self) -> bool:
        """Whether something must be put right before it can be submitted."""
        return any(finding.severity == "error" for finding in self.findings)


def proposal_preview(
    calls: Sequence[BuiltCall], description: str, *, proposer: bytes | None = None
) -> ProposalPreview:
    """Preview a proposal of these calls and this text (with its proposer suffix).

    With a ``proposer``, whether that account could submit it now is among the findings.

    Reads the chain at its newest block: ``NetworkParameters.validate`` for parameter sets and a
    run of each call as the timelock.

    Raises:
        RpcError: the node could not be asked.
    """
    actions = _decode_all(calls)
    checked = [_checked(action) for action in actions]
    new_id = proposal_id(
        targets=[call.target for call in calls],
        values_wei=[call.value_wei for call in calls],
        calldatas=[call.calldata for call in calls],
        description=description.encode("utf-8"),
    )
    findings = [
        *_chain_findings(actions),
        *_treasury_findings(actions),
        *(exists := _exists(new_id)),
        *([] if exists else _proposer_findings(calls, description, proposer)),
        *check_proposal(checked, description, _context(checked, calls)),
    ]
    constitutional = _is_constitutional(calls)
    return ProposalPreview(
        proposal_id=new_id,
        calldata_hash=keccak(b"".join(call.calldata for call in calls)),
        calls=tuple(calls),
        description=description,
        kind=proposal_kind(actions, is_constitutional=constitutional),
        is_constitutional=constitutional,
        actions=actions,
        findings=tuple(findings),
        block_number=chain_head().number,
    )


def _decode_all(calls: Sequence[BuiltCall]) -> tuple[DecodedAction, ...]:
    infos = parameter_infos()
    return tuple(
        decode_action(
            index=index,
            target=call.target,
            value_wei=call.value_wei,
            calldata=call.calldata,
            infos=infos,
        )
        for index, call in enumerate(calls)
    )


def _checked(action: DecodedAction) -> CheckedAction:
    figures: list[str] = []
    for row in action.parameters:
        figures += [row["proposed"], row["expected"]]
    if action.amount_wei is not None:
        figures += [_plain(action.amount_wei), str(action.amount_wei)]
    return CheckedAction(
        index=action.index,
        target=action.target,
        value_wei=action.value_wei,
        calldata=action.calldata,
        kind=action.kind,
        addresses=action.addresses,
        figures=tuple(dict.fromkeys(figures)),
        parameter_keys=tuple(bytes.fromhex(row["key"][2:]) for row in action.parameters),
        is_dangerous=action.is_dangerous,
    )


def _plain(amount_wei: int) -> str:
    """An amount in whole units without grouping, as ``checks.figures_in`` normalises prose."""
    return amount_text(amount_wei, places=None).replace("\u202f", "")


def _context(checked: Sequence[CheckedAction], calls: Sequence[BuiltCall]) -> CheckContext:
    pending: dict[bytes, list[int]] = {}
    duplicates = []
    identity = [(call.target, call.value_wei, call.calldata) for call in calls]
    for proposal in _open_proposals():
        theirs = [
            (bytes(action.target), action.value_wei, bytes(action.calldata))
            for action in proposal.actions.all()
        ]
        if theirs == identity:
            duplicates.append(proposal.number)
        for action in proposal.actions.all():
            for row in action.parameters:
                pending.setdefault(bytes.fromhex(row["key"][2:]), []).append(proposal.number)
    return CheckContext(
        known=known_addresses(),
        pending_keys=pending,
        duplicates=duplicates,
        units=UNITS,
    )


def _open_proposals() -> list[Proposal]:
    from governance.selectors import open_proposals

    return list(open_proposals().prefetch_related("actions"))


def known_addresses() -> dict[bytes, str]:
    """Addresses an attacker would imitate: our contracts and the largest delegates."""
    known = {
        bytes(address): f"delegate {to_checksum(bytes(address))}"
        for address in Delegate.objects.order_by("-power_wei").values_list("address", flat=True)[
            :KNOWN_DELEGATES
        ]
    }
    known.update(deployment().by_address)
    return known


def _is_constitutional(calls: Sequence[BuiltCall]) -> bool:
    """Whether any call is off the routine list, by the list as it is indexed."""
    routine: dict[tuple[bytes, bytes], bool] = {}
    for row in RoutineCall.objects.order_by("block_number", "log_index"):
        routine[(bytes(row.target), bytes(row.selector))] = row.allowed
    return any(
        len(call.calldata) < 4 or not routine.get((call.target, call.calldata[:4]), False)
        for call in calls
    )


def _exists(new_id: int) -> list[Finding]:
    known = Proposal.objects.filter(proposal_id=new_id).first()
    if known is None:
        return []
    return [
        Finding(
            "proposal_exists",
            "error",
            f"Exactly this proposal exists already: it is #{known.number}. Change the text.",
        )
    ]


def _chain_findings(actions: Sequence[DecodedAction]) -> list[Finding]:
    """What the chain itself says of each call, run as the timelock at the newest block."""
    findings = []
    timelock = deployment().address("TimelockController")
    held_wei = rpc_client().balance_wei(timelock)
    for action in actions:
        if action.value_wei > held_wei:
            continue  # ``treasury_short`` says it; a node has no revert for it, only an error
        try:
            if action.contract == "NetworkParameters" and action.function == "set":
                _validate(action)
            call_simulate(
                to=action.target, data=action.calldata, sender=timelock, value_wei=action.value_wei
            )
        except ContractReverted as error:
            findings.append(_revert_finding(action, error))
    return findings


def _revert_finding(action: DecodedAction, error: ContractReverted) -> Finding:
    # ``Governor.onlyGovernance`` takes the call from a queue that only ``execute`` fills; outside
    # of an execution the queue is empty, whatever the call. So nothing can be told beforehand.
    empty_queue = error.code == "Panic" and error.arguments.get("reason") == PANIC_EMPTY_LIST
    if action.contract == "AlthingGovernor" and empty_queue:
        return Finding(
            "not_simulated",
            "warning",
            f"Action {action.index + 1} changes the governor itself. Such a call runs only within "
            "an execution, so it could not be tried beforehand.",
            action.index,
        )
    return Finding(
        "would_revert",
        "error",
        f"Action {action.index + 1} would fail: {revert_sentence(error)}",
        action.index,
    )


def _proposer_findings(
    calls: Sequence[BuiltCall], description: str, proposer: bytes | None
) -> list[Finding]:
    """A trial run of ``propose`` itself. Only a warning: a draft may be handed to somebody else."""
    if proposer is None or not calls:
        return []
    governor = contract("AlthingGovernor")
    data = governor.encode(
        "propose",
        (
            tuple(call.target for call in calls),
            tuple(call.value_wei for call in calls),
            tuple(call.calldata for call in calls),
            description,
        ),
    )
    try:
        call_simulate(to=governor.address, data=data, sender=proposer)
    except ContractReverted as error:
        sentence = f"{to_checksum(proposer)} cannot submit this now: {revert_sentence(error)}"
        return [Finding("cannot_propose", "warning", sentence)]
    return []


def _treasury_findings(actions: Sequence[DecodedAction]) -> list[Finding]:
    """Payments of one asset together against what the treasury holds now: each call alone may
    pass where their sum does not."""
    timelock = deployment().address("TimelockController")
    eth_wei = sum(action.value_wei for action in actions)
    findings = []
    if eth_wei:
        held_wei = rpc_client().balance_wei(timelock)
        findings += _shortage("ETH", eth_wei, held_wei)
    alt_wei = sum(
        action.amount_wei or 0
        for action in actions
        if action.kind == "transfer_erc20" and action.contract == "AlthingToken"
    )
    if alt_wei:
        held_wei = int(chain_call("AlthingToken", "balanceOf", (timelock,)))
        findings += _shortage("ALT", alt_wei, held_wei)
    return findings


def _shortage(asset: str, wanted_wei: int, held_wei: int) -> list[Finding]:
    if wanted_wei <= held_wei:
        return []
    return [
        Finding(
            "treasury_short",
            "error",
            f"The payments add up to {amount_text(wanted_wei, places=6)} {asset}; the treasury "
            f"holds {amount_text(held_wei, places=6)} {asset}.",
        )
    ]


def _validate(action: DecodedAction) -> None:
    """Ask the registry for its exact reason; ``set`` itself checks more, and less precisely."""
    try:
        _, args = contract("NetworkParameters").decode_input(action.calldata)
    except AbiError:
        return
    keys, _, values = args.values()
    chain_call("NetworkParameters", "validate", (tuple(keys), tuple(values)))


def actions_of(proposal: Proposal) -> list[BuiltCall]:
    """The stored raw calls of a proposal, in order."""
    rows = ProposalAction.objects.filter(proposal=proposal).order_by("index")
    return [BuiltCall(bytes(row.target), row.value_wei, bytes(row.calldata)) for row in rows]
