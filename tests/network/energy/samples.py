"""Readings and cards that several tests use."""

from hypothesis import strategies as st

from network.energy.counters import Reading
from network.energy.power import Card

UUID = "GPU-4d1a7c52-0f5e-4a3c-9b61-2f7f5f2c1a00"
CARD = Card(limit_mw=700_000, idle_mw=70_000)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
T0 = 1_790_000_000_000 - 1_790_000_000_000 % HOUR_MS


def reading(
    at_s: int, energy_mj: int | None = None, *, load: str = "1", **values: int | None
) -> Reading:
    """A reading so many seconds after T0."""
    return Reading(UUID, T0 + at_s * 1000, energy_mj, driver_load_id=load, **values)


cards = st.integers(1, 2_000_000).flatmap(
    lambda limit: st.builds(Card, limit_mw=st.just(limit), idle_mw=st.integers(1, limit))
)
durations_ms = st.integers(60_000, 40 * DAY_MS)
