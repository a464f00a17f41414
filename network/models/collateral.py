"""What evidence is judged with: reference manifests, statements on revocation, allow-lists.

Nothing here comes from a node. Documents are kept byte for byte under their SHA-256 and are never
changed, so that a verdict can be derived again from the ones that it names.
"""

from django.db import models

from chain.fields import BytesField, Hash32Field


class RimKind(models.TextChoices):
    DRIVER = "driver", "Driver"
    VBIOS = "vbios", "VBIOS"
    SWITCH = "switch", "Switch firmware"


class Rim(models.Model):
    """One reference integrity manifest (RIM): golden measurements, signed by the vendor.

    Written by ``network.services.collateral_rims`` after its signature, root, id and time were
    verified. A row for every (id, bytes); of one id the newest that is not withdrawn answers.
    """

    #: What devices are looked up by, for example ``NV_GPU_DRIVER_GH100_550.90.07``.
    rim_id = models.CharField(max_length=160)
    sha256 = Hash32Field()
    xml = BytesField()
    kind = models.CharField(max_length=6, choices=RimKind.choices)
    product = models.CharField(max_length=64)
    version = models.CharField(max_length=64)
    #: Narrowest validity of the chain that signed it.
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(db_index=True)
    #: SHA-256 of the pinned root key.
    root_spki = Hash32Field()
    #: Who signed it; when a certificate above it is revoked, the manifest is withdrawn.
    signer = models.ForeignKey("ChainCertificate", on_delete=models.PROTECT, related_name="rims")
    emulated = models.BooleanField(default=False)
    #: Its signer had run out when it was taken in; an operator vouched that it was valid before.
    expired_at_ingest = models.BooleanField(default=False)
    #: The file or address that it came from.
    source = models.CharField(max_length=200)
    ingested_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["rim_id", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["rim_id", "sha256"], name="rim_once_by_id_and_bytes")
        ]

    def __str__(self) -> str:
        return f"{self.rim_id} {self.sha256.hex()[:12]}"


class ChainCertificate(models.Model):
    """A certificate whose revocation has to be known: a device's, or an authority's above it.

    Written by ``network.services.collateral_certificates`` when a chain with a pinned root
    brings it, and by the fetcher of OCSP responses.
    """

    #: SHA-256 of the DER.
    sha256 = Hash32Field(primary_key=True)
    der = BytesField()
    subject = models.CharField(max_length=300)
    #: Lowercase hex, as the issuer drew it.
    serial = models.CharField(max_length=64, db_index=True)
    #: The next certificate of its chain; null for a root, which is pinned.
    issuer = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="issued")
    #: SHA-256 of the DER subject name: how a list finds its issuer.
    subject_sha256 = Hash32Field(db_index=True)
    #: Certificate 1 of a device's chain. The others are authorities.
    is_device = models.BooleanField(default=False)
    emulated = models.BooleanField(default=False)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    #: What the newest OCSP response says, since when and until when; empty before the first.
    ocsp_state = models.CharField(max_length=12, blank=True)
    ocsp_since = models.DateTimeField(null=True)
    ocsp_until = models.DateTimeField(null=True)
    #: When the responder is to be asked next; null where nobody asks.
    ocsp_due_at = models.DateTimeField(null=True, db_index=True)
    ocsp_failures = models.PositiveIntegerField(default=0)
    #: Why the last question had no usable answer; empty after a good one.
    ocsp_error = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["is_device", "subject"]

    def __str__(self) -> str:
        return f"{self.subject} {self.serial}"


class OcspResponse(models.Model):
    """One OCSP response (RFC 6960) about one certificate, as it was signed.

    Written by ``network.services.collateral_revocation`` after it was verified.
    """

    sha256 = Hash32Field(primary_key=True)
    certificate = models.ForeignKey(
        ChainCertificate, on_delete=models.PROTECT, related_name="ocsp_responses"
    )
    der = BytesField()
    #: What it said when it was taken in: good, revoked, hold or unknown.
    state = models.CharField(max_length=12)
    reason = models.CharField(max_length=40, blank=True)
    this_update = models.DateTimeField()
    next_update = models.DateTimeField(null=True)
    source = models.CharField(max_length=200)
    received_at = models.DateTimeField()

    class Meta:
        ordering = ["-received_at"]
        indexes = [models.Index(fields=["certificate", "-this_update"])]

    def __str__(self) -> str:
        return f"{self.state} {self.sha256.hex()[:12]}"


class Crl(models.Model):
    """One certificate revocation list (RFC 5280) of one authority, as it was signed.

    Written by ``network.services.collateral_revocation`` after it was verified.
    """

    sha256 = Hash32Field(primary_key=True)
    issuer = models.ForeignKey(ChainCertificate, on_delete=models.PROTECT, related_name="crls")
    der = BytesField()
    entries = models.PositiveIntegerField()
    this_update = models.DateTimeField()
    next_update = models.DateTimeField()
    source = models.CharField(max_length=200)
    received_at = models.DateTimeField()

    class Meta:
        ordering = ["-received_at"]

    def __str__(self) -> str:
        return f"list {self.sha256.hex()[:12]}"


class AllowListKind(models.TextChoices):
    RIM = "rim", "Manifests"
    DRIVER = "driver", "Drivers"


class AllowList(models.Model):
    """The digests behind a Merkle root that the DAO may vote for (``attest.rim_root``,
    ``attest.driver_digest_root``).

    Written by ``network.services.collateral_lists``. The root commits to the list, so a row is
    right for ever; whether it counts is asked of the parameter.
    """

    kind = models.CharField(max_length=6, choices=AllowListKind.choices)
    root = Hash32Field()
    #: The digests, 64 hex digits each, ascending.
    digests = models.JSONField()
    source = models.CharField(max_length=200)
    ingested_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "root"], name="allow_list_once_by_root")
        ]

    def __str__(self) -> str:
        return f"{self.kind} 0x{self.root.hex()}"


class CollateralVersion(models.Model):
    """One row that counts the changes of the other tables, so that a process knows by one look
    whether what it holds in memory is still what the database holds.

    Written by the services that write those tables, in the same transaction.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    #: Manifests and allow-lists.
    rims = models.BigIntegerField(default=0)
    #: OCSP responses and lists.
    revocation = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="collateral_version_is_one_row")
        ]

    def __str__(self) -> str:
        return f"manifests {self.rims}, revocation {self.revocation}"
