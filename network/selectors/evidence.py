"""Bodies of reports, while they are kept."""

from network.errors import NotFound
from network.models import Attestation, AttestationEvidence


def evidence_read(attestation: Attestation) -> bytes:
    """The body of a report, byte for byte. 1 query, in one day's partition.

    Raises:
        NotFound: ``evidence_dropped``: it is older than evidence is kept.
    """
    row = AttestationEvidence.objects.filter(
        attestation_id=attestation.pk, received_at=attestation.received_at
    ).first()
    if row is None:
        raise NotFound(
            "evidence_dropped",
            "The evidence of this report is older than this service keeps evidence; its verdict, "
            "its hash and its place in an epoch are kept.",
        )
    return row.body
