"""What makes a signed request count once."""

from django.db import models

from chain.fields import Hash32Field


class SignatureNonce(models.Model):
    """A nonce that a key has used. Written by ``network.services.requests``, after the signature
    was verified: a stranger cannot fill the table.
    """

    key_id = models.CharField(max_length=64)
    nonce = models.CharField(max_length=86)
    #: After this time the signature is refused by its own window and the row may go.
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["key_id", "nonce"], name="signature_nonce_once")
        ]

    def __str__(self) -> str:
        return f"{self.key_id} {self.nonce}"


class IdempotencyKey(models.Model):
    """One request of a node and its stored answer (draft-ietf-httpapi-idempotency-key-header).

    Written by ``network.services.requests``. ``status_code`` is null while the
    first request is being worked on.
    """

    node_id = Hash32Field()
    key = models.CharField(max_length=128)
    #: SHA-256 of method, path and body: the same key with another request is an error.
    request_sha256 = Hash32Field()
    status_code = models.PositiveSmallIntegerField(null=True)
    response = models.JSONField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["node_id", "key"], name="idempotency_key_once_a_node")
        ]

    def __str__(self) -> str:
        return f"{self.key} of 0x{self.node_id.hex()}"
