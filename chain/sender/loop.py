"""The sender: one tick looks at the chain and moves every intent as far as it goes."""

import logging
from collections.abc import Callable

from chain import clock, conf
from chain.client import rpc_client
from chain.models import Signer, TxAttempt, TxIntent
from chain.rpc.client import RpcClient
from chain.sender.allocate import intent_allocate
from chain.sender.broadcast import attempt_send, intent_push
from chain.sender.keys import SigningKey, key_from_settings
from chain.sender.reconcile import intents_reconcile, intents_to_watch
from chain.sender.transitions import State, intent_wait
from chain.sender.view import ChainView, chain_view

logger = logging.getLogger(__name__)

#: Planned intents looked at in one tick; each costs a preflight on the chain.
_PLANNED_MAX = 32


def signer_ensure(key: SigningKey) -> Signer:
    """The signer row of a key, with the limits of the settings when it is new."""
    signer, _ = Signer.objects.get_or_create(
        chain_id=conf.chain_id(),
        address=key.address,
        defaults={
            "max_fee_per_gas_wei": conf.keeper_max_fee_per_gas_wei(),
            "min_balance_wei": conf.keeper_min_balance_wei(),
        },
    )
    return signer


class Sender:
    """Sends with one key. Any number may run at once; rows and their locks decide.

    ``reached`` is told the name of each point where a crash is interesting (for tests).
    """

    def __init__(
        self,
        *,
        client: RpcClient,
        key: SigningKey,
        reached: Callable[[str], None] | None = None,
    ) -> None:
        self.client = client
        self.key = key
        self._reached = reached or (lambda name: None)

    def tick(self) -> None:
        """Reconcile, push what is signed, sign what is planned.

        Raises:
            RpcError: the node could not be asked; every intent is where it was or further.
            KeyUnavailable
        """
        signer = signer_ensure(self.key)
        head = self.client.header("latest")
        watched = intents_to_watch(signer, head_number=head.number)
        attempts: list[TxAttempt] = [a for intent in watched for a in intent.attempts.all()]
        view = chain_view(self.client, address=signer.address, attempts=attempts)
        self._reached("viewed")
        unmined = intents_reconcile(signer, watched, view)
        self._reached("reconciled")
        self._signer_note(signer, view)
        for intent in unmined:
            intent_push(
                self.client,
                signer=signer,
                key=self.key,
                intent=intent,
                view=view,
                reached=self._reached,
            )
        self._planned(signer, view)

    def _planned(self, signer: Signer, view: ChainView) -> None:
        planned = TxIntent.objects.filter(chain_id=signer.chain_id, state=State.PLANNED).order_by(
            "pk"
        )
        for intent in planned[:_PLANNED_MAX]:
            attempt = intent_allocate(
                self.client, signer=signer, key=self.key, intent=intent, view=view
            )
            if attempt is not None:
                self._reached("signed")
                attempt_send(self.client, intent=intent, attempt=attempt, reached=self._reached)

    def _signer_note(self, signer: Signer, view: ChainView) -> None:
        alarm = signer.alarm
        low = "The account is below its minimum balance: nothing new is signed. Fund it."
        if view.balance_wei < signer.min_balance_wei:
            alarm = alarm or low
        elif alarm == low:
            alarm = ""
        if alarm != signer.alarm:
            logger.warning("Keeper %s: %s", signer, alarm or "the alarm is over")
        Signer.objects.filter(pk=signer.pk).update(
            balance_wei=view.balance_wei, ticked_at=clock.now(), alarm=alarm
        )
        signer.alarm = alarm


def outbox_run_once() -> None:
    """One tick with the keeper's key, if this service has one.

    Raises:
        RpcError, KeyUnavailable
    """
    key = key_from_settings()
    if key is None:
        for intent in TxIntent.objects.filter(chain_id=conf.chain_id(), state=State.PLANNED):
            intent_wait(
                intent,
                "This service has no keeper key. Anyone may send the transaction from a wallet.",
            )
        return
    Sender(client=rpc_client(), key=key).tick()
