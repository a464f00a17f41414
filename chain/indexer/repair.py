"""A cursor that stands where it cannot stand is put back onto what is stored, and halted there.

From there ``resolve_reorg`` does what it does after any deep reorganisation: it goes to the newest
stored block that the node has, leaves what lies above it as non-canonical, and indexes again.
"""

from django.db import transaction

from chain import conf
from chain.models import Block, Cursor


def block_newest() -> int:
    """Number of the newest stored canonical block; -1 where none is stored."""
    rows = Block.objects.filter(chain_id=conf.chain_id(), canonical=True)
    newest: int | None = rows.order_by("-number").values_list("number", flat=True).first()
    return -1 if newest is None else newest


def cursor_fence() -> None:
    """Put the cursor onto the newest stored canonical block and halt the index there.

    Without any stored block it stands below everything, and resolving starts over.
    """
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get(chain_id=conf.chain_id())
        row = Block.objects.filter(
            chain_id=cursor.chain_id, canonical=True, number=block_newest()
        ).first()
        cursor.number = row.number if row else -1
        cursor.hash = row.hash if row else bytes(32)
        cursor.state = Cursor.State.HALTED_DEEP_REORG
        cursor.error = "The cursor was corrupt. Run resolve_reorg."
        cursor.save(update_fields=["number", "hash", "state", "error"])
