"""Firmware identity in the leaf certificate, after the TCG DICE attestation architecture.

Two shapes occur: OID 2.23.133.5.4.1 (Hopper: version, issuer key, one FWID) and DiceTcbInfo,
OID 2.23.133.5.4.1.1 (Blackwell and later: tagged fields with FWIDs and flags). The DER reader is
strict about lengths and knows only what these two need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from .errors import EvidenceError

DICE_FWID_OID: Final = x509.ObjectIdentifier("2.23.133.5.4.1")
DICE_TCB_INFO_OID: Final = x509.ObjectIdentifier("2.23.133.5.4.1.1")
DMTF_DEVICE_INFO_OID: Final = x509.ObjectIdentifier("1.3.6.1.4.1.412.274.1")

SHA384_OID_DER: Final = bytes.fromhex("608648016503040202")
#: Bits of DiceTcbInfo flags, most significant first (TCG DICE 1.1, OperationalFlags).
FLAG_NOT_SECURE: Final = 1
FLAG_DEBUG: Final = 3

_SEQUENCE, _INTEGER, _BIT_STRING, _OCTET_STRING = 0x30, 0x02, 0x03, 0x04
_OBJECT_IDENTIFIER, _UTF8_STRING = 0x06, 0x0C
_TCB_FWIDS, _TCB_FLAGS = 0xA6, 0x87


class DiceError(EvidenceError):
    """A DICE extension that cannot be read (code ``dice.malformed``)."""


@dataclass(frozen=True, slots=True)
class DiceIdentity:
    """What the leaf says about its firmware. ``issuer_spki`` is DER, only in the Hopper shape."""

    fwid: bytes | None
    issuer_spki: bytes | None = None
    flags: frozenset[int] = frozenset()

    @property
    def debug(self) -> bool:
        """The device says that it runs in a debug or not secure state."""
        return bool(self.flags & {FLAG_NOT_SECURE, FLAG_DEBUG})


def _malformed(detail: str) -> DiceError:
    return DiceError("dice.malformed", f"The leaf's DICE extension is malformed: {detail}.")


def _read(data: bytes, position: int) -> tuple[int, int, int]:
    """Read one DER header: tag, first content byte, byte after the content."""
    if position + 2 > len(data):
        raise _malformed("it ends inside a header")
    tag, length = data[position], data[position + 1]
    start = position + 2
    if length >= 0x80:
        count = length & 0x7F
        if not 1 <= count <= 2 or start + count > len(data):
            raise _malformed("a length is not DER")
        length = int.from_bytes(data[start : start + count], "big")
        start += count
        if length < (0x80 if count == 1 else 0x100):
            raise _malformed("a length is not the shortest form")
    if start + length > len(data):
        raise _malformed("a value is longer than its container")
    return tag, start, start + length


def _children(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (tag, content, whole element) of each element in ``data``."""
    position = 0
    while position < len(data):
        tag, start, end = _read(data, position)
        yield tag, data[start:end], data[position:end]
        position = end


def _fwid(content: bytes) -> bytes:
    """FWID ::= SEQUENCE { hashAlg OID, digest OCTET STRING }, SHA-384 only."""
    parts = list(_children(content))
    if [tag for tag, _, _ in parts] != [_OBJECT_IDENTIFIER, _OCTET_STRING]:
        raise _malformed("the FWID is not an algorithm and a digest")
    if parts[0][1] != SHA384_OID_DER or len(parts[1][1]) != 48:
        raise _malformed("the FWID is not a SHA-384 digest")
    return parts[1][1]


def _only_sequence(data: bytes) -> bytes:
    parts = list(_children(data))
    if len(parts) != 1 or parts[0][0] != _SEQUENCE:
        raise _malformed("it is not one sequence")
    return parts[0][1]


def _parse_composite(data: bytes) -> DiceIdentity:
    parts = list(_children(_only_sequence(data)))
    if [tag for tag, _, _ in parts] != [_INTEGER, _SEQUENCE, _SEQUENCE]:
        raise _malformed("it is not a version, a key and a FWID")
    return DiceIdentity(fwid=_fwid(parts[2][1]), issuer_spki=parts[1][2])


def _parse_tcb_info(data: bytes) -> DiceIdentity:
    fwid: bytes | None = None
    flags: frozenset[int] = frozenset()
    seen: set[int] = set()
    for tag, content, _ in _children(_only_sequence(data)):
        if tag in seen:
            raise _malformed("a field comes twice")
        seen.add(tag)
        if tag == _TCB_FWIDS:
            first = next(_children(content), None)
            if first is None or first[0] != _SEQUENCE:
                raise _malformed("the list of FWIDs is empty")
            # NVIDIA lists two; the second is all zero and means nothing.
            fwid = _fwid(first[1])
        elif tag == _TCB_FLAGS:
            flags = _bits(content)
    return DiceIdentity(fwid=fwid, flags=flags)


def _bits(content: bytes) -> frozenset[int]:
    """The numbers of the set bits of a BIT STRING, the most significant of the first byte is 0."""
    if not content or content[0] > 7 or (content[0] and len(content) == 1):
        raise _malformed("the flags are not a bit string")
    if content[0] and content[-1] & ((1 << content[0]) - 1):
        raise _malformed("the flags have bits set that do not count")
    bits = "".join(f"{byte:08b}" for byte in content[1:])
    return frozenset(number for number, bit in enumerate(bits) if bit == "1")


_PARSERS: Final[Mapping[x509.ObjectIdentifier, Callable[[bytes], DiceIdentity]]] = {
    DICE_FWID_OID: _parse_composite,
    DICE_TCB_INFO_OID: _parse_tcb_info,
}


def parse_dice(certificate: x509.Certificate) -> DiceIdentity | None:
    """Read the leaf's DICE extension; None when it has none. Raises :class:`DiceError`.

    Where both shapes are there, both are read: neither may hide the other's flags or FWID.
    """
    found = [
        _PARSERS[extension.oid](extension.value.value)
        for extension in certificate.extensions
        if isinstance(extension.value, x509.UnrecognizedExtension) and extension.oid in _PARSERS
    ]
    firmware_ids = {identity.fwid for identity in found if identity.fwid is not None}
    if len(firmware_ids) > 1:
        raise _malformed("its two shapes name different firmware")
    if not found:
        return None
    return DiceIdentity(
        fwid=next(iter(firmware_ids), None),
        issuer_spki=next((one.issuer_spki for one in found if one.issuer_spki is not None), None),
        flags=frozenset[int]().union(*(identity.flags for identity in found)),
    )


def parse_device_san(certificate: x509.Certificate) -> str | None:
    """The DMTF device info of the subject alternative name, ``NVIDIA:GH100:48B0...``, or None."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    for name in names:
        if isinstance(name, x509.OtherName) and name.type_id == DMTF_DEVICE_INFO_OID:
            tag, start, end = _read(name.value, 0)
            if tag != _UTF8_STRING or end != len(name.value):
                raise _malformed("the device info is not a UTF-8 string")
            try:
                return name.value[start:end].decode("utf-8")
            except UnicodeDecodeError as error:
                raise _malformed("the device info is not a UTF-8 string") from error
    return None
