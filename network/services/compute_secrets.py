"""Seeds that everybody may know, and the secret vectors that nobody may: see network.compute."""

import secrets
from datetime import datetime

from network.attestation import BoundedCache
from network.compute import Challenge, Check, EpochSecret, prng
from network.models import ComputeEpoch

_DAY_S = 86_400
#: Today's and yesterday's, of two sizes. In memory alone: a restart makes new ones, which check
#: the rows of a round that was begun before just as well.
_SECRETS: BoundedCache[EpochSecret] = BoundedCache(4)


def epoch_number(at: datetime) -> int:
    """The epoch of a time: its UTC day, counted from 1970."""
    return int(at.timestamp()) // _DAY_S


def epoch_seed(number: int) -> bytes:
    """The public seed of an epoch's matrix B; drawn when it is first asked for."""
    fresh = secrets.token_bytes(32)
    row, _ = ComputeEpoch.objects.get_or_create(number=number, defaults={"seed": fresh})
    return row.seed


def secret_for(challenge: Challenge) -> EpochSecret | None:
    """The secret that checks a challenge's rows; None where they are computed again instead.

    The first call of a process in an epoch takes a second or two at the largest size.
    """
    if challenge.params.check is Check.RECOMPUTE:
        return None
    key = prng.epoch_key(challenge)
    return _SECRETS.get_or_compute(key, lambda: EpochSecret.make(challenge))
