"""How many reports are judged at once, over all processes of the service."""

from django.conf import settings
from django.db import connection

from network.errors import NetworkError

#: Tells our advisory locks from any others of this database ("slot" in ASCII).
LOCK_CLASS = 0x736C6F74


class ServiceBusy(NetworkError):
    """All slots are taken; nothing was done."""

    http_status = 503
    retry_after_s = 2


def judging_slot_take() -> None:
    """Take a slot until the transaction ends, however it ends.

    Judging is the dear part of the API. More at once than there are cores makes none of them
    faster, and would leave no worker for those who only read.

    Raises:
        ServiceBusy: ``judging_busy``.
    """
    slots = settings.ATTEST_CONCURRENCY
    with connection.cursor() as cursor:
        # Row by row: it stops at the first lock that it gets.
        cursor.execute(
            "SELECT slot FROM generate_series(1, %s) AS slot"
            " WHERE pg_try_advisory_xact_lock(%s, slot) LIMIT 1",
            [slots, LOCK_CLASS],
        )
        if cursor.fetchone() is None:
            raise ServiceBusy(
                "judging_busy",
                f"The service is judging {slots} reports at once, as many as it takes. Send this "
                "one again when Retry-After says.",
            )
