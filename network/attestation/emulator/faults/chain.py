"""Faults of certificate chains: each a chain of the emulator that is wrong in one thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from network.attestation.dice import DICE_FWID_OID
from network.attestation.emulator.authority import EmulatorAuthority, Issuer
from network.attestation.emulator.device import Behaviour, pem_of
from network.attestation.emulator.gpu import EmulatedGpu
from network.attestation.emulator.scene import NONCE, Scene

_STRANGE_OID: Final = x509.ObjectIdentifier("2.25.1")


def _with_chain(scene: Scene, *issuers: Issuer) -> Scene:
    """The GPU's report under another chain, whose leaf has the same key."""
    evidence = replace(scene.gpu.evidence(NONCE), certificate_chain=pem_of(*issuers))
    return scene.sending(evidence)


def _leaf(scene: Scene, *, issuer: Issuer | None = None, **changes: Any) -> Scene:
    """The GPU's leaf issued anew with something changed."""
    gpu = scene.gpu
    options: dict[str, Any] = {"extensions": gpu.leaf_extensions(), "is_authority": False}
    options |= changes
    name = options.pop("name", f"{gpu.part} FMC LF")
    leaf = scene.authority.issue(
        name=name, key=gpu.leaf.key, issuer=issuer or gpu.device, **options
    )
    return _with_chain(scene, leaf, gpu.device, *scene.authority.device_chain)


def _count(scene: Scene) -> Scene:
    return _with_chain(scene, scene.gpu.leaf, scene.gpu.device)


def _algorithm(scene: Scene) -> Scene:
    """Certificate 1 has a P-256 key."""
    gpu = scene.gpu
    key = ec.derive_private_key(
        int.from_bytes(scene.authority.derive_bytes("a P-256 key", 31), "big"), ec.SECP256R1()
    )
    device = scene.authority.issue(
        name=f"{gpu.part} BROM",
        key=key,
        issuer=scene.authority.device_chain[0],
        is_authority=True,
    )
    leaf = scene.authority.issue(
        name=f"{gpu.part} FMC LF", key=gpu.leaf.key, issuer=device, is_authority=False
    )
    return _with_chain(scene, leaf, device, *scene.authority.device_chain)


def _not_ca(scene: Scene) -> Scene:
    """Certificate 1 may not issue the leaf."""
    gpu = scene.gpu
    device = scene.authority.issue(
        name=f"{gpu.part} BROM",
        key=gpu.device.key,
        issuer=scene.authority.device_chain[0],
        is_authority=False,
        device_serial=gpu.device_serial.hex().upper(),
    )
    return _with_chain(scene, gpu.leaf, device, *scene.authority.device_chain)


def _name(scene: Scene) -> Scene:
    """The leaf names another GPU's certificate, though this one's key signed it."""
    other = EmulatedGpu(scene.authority, "another").device
    return _leaf(scene, issuer=Issuer(other.certificate, scene.gpu.device.key))


def _signature(scene: Scene) -> Scene:
    strange = scene.authority.derive_key("a strange key")
    return _leaf(scene, issuer=Issuer(scene.gpu.device.certificate, strange))


def _root_certificate(scene: Scene) -> Scene:
    """The root's key in a certificate that it did not sign."""
    *below, root = scene.authority.device_chain
    strange = Issuer(root.certificate, scene.authority.derive_key("a strange key"))
    false = scene.authority.issue(
        name="Device Root", key=root.key, issuer=strange, is_authority=True, signs_lists=True
    )
    return _with_chain(scene, scene.gpu.leaf, scene.gpu.device, *below, false)


def _root_unpinned(scene: Scene) -> Scene:
    stranger = EmulatorAuthority(scene.authority.derive_bytes("a stranger", 32))
    return scene.sending(EmulatedGpu(stranger, "scene").evidence(NONCE))


def _pem(scene: Scene) -> Scene:
    evidence = scene.gpu.evidence(NONCE)
    chain = b"# a chain\n" + evidence.certificate_chain
    return scene.sending(replace(evidence, certificate_chain=chain))


def _dice_key(scene: Scene) -> Scene:
    """The leaf's extension names another GPU's key."""
    san, _ = scene.gpu.leaf_extensions()
    _, other = EmulatedGpu(scene.authority, "another").leaf_extensions()
    return _leaf(scene, extensions=(san, other))


def _dice_malformed(scene: Scene) -> Scene:
    san, _ = scene.gpu.leaf_extensions()
    broken = x509.UnrecognizedExtension(DICE_FWID_OID, b"\x30\x03\x02\x01")
    return _leaf(scene, extensions=(san, broken))


def _debug(scene: Scene) -> Scene:
    gpu = replace(scene.gpu, behaviour=Behaviour(debug=True))
    return scene.sending(gpu.evidence(NONCE))


FAULTS: Final[Mapping[str, Callable[[Scene], Scene]]] = {
    "chain.algorithm": _algorithm,
    "chain.count": _count,
    "chain.expired": lambda scene: _leaf(scene, valid_until=scene.now - timedelta(days=1)),
    "chain.extension": lambda scene: _leaf(
        scene, critical=(x509.UnrecognizedExtension(_STRANGE_OID, b"\x05\x00"),)
    ),
    "chain.leaf_usage": lambda scene: _leaf(scene, is_authority=True),
    "chain.name": _name,
    "chain.not_ca": _not_ca,
    "chain.not_yet_valid": lambda scene: _leaf(scene, valid_from=scene.now + timedelta(days=1)),
    "chain.pem": _pem,
    "chain.root_certificate": _root_certificate,
    "chain.root_unpinned": _root_unpinned,
    "chain.signature": _signature,
    "device.unknown_type": lambda scene: _leaf(scene, name="GX100 A01 GSP FMC LF"),
    "dice.debug": _debug,
    "dice.key_mismatch": _dice_key,
    "dice.malformed": _dice_malformed,
}
