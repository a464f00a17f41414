"""Chains that are wrong in one thing each, and the DICE extension byte by byte."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from network.attestation.certificates import chain_findings, load_device_chain
from network.attestation.dice import (
    DICE_FWID_OID,
    DICE_TCB_INFO_OID,
    DMTF_DEVICE_INFO_OID,
    SHA384_OID_DER,
    DiceError,
    parse_dice,
)
from network.attestation.emulator.encoding import der
from network.attestation.links import ChainError
from network.attestation.trust import TrustAnchor, spki_sha256

from .samples import NOW

KEYS = [ec.derive_private_key(number + 7, ec.SECP384R1()) for number in range(5)]
FWID = der(0x30, der(0x06, SHA384_OID_DER) + der(0x04, b"\x11" * 48))


@dataclass
class Spec:
    """One certificate to make. Position 0 is the leaf; every default is right."""

    position: int
    name: str = ""
    issuer_name: str | None = None
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None
    signer: ec.EllipticCurvePrivateKey | None = None
    algorithm: hashes.HashAlgorithm = field(default_factory=hashes.SHA384)
    ca: bool | None = None
    path_length: int | None = None
    cert_sign: bool | None = None
    digital_signature: bool | None = None
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    until: datetime = datetime(9999, 1, 1, tzinfo=UTC)
    start: datetime = datetime(2020, 1, 1, tzinfo=UTC)


def name_of(position: int) -> str:
    return "GH100 A01 GSP FMC LF" if position == 0 else f"test authority {position}"


def usage(*, sign: bool, data: bool) -> x509.KeyUsage:
    return x509.KeyUsage(data, False, False, False, False, sign, False, False, False)


def make(spec: Spec) -> x509.Certificate:
    is_ca = spec.position > 0 if spec.ca is None else spec.ca
    cert_sign = is_ca if spec.cert_sign is None else spec.cert_sign
    data = not is_ca if spec.digital_signature is None else spec.digital_signature
    above = min(spec.position + 1, 4)
    key = spec.key or KEYS[spec.position]
    issuer = name_of(above) if spec.issuer_name is None else spec.issuer_name

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(named(spec.name or name_of(spec.position)))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(spec.position + 1)
        .not_valid_before(spec.start)
        .not_valid_after(spec.until)
        .add_extension(x509.BasicConstraints(is_ca, spec.path_length), critical=True)
        .add_extension(usage(sign=cert_sign, data=data), critical=True)
    )
    for extension, critical in spec.extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(spec.signer or KEYS[above], spec.algorithm)


def chain_codes(*changed: Spec, roots: bool = True, now: datetime = NOW) -> set[str]:
    """The codes that a five-certificate chain gets with these certificates changed."""
    changes = {spec.position: spec for spec in changed}
    pem = b"".join(
        make(changes.get(position, Spec(position))).public_bytes(Encoding.PEM)
        for position in range(5)
    )
    anchor = TrustAnchor("test", spki_sha256(KEYS[4].public_key()))
    findings, found = chain_findings(
        load_device_chain(pem), roots={anchor.spki_sha256: anchor} if roots else {}, now=now
    )
    assert (found is None) == ("chain.root_unpinned" in {finding.code for finding in findings})
    return {finding.code for finding in findings}


def test_the_chain_that_the_others_are_variations_of_is_right() -> None:
    assert chain_codes() == set()


@pytest.mark.parametrize(
    ("spec", "codes"),
    [
        (Spec(1, issuer_name="somebody"), {"chain.name"}),
        (Spec(2, signer=KEYS[0]), {"chain.signature"}),
        (Spec(3, algorithm=hashes.SHA256()), {"chain.signature"}),
        (Spec(1, ca=False), {"chain.not_ca"}),
        (Spec(1, cert_sign=False), {"chain.not_ca"}),
        (Spec(3, path_length=1), {"chain.not_ca"}),
        (Spec(3, path_length=2), set()),
        (Spec(4, ca=False), {"chain.not_ca"}),
        (Spec(0, ca=True), {"chain.leaf_usage"}),
        (Spec(0, cert_sign=True, ca=True, digital_signature=True), {"chain.leaf_usage"}),
        (Spec(0, digital_signature=False), {"chain.leaf_usage"}),
        (Spec(2, until=datetime(2026, 1, 1, tzinfo=UTC)), {"chain.expired"}),
        (Spec(2, start=datetime(2027, 1, 1, tzinfo=UTC)), {"chain.not_yet_valid"}),
        (Spec(0, name="GeForce"), {"device.unknown_type"}),
        (Spec(0, name="GH100 A01 GSP BROM"), {"device.unknown_type"}),
        (Spec(0, name="TU102 A01 GSP FMC LF"), {"device.unknown_type"}),
        (Spec(0, name="GX100 A01 GSP FMC LF"), {"device.unknown_type"}),
        (Spec(0, name="GR100 A01 GSP FMC LF"), set()),
        (
            Spec(2, key=ec.derive_private_key(9, ec.SECP256R1())),
            {"chain.algorithm", "chain.signature"},
        ),
        (
            Spec(1, extensions=((x509.UnrecognizedExtension(DICE_FWID_OID, b"x"), True),)),
            {"chain.extension"},
        ),
    ],
)
def test_each_fault_has_its_code(spec: Spec, codes: set[str]) -> None:
    assert chain_codes(spec) == codes


def test_rsa_keys_are_refused() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert chain_codes(Spec(3, key=key)) == {"chain.algorithm", "chain.signature"}


def test_all_faults_are_reported_at_once() -> None:
    found = chain_codes(
        Spec(0, digital_signature=False),
        Spec(1, issuer_name="somebody"),
        Spec(2, until=datetime(2026, 1, 1, tzinfo=UTC)),
        Spec(3, cert_sign=False),
        roots=False,
    )
    assert found == {
        "chain.leaf_usage",
        "chain.name",
        "chain.expired",
        "chain.not_ca",
        "chain.root_unpinned",
    }


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_the_number_of_certificates_is_bounded(count: int) -> None:
    root = make(Spec(4)).public_bytes(Encoding.PEM)
    with pytest.raises(ChainError) as caught:
        load_device_chain(root * count or b"none")
    assert caught.value.code in {"chain.count", "chain.pem"}


@pytest.mark.parametrize(
    "order",
    [(1, 0, 2, 3, 4), (0, 2, 1, 3, 4), (0, 1, 2, 4, 3), (4, 3, 2, 1, 0), (0, 1, 1, 2, 3, 4)],
)
def test_certificates_swapped_or_repeated_are_no_chain(order: tuple[int, ...]) -> None:
    pem = b"".join(make(Spec(position)).public_bytes(Encoding.PEM) for position in order)
    found = {finding.code for finding in load_device_chain(pem).findings}
    assert {"chain.name", "chain.signature"} <= found


def test_the_size_is_bounded() -> None:
    with pytest.raises(ChainError, match="5120 are allowed"):
        load_device_chain(b" " * 5121)


def test_a_switch_is_not_a_gpu() -> None:
    chain = load_device_chain(
        b"".join(
            make(Spec(n, name="LS_10 A01 FSP FMC LF" if n == 0 else "")).public_bytes(Encoding.PEM)
            for n in range(5)
        )
    )
    assert chain.is_switch
    assert chain.architecture is None


def with_dice(oid: x509.ObjectIdentifier, value: bytes) -> x509.Certificate:
    return make(Spec(0, extensions=((x509.UnrecognizedExtension(oid, value), False),)))


SPKI = der(0x30, der(0x03, b"\0key"))
VERSION = der(0x02, b"\x01")


def test_both_shapes_are_read() -> None:
    hopper = parse_dice(with_dice(DICE_FWID_OID, der(0x30, VERSION + SPKI + FWID)))
    assert hopper is not None
    assert (hopper.fwid, hopper.issuer_spki, hopper.debug) == (b"\x11" * 48, SPKI, False)
    zero = der(0x30, der(0x06, SHA384_OID_DER) + der(0x04, bytes(48)))
    value = der(0x30, der(0x80, b"NVIDIA") + der(0xA6, FWID + zero) + der(0x87, b"\0\x80\0\0\1"))
    blackwell = parse_dice(with_dice(DICE_TCB_INFO_OID, value))
    assert blackwell is not None
    assert (blackwell.fwid, blackwell.flags, blackwell.debug) == (b"\x11" * 48, {0, 31}, False)
    assert parse_dice(make(Spec(0))) is None


@pytest.mark.parametrize(
    ("flags", "debug"),
    [("80000001", False), ("D0000001", True), ("C0000001", True), ("90000001", True)],
)
def test_debug_flags_are_read_from_the_left(flags: str, debug: bool) -> None:
    value = der(0x30, der(0xA6, FWID) + der(0x87, b"\0" + bytes.fromhex(flags)))
    identity = parse_dice(with_dice(DICE_TCB_INFO_OID, value))
    assert identity is not None
    assert identity.debug is debug


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        (DICE_FWID_OID, b""),
        (DICE_FWID_OID, b"\x30"),
        (DICE_FWID_OID, b"\x30\x05\x00"),
        (DICE_FWID_OID, b"\x30\x80\x00\x00"),
        (DICE_FWID_OID, b"\x30\x81\x05" + bytes(5)),
        (DICE_FWID_OID, b"\x30\x82\x00\x90" + bytes(0x90)),
        (DICE_FWID_OID, b"\x30\x84\x00\x00\x00\x01\x00"),
        (DICE_FWID_OID, der(0x31, VERSION + SPKI + FWID)),
        (DICE_FWID_OID, der(0x30, VERSION + SPKI)),
        (DICE_FWID_OID, der(0x30, VERSION + SPKI + FWID) + b"\0\0"),
        (DICE_FWID_OID, der(0x30, VERSION + SPKI + der(0x30, der(0x04, b"\x11" * 48)))),
        (
            DICE_FWID_OID,
            der(
                0x30,
                VERSION + SPKI + der(0x30, der(0x06, SHA384_OID_DER) + der(0x04, b"\x11" * 32)),
            ),
        ),
        (
            DICE_FWID_OID,
            der(
                0x30,
                VERSION + SPKI + der(0x30, der(0x06, b"\x60\x86\x48") + der(0x04, b"\x11" * 48)),
            ),
        ),
        (DICE_TCB_INFO_OID, der(0x30, der(0xA6, b""))),
        (DICE_TCB_INFO_OID, der(0x30, der(0xA6, der(0x04, b"x")))),
        (DICE_TCB_INFO_OID, der(0x30, der(0x87, b""))),
        (DICE_TCB_INFO_OID, der(0x30, der(0x87, b"\x08\x80"))),
    ],
)
def test_malformed_extensions_are_coded_and_become_findings(
    oid: x509.ObjectIdentifier, value: bytes
) -> None:
    with pytest.raises(DiceError) as caught:
        parse_dice(with_dice(oid, value))
    assert caught.value.code == "dice.malformed"
    extension = (x509.UnrecognizedExtension(oid, value), False)
    assert chain_codes(Spec(0, extensions=(extension,))) == {"dice.malformed"}


def test_the_extension_must_hold_the_issuers_own_key() -> None:
    foreign = der(0x30, VERSION + SPKI + FWID)
    extension = (x509.UnrecognizedExtension(DICE_FWID_OID, foreign), False)
    assert chain_codes(Spec(0, extensions=(extension,))) == {"dice.key_mismatch"}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (der(0x0C, b"NVIDIA:GH100:1"), None),
        (der(0x0C, b"\xff\xfe"), "dice.malformed"),
        (der(0x13, b"NVIDIA"), "dice.malformed"),
    ],
)
def test_the_device_name(value: bytes, code: str | None) -> None:
    names = x509.SubjectAlternativeName([x509.OtherName(DMTF_DEVICE_INFO_OID, value)])
    assert chain_codes(Spec(0, extensions=((names, False),))) == ({code} if code else set())


def test_other_alternative_names_are_passed_over() -> None:
    names = x509.SubjectAlternativeName([x509.DNSName("gpu.example")])
    pem = b"".join(
        make(replace(Spec(n), extensions=((names, False),) if n == 0 else ())).public_bytes(
            Encoding.PEM
        )
        for n in range(5)
    )
    assert load_device_chain(pem).san is None
