"""The energy counter of an emulated GPU: busy for half of its day, quiet for the other half."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from network.energy.power import card_of
from network.energy.quantities import DAY_MS, HOUR_MS

_HALF_MS: Final = DAY_MS // 2
#: The share of its power range that a card draws when busy and when quiet, in percent.
_BUSY_PERCENT, _QUIET_PERCENT = 80, 15


class MeterFault(StrEnum):
    """What is wrong with a counter."""

    NONE = "none"
    #: Counts three times what the card's limit allows.
    IMPOSSIBLE = "impossible"
    #: Starts again with every hour, as after a reload of the driver.
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class EmulatedMeter:
    """One card's counter as a function of time: it needs no memory, so a demonstration that starts
    again goes on where it was."""

    gpu_uuid: str
    gpu_class: str
    fault: MeterFault = MeterFault.NONE

    def telemetry(self, at_ms: int) -> dict[str, Any]:
        """The claims of an inventory's entry at a time (Unix milliseconds)."""
        card = card_of(self.gpu_class)
        energy_mj, power_mw = self._energy_mj(at_ms), self._power_mw(at_ms)
        boot = "boot"
        if self.fault is MeterFault.IMPOSSIBLE:
            energy_mj, power_mw = 3 * card.limit_mj(at_ms), 3 * card.limit_mw
        if self.fault is MeterFault.RESET:
            since_ms = at_ms - at_ms % HOUR_MS
            energy_mj, boot = energy_mj - self._energy_mj(since_ms), f"boot-{since_ms}"
        return {
            "sampled_at_ms": at_ms,
            "energy_mj": energy_mj,
            "power_mw": power_mw,
            "power_limit_mw": card.limit_mw,
            "boot_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.gpu_uuid} {boot}")),
        }

    def _levels_mw(self) -> tuple[int, int]:
        card = card_of(self.gpu_class)
        room_mw = card.limit_mw - card.idle_mw
        busy, quiet = (room_mw * share // 100 for share in (_BUSY_PERCENT, _QUIET_PERCENT))
        return card.idle_mw + busy, card.idle_mw + quiet

    def _phase_ms(self) -> int:
        """Where in its day this card is at time 0: two cards are not busy at one time."""
        digest = hashlib.sha256(self.gpu_uuid.encode("utf-8")).digest()
        return int.from_bytes(digest[:8], "big") % DAY_MS

    def _power_mw(self, at_ms: int) -> int:
        busy_mw, quiet_mw = self._levels_mw()
        return busy_mw if (at_ms + self._phase_ms()) % DAY_MS < _HALF_MS else quiet_mw

    def _energy_mj(self, at_ms: int) -> int:
        """The integral of the power since time 0 of the card's own days."""
        busy_mw, quiet_mw = self._levels_mw()
        days, rest_ms = divmod(at_ms + self._phase_ms(), DAY_MS)
        busy_ms = days * _HALF_MS + min(rest_ms, _HALF_MS)
        quiet_ms = days * _HALF_MS + max(rest_ms - _HALF_MS, 0)
        return (busy_ms * busy_mw + quiet_ms * quiet_mw) // 1000
