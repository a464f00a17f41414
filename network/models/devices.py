"""Physical devices of the fleet, by what the vendor put into them."""

from django.db import models

from chain.fields import Hash32Field
from network.attestation.evidence import DeviceKind
from network.models.nodes import Node

#: ``network.attestation.DeviceKind`` in words.
KINDS = [(DeviceKind.GPU.value, "GPU"), (DeviceKind.SWITCH.value, "NVSwitch")]


class Device(models.Model):
    """A physical device and the node that holds it. One row for each device ever proven.

    Written by ``network.services.devices``, only for a device whose chain, signature, nonce and
    (where enforced) revocation were good in a report of that node: chains are public, and whoever
    shows a stranger's must not take its device.
    """

    #: SHA-256 of certificate 1's public key: the same through firmware updates.
    identity = Hash32Field(primary_key=True)
    node = models.ForeignKey(
        Node, on_delete=models.DO_NOTHING, db_constraint=False, related_name="devices"
    )
    kind = models.CharField(max_length=6, choices=KINDS)
    #: The chip that its certificate names, for example ``GH100``.
    chip = models.CharField(max_length=32, blank=True)
    emulated = models.BooleanField(default=False)
    #: The first proof on any node, the first on this one, the last on this one.
    first_seen_at = models.DateTimeField()
    node_since_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["identity"]

    def __str__(self) -> str:
        return f"{self.kind} 0x{self.identity.hex()}"
