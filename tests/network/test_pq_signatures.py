"""The second signature of a request, ML-DSA-65 over the same message, and what is refused."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from network.http_signatures import (
    MAX_HEADER_CHARS,
    PQ_CONTEXT,
    RequestSignatureError,
    pq_key_id,
    pq_signature_verify,
    sign_request,
    verify_request,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PQ_KEY = MLDSA65PrivateKey.from_seed_bytes(bytes(range(32)))
OTHER = MLDSA65PrivateKey.from_seed_bytes(bytes(32))
PQ_PUBLIC = PQ_KEY.public_key().public_bytes_raw()
MESSAGE: dict[str, Any] = {
    "method": "POST",
    "url": "https://althing.example/api/v1/attestations?x=1",
    "body": b'{"seq": 1}',
}
NOW_S = 1_800_000_000
Headers = dict[str, str]


def signed(**changes: Any) -> Headers:
    defaults = {
        "private_key": KEY,
        "ml_dsa_65": PQ_KEY,
        "idempotency_key": "round-000001",
        "now_s": NOW_S,
        "nonce": "n" * 32,
    }
    return sign_request(**(MESSAGE | defaults | changes))


def verify(headers: Headers, *, public_key: bytes = PQ_PUBLIC, **changes: Any) -> None:
    """As the service does: the first signature, then the second."""
    message = MESSAGE | changes | {"headers": headers}
    request = verify_request(
        **message,
        resolve_key=lambda _: KEY.public_key().public_bytes_raw(),
        now_s=NOW_S,
        skew_s=30,
    )
    pq_signature_verify(**message, request=request, public_key=public_key)


def refused(headers: Headers, **changes: Any) -> RequestSignatureError:
    with pytest.raises(RequestSignatureError) as caught:
        verify(headers, **changes)
    return caught.value


def members(headers: Headers, name: str) -> list[str]:
    """The two members of a signature header, the first and the second signature's."""
    first, second = headers[name].split(", althing-pq=")
    return [first, f"althing-pq={second}"]


def joined(headers: Headers, name: str, *parts: str) -> Headers:
    return headers | {name: ", ".join(parts)}


def test_both_signatures_verify() -> None:
    headers = signed()
    verify(headers)
    assert headers["Signature-Input"].count(f'keyid="{pq_key_id(PQ_PUBLIC)}"') == 1
    size = len(headers["Signature-Input"]) + len(headers["Signature"])
    assert 5000 < size < MAX_HEADER_CHARS
    # A web server takes 8,190 bytes in one header line.
    assert len(f"Signature: {headers['Signature']}") < 8190


def test_the_first_signature_verifies_with_and_without_the_second() -> None:
    for headers in (signed(), signed(ml_dsa_65=None)):
        request = verify_request(
            **MESSAGE,
            headers=headers,
            resolve_key=lambda _: KEY.public_key().public_bytes_raw(),
            now_s=NOW_S,
            skew_s=30,
        )
        assert request.nonce == "n" * 32


def test_the_signature_is_over_the_base_of_rfc_9421_in_our_context() -> None:
    """Built by hand from the headers: nothing but the standard and the profile is needed."""
    headers = signed()
    _, signature = members(headers, "Signature")
    raw = base64.b64decode(signature.removeprefix("althing-pq=:").removesuffix(":"))
    assert len(raw) == 3309
    PQ_KEY.public_key().verify(raw, _signed_base(headers), PQ_CONTEXT)


def test_left_out_it_is_missed() -> None:
    error = refused(signed(ml_dsa_65=None))
    assert (error.code, error.data) == ("pq_signature_missing", {"key_id": pq_key_id(PQ_PUBLIC)})


def test_stripped_from_the_headers_it_is_missed() -> None:
    headers = signed()
    for name in ("Signature", "Signature-Input"):
        headers = joined(headers, name, members(headers, name)[0])
    assert refused(headers).code == "pq_signature_missing"


@pytest.mark.parametrize("name", ["Signature", "Signature-Input"])
def test_stripped_from_one_header_the_request_is_refused(name: str) -> None:
    headers = signed()
    expected = {"Signature": "signature_invalid", "Signature-Input": "signature_invalid"}
    assert refused(joined(headers, name, members(headers, name)[0])).code == expected[name]


def test_the_order_of_the_labels_says_nothing() -> None:
    headers = signed()
    for name in ("Signature", "Signature-Input"):
        headers = joined(headers, name, *reversed(members(headers, name)))
    verify(headers)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda h: signed(ml_dsa_65=OTHER), "pq_signature_profile"),
        (lambda h: _pq_of(h, signed(nonce="m" * 32)), "pq_signature_profile"),
        (lambda h: _pq_of(h, signed(now_s=NOW_S - 1)), "pq_signature_profile"),
        (lambda h: _pq_of(h, signed(lifetime_s=59)), "pq_signature_profile"),
        (lambda h: _pq_of(h, signed(body=b"{}")), "pq_signature_invalid"),
        (lambda h: _pq_of(h, signed(method="PUT")), "pq_signature_invalid"),
        (lambda h: _pq_of(h, signed(idempotency_key="round-000002")), "pq_signature_invalid"),
        (lambda h: _pq_of(h, signed(url="https://evil.example/")), "pq_signature_invalid"),
        (lambda h: _bit_flipped(h), "pq_signature_invalid"),
        (lambda h: _signature_of(h, b""), "pq_signature_invalid"),
        (lambda h: _signature_of(h, b"x" * 3309), "pq_signature_invalid"),
        (lambda h: _signature_of(h, b"x" * 3310), "pq_signature_invalid"),
        (lambda h: _input_changed(h, '"content-digest" ', ""), "signature_profile"),
        (lambda h: _input_changed(h, '"@method"', '"@method";req'), "signature_profile"),
        (lambda h: _input_changed(h, "althing-node-v1", "althing-node-v2"), "pq_signature_profile"),
        (lambda h: _input_changed(h, ";nonce", ';alg="ed25519";nonce'), "pq_signature_invalid"),
        (lambda h: _input_changed(h, '("@method"', '("@path" "@method"'), "pq_signature_invalid"),
    ],
    ids=[
        "another key",
        "another nonce",
        "created before",
        "another end",
        "another body",
        "another method",
        "another idempotency key",
        "another address",
        "one bit",
        "empty",
        "right length",
        "one byte more",
        "digest not covered",
        "component with a parameter",
        "another tag",
        "another algorithm",
        "a component more",
    ],
)
def test_every_other_second_signature_is_refused(
    spoil: Callable[[Headers], Headers], code: str
) -> None:
    assert refused(spoil(signed())).code == code


@pytest.mark.parametrize("context", [b"", b"althing-register-v1", b"althing-node-v2"])
def test_a_signature_of_another_context_is_refused(context: bytes) -> None:
    headers = signed()
    base = _signed_base(headers)
    assert refused(_signature_of(headers, PQ_KEY.sign(base, context))).code == (
        "pq_signature_invalid"
    )
    verify(_signature_of(headers, PQ_KEY.sign(base, PQ_CONTEXT)))


@pytest.mark.parametrize("label", ["althing", "althing-pq"])
def test_a_label_that_stands_twice_is_refused(label: str) -> None:
    headers = signed()
    for name in ("Signature", "Signature-Input"):
        parts = members(headers, name)
        again = next(part for part in parts if part.startswith(f"{label}="))
        headers = joined(headers, name, *parts, again)
    assert refused(headers).code == "signature_malformed"


def test_a_third_label_is_refused() -> None:
    headers = signed()
    for name in ("Signature", "Signature-Input"):
        first, second = members(headers, name)
        headers = joined(headers, name, first, second, first.replace("althing=", "third="))
    assert refused(headers).code == "signature_profile"


def test_the_second_alone_is_refused() -> None:
    headers = signed()
    for name in ("Signature", "Signature-Input"):
        headers = joined(headers, name, members(headers, name)[1])
    assert refused(headers).code == "signature_profile"


def test_headers_of_eight_kilobytes_are_refused() -> None:
    headers = signed()
    first, second = members(headers, "Signature")
    long = second.removesuffix(":") + "A" * 2668 + ":"
    assert refused(joined(headers, "Signature", first, long)).code == "signature_malformed"


def _pq_of(headers: Headers, other: Headers) -> Headers:
    """The second signature of another message in the place of this one's."""
    for name in ("Signature", "Signature-Input"):
        headers = joined(headers, name, members(headers, name)[0], members(other, name)[1])
    return headers


def _signature_of(headers: Headers, raw: bytes) -> Headers:
    text = base64.b64encode(raw).decode()
    return joined(headers, "Signature", members(headers, "Signature")[0], f"althing-pq=:{text}:")


def _bit_flipped(headers: Headers) -> Headers:
    _, second = members(headers, "Signature")
    raw = bytearray(base64.b64decode(second.removeprefix("althing-pq=:").removesuffix(":")))
    raw[1000] ^= 1
    return _signature_of(headers, bytes(raw))


def _input_changed(headers: Headers, old: str, new: str) -> Headers:
    """Something else in the second signature's parameters."""
    first, second = members(headers, "Signature-Input")
    assert old in second
    return joined(headers, "Signature-Input", first, re.sub(re.escape(old), new, second, count=1))


def _signed_base(headers: Headers) -> bytes:
    parameters = members(headers, "Signature-Input")[1].removeprefix("althing-pq=")
    lines = [
        '"@method": POST',
        '"@authority": althing.example',
        f'"@target-uri": {MESSAGE["url"]}',
        f'"content-digest": {headers["Content-Digest"]}',
        '"content-type": application/json',
        '"idempotency-key": round-000001',
        f'"@signature-params": {parameters}',
    ]
    return "\n".join(lines).encode()
