"""The signed-request profile: what it accepts, and one test per way to be refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from network.http_signatures import (
    COMPONENTS,
    RequestSignatureError,
    VerifiedRequest,
    key_id,
    sign_request,
    verify_request,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
URL = "https://althing.example/api/v1/attestations?x=1"
NOW_S = 1_800_000_000
BODY = b'{"seq": 1}'


def resolve(wanted: str) -> bytes | None:
    return PUBLIC if wanted == key_id(PUBLIC) else None


def signed(**changes: object) -> dict[str, str]:
    arguments: dict[str, object] = {
        "method": "POST",
        "url": URL,
        "body": BODY,
        "private_key": KEY,
        "idempotency_key": "round-000001",
        "now_s": NOW_S,
    }
    return sign_request(**(arguments | changes))  # type: ignore[arg-type]


def verify(headers: dict[str, str], **changes: object) -> VerifiedRequest:
    arguments: dict[str, object] = {
        "method": "POST",
        "url": URL,
        "headers": headers,
        "body": BODY,
        "resolve_key": resolve,
        "now_s": NOW_S,
        "skew_s": 30,
    }
    return verify_request(**(arguments | changes))  # type: ignore[arg-type]


def refused(call: Callable[[], object]) -> RequestSignatureError:
    with pytest.raises(RequestSignatureError) as caught:
        call()
    return caught.value


def test_a_signed_request_verifies_and_says_what_it_vouches_for() -> None:
    request = verify(signed(nonce="n" * 32))
    assert request == VerifiedRequest(key_id(PUBLIC), "n" * 32, NOW_S, NOW_S + 60, "round-000001")


def test_header_names_are_case_insensitive() -> None:
    assert verify({name.upper(): value for name, value in signed().items()}).key_id == key_id(
        PUBLIC
    )


def test_an_empty_body_is_covered_too() -> None:
    headers = signed(body=b"")
    assert verify(headers, body=b"").nonce
    assert refused(lambda: verify(headers)).code == "digest_mismatch"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"body": b'{"seq": 2}'}, "digest_mismatch"),
        ({"method": "PUT"}, "signature_invalid"),
        ({"url": URL.replace("x=1", "x=2")}, "signature_invalid"),
        ({"url": URL.replace("althing.example", "evil.example")}, "signature_invalid"),
        ({"url": URL.replace("https", "http")}, "signature_invalid"),
        ({"resolve_key": lambda _: None}, "key_unknown"),
        (
            {"resolve_key": lambda _: Ed25519PrivateKey.generate().public_key().public_bytes_raw()},
            "signature_invalid",
        ),
        ({"now_s": NOW_S - 31}, "clock_skew"),
        ({"now_s": NOW_S + 60 + 31}, "clock_skew"),
    ],
)
def test_anything_changed_is_refused(change: dict[str, object], code: str) -> None:
    headers = signed()
    assert refused(lambda: verify(headers, **change)).code == code


@pytest.mark.parametrize("now_s", [NOW_S - 30, NOW_S, NOW_S + 60 + 30])
def test_the_edges_of_the_window_are_inside(now_s: int) -> None:
    assert verify(signed(), now_s=now_s).created_s == NOW_S


def test_clock_skew_tells_the_server_time() -> None:
    error = refused(lambda: verify(signed(), now_s=NOW_S - 3600))
    assert error.data["server_time_s"] == NOW_S - 3600
    assert "3600 s in the future" in error.detail


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("Content-Type", "text/plain", "signature_invalid"),
        ("Idempotency-Key", "round-000002", "signature_invalid"),
        ("Idempotency-Key", "x", "idempotency_key_invalid"),
        ("Idempotency-Key", None, "idempotency_key_missing"),
        ("Content-Digest", None, "digest_missing"),
        ("Content-Digest", "sha-256=:AAAA:", "digest_mismatch"),
        ("Content-Digest", "é", "digest_mismatch"),
        ("Signature", None, "signature_missing"),
        ("Signature", "althing=:AAAA:", "signature_invalid"),
        ("Signature-Input", None, "signature_missing"),
        ("Signature-Input", "((((", "signature_malformed"),
        ("Signature-Input", "é", "signature_malformed"),
        ("Signature-Input", "althing=1", "signature_malformed"),
        ("Signature-Input", "a" * 7000, "signature_malformed"),
    ],
)
def test_each_header_counts(name: str, value: str | None, code: str) -> None:
    headers = signed()
    if value is None:
        del headers[name]
    else:
        headers[name] = value
    assert refused(lambda: verify(headers)).code == code


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("althing=", "other=", "signature_profile"),
        ('tag="althing-node-v1"', 'tag="althing-node-v2"', "signature_profile"),
        (f";created={NOW_S}", "", "signature_profile"),
        (f";expires={NOW_S + 60}", "", "signature_profile"),
        (f";expires={NOW_S + 60}", f";expires={NOW_S + 61}", "signature_window"),
        (f";expires={NOW_S + 60}", f";expires={NOW_S}", "signature_window"),
        (f";expires={NOW_S + 60}", f";expires={NOW_S + 59}", "signature_invalid"),
        (f";created={NOW_S}", f";created={NOW_S}.5", "signature_profile"),
        (key_id(PUBLIC), key_id(PUBLIC).upper(), "signature_profile"),
        ('"content-digest" ', "", "signature_profile"),
        ('"@method"', '"@method";req', "signature_profile"),
        ('tag="', 'alg="hmac-sha256";tag="', "signature_invalid"),
        ('tag="', 'extra=1;tag="', "signature_invalid"),
    ],
)
def test_the_profile_is_exact(old: str, new: str, code: str) -> None:
    headers = signed()
    assert old in headers["Signature-Input"]
    headers["Signature-Input"] = headers["Signature-Input"].replace(old, new)
    assert refused(lambda: verify(headers)).code == code


def test_two_signatures_are_refused() -> None:
    headers = signed()
    for name in ("Signature", "Signature-Input"):
        headers[name] += ", " + headers[name].replace("althing=", "second=", 1)
    assert refused(lambda: verify(headers)).code == "signature_profile"


def test_a_fault_in_the_key_lookup_is_not_called_a_bad_signature() -> None:
    def broken(_: str) -> bytes | None:
        raise ConnectionError("database away")

    with pytest.raises(ConnectionError):
        verify(signed(), resolve_key=broken)


def test_every_required_component_is_named_when_missing() -> None:
    headers = signed()
    headers["Signature-Input"] = (
        headers["Signature-Input"].split(";", 1)[0].split("(")[0]
        + "()"
        + (";" + headers["Signature-Input"].split(";", 1)[1])
    )
    assert refused(lambda: verify(headers)).data["missing"] == list(COMPONENTS)


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=80))
def test_arbitrary_headers_are_refused_with_a_code(
    signature_input: str, signature: str, digest: str
) -> None:
    headers = signed() | {
        "Signature-Input": signature_input,
        "Signature": signature,
        "Content-Digest": digest,
    }
    assert refused(lambda: verify(headers)).code


@given(st.text(max_size=400))
def test_an_arbitrary_signature_value_is_refused(signature: str) -> None:
    assert refused(lambda: verify(signed() | {"Signature": signature})).code in {
        "signature_invalid",
        "signature_missing",
    }
