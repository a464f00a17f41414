"""Software Carbon Intensity per GPU-hour: ``((E x I) + M) / R`` (ISO/IEC 21031:2024).

R is a GPU-hour, reserved time included. M is the share of the card's and its host's making,
``TE x (TiR / EL) x (RR / ToR)``: total embodied emissions, time reserved over expected lifetime,
resources reserved over all. The standard takes no certificate, contract or offset into account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from network.energy.carbon import Footprint
from network.energy.quantities import BPS, DAY_MS, HOUR_MS, Band, EnergyInputInvalid, whole

UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Embodied:
    """Emissions of making one thing, in g CO2e, and where the figure is from (or ``unknown``)."""

    embodied_g: Band
    source: str

    @property
    def is_known(self) -> bool:
        """Whether somebody published the figure."""
        return self.source != UNKNOWN


@dataclass(frozen=True, slots=True)
class Sci:
    """The SCI score in mg CO2e per GPU-hour, and its two parts."""

    sci_mg_per_gpu_hour: Band
    operational_mg_per_gpu_hour: Band
    embodied_mg_per_gpu_hour: Band
    embodied_source: str


def _published(embodied_g: int, source: str) -> Embodied:
    """Half to double: published figures for one card lie up to two thirds apart."""
    return Embodied(Band(embodied_g, embodied_g // 2, embodied_g * 2), source)


#: One card, cradle to gate.
EMBODIED: Final[Mapping[str, Embodied]] = MappingProxyType(
    {
        "a100_80g": _published(
            127_600, "Falk et al. 2025, arXiv:2509.00093 (A100 SXM 40 GB, torn down)"
        ),
        "h100_80g": _published(
            164_000, "NVIDIA, HGX H100 Product Carbon Footprint Summary (1,312 kg for eight)"
        ),
        "b200_192g": _published(
            284_250, "NVIDIA, HGX B200 Product Carbon Footprint Summary (2,274 kg for eight)"
        ),
    }
)
#: The largest published figure, down to a tenth and up to four times as much: not knowing must
#: never look better than knowing.
UNKNOWN_EMBODIED: Final = Embodied(Band(284_250, 28_425, 1_137_000), UNKNOWN)
#: A GPU's share of its server: an eighth of 2,500 kg, the server without its GPUs in Luccioni,
#: Viguier and Ligozat 2023, "Estimating the Carbon Footprint of BLOOM" (JMLR 24/253), section 4.1.
HOST_EMBODIED: Final = _published(312_500, "Luccioni et al. 2023, JMLR 24/253 (2,500 kg for eight)")
#: Classes that have no GPU-hours.
NOT_GPU: Final = frozenset({"edge_iot", "qpu"})


def embodied_of(gpu_class: str) -> Embodied:
    """The emissions of making one card of a class; ``unknown`` and a wide band for most."""
    return EMBODIED.get(gpu_class, UNKNOWN_EMBODIED)


def sci_of(
    footprint: Footprint, *, gpu_class: str, gpu_ms: int, lifetime_days: int, share_bps: int = BPS
) -> Sci:
    """The SCI of GPUs of one class.

    ``footprint`` holds the energy at the site of the same ``gpu_ms`` GPU-milliseconds; its market
    claims are not read. ``lifetime_days`` is ``energy.gpu_lifetime``. ``share_bps`` is the part of
    a card that is reserved (MIG), with the footprint and the hours being those of the part.

    Raises:
        EnergyInputInvalid: ``sci.not_gpu`` for a class without GPU-hours, or a bad number.
    """
    if gpu_class in NOT_GPU:
        raise EnergyInputInvalid("sci.not_gpu", "This class has no GPU-hours.")
    whole(gpu_ms, "gpu_ms", least=1)
    whole(lifetime_days, "gpu_lifetime", least=1)
    whole(share_bps, "share_bps", least=1, most=BPS)
    operational = footprint.carbon_mg.scaled(HOUR_MS, gpu_ms)
    card = embodied_of(gpu_class)
    whole_g = card.embodied_g + HOST_EMBODIED.embodied_g
    # Per hour, the time reserved cancels out: a lifetime's hours share what was emitted once.
    embodied = whole_g.scaled(1000 * HOUR_MS * share_bps, lifetime_days * DAY_MS * BPS)
    source = f"card: {card.source}; host: {HOST_EMBODIED.source}"
    return Sci(operational + embodied, operational, embodied, source)
