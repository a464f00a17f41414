"""One run: rows at one position of the cursor, the chain's answers at that block's hash, verdicts.

Rows and answers must speak of the same block. Every commit of the index moves the cursor, so rows
read between two equal looks at it are those of its block; a part during which it moved is read
again. The chain is then asked by the block's hash (EIP-1898): a node on another branch refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chain import clock, conf
from chain.client import rpc_client
from chain.contracts import contract, revert_decode
from chain.decoding import AbiError
from chain.indexer.reads import read_request
from chain.models import Block, Cursor, KeyTouch
from chain.rpc.client import RpcClient
from chain.rpc.errors import BlockUnknown, ContractReverted, StateUnavailable
from chain.rpc.multicall import multicall
from chain.rpc.types import BlockHeader
from governance.errors import GovernanceError
from governance.models import Proposal, ReconcileRun
from governance.reconcile.claims import Claim
from governance.reconcile.findings import Judged, findings_close, findings_open, findings_store
from governance.reconcile.lens import Lens, Part
from governance.reconcile.scopes import AGAIN_MAX, Scope, scope_parts

#: Times a part is read again because the index moved meanwhile. A busy index moves several times
#: a second; a part takes a few hundredths.
TRIES = 20


class ReconcileRefused(GovernanceError):
    """There is nothing to compare, or no way to ask. ``code`` says which, ``next_step`` what to do.

    Codes: ``reconcile_nothing_indexed``, ``reconcile_halted``, ``reconcile_catching_up``,
    ``reconcile_proposal_unknown``, ``reconcile_block_unknown``, ``reconcile_block_gone``,
    ``reconcile_busy``.
    """

    code = "reconcile_refused"
    http_status = 409

    def __init__(self, code: str, detail: str, next_step: str) -> None:
        super().__init__(f"{detail} {next_step}", code=code)
        self.next_step = next_step


@dataclass(slots=True)
class Report:
    """What one run did. ``differing`` holds every difference, whether new or known."""

    scope: Scope
    started_at: datetime
    block: BlockHeader | None = None
    compared: int = 0
    unanswered: int = 0
    opened: int = 0
    closed: int = 0
    differing: list[Judged] = field(default_factory=list)


def reconcile_run(scope: Scope, *, client: RpcClient | None = None) -> Report:
    """Compare, keep the findings and the run, and return what was seen.

    Raises:
        ReconcileRefused: nothing was compared, or no further than the parts before.
        RpcError: the node did not answer.
    """
    client = client or rpc_client()
    _scope_check(scope)
    last = ReconcileRun.objects.filter(chain_id=conf.chain_id()).order_by("-pk").first()
    resume = dict(last.resume) if last else {}
    report = Report(scope, clock.now())
    before = set(findings_open().order_by("seen_at").values_list("pk", flat=True)[:AGAIN_MAX])
    for part in scope_parts(scope, resume):
        lens, claims = _part_read(part, scope)
        _part_judge(report, lens, claims, client)
    if report.block is not None and scope.name != "proposal" and scope.block is None:
        # Their rows are gone from the index, so nothing is claimed of them any more.
        unseen = findings_open().filter(pk__in=before, seen_at__lt=report.started_at)
        report.closed += findings_close(
            list(unseen.values_list("pk", flat=True)), number=report.block.number
        )
    _run_keep(report, resume)
    return report


# --- what may be compared ----------------------------------------------------------------


def _scope_check(scope: Scope) -> None:
    cursor = Cursor.objects.filter(chain_id=conf.chain_id()).first()
    if cursor is None:
        raise ReconcileRefused(
            "reconcile_nothing_indexed",
            "Nothing is indexed yet.",
            "Run `manage.py index --until-head` first.",
        )
    if cursor.state != Cursor.State.RUNNING:
        raise ReconcileRefused(
            "reconcile_halted", "The index is halted.", "Run `manage.py resolve_reorg` first."
        )
    behind = cursor.head_number - cursor.number
    if behind >= conf.freshness_red_blocks() or cursor.projected_number < cursor.number:
        # Far behind, rows are recomputed at the end of a stretch and not at its every block.
        raise ReconcileRefused(
            "reconcile_catching_up",
            f"The index is {behind} blocks behind the chain, its tables perhaps more.",
            "Wait until it has caught up, or run `manage.py index --until-head`.",
        )
    if (
        scope.name == "proposal"
        and not Proposal.objects.filter(number=scope.proposal or 0).exists()
    ):
        raise ReconcileRefused(
            "reconcile_proposal_unknown",
            f"No proposal has the number {scope.proposal}.",
            "Numbers are those of the pages: 1, 2, 3 …",
        )
    if scope.block is not None:
        _block_stored(scope.block, cursor)


def _block_stored(number: int, cursor: Cursor) -> Block:
    row = Block.objects.filter(chain_id=cursor.chain_id, number=number, canonical=True).first()
    if row is None or number > cursor.number:
        raise ReconcileRefused(
            "reconcile_block_unknown",
            f"The header of block {number} is not stored.",
            f"Give one of the last {conf.reorg_window()} blocks up to {cursor.number}.",
        )
    return row


# --- rows ---------------------------------------------------------------------------------


def _part_read(part: Part, scope: Scope) -> tuple[Lens, list[Claim]]:
    """Read a part's rows at one position of the cursor."""
    for _ in range(TRIES):
        before = _cursor()
        lens = _lens(scope, before)
        claims = part(lens)
        after = _cursor()
        if (before.number, before.hash) == (after.number, after.hash):
            return lens, claims
    raise ReconcileRefused(
        "reconcile_busy",
        "The index moved at every look.",
        "It is catching up; try again in a minute.",
    )


def _cursor() -> Cursor:
    return Cursor.objects.get(chain_id=conf.chain_id())


def _lens(scope: Scope, cursor: Cursor) -> Lens:
    if scope.block is None:
        return Lens(BlockHeader(cursor.number, bytes(cursor.hash), cursor.timestamp))
    row = _block_stored(scope.block, cursor)
    later = KeyTouch.objects.filter(
        chain_id=cursor.chain_id, canonical=True, block_number__gt=row.number
    )
    touched: dict[str, set[str]] = {}
    for projector, key in later.values_list("projector", "key").distinct():
        touched.setdefault(projector, set()).add(key)
    return Lens(
        BlockHeader(row.number, bytes(row.hash), row.timestamp),
        {projector: frozenset(keys) for projector, keys in touched.items()},
    )


# --- answers ------------------------------------------------------------------------------


def _part_judge(report: Report, lens: Lens, claims: Sequence[Claim], client: RpcClient) -> None:
    report.block = lens.block
    if not claims:
        return
    judged = claims_judge(claims, lens.block, client)
    report.compared += len(judged)
    report.unanswered += sum(item.chain.startswith("reverted") for item in judged)
    # A subject looked at in two parts is one subject: the later look counts.
    later = {item.place for item in judged}
    report.differing = [item for item in report.differing if item.place not in later]
    report.differing += [item for item in judged if item.differs]
    opened, closed = findings_store(judged, lens.block)
    report.opened += opened
    report.closed += closed


def claims_judge(claims: Iterable[Claim], block: BlockHeader, client: RpcClient) -> list[Judged]:
    """Ask the chain, each question once, all at the block's hash.

    Raises:
        ReconcileRefused: ``reconcile_block_gone``.
        RpcError
    """
    wanted = [(claim, read_request(claim.read)) for claim in claims]
    calls = list(dict.fromkeys((request.address, request.calldata) for _, request in wanted))
    try:
        found = dict(zip(calls, multicall(client, calls, block.hash), strict=True))
    except (BlockUnknown, StateUnavailable) as error:
        raise ReconcileRefused(
            "reconcile_block_gone",
            f"The node has no state of block {block.number} any more.",
            "A reorganisation, or a node that prunes: try again at the index's newest block.",
        ) from error
    judged: list[Judged] = []
    for claim, request in wanted:
        ok, value = found[(request.address, request.calldata)]
        if not ok:
            revert = revert_decode(ContractReverted("reverted", data=value))
            text = f"reverted: {revert.code}"
        else:
            try:
                text = claim.answer(request.decode(value))
            except AbiError:
                text = f"unreadable: 0x{value.hex()[:128]}"
        judged.append(Judged(claim, contract(claim.read.contract).address, text))
    return judged


def _run_keep(report: Report, resume: dict[str, object]) -> None:
    if report.block is None:
        return
    ReconcileRun.objects.create(
        chain_id=conf.chain_id(),
        scope=report.scope.name,
        block_number=report.block.number,
        block_hash=report.block.hash,
        started_at=report.started_at,
        finished_at=clock.now(),
        compared=report.compared,
        unanswered=report.unanswered,
        differing=len(report.differing),
        opened=report.opened,
        closed=report.closed,
        resume=resume,
    )


def runs_expire(*, before: datetime) -> int:
    """Forget runs that ended before a moment and found nothing; return how many."""
    old = ReconcileRun.objects.filter(finished_at__lt=before, differing=0)
    # Where the next partial run goes on stands in the newest.
    newest = ReconcileRun.objects.order_by("-pk").values_list("pk", flat=True)[:1]
    return old.exclude(pk__in=list(newest)).delete()[0]
