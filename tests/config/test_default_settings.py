"""What runs where nobody says which settings: the ones of a deployment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", ["config.wsgi", "config.celery"])
def test_without_a_word_it_is_production(module: str) -> None:
    """Not the local settings, which would serve anybody with debug pages and a known secret."""
    environment = {
        name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
    }
    code = (
        "import os\n"
        f"try:\n    import {module}\n"
        "except Exception:\n    pass\n"
        "print(os.environ['DJANGO_SETTINGS_MODULE'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.strip() == "config.settings.production", done.stderr
