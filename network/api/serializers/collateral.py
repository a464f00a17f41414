"""Manifests and statements on revocation as the API gives them."""

from typing import Any

from rest_framework import serializers

from chain.api.fields import Hash32SerializerField
from network.models import Rim, RimKind


class RimSerializer(serializers.Serializer[Rim]):
    """A reference manifest that answers for its id."""

    id = serializers.CharField(source="rim_id")
    sha256 = Hash32SerializerField(help_text="Of the manifest's bytes.")
    kind = serializers.ChoiceField(RimKind.choices)
    product = serializers.CharField()
    version = serializers.CharField()
    valid_from = serializers.DateTimeField()
    valid_until = serializers.DateTimeField(help_text="When its signer runs out.")
    root_spki_sha256 = Hash32SerializerField(source="root_spki")
    emulated = serializers.BooleanField()
    expired_at_ingest = serializers.BooleanField(
        help_text="It had run out when an operator vouched for it."
    )
    source = serializers.CharField()  # type: ignore[assignment]  # a field of this name
    ingested_at = serializers.DateTimeField()


class MissingRimSerializer(serializers.Serializer[Any]):
    """A manifest that reports of the last day asked for in vain."""

    id = serializers.CharField()
    count = serializers.IntegerField()


class AuthoritySerializer(serializers.Serializer[Any]):
    """The newest that is known about the certificate of an authority or of a manifest's signer."""

    subject = serializers.CharField(source="certificate.subject")
    serial = serializers.CharField(source="certificate.serial")
    certificate_sha256 = Hash32SerializerField(source="certificate.sha256")
    emulated = serializers.BooleanField(source="certificate.emulated")
    state = serializers.CharField(help_text="good, revoked, hold, unknown or not_checked.")
    stale = serializers.BooleanField(help_text="What was said has run out.")
    source = serializers.CharField(  # type: ignore[assignment]  # a field of this name
        help_text="ocsp, crl or nothing."
    )
    document_sha256 = Hash32SerializerField(source="document.sha256", default=None, allow_null=True)
    this_update = serializers.DateTimeField(
        source="document.this_update", default=None, allow_null=True
    )
    next_update = serializers.DateTimeField(
        source="document.next_update", default=None, allow_null=True
    )
    age_s = serializers.IntegerField(allow_null=True)


class CollateralSerializer(serializers.Serializer[Any]):
    """What verdicts are made with besides evidence and policy, and how old it is."""

    at = serializers.DateTimeField()
    rims = RimSerializer(many=True)
    rims_missing = MissingRimSerializer(many=True)
    authorities = AuthoritySerializer(many=True)
    devices = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Devices seen within 30 days by what OCSP says of them.",
    )
    devices_oldest_s = serializers.IntegerField(
        allow_null=True, help_text="Age of the oldest answer about a device."
    )
