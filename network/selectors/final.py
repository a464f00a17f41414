"""The newest final block whose effects the tables show: the only time that counts for epochs."""

from dataclasses import dataclass

from chain import conf
from chain.models import Block, Cursor


@dataclass(frozen=True, slots=True)
class FinalBlock:
    """A final block that is indexed. ``timestamp`` is Unix seconds."""

    number: int
    timestamp: int


def final_block() -> FinalBlock | None:
    """The newest final block up to which all tables are computed. 2 queries.

    None while there is none, and while the index is halted: what it holds may be of a chain that
    is no more.
    """
    cursor = Cursor.objects.filter(chain_id=conf.chain_id()).first()
    if cursor is None or cursor.state != Cursor.State.RUNNING:
        return None
    number = min(cursor.number, cursor.finalized_number, cursor.projected_number)
    blocks = Block.objects.filter(chain_id=cursor.chain_id, canonical=True, number__lte=number)
    block = blocks.order_by("-number").values_list("number", "timestamp").first()
    return None if block is None else FinalBlock(*block)
