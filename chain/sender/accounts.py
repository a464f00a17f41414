"""The accounts that send, and whether this service has their keys.

The keeper does what anybody may do; the attestor has a role on chain. So each has a key of its own,
and one key is never both: who stole the one would hold the other.
"""

from chain import clock, conf
from chain.models import AccountNote, SendingAccount, TxIntent
from chain.outbox import account_intents
from chain.sender.alarms import service_alarm_sync
from chain.sender.keys import KeyUnavailable, SigningKey, key_from_settings
from chain.sender.push import wait_for_key
from chain.sender.transitions import State, Wait, intent_wait

#: What a missing key means, and what to do about it.
_NO_KEY = {
    SendingAccount.KEEPER: (
        "This service has no keeper key. Anyone may send the transaction from a wallet."
    ),
    SendingAccount.ATTESTOR: (
        "This service has no attestor key, so it suspends no node and anchors no epoch. Give it "
        "one (ALTHING_ATTESTOR_KEYSTORE), or leave both to another service."
    ),
}


def accounts_open() -> dict[str, SigningKey]:
    """The key of each account that has one and opens; of the others, why not is noted."""
    found: dict[str, SigningKey] = {}
    for account in SendingAccount:
        key = _open(account, taken={key.address for key in found.values()})
        if key is not None:
            found[account] = key
    return found


def no_key_sentence(account: str) -> str:
    """What it means that this service has no key of an account."""
    return _NO_KEY[SendingAccount(account)]


def account_key(account: str, *, taken: set[bytes]) -> SigningKey | None:
    """An account's key, which must be no other account's (``taken``).

    Raises:
        KeyUnavailable
    """
    key = key_from_settings(account)
    if key is not None and key.address in taken:
        raise KeyUnavailable(
            f"The {account}'s key is another account's too. Give each a key of its own.",
            code="key_shared",
        )
    return key


def _open(account: SendingAccount, *, taken: set[bytes]) -> SigningKey | None:
    planned = TxIntent.objects.filter(
        account_intents(account), chain_id=conf.chain_id(), state=State.PLANNED
    )
    try:
        key = account_key(account, taken=taken)
    except KeyUnavailable as error:
        service_alarm_sync(error, account)
        _note(account, AccountNote.State.UNAVAILABLE, sentence=str(error))
        for intent in planned:
            wait_for_key(intent, error)
        return None
    service_alarm_sync(None, account)
    if key is None:
        sentence = no_key_sentence(account)
        _note(account, AccountNote.State.NO_KEY, sentence=sentence)
        for intent in planned:
            intent_wait(intent, Wait.NO_KEY, sentence)
    else:
        _note(account, AccountNote.State.READY, address=key.address)
    return key


def _note(account: str, state: str, *, sentence: str = "", address: bytes | None = None) -> None:
    moment = clock.now()
    said = {"state": state, "sentence": sentence, "address": address}
    rows = AccountNote.objects.filter(chain_id=conf.chain_id(), account=account)
    if rows.filter(**said).update(checked_at=moment):
        return
    AccountNote.objects.update_or_create(
        chain_id=conf.chain_id(),
        account=account,
        defaults={**said, "since": moment, "checked_at": moment},
    )
