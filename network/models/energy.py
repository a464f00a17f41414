"""Energy of nodes: the last counted reading of each GPU, and sums by the hour.

Only what the cards drew is stored. What the site drew and what that means in carbon follow from
parameters the network may change, so they are computed when somebody asks.
"""

from django.db import models

from network.energy.quantities import Band
from network.models.nodes import Node


class EnergyReading(models.Model):
    """The reading of one GPU up to which its energy has been counted. A claim of the node.

    Written by ``network.services.energy`` under the lock of the node's reports.
    """

    node = models.ForeignKey(
        Node, on_delete=models.DO_NOTHING, db_constraint=False, related_name="energy_readings"
    )
    gpu_uuid = models.CharField(max_length=80)
    #: Unix milliseconds by the node's clock.
    at_ms = models.BigIntegerField()
    energy_mj = models.BigIntegerField(null=True)
    power_mw = models.BigIntegerField(null=True)
    boot_id = models.CharField(max_length=80, blank=True)
    driver_load_id = models.CharField(max_length=80, blank=True)
    driver_uptime_ms = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["node_id", "gpu_uuid"]
        constraints = [
            models.UniqueConstraint(fields=["node", "gpu_uuid"], name="energy_reading_once_a_gpu")
        ]

    def __str__(self) -> str:
        return f"{self.gpu_uuid} at {self.at_ms}"


class EnergyHour(models.Model):
    """What a node's GPUs drew in one hour (UTC), by its claims, with the band of its uncertainty.

    Written by ``network.services.energy``. There is no row for an hour without data. ``unplaced``
    is the energy of windows that ended in this hour and are longer than one: nobody can say in
    which hours it was drawn.
    """

    node = models.ForeignKey(
        Node, on_delete=models.DO_NOTHING, db_constraint=False, related_name="energy_hours"
    )
    starts_at = models.DateTimeField()
    best_mj = models.BigIntegerField(default=0)
    low_mj = models.BigIntegerField(default=0)
    high_mj = models.BigIntegerField(default=0)
    #: GPU-milliseconds that the energy stands for, and the part of them that is an estimate.
    covered_ms = models.BigIntegerField(default=0)
    estimated_ms = models.BigIntegerField(default=0)
    unplaced_best_mj = models.BigIntegerField(default=0)
    unplaced_low_mj = models.BigIntegerField(default=0)
    unplaced_high_mj = models.BigIntegerField(default=0)
    unplaced_ms = models.BigIntegerField(default=0)
    #: Windows whose claim no card can fulfil; an estimate stands in for each.
    implausible_count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["node_id", "-starts_at"]
        constraints = [
            models.UniqueConstraint(fields=["node", "starts_at"], name="energy_hour_once_a_node")
        ]

    def __str__(self) -> str:
        return f"0x{self.node_id.hex()} {self.starts_at:%Y-%m-%d %H}"

    @property
    def energy_mj(self) -> Band:
        """What is placed in this hour."""
        return Band(self.best_mj, self.low_mj, self.high_mj)

    @property
    def unplaced_mj(self) -> Band:
        """What was drawn in longer windows that ended in this hour."""
        return Band(self.unplaced_best_mj, self.unplaced_low_mj, self.unplaced_high_mj)

    def add(self, energy_mj: Band, *, covered_ms: int, is_estimate: bool) -> None:
        """Add a part of a window that lies in this hour."""
        self.best_mj += energy_mj.best
        self.low_mj += energy_mj.low
        self.high_mj += energy_mj.high
        self.covered_ms += covered_ms
        self.estimated_ms += covered_ms if is_estimate else 0

    def add_unplaced(self, energy_mj: Band, *, covered_ms: int) -> None:
        """Add a window longer than an hour that ended in this one."""
        self.unplaced_best_mj += energy_mj.best
        self.unplaced_low_mj += energy_mj.low
        self.unplaced_high_mj += energy_mj.high
        self.unplaced_ms += covered_ms
