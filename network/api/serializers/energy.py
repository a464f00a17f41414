"""Energy of a node as the API gives it: whole numbers with the unit in the name, in bands."""

from typing import Any

from rest_framework import serializers

from network.energy.quantities import Band


class BandSerializer(serializers.Serializer[Band]):
    """A best estimate between two bounds, worst case by worst case."""

    best = serializers.IntegerField()
    low = serializers.IntegerField()
    high = serializers.IntegerField()


class PueSerializer(serializers.Serializer[Any]):
    """Power usage effectiveness in basis points, and on what it rests."""

    pue_bps = BandSerializer()
    basis = serializers.CharField()


class IntensitySerializer(serializers.Serializer[Any]):
    """What a kWh counts, in mg CO2e; `zone` and `year` are null for the network's fallback."""

    intensity_mg_per_kwh = BandSerializer()
    zone = serializers.CharField(allow_null=True)
    year = serializers.IntegerField(allow_null=True)
    intensity_source = serializers.CharField(source="source")
    note = serializers.CharField()


class SiteSerializer(serializers.Serializer[Any]):
    """Energy at the site and its location-based carbon (GHG Protocol, Scope 2)."""

    site_energy_mj = BandSerializer()
    carbon_mg = BandSerializer()


class SciSerializer(serializers.Serializer[Any]):
    """Software Carbon Intensity (ISO/IEC 21031) in mg CO2e per GPU-hour, and its parts."""

    sci_mg_per_gpu_hour = BandSerializer()
    operational_mg_per_gpu_hour = BandSerializer()
    embodied_mg_per_gpu_hour = BandSerializer()
    embodied_source = serializers.CharField()


class EnergyPointSerializer(serializers.Serializer[Any]):
    """One hour; `gpu_energy_mj` is null where nothing is known of it."""

    starts_at = serializers.DateTimeField()
    gpu_energy_mj = BandSerializer(allow_null=True)
    covered_ms = serializers.IntegerField(help_text="GPU-milliseconds that it stands for.")
    estimated_ms = serializers.IntegerField(help_text="The part of them with a stand-in.")


class EnergyReportSerializer(serializers.Serializer[Any]):
    """A node's energy by its own claims. `docs/energy.md` says the method."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    gpu_energy_mj = BandSerializer(help_text="What the cards drew, `unplaced_mj` included.")
    covered_ms = serializers.IntegerField()
    estimated_ms = serializers.IntegerField()
    unplaced_mj = BandSerializer(
        help_text="Drawn in windows of more than an hour, in nobody knows which hours."
    )
    unplaced_ms = serializers.IntegerField()
    implausible_count = serializers.IntegerField(
        help_text="Windows whose claim no card can fulfil; an estimate counts instead."
    )
    pue = PueSerializer()
    host_overhead_w = serializers.IntegerField(help_text="Per GPU.")
    intensity = IntensitySerializer()
    site = SiteSerializer()
    sci = SciSerializer(allow_null=True, help_text="Null without data or GPU-hours.")
    policy_version = serializers.IntegerField()
    emulated = serializers.BooleanField()
    points = EnergyPointSerializer(many=True)
