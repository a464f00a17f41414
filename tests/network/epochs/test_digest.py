"""A verdict's hash: RFC 8785's own examples, what it refuses, and that every field counts."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from network.epochs.digest import (
    FORMAT,
    MAX_INTEGER,
    DigestInvalid,
    PublishedVerdict,
    canonical_json,
    digest,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
VERDICT = PublishedVerdict(
    node_id=b"\x01" * 32,
    report_hash=b"\x02" * 32,
    nonce=b"\x03" * 32,
    seq=1,
    evidence_at=AT,
    judged_at=AT,
    fresh_until=AT + timedelta(seconds=900),
    status="affirming",
    tier=4,
    required_tier=4,
    emulated=False,
    policy_version=3,
    policy_hash=b"\x04" * 32,
    policy_block=100,
    inputs={},
    findings={"findings": [], "devices": [{"index": 0}]},
)
OTHER: dict[str, Any] = {
    "node_id": b"\x09" * 32,
    "report_hash": b"\x09" * 32,
    "nonce": b"\x09" * 32,
    "seq": 2,
    "evidence_at": AT + timedelta(microseconds=1),
    "judged_at": AT + timedelta(microseconds=1),
    "fresh_until": AT,
    "status": "warning",
    "tier": 3,
    "required_tier": 3,
    "emulated": True,
    "policy_version": 4,
    "policy_hash": b"\x09" * 32,
    "policy_block": 101,
    "inputs": {"build": "other"},
    "findings": {"findings": [{"code": "rim.expired"}], "devices": [{"index": 0}]},
    "replaces": b"\x09" * 32,
}


@given(VALUES)
def test_canonical_json_is_the_value_and_stable(value: Any) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


def test_members_are_ordered_by_utf_16_units() -> None:
    # The example of RFC 8785, section 3.2.3: by code points the last two would change places.
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical_json(dict.fromkeys(names, 0)))) == ordered


def test_texts_are_escaped_as_rfc_8785_says() -> None:
    # Section 3.2.2.2.
    value = "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/\u007f"
    expected = '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u007f"'
    assert canonical_json(value).decode() == expected


def test_order_and_kind_of_container_do_not_count() -> None:
    assert digest({"b": (1, 2), "a": None}) == digest({"a": None, "b": [1, 2]})
    assert digest({"b": 1, "a": 2}) == keccak(b'{"a":2,"b":1}')


def test_an_enums_member_is_its_value() -> None:
    class Rung(IntEnum):
        T4 = 4

    class Word(StrEnum):
        FINE = "fine"

    assert canonical_json([Rung.T4, Word.FINE]) == b'[4,"fine"]'


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (1.0, "value_type"),
        (float("nan"), "value_type"),
        ({"a": [0.5]}, "value_type"),
        (b"bytes", "value_type"),
        (AT, "value_type"),
        ({1, 2}, "value_type"),
        ({1: "a"}, "key_type"),
        ({None: "a"}, "key_type"),
        (MAX_INTEGER + 1, "integer_unsafe"),
        (-MAX_INTEGER - 1, "integer_unsafe"),
        ("\ud800", "text_malformed"),
        ({"\udfff": 1}, "text_malformed"),
    ],
)
def test_what_has_no_canonical_form_is_refused(value: Any, code: str) -> None:
    with pytest.raises(DigestInvalid) as refused:
        canonical_json(value)
    assert refused.value.code == code


def test_every_field_of_a_verdict_counts() -> None:
    names = {field.name for field in dataclasses.fields(PublishedVerdict)}
    assert names == set(OTHER)
    hashes = {dataclasses.replace(VERDICT, **{name: OTHER[name]}).hash for name in names}
    assert len(hashes | {VERDICT.hash}) == len(names) + 1


def test_the_published_object_is_what_is_hashed() -> None:
    published = json.loads(json.dumps(VERDICT.as_json()))
    assert published["format"] == FORMAT
    assert published["evidence_at"] == "2026-03-01T12:00:00.250000Z"
    assert VERDICT.hash == keccak(
        json.dumps(published, sort_keys=True, separators=(",", ":")).encode()
    )


def test_a_time_is_the_same_in_every_zone_and_needs_one() -> None:
    there = AT.astimezone(timezone(timedelta(hours=5)))
    assert dataclasses.replace(VERDICT, judged_at=there).hash == VERDICT.hash
    with pytest.raises(DigestInvalid) as refused:
        _ = dataclasses.replace(VERDICT, judged_at=AT.replace(tzinfo=None)).hash
    assert refused.value.code == "time_naive"


def test_what_is_said_about_the_token_does_not_count() -> None:
    with_token = {**VERDICT.findings, "token_withheld": {"code": "token.no_key"}}
    assert dataclasses.replace(VERDICT, findings=with_token).hash == VERDICT.hash


def test_a_number_of_eight_bytes_in_a_report_still_gets_a_hash() -> None:
    big = {"findings": [{"data": {"chip_id": 2**64 - 1, "low": -(2**63)}}]}
    published = dataclasses.replace(VERDICT, findings=big).as_json()
    data = published["findings"]["findings"][0]["data"]
    assert data == {"chip_id": str(2**64 - 1), "low": str(-(2**63))}
    assert len(digest(published)) == 32
