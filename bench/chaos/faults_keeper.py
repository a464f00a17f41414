"""Faults of carrying decisions out: strangers, cancels, double spends, brokers."""

from __future__ import annotations

from bench.chain_builder import calldata
from bench.chaos.chainside import HOLDER, STRANGER, mining
from bench.chaos.run import TICKS_MAX, Run
from bench.chaos.workers import sender_make

EXECUTED, CANCELED, QUEUED = 7, 2, 5
AMOUNT_WEI = 12_345


def _until_queued(run: Run, title: str) -> tuple[object, str]:
    """A payout that passed and was queued by a stranger; its recipient."""
    to = run.recipient(title)
    proposal = run.chain.payout(to, AMOUNT_WEI, f"{title} {run.seed}")
    run.chain.pass_vote(proposal)
    run.chain.must(run.chain.step(STRANGER, "queue", proposal))
    # The timelock's delay and the constitutional one after it: a payout may be either.
    run.chain.mine(seconds=40)
    return proposal, to


def _notes() -> list[str]:
    """Why the keeper says it waits."""
    from governance.models import KeeperNote

    return [f"{note.code}: {note.sentence}" for note in KeeperNote.objects.all()]


def _carry_out(run: Run, proposal: object) -> None:
    """Let the whole service work until the proposal is executed, in a bounded number of ticks."""
    run.serving = True
    for _ in range(TICKS_MAX):
        if run.chain.state(proposal) in (EXECUTED, CANCELED):  # type: ignore[arg-type]
            return
        run.chain.mine(seconds=3)
        run.tick()
    run.counts.add("stuck", f"the proposal is in state {run.chain.state(proposal)}")  # type: ignore[arg-type]


def _paid_judge(run: Run, to: str, expected_wei: int) -> None:
    """What the treasury paid is what was approved, once."""
    paid = run.chain.balance(to)
    run.counts.add("lost", f"paid {paid} of {expected_wei}", int(paid < expected_wei))
    run.counts.add("doubled", f"paid {paid} of {expected_wei}", int(paid > expected_wei))


def f9_stranger(run: Run) -> None:
    """Somebody executes what the keeper had planned: no transaction of ours, no gas."""
    from chain.models import TxAttempt, TxIntent
    from governance.keeper import keeper_tick

    proposal, to = _until_queued(run, "stranger")
    run.settle()
    keeper_tick()
    if not TxIntent.objects.filter(kind="execute", state="planned").exists():
        run.counts.add("stuck", f"the keeper planned nothing: {_notes()}")
    gas_before = run.chain.rpc("eth_getBalance", run.chain.keeper, "latest")
    run.chain.must(run.chain.step(STRANGER, "execute", proposal))  # type: ignore[arg-type]
    with run.clock.ticking():
        sender_make().tick()
    for intent in TxIntent.objects.filter(kind="execute"):
        if intent.state != "satisfied_externally":
            run.counts.add("wrong", f"the intent is {intent.state}")
    run.counts.add("doubled", "transactions were signed", TxAttempt.objects.count())
    run.serving = True
    run.finish()
    if run.chain.rpc("eth_getBalance", run.chain.keeper, "latest") != gas_before:
        run.counts.add("wrong", "the keeper paid for gas")
    _paid_judge(run, to, AMOUNT_WEI)


def f10_canceled(run: Run) -> None:
    """The guardian or proposer cancels between the keeper's check and its broadcast."""
    from chain.models import TxAttempt, TxIntent
    from governance.keeper import keeper_tick

    to = run.recipient("canceled")
    proposal = run.chain.payout(to, AMOUNT_WEI, f"canceled {run.seed}")
    run.chain.pass_vote(proposal)
    run.settle()
    keeper_tick()

    def reached(name: str) -> None:
        if name == "signed":
            data = calldata("cancel(uint256)", proposal.number)
            for who in (1, HOLDER):
                run.chain.send(who, run.chain.address("AlthingGovernor"), data)
            run.chain.mine()

    with run.clock.ticking():
        sender_make(reached).tick()
    run.serving = True
    for _ in range(12):
        run.tick()
    if run.chain.state(proposal) != CANCELED:
        run.counts.add("wrong", f"the harness's cancel failed: {run.chain.state(proposal)}")
    attempts = TxAttempt.objects.exclude(kind="cancel").count()
    run.counts.add("doubled", f"{attempts} attempts at a canceled step", max(0, attempts - 2))
    intents = TxIntent.objects.count()
    run.counts.add("doubled", f"{intents} intents for a canceled step", max(0, intents - 1))
    run.finish()
    _paid_judge(run, to, 0)


def f19_double_spend(run: Run) -> None:
    """Several services carry out the same payout at once, and strangers replay its calldata."""
    from chain.models import TxIntent

    proposal, to = _until_queued(run, "spend")
    run.serving = True
    with mining(run.chain):
        crew = [run.worker("serve", ticks=12, follow=True) for _ in range(3)]
        for process in crew:
            run.ended(process)
    _carry_out(run, proposal)
    for who in (STRANGER, HOLDER):
        run.chain.send(who, run.chain.address("AlthingGovernor"), _again(run, proposal))
        timelock = run.chain.address("TimelockController")
        run.chain.send(
            who,
            timelock,
            calldata(
                "execute(address,uint256,bytes,bytes32,bytes32)",
                proposal.targets[0],
                0,
                proposal.calldatas[0],
                bytes(32),
                bytes(32),
            ),
        )  # type: ignore[attr-defined]
    run.chain.mine()
    run.finish()
    kinds = list(TxIntent.objects.filter(kind="execute").values_list("idem_key", flat=True))
    run.counts.add("doubled", f"intents for one execution: {kinds}", max(0, len(kinds) - 1))
    _paid_judge(run, to, AMOUNT_WEI)


def _again(run: Run, proposal: object) -> str:
    from bench.chaos.chainside import CALLS

    return calldata(f"execute({CALLS},bytes32)", *proposal.content)  # type: ignore[attr-defined]
