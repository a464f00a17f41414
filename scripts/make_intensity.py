"""Make ``network/energy/intensity.csv`` again from codecarbon's data.

Usage::

    python scripts/make_intensity.py                 # writes the table
    python scripts/make_intensity.py --check         # exit 1 where the table differs
    python scripts/make_intensity.py --wheel FILE    # from a wheel that is already here

The wheel is downloaded by pip into a folder that is deleted again, checked by its hash, and opened
as a zip file: nothing of it is installed or run. Only data is taken, under codecarbon's licence.
Countries without a figure above zero are left out, so that they fall back and say so.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

TABLE = Path(__file__).resolve().parent.parent / "network" / "energy" / "intensity.csv"
REQUIREMENT = "codecarbon==3.3.2"
WHEEL_SHA256 = "05b31dea9dd26ed1e90947973c9ef20c87d127ea71fc32b4cb55a3ec512b8897"
MEMBER = "codecarbon/data/private_infra/global_energy_mix.json"
LICENCE_MEMBER = "codecarbon-3.3.2.dist-info/licenses/LICENSE"
HEADER = """\
# Average carbon intensity of electricity by country, in mg CO2e per kWh.
# source: codecarbon 3.3.2, global_energy_mix.json
# version: sha256 of the wheel {sha256}
# year: of each row in its last column, {first} to {last}
# made by: scripts/make_intensity.py
# licence of the data, MIT:
"""


class WheelRefused(Exception):
    """The wheel could not be had, or is not the one whose hash is named here."""


def main() -> int:
    """Write the table, or compare it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    parser.add_argument("--wheel", type=Path, help="use this file and download nothing")
    options = parser.parse_args()
    try:
        table = table_text(*wheel_data(options.wheel))
    except WheelRefused as error:
        print(error, file=sys.stderr)
        return 2
    if options.check:
        if TABLE.read_text(encoding="utf-8") == table:
            return 0
        print(f"{TABLE.name} is not what the wheel gives.", file=sys.stderr)
        return 1
    TABLE.write_text(table, encoding="utf-8")
    return 0


def wheel_data(wheel: Path | None) -> tuple[dict[str, dict[str, Any]], str]:
    """The countries' data by ISO 3166-1 alpha-3 and the licence, of a wheel given or downloaded."""
    if wheel is not None:
        return _read(wheel)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        done = subprocess.run([*command, "--dest", folder, REQUIREMENT], check=False)
        found = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(found) != 1:
            raise WheelRefused(f"pip could not download {REQUIREMENT}; see above.")
        return _read(found[0])


def table_text(mix: dict[str, dict[str, Any]], licence: str) -> str:
    """The table as CSV; comments before it say where it is from and hold the licence's text."""
    kept = {zone: data for zone, data in sorted(mix.items()) if data["carbon_intensity"] > 0}
    years = [data["year"] for data in kept.values()]
    out = io.StringIO()
    out.write(HEADER.format(sha256=WHEEL_SHA256, first=min(years), last=max(years)))
    out.writelines(f"#   {line}".rstrip() + "\n" for line in licence.splitlines())
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["zone", "name", "intensity_mg_per_kwh", "year"])
    for zone, data in kept.items():
        writer.writerow([zone, data["country_name"], _milligrams(data), data["year"]])
    return out.getvalue()


def _milligrams(data: dict[str, Any]) -> int:
    """Grams with at most three decimals are whole milligrams."""
    milligrams = data["carbon_intensity"] * 1000
    if milligrams != int(milligrams):
        raise WheelRefused(f"{data['country_name']} has more than three decimals.")
    return int(milligrams)


def _read(wheel: Path) -> tuple[dict[str, dict[str, Any]], str]:
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise WheelRefused(f"{wheel.name} is not the wheel whose hash this script names.")
    with zipfile.ZipFile(wheel) as archive:
        mix = json.loads(archive.read(MEMBER), parse_float=Decimal)
        return mix, archive.read(LICENCE_MEMBER).decode("utf-8").strip()


if __name__ == "__main__":
    sys.exit(main())
