"""The list of codes, the sources and the documentation say the same."""

from __future__ import annotations

import ast
import fnmatch
import re
from pathlib import Path

import network.attestation
import network.compute
from network.attestation.codes import CODES, NOTHING_TO_DO, code_words, next_steps

SOURCES = [Path(package.__file__).parent for package in (network.attestation, network.compute)]
DOCUMENTATION = SOURCES[0].parents[1] / "docs"
CODE = re.compile(r"[a-z]+\.[a-z_0-9]+")
#: Dotted names that are no codes: claims of the token, parameters, a file.
OTHER_NAMES = ("althing.", "attest.", "deadlines.", "ear.")


def codes_in_sources() -> dict[str, set[str]]:
    """Every string that looks like a code, and the modules that it stands in."""
    found: dict[str, set[str]] = {}
    for path in (path for folder in SOURCES for path in folder.glob("*.py")):
        # Lists of codes; a code is used where it is given.
        if path.name in ("codes.py", "faults.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            if CODE.fullmatch(node.value) and not node.value.startswith(OTHER_NAMES):
                found.setdefault(node.value, set()).add(path.name)
    return found


def test_every_code_of_the_sources_is_listed_and_no_other() -> None:
    found = codes_in_sources()
    assert {code: found[code] for code in found.keys() - CODES.keys()} == {}
    assert CODES.keys() - found.keys() == set()


def test_the_list_is_sorted_and_made_of_sentences() -> None:
    assert list(CODES) == sorted(CODES)
    for code, entry in CODES.items():
        for text in (entry.meaning, entry.next_step):
            assert re.fullmatch(r"[A-Z][^|\n]+\.", text), code


def test_the_documentation_is_the_list() -> None:
    page = (DOCUMENTATION / "findings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(code, entry.meaning, entry.next_step) for code, entry in CODES.items()]


def test_the_operators_page_names_only_codes_that_exist() -> None:
    page = (DOCUMENTATION / "nodes.md").read_text(encoding="utf-8")
    prefixes = {code.split(".")[0] for code in CODES}
    named = set(re.findall(r"`([a-z]+\.[a-z_0-9*]+)`", page))
    named = {name for name in named if name.split(".")[0] in prefixes - {"node"}}
    assert named
    for name in named:
        assert fnmatch.filter(CODES, name), name


def test_codes_in_words_for_a_reader() -> None:
    assert code_words([]) == {}
    found = code_words(["sig.report", "nobody.knows", "chain.pem", "sig.report"])
    assert list(found) == ["chain.pem", "sig.report"]
    assert found["chain.pem"] == {
        "meaning": CODES["chain.pem"].meaning,
        "next_step": CODES["chain.pem"].next_step,
    }


def test_next_steps_are_told_once_and_only_where_there_is_one() -> None:
    assert CODES["revocation.good"].next_step == NOTHING_TO_DO
    assert CODES["chain.pem"].next_step == CODES["chain.name"].next_step
    found = next_steps(["sig.report", "revocation.good", "nobody.knows", "chain.pem", "chain.name"])
    assert found == (CODES["sig.report"].next_step, CODES["chain.pem"].next_step)
