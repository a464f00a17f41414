"""``make demo ONCE=1``, as CI runs it: everything from nothing, in processes of its own."""

import json
import os
import subprocess
import sys

import pytest

from demo.browser import chromium_path
from demo.build import ENGINES
from demo.settings import BASE_DIR

pytestmark = [pytest.mark.browser, pytest.mark.chain]


def test_a_vote_changes_how_a_report_is_judged() -> None:
    if chromium_path() is None:
        pytest.skip("No Chromium on this machine: install it or set CHROMIUM_BIN.")
    variables = {name: value for name, value in os.environ.items() if name not in ENGINES}
    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=BASE_DIR,
        env={**variables, "ONCE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["ok"] is True
    assert report["old"] == {"chain": 360, "api": 360, "page": 360}
    assert report["new"] == {"chain": 120, "api": 120, "page": 120}
    assert (report["verdict"]["before"], report["verdict"]["after"]) == ("attested", "stale")
    assert report["verdict"]["policy_after"] > report["verdict"]["policy_before"]
    assert 120 < report["verdict"]["age_s"] < 360
    assert report["reorg"]["depth"] >= 1
