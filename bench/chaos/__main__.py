"""`python -m bench.chaos [--seed N] [--runs N] [--only F1,F4] [--short] [--json]`

Does every fault of the table to the real service and prints, per fault: runs, lost, doubled,
wrong, stuck. Status 1 unless all are zero and the harness has proven that it can fail. A run is
repeated alone with ``--only F4 --seed <its seed> --runs 1``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.chaos.table import FAULTS, NOT_RUN, PROOFS, Fault
from bench.chaos.world import world_open

#: Runs in all that `make chaos` makes at least.
RUNS_MIN = 200


@dataclass(slots=True)
class Line:
    """What all runs of one fault found."""

    fault: str
    title: str
    runs: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    stuck: int = 0
    failed_seeds: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


def plan(faults: Sequence[Fault], runs: int, *, short: bool) -> list[tuple[Fault, int]]:
    """How often each fault is run: its weight's share, at least once, never above its maximum."""
    if short:
        return [(fault, fault.short) for fault in faults if fault.short]
    counts = {fault.name: 1 for fault in faults}
    room = [fault for fault in faults if fault.most > 1]
    while sum(counts.values()) < runs and room:
        for fault in list(room):
            counts[fault.name] = min(fault.most, counts[fault.name] + fault.weight)
            if counts[fault.name] >= fault.most:
                room.remove(fault)
    return [(fault, counts[fault.name]) for fault in faults]


def run_once(world: Any, fault: Fault, seed: int, line: Line) -> None:
    """One seeded run; whatever it raises is a finding, not the end of the others."""
    run = world.run(fault.name, seed)
    began = time.monotonic()
    try:
        fault.do(run)
    except Exception as error:  # noqa: BLE001 - the next run must go on; this one has failed
        place = traceback.extract_tb(error.__traceback__)[-1]
        name = (
            f"{type(error).__name__}: {error} ({place.filename.rsplit('/', 1)[-1]}:{place.lineno})"
        )
        run.counts.add("wrong", f"the run broke off: {name}")
    line.runs += 1
    line.seconds += time.monotonic() - began
    for kind in ("lost", "doubled", "wrong", "stuck"):
        setattr(line, kind, getattr(line, kind) + getattr(run.counts, kind))
    line.figures |= run.figures
    if run.counts.bad:
        line.failed_seeds.append(seed)
        line.said += run.counts.said[:4]
        say(f"  {fault.name} seed {seed} FAILED: {'; '.join(run.counts.said[:3])}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def prove(world: Any, seed: int) -> list[dict[str, Any]]:
    """Wrong components in place of the real ones: each must be reported as what it is."""
    proofs = []
    for proof in PROOFS:
        run = world.run(proof.name, seed)
        proof.do(run)
        caught = bool(getattr(run.counts, proof.expected))
        proofs.append({"component": proof.name, "expected": proof.expected, "caught": caught})
        say(f"  {proof.title}: reported as {proof.expected}: {'yes' if caught else 'NO'}")
    return proofs


def report(lines: Sequence[Line], proofs: Sequence[dict[str, Any]], *, as_json: bool) -> int:
    """Print the table (or one JSON object); 1 unless everything is zero and proven."""
    bad = any(line.failed_seeds for line in lines) or not all(item["caught"] for item in proofs)
    if as_json:
        body = {"faults": [asdict(line) for line in lines], "proofs": list(proofs)}
        print(json.dumps(body | {"not_run": NOT_RUN, "ok": not bad}, default=str))
        return int(bad)
    heads = ("runs", "lost", "doubled", "wrong", "stuck")
    print(f"\n{'fault':<6}{'':<46}" + "".join(f"{head:>9}" for head in heads))
    for line in lines:
        values = (line.runs, line.lost, line.doubled, line.wrong, line.stuck)
        print(f"{line.fault:<6}{line.title[:45]:<46}" + "".join(f"{item:>9}" for item in values))
        for name, value in line.figures.items():
            print(f"{'':<8}{name}: {value}")
        if line.failed_seeds:
            print(f"{'':<8}failed with seeds {line.failed_seeds}")
    for name, reason in NOT_RUN.items():
        print(f"{name:<6}not run: {reason}")
    total = sum(line.runs for line in lines)
    verdict = "FAILED" if bad else "all zero"
    print(f"{total} runs in {sum(line.seconds for line in lines):.0f} s: {verdict}")
    return int(bad)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first run of every fault")
    parser.add_argument("--runs", type=int, default=RUNS_MIN, help="in all, over every fault")
    parser.add_argument("--only", default="", help="faults by name, comma separated")
    parser.add_argument("--short", action="store_true", help="the subset of the tests")
    parser.add_argument("--long", action="store_true", help="1e5 attestations, a longer soak")
    parser.add_argument("--unproven", action="store_true", help="skip the proof that it can fail")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    names = [name.strip().upper() for name in options.only.split(",") if name.strip()]
    unknown = set(names) - {fault.name for fault in FAULTS}
    if unknown:
        parser.error(f"no fault is named {', '.join(sorted(unknown))}")
    faults = [fault for fault in FAULTS if not names or fault.name in names]
    lines: list[Line] = []
    proofs: list[dict[str, Any]] = []
    try:
        with world_open(long=options.long, say=say) as world:
            proofs += [] if options.unproven else prove(world, options.seed)
            for fault, count in plan(faults, options.runs, short=options.short):
                line = Line(fault.name, fault.title)
                lines.append(line)
                say(f"{fault.name} {fault.title}: {count} runs")
                for number in range(count):
                    run_once(world, fault, options.seed + number, line)
                say(f"  {line.seconds / max(1, line.runs):.1f} s a run")
    except (KeyboardInterrupt, SystemExit):
        # What was found until then is worth knowing; it is no pass.
        report(lines, proofs, as_json=options.json)
        say("Stopped before all runs were made.")
        return 1
    return report(lines, proofs, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
