"""The agent's directory: the node's key, its configuration, and the state that survives crashes.

``node.key``        Ed25519 private key, PKCS 8 PEM, readable by its owner only
``node-mldsa.key``  ML-DSA-65 private key in the same form, its seed; a node may be without
``config.json``     service address, node id, operator
``state.json``      last report's number and hash, and the one that was being sent
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from network.agent.errors import KeysError
from network.registration import keys_hash

KEY_FILE: Final = "node.key"
PQ_KEY_FILE: Final = "node-mldsa.key"
CONFIG_FILE: Final = "config.json"
STATE_FILE: Final = "state.json"

Record = TypeVar("Record", bound="Config | State")


@dataclass(frozen=True, slots=True)
class Config:
    """Who this node is. ``node_id`` (32 bytes) and ``operator`` (20 bytes) as 0x hex."""

    server: str | None = None
    node_id: str | None = None
    operator: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Where the node's chain of reports stands, as this agent knows it. Hashes as 0x hex.

    A report is written down as pending before it is sent: after a crash the service's answer to
    the next challenge tells whether it had arrived.
    """

    last_seq: int = 0
    last_hash: str | None = None
    pending_seq: int | None = None
    pending_hash: str | None = None


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """What a node signs with. ``ml_dsa_65`` is its post-quantum key, where it has one."""

    ed25519: Ed25519PrivateKey
    ml_dsa_65: MLDSA65PrivateKey | None = None

    @property
    def public(self) -> bytes:
        """The raw Ed25519 public key, 32 bytes."""
        return self.ed25519.public_key().public_bytes_raw()

    @property
    def pq_public(self) -> bytes:
        """The raw ML-DSA-65 public key, 1952 bytes; empty without one."""
        return b"" if self.ml_dsa_65 is None else self.ml_dsa_65.public_key().public_bytes_raw()

    def hash(self, operator: bytes) -> bytes:
        """The keys hash that the registry holds for a node with these keys (32 bytes)."""
        return keys_hash(operator=operator, ed25519=self.public, ml_dsa_65=self.pq_public)


class Home:
    """The agent's directory, made on first use with mode 0700."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, name: str) -> Path:
        """A file in this directory."""
        return self.directory / name

    def key_create(self) -> Ed25519PrivateKey:
        """Make the node's key. Raises KeysError ``key_exists`` rather than replace one."""
        key = Ed25519PrivateKey.generate()
        self._key_write(KEY_FILE, key)
        return key

    def pq_key_create(self) -> MLDSA65PrivateKey:
        """Make the node's post-quantum key; the file holds its 32-byte seed (FIPS 204).

        Raises KeysError ``key_exists``, or ``pq_unsupported`` where the cryptographic library of
        this machine is too old.
        """
        try:
            key = MLDSA65PrivateKey.generate()
        except UnsupportedAlgorithm as error:
            raise KeysError(
                "pq_unsupported", "The cryptographic library here knows no ML-DSA-65; update it."
            ) from error
        self._key_write(PQ_KEY_FILE, key)
        return key

    def key_load(self) -> Ed25519PrivateKey:
        """Read the node's key. Raises KeysError ``key_missing|key_exposed|key_malformed``."""
        if not self.path(KEY_FILE).exists():
            raise KeysError(
                "key_missing",
                f"There is no node key at {self.path(KEY_FILE)}. Run: althing-node keygen",
            )
        key = self._key_read(KEY_FILE)
        if not isinstance(key, Ed25519PrivateKey):
            raise _other_kind(self.path(KEY_FILE), "Ed25519")
        return key

    def keys_load(self) -> NodeKeys:
        """Read both keys; the second is None where there is none. Raises as :meth:`key_load`."""
        ed25519 = self.key_load()
        if not self.path(PQ_KEY_FILE).exists():
            return NodeKeys(ed25519)
        key = self._key_read(PQ_KEY_FILE)
        if not isinstance(key, MLDSA65PrivateKey):
            raise _other_kind(self.path(PQ_KEY_FILE), "ML-DSA-65")
        return NodeKeys(ed25519, key)

    def _key_write(self, name: str, key: Ed25519PrivateKey | MLDSA65PrivateKey) -> None:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._directory_ensure()
        try:
            handle = os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise KeysError(
                "key_exists",
                f"{self.path(name)} exists. A registered key is replaced by rotating: move it "
                "away, make a new one, then call rotateKeys on chain.",
            ) from error
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())

    def _key_read(self, name: str) -> object:
        path = self.path(name)
        try:
            exposed = path.stat().st_mode & 0o077
            pem = path.read_bytes()
        except OSError as error:
            raise KeysError("key_missing", f"{path} cannot be read: {error}.") from error
        if exposed:
            raise KeysError("key_exposed", f"Other users can read {path}. Run: chmod 600 {path}")
        try:
            return load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeysError("key_malformed", f"{path} holds no private key.") from error

    def config_load(self) -> Config:
        """The configuration; empty where there is none yet."""
        return self._load(CONFIG_FILE, Config)

    def config_save(self, config: Config) -> None:
        """Replace the configuration."""
        self._save(CONFIG_FILE, asdict(config))

    def state_load(self) -> State:
        """The state; the first one where there is none yet."""
        return self._load(STATE_FILE, State)

    def state_save(self, state: State) -> None:
        """Replace the state. It is on disk when this returns."""
        self._save(STATE_FILE, asdict(state))

    def _load(self, name: str, kind: type[Record]) -> Record:
        path = self.path(name)
        if not path.exists():
            return kind()
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            known = {field.name for field in fields(kind)}
            return kind(**{key: value for key, value in content.items() if key in known})
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise KeysError(
                "file_malformed", f"{path} cannot be read: {error}. Repair or remove it."
            ) from error

    def _save(self, name: str, content: Mapping[str, Any]) -> None:
        self._directory_ensure()
        temporary = self.path(f".{name}.{os.getpid()}")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
            file.flush()
            # The rename must not reach the disk before the content does.
            os.fsync(file.fileno())
        temporary.replace(self.path(name))

    def _directory_ensure(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.directory.stat().st_mode & 0o022:
            raise KeysError(
                "home_exposed",
                f"Other users can replace files in {self.directory}. "
                f"Run: chmod go-w {self.directory}",
            )


def _other_kind(path: Path, kind: str) -> KeysError:
    return KeysError("key_malformed", f"{path} holds a key of another kind than {kind}.")
