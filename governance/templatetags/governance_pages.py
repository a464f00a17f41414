"""Tags of the pages about proposals. The treasury's and the network's templates may use them too.

Those apps must not import governance; a template may name this library, and so
a transfer finds the proposal that decided it by the transaction they share.
"""

from collections.abc import Iterable
from typing import Any

from django import template

from chain.formatting import DASH, amount_text, group_digits
from governance.models import IndexedGovernor, Proposal

register = template.Library()


@register.filter
def percent_bp(share: int | None) -> str:
    """Write basis points as a percentage: ``180`` is ``1.8 %``."""
    if share is None:
        return "\u2013"
    whole, rest = divmod(abs(share), 100)
    fraction = f"{rest:02d}".rstrip("0")
    sign = "\u2212" if share < 0 else ""
    return f"{sign}{whole}{'.' + fraction if fraction else ''}\u00a0%"


@register.filter
def signed_percent(share: int) -> str:
    """Write a change in basis points with its sign: ``3333`` is ``+33.33 %``."""
    return f"+{percent_bp(share)}" if share > 0 else percent_bp(share)


@register.filter
def votes(amount: int | None, governor: IndexedGovernor) -> str:
    """Write votes of an added governor in whole tokens, or in the smallest unit where its token
    does not say how many make a whole; a dash for None."""
    if amount is None:
        return DASH
    decimals = governor.token_decimals
    if decimals is None or decimals > 36:
        return group_digits(int(amount))
    symbol = f"\u00a0{governor.token_symbol}" if governor.token_symbol else ""
    return f"{amount_text(int(amount), decimals=decimals)}{symbol}"


@register.filter
def options(text: str) -> list[tuple[str, str]]:
    """Read ``value:Label,value:Label`` as the options of a select."""
    pairs = (item.partition(":") for item in text.split(","))
    return [(value, label) for value, _, label in pairs]


@register.simple_tag
def proposals_by_transaction(rows: Iterable[Any]) -> dict[bytes, Proposal]:
    """Return the proposals executed in the transactions of ``rows``, by transaction hash.

    ``rows`` have a ``transaction_hash``. One query, however many rows.
    """
    hashes = {bytes(row.transaction_hash) for row in rows}
    if not hashes:
        return {}
    found = Proposal.objects.filter(executed_tx__in=hashes).defer("description")
    return {bytes(proposal.executed_tx or b""): proposal for proposal in found}


@register.filter
def at_key(mapping: dict[Any, Any], key: Any) -> Any:
    """Return ``mapping[key]``, or None. Templates can only look up names they spell out."""
    return mapping.get(key)
