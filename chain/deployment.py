"""The deployment file: which contracts are ours, where, since which block.

Written by ``scripts/deploy.py``, one per chain; read here and nowhere else.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any

from django.core.signals import setting_changed
from django.dispatch import receiver

from chain import conf
from chain.addresses import AddressInvalid, parse_address


class DeploymentInvalid(Exception):
    """The deployment file is missing or not what it should be. ``code`` says which."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class DeployedContract:
    """One contract of ours. ``address`` is 20 bytes."""

    name: str
    address: bytes
    block_number: int
    transaction_hash: bytes
    constructor_arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Deployment:
    """Everything deployed on one chain. ``settings`` as the file has them (``*_s``, ``*_wei``)."""

    chain_id: int
    name: str
    first_block: int
    contracts: Mapping[str, DeployedContract]
    settings: Mapping[str, Any]
    commit: str = ""
    deployed_at: int = 0
    by_address: Mapping[bytes, str] = field(default_factory=dict)

    def address(self, name: str) -> bytes:
        """The address of a contract by name.

        Raises:
            DeploymentInvalid: ``contract_unknown``.
        """
        found = self.contracts.get(name)
        if found is None:
            raise DeploymentInvalid("contract_unknown", f"No contract {name!r} in the deployment.")
        return found.address


#: Seconds between two looks at the file: it is asked for at every log.
_LOOK_EVERY_S = 0.2
_last: tuple[float, Deployment] | None = None


def deployment() -> Deployment:
    """The deployment in force; read again when its file changes.

    Raises:
        DeploymentInvalid: ``deployment_missing``, ``deployment_malformed`` or
            ``deployment_chain`` (it is of another chain than CHAIN_ID).
    """
    global _last
    moment = monotonic()
    if _last is not None and moment - _last[0] < _LOOK_EVERY_S:
        return _last[1]
    place, chain_id = conf.deployment_path(), conf.chain_id()
    try:
        changed = os.stat(place).st_mtime_ns
    except OSError as error:
        raise DeploymentInvalid(
            "deployment_missing", f"No deployment file at {place}: deploy the contracts first."
        ) from error
    loaded = _load(place, changed, chain_id)
    _last = (moment, loaded)
    return loaded


# Only tests change settings while the process runs; between looks nothing else asks for them.
@receiver(setting_changed)
def _look_again(**_: Any) -> None:
    global _last
    _last = None


@lru_cache(maxsize=8)
def _load(place: str, changed: int, chain_id: int) -> Deployment:
    try:
        loaded = deployment_parse(json.loads(Path(place).read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AddressInvalid) as error:
        raise DeploymentInvalid(
            "deployment_malformed", f"{place} is not a deployment file: {error!r}"
        ) from error
    if loaded.chain_id != chain_id:
        raise DeploymentInvalid(
            "deployment_chain", f"{place} is of chain {loaded.chain_id}, CHAIN_ID is {chain_id}."
        )
    return loaded


def deployment_parse(source: Mapping[str, Any]) -> Deployment:
    """Read a deployment file's content."""
    contracts = {
        name: DeployedContract(
            name=name,
            address=parse_address(item["address"]),
            block_number=int(item.get("block_number", source["first_block"])),
            transaction_hash=bytes.fromhex(item.get("transaction_hash", "0x")[2:]),
            constructor_arguments=tuple(item.get("constructor_arguments", ())),
        )
        for name, item in source["contracts"].items()
    }
    return Deployment(
        chain_id=int(source["chain_id"]),
        name=str(source.get("name", "")),
        first_block=int(source["first_block"]),
        contracts=contracts,
        settings=dict(source.get("settings", {})),
        commit=str(source.get("commit", "")),
        deployed_at=int(source.get("deployed_at", 0)),
        by_address={item.address: name for name, item in contracts.items()},
    )
