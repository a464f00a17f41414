"""The tests' contracts, compiled once: what is cached is named by a hash of the sources.

Also the contracts of Uniswap's governance as they were published (npm ``@uniswap/governance``): the
UNI token, Compound's Timelock and GovernorAlpha, whose bytecode is what stands on Ethereum.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from chain.decoding import ContractCodec, Params

BASE_DIR = Path(__file__).resolve().parents[3]
SOURCES = Path(__file__).resolve().parent / "contracts"
MODULES = BASE_DIR / "node_modules"
CACHE = BASE_DIR / ".cache" / "governors"
# Read by the compiler beside the sources; a new one must compile anew.
LIBRARIES = ("solc", "@openzeppelin/contracts", "openzeppelin-v4")
UNISWAP = MODULES / "@uniswap" / "governance" / "build"
UNISWAP_NAMES = ("Uni", "Timelock", "GovernorAlpha")
SETTINGS = {
    "evmVersion": "cancun",
    "optimizer": {"enabled": True, "runs": 1},
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
}
# Code is made for what is deployed alone: the libraries' own contracts would double the time.
DEPLOYED_LIBRARIES = {
    "@openzeppelin/contracts/governance/TimelockController.sol": "TimelockController",
    "@openzeppelin/contracts/access/manager/AccessManager.sol": "AccessManager",
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A contract that can be deployed."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes

    @property
    def codec(self) -> ContractCodec:
        return _codec(self.name)

    def creation(self, *args: Any) -> bytes:
        """Its creation code with the constructor's arguments."""
        inputs = [item.get("inputs", []) for item in self.abi if item["type"] == "constructor"]
        return self.bytecode + Params(inputs[0] if inputs else []).encode(args)


@lru_cache(maxsize=64)
def _codec(name: str) -> ContractCodec:
    return ContractCodec(compiled(name).abi)


@lru_cache(maxsize=64)
def compiled(name: str) -> Compiled:
    """A contract by its name, of the tests' sources or Uniswap's."""
    if name in UNISWAP_NAMES:
        built = json.loads((UNISWAP / f"{name}.json").read_text(encoding="utf-8"))
        return Compiled(name, built["abi"], bytes.fromhex(built["bytecode"].removeprefix("0x")))
    found = _compiled_all()[name]
    return Compiled(name, found["abi"], bytes.fromhex(found["bytecode"]))


@lru_cache(maxsize=1)
def _compiled_all() -> dict[str, Any]:
    CACHE.mkdir(parents=True, exist_ok=True)
    file = CACHE / f"{_digest()}.json"
    # Several test processes at once: one compiles, the others wait and read.
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.is_file():
            for old in CACHE.glob("*.json"):
                old.unlink()
            file.write_text(json.dumps(_compile()), encoding="utf-8")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def _sources() -> dict[str, dict[str, str]]:
    paths = [*SOURCES.glob("*.sol"), *(BASE_DIR / "contracts" / "interfaces").rglob("I*.sol")]
    return {
        str(path.relative_to(BASE_DIR)): {"content": path.read_text(encoding="utf-8")}
        for path in sorted(paths)
    }


def _digest() -> str:
    versions = [
        json.loads((MODULES / name / "package.json").read_text(encoding="utf-8"))["version"]
        for name in LIBRARIES
    ]
    text = json.dumps([_sources(), SETTINGS, DEPLOYED_LIBRARIES, versions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _compile() -> dict[str, Any]:
    sys.path.insert(0, str(BASE_DIR / "scripts"))
    try:
        from compile_contracts import node_binary
    finally:
        sys.path.pop(0)
    output = ["abi", "evm.bytecode.object"]
    ours = {str(path.relative_to(BASE_DIR)): {"*": output} for path in SOURCES.glob("*.sol")}
    libraries = {source: {name: output} for source, name in DEPLOYED_LIBRARIES.items()}
    settings = {**SETTINGS, "outputSelection": ours | libraries}
    wanted = {"language": "Solidity", "sources": _sources(), "settings": settings}
    run = subprocess.run(
        [node_binary(), str(BASE_DIR / "scripts" / "solc-wrapper"), "--standard-json"],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    answer = json.loads(run.stdout)
    errors = [e["formattedMessage"] for e in answer.get("errors", []) if e["severity"] == "error"]
    assert not errors, "\n".join(errors)
    return {
        name: {"abi": content["abi"], "bytecode": content["evm"]["bytecode"]["object"]}
        for contracts in answer["contracts"].values()
        for name, content in contracts.items()
        if content["evm"]["bytecode"]["object"]
    }
