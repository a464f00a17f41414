"""The deployment file, which `chain.deployment` reads: one per chain."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from _deployment.profiles import Plan
from _deployment.steps import ROOT, Contracts


def record(
    contracts: Contracts, plan: Plan, *, deployer: str, chain_id: int, deployed_at: int
) -> dict[str, Any]:
    """Return the deployment file's content. Integers of Solidity are decimal strings."""
    profile = plan.profile
    return {
        "chain_id": chain_id,
        "name": profile.token_name,
        "commit": _commit(),
        "deployer": deployer,
        "first_block": contracts.first_block,
        "deployed_at": deployed_at,
        "contracts": {
            name: {
                "address": str(item.instance.address),
                "block_number": item.block_number,
                "transaction_hash": item.transaction_hash,
                "constructor_arguments": _plain(item.arguments),
            }
            for name, item in contracts.by_name.items()
        },
        "settings": {
            "profile": profile.name,
            "voting_delay_s": profile.voting_delay_s,
            "voting_period_s": profile.voting_period_s,
            "late_quorum_extension_s": profile.late_quorum_extension_s,
            "proposal_threshold_wei": str(plan.proposal_threshold_wei),
            "quorum_numerator": profile.quorum_numerator,
            "timelock_delay_s": profile.timelock_delay_s,
            "constitutional_delay_s": profile.constitutional_delay_s,
            "guardian": plan.guardian,
            "attestor": plan.attestor,
        },
    }


def record_write(path: Path, content: dict[str, Any]) -> None:
    """Write the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def _commit() -> str:
    command = ["git", "rev-parse", "HEAD"]
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        # A tarball has no history; the file says so.
        return "unknown"
    return run.stdout.strip()


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)
