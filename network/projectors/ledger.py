"""The ledger's record of each epoch. Keys: the epoch's number in decimal."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chain.projections import DecodedLog, History, Projector
from network.models import EpochRecord
from network.projectors.nodes import short_text
from network.projectors.parameters import time_of

CONTRACT = "AttestationLedger"


def _epoch_key(args: dict[str, Any]) -> Iterable[str]:
    return [str(args["epoch"])]


class LedgerProjector(Projector):
    """Writes EpochRecord."""

    name = "network.ledger"
    models = (EpochRecord,)
    events: Mapping[tuple[str, str], Callable[[dict[str, Any]], Iterable[str]]] = {
        (CONTRACT, "EpochPosted"): _epoch_key,
        (CONTRACT, "EpochVoided"): _epoch_key,
    }

    def recompute(self, *, key: str, history: History) -> None:
        logs = history.logs()
        posted = [log for log in logs if log.event == "EpochPosted"]
        if not posted:
            EpochRecord.objects.filter(epoch=int(key)).delete()
            return
        last = posted[-1]
        # A void before the last posting is history: that posting replaced what it was about.
        after = logs[logs.index(last) + 1 :]
        EpochRecord.objects.update_or_create(
            epoch=int(key), defaults=_posted_fields(last, len(posted)) | _void_fields(after)
        )


def _posted_fields(posted: DecodedLog, times: int) -> dict[str, Any]:
    return {
        "root": posted.args["root"],
        "count": posted.args["count"],
        "total_seconds": posted.args["totalSeconds"],
        "metadata_hash": posted.args["metadataHash"],
        "posted_at": time_of(posted.block_timestamp),
        "usable_at": time_of(posted.args["usableAt"]),
        "posted_tx": posted.transaction_hash,
        "block_number": posted.block_number,
        "posted_count": times,
    }


def _void_fields(after: list[DecodedLog]) -> dict[str, Any]:
    voided = next((log for log in after if log.event == "EpochVoided"), None)
    if voided is None:
        return {"voided_at": None, "voided_by": None, "void_reason": "", "voided_tx": None}
    return {
        "voided_at": time_of(voided.block_timestamp),
        "voided_by": voided.args["by"],
        "void_reason": short_text(voided.args["reason"]),
        "voided_tx": voided.transaction_hash,
    }
