"""Sign-in messages that were used."""

from django.db import models


class SpentChallenge(models.Model):
    """The nonce of a sign-in message that was answered once, and is worth nothing any more.

    Written by ``governance.siwe``; its primary key lets one of two answers at once pass. In the
    database and not in the cache: a cache that is away or emptied must not let a message be used
    twice, nor keep people from signing in. Rows past ``expires_at`` are deleted hourly.
    """

    nonce = models.CharField(max_length=64, primary_key=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.nonce
