"""The sender: one tick looks at the chain and moves every intent as far as it goes."""

from collections.abc import Callable, Iterable, Iterator

from django.db.models import F

from chain import clock, conf
from chain.client import rpc_client
from chain.models import SendingAccount, Signer, SignerEvent, TxIntent
from chain.outbox import account_intents
from chain.rpc.client import RpcClient
from chain.rpc.errors import Inconsistent, RpcError
from chain.sender.accounts import accounts_open
from chain.sender.alarms import signer_alarms_sync
from chain.sender.allocate import Prepared, intent_allocate, intent_judge, verdict_apply
from chain.sender.broadcast import attempt_send
from chain.sender.budget import budget_of, eth, gwei
from chain.sender.keys import KeyUnavailable, SigningKey
from chain.sender.push import intent_push, wait_for_key
from chain.sender.reconcile import intent_reconcile, intents_to_watch
from chain.sender.transitions import State, Wait, intent_wait
from chain.sender.view import ChainView, chain_view

#: Planned intents looked at in one tick; each costs a preflight on the chain.
_PLANNED_MAX = 32
#: Questions about single intents that a node may leave open in one tick before it counts as away.
_ERRORS_MAX = 3


def signer_limits() -> dict[str, int]:
    """The settings' limits, by the columns of ``Signer``. Wei, the first per gas."""
    return {
        "max_fee_per_gas_wei": conf.keeper_max_fee_per_gas_wei(),
        "min_balance_wei": conf.keeper_min_balance_wei(),
        "daily_gas_wei": conf.keeper_daily_gas_wei(),
    }


def signer_ensure(key: SigningKey, account: str = SendingAccount.KEEPER) -> Signer:
    """The signer row of an account's key, with the limits of the settings."""
    limits = signer_limits()
    signer, created = Signer.objects.get_or_create(
        chain_id=conf.chain_id(),
        address=key.address,
        defaults={**limits, "account": account},
    )
    if signer.account != account:
        Signer.objects.filter(pk=signer.pk).update(account=account)
        signer.refresh_from_db()
    changed = [name for name, value in limits.items() if getattr(signer, name) != value]
    if changed:
        Signer.objects.filter(pk=signer.pk).update(**limits)
        signer.refresh_from_db()
    if created or changed:
        SignerEvent.objects.create(
            signer=signer,
            action="limits",
            reason=(
                f"At most {gwei(signer.max_fee_per_gas_wei)}, {eth(signer.daily_gas_wei)} a day; "
                f"at least {eth(signer.min_balance_wei)} in the account."
            ),
            actor="settings",
            created_at=clock.now(),
        )
    return signer


class Sender:
    """Sends with one key, the intents of one account's kinds. Any number may run at once; rows and
    their guards decide.

    Without ``key`` it sees ``signer``'s open intents through and signs nothing: a key that was
    replaced. ``dry_run`` (the settings', unless given) neither signs nor sends. ``reached`` is
    told the name of each point where a crash is interesting (for tests).
    """

    def __init__(
        self,
        *,
        client: RpcClient,
        key: SigningKey | None = None,
        signer: Signer | None = None,
        account: str = SendingAccount.KEEPER,
        dry_run: bool | None = None,
        reached: Callable[[str], None] | None = None,
    ) -> None:
        if key is not None and signer is None:
            self._signer = lambda: signer_ensure(key, account)
        elif signer is not None and key is None:
            self._signer = lambda: signer
        else:
            raise ValueError("A sender has a key, or a signer whose key is gone.")
        self.client = client
        self.key = key
        self.account = account
        self._dry_run = dry_run
        self._reached = reached or (lambda name: None)

    def tick(self) -> None:
        """Reconcile, push what is signed, sign what is planned.

        Raises:
            RpcError: the node could not be asked; every intent is where it was or further. Where
                it could not about one intent, the others had their turn.
        """
        signer, key = self._signer(), self.key
        dry_run = conf.keeper_dry_run() if self._dry_run is None else self._dry_run
        head = self.client.header("latest")
        watched = intents_to_watch(signer, head_number=head.number)
        view = chain_view(self.client, address=bytes(signer.address), intents=watched)
        self._reached("viewed")
        unmined: list[TxIntent] = []
        errors = self._each(watched, lambda intent: self._reconcile(signer, intent, view, unmined))
        self._reached("reconciled")
        if not dry_run:
            errors += self._each(unmined, lambda intent: self._push(signer, intent, view))
        planned = self._planned(signer.chain_id)
        if dry_run and key is not None:
            errors += self._each(planned, lambda intent: self._rehearse(signer, intent, view))
        elif key is not None:
            errors += self._each(planned, lambda intent: self._allocate(signer, key, intent, view))
        self._note(signer, view)
        if errors:
            raise errors[0]

    @staticmethod
    def _each(intents: Iterable[TxIntent], act: Callable[[TxIntent], None]) -> list[RpcError]:
        """Act on each, so that one about which the node cannot be asked does not stop the others;
        return the errors. After a few the node is away, not the question odd; and of one that
        contradicts the chain nothing more is believed.

        Raises:
            Inconsistent
        """
        errors: list[RpcError] = []
        for intent in intents:
            try:
                act(intent)
            except Inconsistent:
                raise
            except RpcError as error:
                if intent.state == State.PLANNED:
                    said = f"The node did not answer about it ({error.code}); trying again."
                    intent_wait(intent, Wait.PREFLIGHT, said)
                errors.append(error)
                if len(errors) == _ERRORS_MAX:
                    break
        return errors

    def _planned(self, chain_id: int) -> Iterator[TxIntent]:
        """Those not looked at for longest come first: a few that wait for weeks, or about which
        the node gives no answer, must not keep the others from their turn."""
        planned = TxIntent.objects.filter(
            account_intents(self.account), chain_id=chain_id, state=State.PLANNED
        ).order_by(F("checked_at").asc(nulls_first=True), "pk")
        for intent in planned[:_PLANNED_MAX]:
            TxIntent.objects.filter(pk=intent.pk).update(checked_at=clock.now())
            yield intent

    def _reconcile(
        self, signer: Signer, intent: TxIntent, view: ChainView, unmined: list[TxIntent]
    ) -> None:
        if intent_reconcile(self.client, signer, intent, view):
            unmined.append(intent)

    def _push(self, signer: Signer, intent: TxIntent, view: ChainView) -> None:
        intent_push(
            self.client,
            signer=signer,
            key=self.key,
            intent=intent,
            view=view,
            reached=self._reached,
        )

    def _allocate(self, signer: Signer, key: SigningKey, intent: TxIntent, view: ChainView) -> None:
        try:
            attempt = intent_allocate(self.client, signer=signer, key=key, intent=intent, view=view)
        except KeyUnavailable as error:
            wait_for_key(intent, error)
            return
        if attempt is not None:
            self._reached("signed")
            attempt_send(self.client, intent=intent, attempt=attempt, reached=self._reached)

    def _rehearse(self, signer: Signer, intent: TxIntent, view: ChainView) -> None:
        verdict = intent_judge(self.client, signer=signer, intent=intent, view=view)
        prepared = verdict_apply(intent, verdict)
        if prepared is not None:
            intent_wait(intent, Wait.DRY_RUN, dry_run_sentence(signer, prepared))

    def _note(self, signer: Signer, view: ChainView) -> None:
        budget = budget_of(signer, at=view.head.timestamp)
        Signer.objects.filter(pk=signer.pk).update(
            balance_wei=view.balance_wei,
            spent_wei=budget.spent_wei,
            in_flight_wei=budget.in_flight_wei,
            ticked_at=clock.now(),
        )
        signer_alarms_sync(signer, balance_wei=view.balance_wei)


def dry_run_sentence(signer: Signer, prepared: Prepared) -> str:
    """What would be sent, were this no dry run."""
    fees = prepared.fees
    return (
        f"Dry run: would be sent now from {signer}, with up to {prepared.gas_limit:,} gas at up to "
        f"{gwei(fees.max_fee_wei)}, {eth(prepared.cost_wei)} at most. Nothing is signed or sent."
    )


def outbox_run_once() -> None:
    """One tick with the key of each account that this service has, and one for each key that is
    no longer its own and has something under way. An account about which the node cannot be asked
    does not stop the others.

    Raises:
        RpcError: the first that was met.
    """
    client = rpc_client()
    keys = accounts_open()
    senders = [Sender(client=client, key=key, account=name) for name, key in keys.items()]
    left = Signer.objects.filter(
        chain_id=conf.chain_id(), intents__state__in=TxIntent.OPEN_STATES
    ).distinct()
    known = {key.address for key in keys.values()}
    senders += [
        Sender(client=client, signer=signer, account=signer.account)
        for signer in left
        if bytes(signer.address) not in known
    ]
    errors: list[RpcError] = []
    for sender in senders:
        try:
            sender.tick()
        except Inconsistent:
            raise
        except RpcError as error:
            errors.append(error)
    if errors:
        raise errors[0]
