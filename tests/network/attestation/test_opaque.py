"""The opaque data of reports, byte by byte, in the legacy and in the typed format."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.attestation.opaque import (
    SVN_VALUE_TYPE,
    TYPED_FORMAT_MARK,
    Opaque,
    OpaqueEntry,
    OpaqueField,
    parse_opaque,
)
from network.attestation.spdm import ReportError


def legacy(*fields: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack("<HH", number, len(value)) + value for number, value in fields)


def header(profile: int = 0, major: int = 2, minor: int = 0) -> bytes:
    return TYPED_FORMAT_MARK + struct.pack("<HBBH", profile, major, minor, 0)


def typed(*fields: tuple[int, int, bytes], head: bytes | None = None) -> bytes:
    body = (struct.pack("<HHH", *entry[:2], len(entry[2])) + entry[2] for entry in fields)
    return (header() if head is None else head) + b"".join(body)


def refused(data: bytes) -> ReportError:
    with pytest.raises(ReportError) as caught:
        parse_opaque(data)
    return caught.value


VBIOS = bytes.fromhex("00d900960f000000")
#: The fields of a report in the typed format as published: value types and lengths are genuine.
PUBLISHED = (
    (OpaqueField.VBIOS_VERSION, 0x86, VBIOS),
    (OpaqueField.CHIP_SKU, 0x82, b"884\0\0\0\0\0\0"),
    (OpaqueField.PROJECT, 0x82, b"G520\0"),
    (OpaqueField.PROJECT_SKU, 0x82, b"0210\0"),
    (OpaqueField.DRIVER_VERSION, 0x86, b"620.12\0"),
    (OpaqueField.MSRSCNT, 0x84, bytes(256)),
    (OpaqueField.NVDEC0_STATUS, 0x82, b"\xaa"),
    (OpaqueField.FSP_UCODE_SVN, 0x87, b"\1\0"),
    (OpaqueField.FWID, 0x01, b"\x7d" * 48),
    (OpaqueField.PROTECTED_PCIE_STATUS, 0x85, b"\x55"),
    # As published: read as the legacy field it would be version 512.
    (OpaqueField.OPAQUE_DATA_VERSION, 0x86, b"\0\2"),
    (OpaqueField.FEATURE_FLAG, 0x85, b"\0\0"),
)


class TestTyped:
    def test_a_whole_one(self) -> None:
        opaque = parse_opaque(typed(*PUBLISHED))
        assert opaque.version == (2, 0)
        assert opaque.unknown == ()
        assert opaque.fields == {number: value for number, _, value in PUBLISHED}
        assert opaque.value_types == {number: kind for number, kind, _ in PUBLISHED}
        assert (opaque.driver_version, opaque.vbios_version) == ("620.12", "96.00.D9.00.0F")
        assert opaque.text(OpaqueField.PROJECT) == "G520"
        assert (opaque.fwid, opaque.mode) == (b"\x7d" * 48, "spt")
        assert not opaque.nvdec_disabled
        assert opaque.svn(OpaqueField.FSP_UCODE_SVN) == 1

    def test_both_formats_say_the_same(self) -> None:
        one = parse_opaque(typed(*PUBLISHED))
        fields = [(number, value) for number, _, value in PUBLISHED if number != 34]
        other = parse_opaque(legacy(*fields, (OpaqueField.OPAQUE_DATA_VERSION, b"\2\0")))
        assert {**one.fields, 34: b"\2\0"} == other.fields
        assert (other.version, other.value_types) == (None, {})

    def test_no_fields_at_all(self) -> None:
        assert parse_opaque(header()) == Opaque({}, {}, (), (2, 0))
        assert parse_opaque(b"") == Opaque({})

    @pytest.mark.parametrize("major", [0, 1, 2])
    @pytest.mark.parametrize("minor", [0, 7, 255])
    def test_versions_that_are_known(self, major: int, minor: int) -> None:
        assert parse_opaque(header(major=major, minor=minor)).version == (major, minor)

    @pytest.mark.parametrize(
        ("head", "data"),
        [
            (header(profile=1), {"profile": 1, "major": 2, "minor": 0}),
            (header(profile=256), {"profile": 256, "major": 2, "minor": 0}),
            (header(major=3, minor=1), {"profile": 0, "major": 3, "minor": 1}),
            (header(major=255), {"profile": 0, "major": 255, "minor": 0}),
        ],
    )
    def test_versions_that_are_not(self, head: bytes, data: dict[str, int]) -> None:
        error = refused(typed(*PUBLISHED, head=head))
        assert (error.code, error.data) == ("report.opaque_version", data)

    def test_a_field_34_beside_the_header_says_nothing(self) -> None:
        stray = (OpaqueField.OPAQUE_DATA_VERSION, 0x86, b"\x63\0")
        assert parse_opaque(typed(stray)).version == (2, 0)

    @pytest.mark.parametrize("length", range(6, 12))
    def test_a_header_that_is_cut_off(self, length: int) -> None:
        assert refused(header()[:length]).code == "report.opaque_overflow"

    def test_a_mark_that_is_cut_off_is_no_mark(self) -> None:
        assert refused(TYPED_FORMAT_MARK[:5]).code == "report.opaque_overflow"

    def test_no_truncation_is_read(self) -> None:
        data = typed(*PUBLISHED)
        ends = {len(typed(*PUBLISHED[:count])) for count in range(len(PUBLISHED) + 1)}
        for length in range(6, len(data)):
            if length not in ends:
                assert refused(data[:length]).code == "report.opaque_overflow"

    @pytest.mark.parametrize("size", [2, 255, 0xFFFF])
    def test_a_size_past_the_end(self, size: int) -> None:
        error = refused(header() + struct.pack("<HHH", 4711, 1, size) + b"x")
        assert (error.code, error.data) == ("report.opaque_overflow", {"field": 4711})

    def test_the_legacy_stream_after_the_header_is_not_read_as_one(self) -> None:
        stream = legacy((OpaqueField.DRIVER_VERSION, b"550.90.07\0"))
        assert refused(header() + stream).code == "report.opaque_overflow"

    def test_a_known_field_that_comes_twice(self) -> None:
        error = refused(typed(*PUBLISHED, PUBLISHED[0]))
        assert (error.code, error.data) == ("report.opaque_duplicate", {"field": 6})


class TestUnknown:
    def test_unknown_fields_are_kept_in_order_with_second_copies(self) -> None:
        entries = [(200, 0x85, b"one"), (38, 0x85, b"\xaa\0"), (200, 0x01, b"two"), (255, 0, b"")]
        opaque = parse_opaque(typed(*entries))
        assert opaque.unknown == tuple(OpaqueEntry(*entry) for entry in entries)
        assert opaque.fields[200] == b"one"
        assert opaque.value_types[200] == 0x85
        assert opaque.unknown[0].as_json() == {"field": 200, "value_type": 0x85, "data": "6f6e65"}

    def test_in_the_legacy_format_they_have_no_type(self) -> None:
        opaque = parse_opaque(legacy((9000, b"a"), (9000, b"b")))
        assert opaque.unknown == (OpaqueEntry(9000, None, b"a"), OpaqueEntry(9000, None, b"b"))

    @given(st.integers(0, 0xFFFF).filter(lambda number: number not in set(OpaqueField)))
    def test_no_unknown_id_is_fatal(self, number: int) -> None:
        assert parse_opaque(typed((number, 0xFFFF, b"x"))).fields == {number: b"x"}
        assert parse_opaque(legacy((number, b"x"))).fields == {number: b"x"}


class TestLegacyVersion:
    @pytest.mark.parametrize("value", [b"\0\0", b"\1\0", b"\2\0"])
    def test_known(self, value: bytes) -> None:
        assert parse_opaque(legacy((OpaqueField.OPAQUE_DATA_VERSION, value))).version is None

    @pytest.mark.parametrize("value", [b"\3\0", b"\xff\xff", b"\0\1", b"", b"\1", b"\1\0\0"])
    def test_unknown(self, value: bytes) -> None:
        data = legacy((OpaqueField.OPAQUE_DATA_VERSION, value))
        assert refused(data).code == "report.opaque_version"


class TestReadings:
    @pytest.mark.parametrize(
        ("value", "version"),
        [
            (b"96.10.73.00.01\0", "96.10.73.00.01"),
            (b"96.10.73.00.01", "96.10.73.00.01"),
            (VBIOS, "96.00.D9.00.0F"),
            (VBIOS[:7], None),
            (b"", None),
            (b"96.10.73.00.0a\0", None),
            (b"96.10.73.00.01\n", None),
            (b"../../etc/pass\0", None),
            ("96.10.73.00.0\u0661".encode(), None),
        ],
    )
    def test_the_vbios_of_gpus_and_switches(self, value: bytes, version: str | None) -> None:
        opaque = parse_opaque(legacy((OpaqueField.VBIOS_VERSION, value)))
        assert opaque.vbios_version == version

    @pytest.mark.parametrize(
        ("value", "kind", "svn"),
        [
            (b"\1\0", SVN_VALUE_TYPE, 1),
            (b"\0\1", SVN_VALUE_TYPE, 256),
            (b"\xff" * 8, SVN_VALUE_TYPE, 2**64 - 1),
            (b"", SVN_VALUE_TYPE, None),
            (bytes(9), SVN_VALUE_TYPE, None),
            (b"\1\0", 0x86, None),
            (b"\1\0", 0, None),
        ],
    )
    def test_a_security_version_is_one_only_by_its_type(
        self, value: bytes, kind: int, svn: int | None
    ) -> None:
        for number in (OpaqueField.FSP_UCODE_SVN, 40):
            assert parse_opaque(typed((number, kind, value))).svn(number) == svn

    def test_the_legacy_format_types_nothing(self) -> None:
        assert parse_opaque(legacy((OpaqueField.FSP_UCODE_SVN, b"\5\0"))).svn(37) is None

    @pytest.mark.parametrize(
        ("length", "count"), [(0, 0), (8, 1), (144, 18), (143, 0), (7, 0), (9, 0)]
    )
    def test_ids_of_links(self, length: int, count: int) -> None:
        opaque = parse_opaque(legacy((OpaqueField.PDI, bytes(range(length)))))
        assert len(opaque.pdis) == count

    @pytest.mark.parametrize(("length", "count"), [(0, 0), (63, 0), (64, 8), (128, 8), (200, 8)])
    def test_the_gpus_that_a_switch_lists(self, length: int, count: int) -> None:
        opaque = parse_opaque(legacy((OpaqueField.SWITCH_GPU_PDIS, bytes(range(length)))))
        assert len(opaque.switch_gpu_pdis) == count
        assert opaque.switch_gpu_pdis[:1] == ((bytes(range(8)),) if count else ())


@given(st.binary(max_size=200), st.booleans())
def test_whatever_comes_it_is_read_or_refused_by_a_code(data: bytes, marked: bool) -> None:
    code, opaque = "", Opaque({})
    try:
        opaque = parse_opaque((header() if marked else b"") + data)
    except ReportError as error:
        code = error.code
    assert code in (
        "",
        "report.opaque_overflow",
        "report.opaque_duplicate",
        "report.opaque_version",
    )
    for name in OpaqueField:
        opaque.text(name)
        opaque.svn(name)
    _ = (opaque.vbios_version, opaque.mode, opaque.pdis, opaque.switch_gpu_pdis, opaque.fwid)
