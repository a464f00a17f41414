"""The bodies of reports: by far the largest part of what is kept, so they lie apart, by the day."""

from django.db import models

from chain.fields import BytesField
from network.models.attestation import Attestation


class AttestationEvidence(models.Model):
    """The body of one report, byte for byte (JSON). Never changed; dropped by the day.

    Written by ``network.services.evidence``. The table is partitioned by the day (UTC) of
    ``received_at`` (migration 0013), so that dropping a day frees its space at once and reads
    nothing. The report's row with its hashes stays for good.
    """

    #: PostgreSQL's key is (attestation, received_at): it must hold the partition's column. Ask by
    #: both, or every day is looked into.
    attestation = models.OneToOneField(
        Attestation,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        primary_key=True,
        related_name="+",
    )
    received_at = models.DateTimeField()
    body = BytesField()

    class Meta:
        ordering = ["attestation_id"]

    def __str__(self) -> str:
        return f"body of report {self.attestation_id}"
