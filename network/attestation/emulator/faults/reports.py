"""Faults of reports. All but the last kind are signed by the GPU's own key: they are what firmware
with a fault would send, not what somebody changed on the way."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from network.attestation.emulator.device import Behaviour
from network.attestation.emulator.encoding import (
    Field,
    block_encode,
    opaque_encode,
    report_encode,
)
from network.attestation.emulator.firmware import BLACKWELL_TYPED
from network.attestation.emulator.manifests import firmware_manifests
from network.attestation.emulator.scene import NONCE, Scene
from network.attestation.opaque import OpaqueField
from network.attestation.spdm import MAX_REPORT_BYTES, SPDM_VERSION_1_1

#: SPDM 1.2, which signs something else.
_NEWER_VERSION: Final = SPDM_VERSION_1_1 + 1


def _report(scene: Scene, report: bytes) -> Scene:
    return scene.sending(replace(scene.gpu.evidence(NONCE), report=report))


def _signed(scene: Scene, content: bytes) -> Scene:
    return _report(scene, scene.gpu.signed(content))


def _blocks(scene: Scene, blocks: Iterable[bytes]) -> Scene:
    return _signed(scene, report_encode(NONCE, list(blocks), scene.gpu.opaque()))


def _opaque(scene: Scene, opaque: bytes) -> Scene:
    return _signed(scene, report_encode(NONCE, scene.gpu.blocks(), opaque))


def _fields(scene: Scene, change: Callable[[list[Field]], list[Field]]) -> Scene:
    return _opaque(scene, opaque_encode(change(scene.gpu.opaque_fields()), typed=False))


def _behaving(scene: Scene, **behaviour: Any) -> Scene:
    gpu = replace(scene.gpu, behaviour=Behaviour(**behaviour))
    return scene.sending(gpu.evidence(NONCE))


def _without(number: int) -> Callable[[list[Field]], list[Field]]:
    return lambda fields: [one for one in fields if one.number != number]


def _bad_header(scene: Scene) -> Scene:
    gpu = scene.gpu
    return _signed(scene, report_encode(NONCE, gpu.blocks(), gpu.opaque(), version=_NEWER_VERSION))


def _dup_index(scene: Scene) -> Scene:
    first, second, *others = scene.gpu.blocks()
    return _blocks(scene, [first, first[:1] + second[1:], *others])


def _not_dmtf(scene: Scene) -> Scene:
    value = hashlib.sha384(b"of another specification").digest()
    return _blocks(scene, [block_encode(1, value, specification=2), *scene.gpu.blocks()[1:]])


def _record_overflow(scene: Scene) -> Scene:
    """The last block says that it is longer than the record."""
    *others, last = scene.gpu.blocks()
    long = struct.pack("<BBHBH", last[0], last[1], 0x2003, last[4], 0x2000)
    return _blocks(scene, [*others, long + last[7:]])


def _too_long(scene: Scene) -> Scene:
    gpu = scene.gpu
    report = gpu.report(NONCE)
    return _report(scene, report + bytes(MAX_REPORT_BYTES + 1 - len(report)))


def _svn_too_low(scene: Scene) -> Scene:
    """A Blackwell whose boot firmware is one version older than its driver's manifest asks for."""
    firmware = replace(BLACKWELL_TYPED, svn=BLACKWELL_TYPED.svn - 1)
    gpu = replace(scene.gpu, firmware=firmware)
    changed = scene.sending(gpu.evidence(NONCE))
    manifests = firmware_manifests(scene.authority, [firmware])
    return replace(changed, manifests=manifests, gpu_class="b200_192g")


FAULTS: Final[Mapping[str, Callable[[Scene], Scene]]] = {
    "fwid.absent": lambda scene: _fields(scene, _without(OpaqueField.FWID)),
    "fwid.malformed": lambda scene: _fields(
        scene,
        lambda fields: [
            *_without(OpaqueField.FWID)(fields),
            Field(OpaqueField.FWID, 1, scene.gpu.firmware_id[:32]),
        ],
    ),
    "fwid.mismatch": lambda scene: _behaving(scene, wrong_firmware_id=True),
    "meas.mismatch": lambda scene: _behaving(scene, changed_measurements=frozenset({22})),
    "meas.missing": lambda scene: _blocks(scene, scene.gpu.blocks()[1:]),
    "meas.svn_too_low": _svn_too_low,
    "nonce.mismatch": lambda scene: _behaving(scene, stale_nonce=True),
    "report.bad_header": _bad_header,
    "report.dup_index": _dup_index,
    "report.not_dmtf": _not_dmtf,
    "report.opaque_duplicate": lambda scene: _fields(scene, lambda fields: [*fields, fields[0]]),
    "report.opaque_overflow": lambda scene: _opaque(scene, scene.gpu.opaque()[:-1]),
    "report.opaque_version": lambda scene: _fields(
        scene, lambda fields: [*fields, Field(OpaqueField.OPAQUE_DATA_VERSION, 0, b"\x09\x00")]
    ),
    "report.record_overflow": _record_overflow,
    "report.too_long": _too_long,
    "report.too_short": lambda scene: _report(scene, scene.gpu.report(NONCE)[:100]),
    "report.trailing_bytes": lambda scene: _report(scene, scene.gpu.report(NONCE) + b"\0"),
    "sig.report": lambda scene: _behaving(scene, bad_signature=True),
}
