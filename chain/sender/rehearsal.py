"""What the sender would do with an intent, asked of the chain and written nowhere."""

from chain import conf
from chain.client import rpc_client
from chain.models import Signer, TxIntent
from chain.outbox import intent_account
from chain.sender.accounts import no_key_sentence
from chain.sender.allocate import Ends, Waits, intent_judge
from chain.sender.keys import KeyUnavailable, key_from_settings
from chain.sender.loop import dry_run_sentence, signer_limits
from chain.sender.transitions import Wait
from chain.sender.view import chain_view


def intent_rehearse(intent: TxIntent) -> tuple[str, str]:
    """(code, sentence) of what a tick would do with a planned intent, saved or not.

    Raises:
        RpcError
    """
    account = intent_account(intent)
    try:
        key = key_from_settings(account)
    except KeyUnavailable as error:
        return Wait.KEY_UNAVAILABLE, f"The {account}'s key cannot be used: {error}"
    if key is None:
        return Wait.NO_KEY, no_key_sentence(account)
    client = rpc_client()
    rows = Signer.objects.filter(chain_id=conf.chain_id(), address=key.address)
    signer = rows.first() or Signer(chain_id=conf.chain_id(), address=key.address, account=account)
    for name, limit in signer_limits().items():
        setattr(signer, name, limit)
    view = chain_view(client, address=key.address, intents=[])
    verdict = intent_judge(client, signer=signer, intent=intent, view=view)
    if isinstance(verdict, Waits):
        return verdict.code, verdict.reason
    if isinstance(verdict, Ends):
        return verdict.to, verdict.reason
    return Wait.DRY_RUN, dry_run_sentence(signer, verdict)
