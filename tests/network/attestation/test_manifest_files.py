"""Manifests from a directory are read once, and again as soon as a file is another one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from network.attestation import Caches, DirectoryRimStore
from network.attestation.emulator import driver_manifest

from .samples import AUTHORITY, FIRMWARE

RIM_ID, XML = driver_manifest(AUTHORITY, FIRMWARE)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryRimStore:
    (tmp_path / f"{RIM_ID}.swidtag").write_bytes(XML)
    return DirectoryRimStore(tmp_path)


def test_the_same_object_is_handed_out_again(store: DirectoryRimStore) -> None:
    first = store.get(RIM_ID)
    assert first == XML
    assert store.get(RIM_ID) is first


def test_a_changed_file_is_read_again(store: DirectoryRimStore) -> None:
    first = store.get(RIM_ID)
    path = store.directory / f"{RIM_ID}.swidtag"
    path.write_bytes(XML[:-1] + b"!")
    os.utime(path, ns=(1, 1))
    assert store.get(RIM_ID) == XML[:-1] + b"!" != first


def test_a_replaced_file_of_the_same_size_and_time_is_read_again(store: DirectoryRimStore) -> None:
    path = store.directory / f"{RIM_ID}.swidtag"
    os.utime(path, ns=(5, 5))
    store.get(RIM_ID)
    other = store.directory / "other"
    other.write_bytes(XML[:-1] + b"?")
    os.utime(other, ns=(5, 5))
    other.replace(path)
    assert store.get(RIM_ID) == XML[:-1] + b"?"


def test_a_removed_file_is_unknown_and_known_again_when_it_is_back(
    store: DirectoryRimStore,
) -> None:
    path = store.directory / f"{RIM_ID}.swidtag"
    store.get(RIM_ID)
    path.unlink()
    assert store.get(RIM_ID) is None
    path.write_bytes(XML)
    assert store.get(RIM_ID) == XML


def test_equal_manifests_of_two_reads_are_one_entry(store: DirectoryRimStore) -> None:
    caches = Caches()
    loaded = [caches.rim(xml) for xml in (XML, bytes(bytearray(XML)), store.get(RIM_ID) or b"")]
    assert loaded[0] is loaded[1] is loaded[2]
    assert len(caches.rims) == 1
