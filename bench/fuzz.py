"""Send thousands of made-up requests to the attestation endpoints, and print what was answered.

The same test as among the others, with more cases; it ends with 1 when one meets a fault of ours or
an answer that the OpenAPI description does not know.
"""

from __future__ import annotations

import argparse
import os
import sys

import pytest

#: What ``make fuzz`` promises.
CASES = 10_000


def main() -> int:
    """Run, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES, help=f"how many; {CASES} if not said")
    cases = parser.parse_args().cases
    if cases < 1:
        parser.error("--cases must be at least 1")
    os.environ["ALTHING_FUZZ_CASES"] = str(cases)
    return int(pytest.main(["tests/network/test_api_fuzz.py", "-q", "--no-header"]))


if __name__ == "__main__":
    sys.exit(main())
