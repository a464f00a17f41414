#!/usr/bin/env bash
# Everything that must hold before a change to the contracts is good, in the order in which a fault is cheapest to find.
# From the top of a checkout after the bootstrap:  scripts/check_contracts.sh
set -euo pipefail
cd "$(dirname "$0")/.."

modules="${ALTHING_NODE_MODULES:-$PWD/node_modules}"
python="${ALTHING_PYTHON:-$PWD/.venv/bin/python}"
forge="${ALTHING_FORGE:-$(ls -d "$modules"/@foundry-rs/forge-*/bin/forge | head -n 1)}"
slither="$(dirname "$python")/slither"
# Slither calls forge by its name, and the compiler's wrapper needs node.
PATH="$(dirname "$forge"):$(dirname "$python"):$PATH"
export PATH
# A profile in the caller's environment must not decide what is checked.
unset FOUNDRY_PROFILE

step() {
    printf '\n== %s (%ss so far)\n' "$1" "$SECONDS"
}

step "The committed bytecode is that of the sources"
"$python" scripts/compile_contracts.py --check

step "Behaviour, with Ape on an anvil of its own"
"$python" -m pytest -c tests/contracts/pytest.ini tests/contracts

step "Fuzz tests and invariants, with forge"
"$forge" test --no-match-contract Gas

step "Gas, against the tracked snapshot"
"$forge" snapshot --match-contract Gas --check .gas-snapshot

step "Static analysis, with slither"
FOUNDRY_PROFILE=slither "$slither" . --config-file slither.config.json

printf '\nThe contracts are in order (%ss).\n' "$SECONDS"
