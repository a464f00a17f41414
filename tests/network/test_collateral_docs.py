"""The operator's page names commands, options, metrics and refusals that exist."""

from __future__ import annotations

import re
from pathlib import Path

from django.core.management import get_commands, load_command_class
from prometheus_client.core import Metric

import network.services
from network.metrics import network_metrics

ROOT = Path(network.services.__file__).parents[2]
PAGE = (ROOT / "docs" / "collateral.md").read_text(encoding="utf-8")
COMMANDS = re.compile(r"(?:`|manage\.py )((?:rim|ocsp|crl|verdict|verify|allow)_\w+)( [^`\n]*)?")


def test_commands_and_options_exist() -> None:
    known, named = get_commands(), COMMANDS.findall(PAGE)
    checked = set()
    for name, rest in named:
        if name not in known:
            continue
        parser = load_command_class("network", name).create_parser("manage.py", name)
        for option in re.findall(r"--[a-z0-9-]+", rest):
            assert option in parser._option_string_actions, (name, option)
        checked.add(name)
    assert checked == {
        "allow_list",
        "crl_import",
        "ocsp_fetch",
        "rim_fetch",
        "rim_import",
        "rim_status",
        "rim_withdraw",
        "verdict_rederive",
        "verify_evidence",
    }


def test_refusals_exist() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "network").rglob("*.py"))
    rows = re.findall(r"^\| (`(?:rim|fetch)[_.].*?) \| [^|]+ \|$", PAGE, re.MULTILINE)
    codes = {code for row in rows for code in re.findall(r"`([a-z_.*]+)`", row)}
    codes |= {"certificate_unknown", "issuer_unknown", "revocation.stale"}
    codes -= set(get_commands())
    assert len(codes) > 10
    assert {code for code in codes if f'"{code.removesuffix("*")}' not in sources} == set()


def test_metrics_exist(db: None) -> None:
    found: list[Metric] = list(network_metrics())
    named = set(re.findall(r"`althing_(\w+)", PAGE))
    assert named <= {metric.name.removeprefix("althing_") for metric in found}
    assert len(named) == 8
