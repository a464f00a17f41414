"""Count the energy that a node's report claims, and say what about the claim is not believed."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from network.attestation.facts import EnergyFact
from network.energy.claims import readings_of
from network.energy.counters import Flag, Reading, Window, counter_windows, polled_windows
from network.energy.hours import parts_of
from network.energy.power import Card, Quality, card_of
from network.energy.quantities import HOUR_MS, EnergyInputInvalid
from network.models import EnergyHour, EnergyReading, Node
from network.selectors.policy import PolicySnapshot

_VALUES = ("at_ms", "energy_mj", "power_mw", "boot_id", "driver_load_id", "driver_uptime_ms")
_WORDS = {
    Flag.OVER_LIMIT: "claims more energy than its power limit allows",
    Flag.UNDER_IDLE: "claims less energy than a powered card can draw",
    Flag.UNDER_WORK: "claims less energy than its proven work needs",
}


def energy_record(
    *, node: Node, inventory: Any, policy: PolicySnapshot, at: datetime
) -> tuple[EnergyFact, ...]:
    """Count what the GPUs of one report drew since their last counted readings.

    ``inventory`` is the report's, any JSON value; an entry without ``sampled_at_ms`` claims no
    energy. Returns what is not believed: an estimate stands in for an impossible figure, and a
    claim that is none is not counted. Call it under the lock of the node's reports: two at once
    would count one window twice. Never raises for anything that a node can send. 5 queries.
    """
    gpus = _claiming(inventory)
    if not gpus:
        return ()
    try:
        readings, refusals = readings_of(
            gpus,
            now_ms=_ms(at),
            skew_ms=policy.clock_skew_s * 1000,
            max_age_ms=policy.nonce_ttl_s * 1000,
            # More GPUs than are registered would add energy that nobody has staked for.
            max_gpus=node.gpu_count,
        )
    except EnergyInputInvalid as error:
        return (EnergyFact("", error.code, error.detail),)
    facts = [EnergyFact("", each.code, f"GPU {each.index}: {each.detail}") for each in refusals]
    windows: list[Window] = []
    limits = {gpu["uuid"]: gpu.get("power_limit_mw") for gpu in gpus if _is_text(gpu.get("uuid"))}
    rows = {row.gpu_uuid: row for row in EnergyReading.objects.filter(node_id=node.node_id)}
    for reading in readings:
        row = rows.get(reading.gpu_uuid) or EnergyReading(
            node_id=node.node_id, gpu_uuid=reading.gpu_uuid
        )
        try:
            found = _windows(row, reading, card_of(node.gpu_class, limits[reading.gpu_uuid]))
        except EnergyInputInvalid as error:
            facts.append(EnergyFact(reading.gpu_uuid, error.code, error.detail))
            continue
        if found or row.pk is None:
            # Without a whole window the time since the older reading stays open.
            rows[reading.gpu_uuid] = _moved(row, reading)
        windows += found
    _readings_save(node, rows.values())
    _hours_add(node, windows)
    return (*facts, *(fact for window in windows for fact in _window_facts(window)))


def _claiming(inventory: Any) -> list[dict[str, Any]]:
    """The entries of the inventory that claim energy."""
    gpus = inventory.get("gpus") if isinstance(inventory, dict) else None
    if not isinstance(gpus, list):
        return []
    return [gpu for gpu in gpus if isinstance(gpu, dict) and gpu.get("sampled_at_ms") is not None]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _windows(row: EnergyReading, reading: Reading, card: Card) -> list[Window]:
    """The window since the GPU's last counted reading; none for its first, or within a minute.

    Raises:
        EnergyInputInvalid: ``energy.past`` for a reading older than the last counted one, and what
            ``counter_windows`` raises.
    """
    if row.pk is None:
        return []
    before = Reading(row.gpu_uuid, **{name: getattr(row, name) for name in _VALUES})
    if reading.at_ms < before.at_ms:
        raise EnergyInputInvalid("energy.past", "The reading is older than the GPU's last one.")
    if before.energy_mj is not None and reading.energy_mj is not None:
        return counter_windows([before, reading], card)
    if before.power_mw is not None and reading.power_mw is not None:
        return polled_windows([before, reading], card)
    return []


def _moved(row: EnergyReading, reading: Reading) -> EnergyReading:
    for name in _VALUES:
        setattr(row, name, getattr(reading, name))
    return row


def _readings_save(node: Node, rows: Iterable[EnergyReading]) -> None:
    """Keep the newest reading of as many GPUs as the node has: a node that names new GPUs with
    every report must not grow a table."""
    newest = sorted(rows, key=lambda row: (row.at_ms, row.gpu_uuid), reverse=True)
    kept = newest[: node.gpu_count]
    EnergyReading.objects.filter(
        pk__in=[row.pk for row in newest[node.gpu_count :] if row.pk is not None]
    ).delete()
    EnergyReading.objects.bulk_create(
        kept,
        update_conflicts=True,
        unique_fields=["node", "gpu_uuid"],
        update_fields=list(_VALUES),
    )


def _hours_add(node: Node, windows: list[Window]) -> None:
    """Add windows to their hours. What is longer than an hour goes to the hour it ended in."""
    if not windows:
        return
    touched = {_hour_ms(at) for window in windows for at in _touched_ms(window)}
    starts = [datetime.fromtimestamp(at / 1000, tz=UTC) for at in touched]
    stored = EnergyHour.objects.filter(node_id=node.node_id, starts_at__in=starts)
    hours = {_ms(row.starts_at): row for row in stored}
    for at, start in zip(touched, starts, strict=True):
        hours.setdefault(at, EnergyHour(node_id=node.node_id, starts_at=start))
    for window in windows:
        ended = hours[_hour_ms(window.end_ms - 1)]
        ended.implausible_count += window.is_implausible
        if not window.is_placed:
            ended.add_unplaced(window.energy_mj, covered_ms=window.duration_ms)
            continue
        for at, energy_mj, part_ms in parts_of(window):
            hours[at].add(
                energy_mj, covered_ms=part_ms, is_estimate=window.quality is Quality.ESTIMATED
            )
    fields = [
        field.name
        for field in EnergyHour._meta.concrete_fields
        if field.name not in ("id", "node", "starts_at")
    ]
    EnergyHour.objects.bulk_create(
        hours.values(),
        update_conflicts=True,
        unique_fields=["node", "starts_at"],
        update_fields=fields,
    )


def _touched_ms(window: Window) -> Iterator[int]:
    yield window.end_ms - 1
    if window.is_placed:
        yield window.start_ms


def _hour_ms(at_ms: int) -> int:
    return at_ms - at_ms % HOUR_MS


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _window_facts(window: Window) -> Iterator[EnergyFact]:
    for flag in sorted(window.flags & _WORDS.keys()):
        yield EnergyFact(
            window.gpu_uuid,
            flag.value,
            f"GPU {window.gpu_uuid} {_WORDS[flag]} over {window.duration_ms // 1000} s; "
            "an estimate counts instead.",
        )
