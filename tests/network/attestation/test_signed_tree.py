"""What is read of a manifest is what was signed: its tree says what the digested bytes say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lxml import etree

from network.attestation.emulator import driver_manifest, vbios_manifest
from network.attestation.xmldsig import DS, XmlSignatureError, verify_enveloped

from .samples import (
    AUTHORITY,
    FIRMWARE,
    NVIDIA_DIRECTORY,
    needs_nvidia_samples,
    nvidia_rims,
)

XML = driver_manifest(AUTHORITY, FIRMWARE)[1]


def told(root: etree._Element) -> Iterator[object]:
    """Everything that a reader of the tree can ask for."""
    for element in root.iter():
        yield (element.tag, element.text, element.tail, dict(element.attrib), dict(element.nsmap))


def check_tree(xml: bytes) -> None:
    signed = verify_enveloped(xml)
    assert etree.tostring(signed.root, method="c14n") == signed.content
    again = etree.fromstring(signed.content, etree.XMLParser(resolve_entities=False))
    assert list(told(signed.root)) == list(told(again))
    assert not list(signed.root.iter(f"{DS}Signature"))


@pytest.mark.parametrize("made", [driver_manifest, vbios_manifest])
def test_of_an_emulated_manifest(made: object) -> None:
    check_tree(made(AUTHORITY, FIRMWARE)[1])  # type: ignore[operator]


@needs_nvidia_samples
def test_of_the_genuine_manifests() -> None:
    for xml in nvidia_rims().manifests.values():
        check_tree(xml)
    every = sorted(NVIDIA_DIRECTORY.glob("*.swidtag"))
    assert len(every) >= 26
    for path in every:
        check_tree(path.read_bytes())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<Meta ", b"<!-- x --><Meta "),
        (b"<Meta ", b"<?x y?><Meta "),
        (b"<Meta ", b"<![CDATA[ ]]><Meta "),
        (b"<Meta ", b"&lt;<Meta "),
        (b"<Meta ", b'<Meta xml:lang="en" '),
        (b"<Meta ", b'<Meta xmlns:more="urn:more" '),
        (b"<Meta ", b'<Meta xmlns="" '),
        (b"<SoftwareIdentity ", b'<!DOCTYPE x [<!ENTITY e "f">]><SoftwareIdentity '),
        (b"<SoftwareIdentity ", b"<?xml version='1.0'?><SoftwareIdentity "),
        (b"<SoftwareIdentity ", b"<!-- x --><SoftwareIdentity "),
        (b"</SoftwareIdentity>", b"</SoftwareIdentity><!-- x -->"),
        (b"</SoftwareIdentity>", b"</SoftwareIdentity><?x y?>"),
    ],
)
def test_what_a_canonical_form_leaves_out_or_changes_is_refused(
    before: bytes, after: bytes
) -> None:
    assert XML.count(before) == 1
    with pytest.raises(XmlSignatureError):
        verify_enveloped(XML.replace(before, after))
