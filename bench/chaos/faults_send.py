"""Faults of sending: kills, rivals, lost replies, fees, nonces, clocks."""

from __future__ import annotations

from bench.chaos.apps import PAY_CHECKED
from bench.chaos.chainside import KEEPER, mining
from bench.chaos.proxy import DROP, Faults, replies_lost
from bench.chaos.run import KILLED, Run
from bench.chaos.workers import sender_make

SEND_POINTS = ("viewed", "reconciled", "signed", "sent", "recorded")
INDEX_POINTS = ("observed", "fetched", "committed")


def f1_kill(run: Run) -> None:
    """SIGKILL at the seeded pass of a seeded point, again and again, then a clean process."""
    if run.seed % 2:
        run.traffic(run.rng.randint(3, 8))
        point = INDEX_POINTS[run.seed // 2 % len(INDEX_POINTS)]
        for _ in range(run.rng.randint(1, 3)):
            run.ended(run.worker("index", point=point, nth=run.rng.randint(1, 4)))
    else:
        run.pay(run.rng.randint(2, 4))
        point = SEND_POINTS[run.seed // 2 % len(SEND_POINTS)]
        with mining(run.chain):
            for _ in range(run.rng.randint(1, 3)):
                nth = run.rng.randint(1, 4)
                run.ended(run.worker("send", point=point, nth=nth, ticks=15))
    run.finish()


def f2_rivals(run: Run) -> None:
    """Two to four senders and two indexers at once."""
    run.pay(run.rng.randint(3, 6))
    run.traffic(3)
    with mining(run.chain):
        rivals = [run.worker("send", ticks=25) for _ in range(run.rng.randint(2, 4))]
        rivals += [run.worker("index", ticks=15, follow=True) for _ in range(2)]
        for process in rivals:
            run.ended(process)
    run.finish()


def f3_lost_replies(run: Run) -> None:
    """Three in ten answers to a broadcast never arrive; the same bytes must go out again."""
    from chain.models import TxAttempt

    run.pay(run.rng.randint(2, 5))
    run.proxy.faults = replies_lost(run.rng, 0.3)
    with mining(run.chain):
        run.ended(run.worker("send", rpc_url=run.proxy.url, ticks=25))
    run.finish()
    resigned = TxAttempt.objects.count() - len(run.wanted)
    run.counts.add("doubled", f"{resigned} payments were signed again", max(0, resigned))


def f7_fees(run: Run) -> None:
    """The base fee jumps forty-fold while a transaction waits, or the pool forgets it."""
    from chain.models import TxAttempt

    run.pay(run.rng.randint(1, 3))
    with run.clock.ticking():
        sender_make().tick()
    if run.rng.random() < 0.5:
        run.chain.rpc("anvil_dropAllTransactions")
    base = int(run.chain.block()["baseFeePerGas"], 16)
    # Sometimes past the keeper's cap of 200 gwei: it must wait, and say so, and go on after it.
    spike = run.rng.choice((40 * base, 40 * base, 10**12))
    for _ in range(6):
        run.chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(spike))
        run.chain.mine()
        run.clock.tick(4)
        with run.clock.ticking():
            run.index()
            sender_make().tick()
    capped = max(
        (int(row.max_fee_per_gas_wei) for row in _signers()),
        default=0,
    )
    for attempt in TxAttempt.objects.all():
        if attempt.max_fee_wei > capped:
            run.counts.add("wrong", f"{attempt} offers {attempt.max_fee_wei}, above the cap")
    run.chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    run.chain.mine()
    run.finish()


def _signers() -> list[object]:
    from chain.models import Signer

    return list(Signer.objects.all())


def f8_nonce_stolen(run: Run) -> None:
    """Somebody uses the keeper's key: the nonce that was signed for is spent elsewhere."""
    from django.conf import settings

    from chain.models import Signer, TxAttempt, TxIntent

    run.pay(1)
    run.proxy.faults = Faults(
        before=lambda calls: (
            (503, b"")
            if any(call["method"] == "eth_sendRawTransaction" for call in calls)
            else None
        )
    )
    settings.RPC_URL = run.proxy.url
    run.tick()
    run.chain.transfer(KEEPER, run.recipient("thief"), 7)
    run.chain.mine(4)
    run.proxy.heal()
    for _ in range(4):
        run.tick()
    run.pay(1)
    second = list(run.wanted)[1]
    for _ in range(4):
        run.tick()
    first, later = TxIntent.objects.order_by("pk")
    if first.state != "nonce_stolen":
        run.counts.add("wrong", f"the stolen nonce's intent is {first.state}")
    signer = Signer.objects.get()
    if not signer.paused:
        run.counts.add("wrong", "the signer still signs")
    if later.state != "planned" or TxAttempt.objects.filter(intent=later).exists():
        run.counts.add("wrong", f"a payment was signed with a stolen key: {later.state}")
    paid = [run.chain.balance(to) for to in run.wanted]
    run.counts.add("doubled", f"paid {paid} with a stolen key", sum(paid))
    del second


def f18_clock(run: Run) -> None:
    """The machine's clock jumps an hour, forward or back, between two processes."""
    run.pay(2)
    run.traffic(3)
    with mining(run.chain):
        for jump in run.rng.sample((-3600, 3600, 0), 2):
            point = run.rng.choice(("", *SEND_POINTS))
            run.ended(run.worker("send", clock_s=jump, ticks=6, point=point, nth=2))
            run.ended(run.worker("index", clock_s=-jump))
    run.finish()


def f25_restore(run: Run) -> None:
    """The database is lost and comes back as it was some blocks ago; the chain went on."""
    run.pay(2, kind=PAY_CHECKED)
    ticks = run.rng.randint(0, 4)
    for _ in range(ticks):
        run.tick()
    dump = run.stage.dump()
    for _ in range(run.rng.randint(2, 8)):
        run.traffic(1, salt="after")
        run.tick()
    run.forgotten = set(run.chain.sent_by(run.chain.keeper).values())
    run.stage.restore(dump)
    run.finish()


def half_lost(run: Run) -> None:
    """Not a row of the table: replies lost and processes killed at once (F1 with F3)."""
    run.pay(3)
    run.proxy.faults = Faults(
        after=lambda calls, body: (
            DROP
            if calls[0]["method"] == "eth_sendRawTransaction" and run.rng.random() < 0.3
            else None
        )
    )
    with mining(run.chain):
        for _ in range(3):
            code = run.ended(
                run.worker(
                    "send",
                    rpc_url=run.proxy.url,
                    point="any",
                    nth=run.rng.randint(3, 20),
                    ticks=20,
                )
            )
            if code != KILLED:
                break
    run.finish()
