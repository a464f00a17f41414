"""Mutations of typed reports and of switches: coded findings only, whatever the bytes become."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from network.attestation import Caches, DeviceEvidence, NodeEvidence, Severity, verify_evidence
from network.attestation.codes import CODES
from network.attestation.emulator import BLACKWELL_TYPED, EmulatedDevice, emulated_board
from network.attestation.spdm import parse_report

from .samples import AUTHORITY, EMULATED_RIMS, EMULATOR_TRUST, NONCE, NOW, STRICT, gpu

FUZZ = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DEVICES: dict[str, EmulatedDevice] = {
    "typed": gpu("typed", firmware=BLACKWELL_TYPED),
    "switch": emulated_board(AUTHORITY, "board").switches[0],
}
CACHES = Caches()
#: Numbers that lengths and ids like to be.
EDGES = st.sampled_from([0, 1, 2, 3, 4, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF])


@cache
def sent(kind: str) -> DeviceEvidence:
    return DEVICES[kind].evidence(NONCE)


def refusals(device: DeviceEvidence) -> set[str]:
    """The codes that refuse the device or its links; none of them is a fault of ours."""
    evidence = NodeEvidence(NONCE, (device,), True, "b200_192g", 1)
    appraisal = verify_evidence(
        evidence,
        policy=STRICT,
        now=NOW,
        trust=EMULATOR_TRUST,
        rims=EMULATED_RIMS,
        caches=CACHES,
    )
    found = appraisal.devices[0].findings
    assert {finding.code for finding in (*found, *appraisal.findings)} <= CODES.keys()
    assert "verifier.fault" not in {finding.code for finding in found}
    return {finding.code for finding in found if finding.severity is Severity.ERROR}


def signed_again(kind: str, change: Callable[[bytes], bytes]) -> DeviceEvidence:
    """The device's report with other opaque data, signed by its own key."""
    device = DEVICES[kind]
    report = parse_report(sent(kind).report)
    opaque = change(report.opaque)[:0xFFFF]
    body = report.signed[: -len(report.opaque) - 2]
    content = body + struct.pack("<H", len(opaque)) + opaque
    return replace(sent(kind), report=device.signed(content))


@pytest.mark.parametrize("kind", sorted(DEVICES))
def test_the_devices_that_are_mutated_are_right(kind: str) -> None:
    assert refusals(sent(kind)) == set()
    assert refusals(signed_again(kind, lambda opaque: opaque)) == set()


@pytest.mark.parametrize("kind", sorted(DEVICES))
@FUZZ
@given(data=st.data())
def test_bytes_of_a_report_replaced(kind: str, data: st.DataObject) -> None:
    report = sent(kind).report
    offset = data.draw(st.integers(0, len(report) - 1))
    value = data.draw(st.binary(min_size=1, max_size=6))
    changed = report[:offset] + value + report[offset + len(value) :]
    assert bool(refusals(replace(sent(kind), report=changed))) is (changed != report)


@pytest.mark.parametrize("kind", sorted(DEVICES))
@FUZZ
@given(data=st.data())
def test_a_report_cut_or_lengthened(kind: str, data: st.DataObject) -> None:
    report = sent(kind).report
    length = data.draw(st.integers(0, len(report) - 1))
    assert refusals(replace(sent(kind), report=report[:length]))
    assert refusals(replace(sent(kind), report=report + data.draw(st.binary(min_size=1))))


@pytest.mark.parametrize("kind", sorted(DEVICES))
@FUZZ
@given(data=st.data())
def test_signed_opaque_data_with_bytes_replaced(kind: str, data: st.DataObject) -> None:
    """The device's own key vouches for it, so it may be acceptable; it must be read or refused."""

    def change(opaque: bytes) -> bytes:
        for _ in range(data.draw(st.integers(1, 3))):
            offset = data.draw(st.integers(0, len(opaque)))
            value = data.draw(
                st.one_of(
                    st.binary(max_size=8), EDGES.map(lambda number: struct.pack("<H", number))
                )
            )
            cut = data.draw(st.integers(0, 12))
            opaque = opaque[:offset] + value + opaque[offset + cut :]
        return opaque

    found = refusals(signed_again(kind, change))
    assert not {code for code in found if code.startswith(("chain.", "sig.", "nonce."))}


@pytest.mark.parametrize("kind", sorted(DEVICES))
@FUZZ
@given(
    entries=st.lists(
        st.tuples(
            st.one_of(st.integers(0, 40), EDGES),
            st.one_of(st.integers(0, 0xFF), EDGES),
            st.binary(max_size=64),
        ),
        max_size=12,
    ),
    typed=st.booleans(),
)
def test_signed_opaque_data_made_of_any_fields(
    kind: str, entries: list[tuple[int, int, bytes]], typed: bool
) -> None:
    def encode(entry: tuple[int, int, bytes]) -> bytes:
        number, value_type, value = entry
        head = (number, value_type, len(value)) if typed else (number, len(value))
        return struct.pack(f"<{len(head)}H", *head) + value

    header = b"NVDAOD\0\0\2\0\0\0" if typed else b""
    found = refusals(signed_again(kind, lambda _: header + b"".join(map(encode, entries))))
    assert {code for code in found if code.startswith("report.")} <= {
        "report.opaque_duplicate",
        "report.opaque_version",
    }


@pytest.mark.parametrize("kind", sorted(DEVICES))
def test_a_bit_of_every_byte_of_a_report(kind: str) -> None:
    """All bits of the headers and of the opaque data's first bytes, one of every other byte."""
    report = sent(kind).report
    start = 45 + int.from_bytes(report[42:45], "little") + 32
    whole = {*range(60), *range(start, start + 24)}
    rng = random.Random(kind)
    met: set[str] = set()
    for position in range(len(report)):
        for bit in range(8) if position in whole else (rng.randrange(8),):
            changed = bytearray(report)
            changed[position] ^= 1 << bit
            found = refusals(replace(sent(kind), report=bytes(changed)))
            assert found, (position, bit)
            met |= found
    assert met >= {"sig.report", "nonce.mismatch", "meas.mismatch", "report.opaque_overflow"}


@pytest.mark.parametrize("kind", sorted(DEVICES))
def test_every_length_field_at_its_edges(kind: str) -> None:
    """Blocks, record, opaque data: 0, one less, one more, the largest; signed again by the key."""
    report = sent(kind).report
    record = int.from_bytes(report[42:45], "little")
    places = [(41, 1), (42, 3), (47, 2), (50, 2), (45 + record + 32, 2)]
    for start, size in places:
        value = int.from_bytes(report[start : start + size], "little")
        for other in (0, value - 1, value + 1, 256**size - 1):
            content = report[:start] + other.to_bytes(size, "little") + report[start + size : -96]
            changed = replace(sent(kind), report=DEVICES[kind].signed(content))
            found = refusals(changed)
            assert any(code.startswith("report.") for code in found), (start, other)
