"""Bad input to the API: every one a coded, plain answer in the one shape, and nothing lost."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from network.models import Attestation, AttestationState, Challenge, NodeKey
from tests.network.conftest import World
from tests.network.nodes import TestNode, in_threads

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]
VALIDATE = "/api/v1/parameters/validate"

BODIES: list[tuple[str, bytes, int, str]] = [
    ("deep", b'{"a":' * 40_000 + b"1" + b"}" * 40_000, 400, "json_too_deep"),
    ("seventeen levels", b'{"a":' * 17 + b"1" + b"}" * 17, 400, "json_too_deep"),
    ("2.5 MB", b'{"a":"' + b"x" * 2_500_000 + b'"}', 413, "body_too_large"),
    ("duplicate key", b'{"changes":[],"changes":[]}', 400, "json_duplicate_key"),
    ("NaN", b'{"a":NaN}', 400, "json_number"),
    ("-Infinity", b'{"a":-Infinity}', 400, "json_number"),
    ("1e400", b'{"a":1e400}', 400, "json_number"),
    ("5000 digits", b'{"a":' + b"9" * 5000 + b"}", 400, "json_number"),
    ("Arabic digits", '{"a":٤٢}'.encode(), 400, "json_malformed"),
    ("NUL", b'{"a":"\\u0000"}', 400, "json_string"),
    ("NUL in a key", b'{"\\u0000":1}', 400, "json_string"),
    ("lone surrogate", b'{"a":"\\ud800"}', 400, "json_string"),
    ("long string", b'{"a":"' + b"x" * 70_000 + b'"}', 400, "json_string"),
    ("byte order mark", b"\xef\xbb\xbf{}", 400, "json_encoding"),
    ("bad UTF-8", b'{"a":"\xff"}', 400, "json_encoding"),
    ("list body", b"[]", 400, "json_not_object"),
    ("text body", b'"text"', 400, "json_not_object"),
    ("no JSON", b"a=1", 400, "json_malformed"),
    ("many keys", json.dumps({str(i): i for i in range(600)}).encode(), 400, "json_too_many_keys"),
    ("many items", b'{"a":[' + b"1," * 20_000 + b"1]}", 400, "json_too_many_items"),
    ("empty object", b"{}", 400, "validation_error"),
    ("wrong type", b'{"changes":1}', 400, "validation_error"),
    ("true as text", b'{"changes":[{"name":true,"value":"1"}]}', 400, "validation_error"),
    ("number as value", b'{"changes":[{"name":"attest.ttl","value":1e3}]}', 422, "value_malformed"),
    ("unknown name", b'{"changes":[{"name":"a.b","value":"1"}]}', 422, "parameter_unknown"),
    ("comma", b'{"changes":[{"name":"attest.ttl","value":"1,5"}]}', 422, "value_malformed"),
    ("spaces", b'{"changes":[{"name":"attest.ttl","value":"1 800"}]}', 422, "value_malformed"),
    ("negative", b'{"changes":[{"name":"attest.ttl","value":"-60"}]}', 422, "value_malformed"),
    (
        "2**256",
        json.dumps({"changes": [{"name": "attest.ttl", "value": str(2**256)}]}).encode(),
        422,
        "value_malformed",
    ),
    (
        "twice",
        json.dumps({"changes": [{"name": "attest.ttl", "value": "1800"}] * 2}).encode(),
        422,
        "parameter_twice",
    ),
]


def shape(answer: Any) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"code", "detail", "data"}, body
    assert body["detail"]
    assert answer.headers["Content-Type"] == "application/json"
    return answer.status_code, body["code"]


def test_bad_bodies(indexed: World) -> None:
    client = Client()
    for name, raw, status, code in BODIES:
        answer = client.post(VALIDATE, raw, content_type="application/json")
        assert shape(answer) == (status, code), name


def test_bad_headers(indexed: World) -> None:
    good = json.dumps({"changes": [{"name": "attest.ttl", "value": "1800"}]}).encode()

    def post(raw: bytes, content_type: str = "application/json", **headers: str) -> Any:
        return Client().post(VALIDATE, raw, content_type=content_type, headers=headers)

    assert post(good).json()["ok"] is True
    assert post(good, "application/json; charset=utf-8").status_code == 200
    assert shape(post(good, "text/plain")) == (415, "unsupported_media_type")
    assert shape(post(good, "application/json; charset=utf-16")) == (415, "charset")
    zipped = gzip.compress(good)
    assert shape(post(zipped, **{"Content-Encoding": "gzip"})) == (415, "content_encoding")
    assert shape(Client().put(VALIDATE, good, content_type="application/json")) == (
        405,
        "method_not_allowed",
    )


READS = [
    ("nodes/0x12/", 400, "hex_length"),
    ("nodes/12/", 400, "hex_malformed"),
    ("nodes/0xzz/", 400, "hex_malformed"),
    (f"nodes/0x{chr(0xFF10) * 64}/", 400, "hex_malformed"),
    (f"nodes/0x{'00' * 32}/", 404, "node_unknown"),
    (f"nodes/0x{'00' * 33}/", 400, "hex_length"),
    (f"nodes/0x{'00' * 32}/verdicts/", 404, "node_unknown"),
    ("nodes/?status=broken", 400, "filter_invalid"),
    ("nodes/?standing=", 400, "filter_invalid"),
    ("nodes/?operator=0x12", 400, "address_malformed"),
    ("nodes/?operator=0xF39fd6e51aad88f6f4ce6ab8827279cfffb92266", 400, "address_checksum"),
    ("nodes/?operator=vitalik.eth", 400, "address_malformed"),
    ("nodes/?region=%00", 400, "query_malformed"),
    ("nodes/?limit=0", 400, "limit_invalid"),
    ("nodes/?limit=-1", 400, "limit_invalid"),
    ("nodes/?limit=1e9", 400, "limit_invalid"),
    ("nodes/?limit=٣", 400, "limit_invalid"),
    ("nodes/?cursor=cD0x", 400, "cursor_invalid"),
    ("nodes/?cursor=%00", 400, "query_malformed"),
    (f"nodes/?region={'x' * 600}", 400, "query_too_long"),
    ("parameters/?kind=MONEY", 400, "filter_invalid"),
    ("parameters/no.such/", 404, "parameter_unknown"),
    ("parameters/%00/", 404, "parameter_unknown"),
    ("parameters/no.such/changes/", 404, "parameter_unknown"),
    ("verdicts/1/", 404, "verdict_unknown"),
    (f"verdicts/{10**30}/", 404, "verdict_unknown"),
    ("verdicts/-1/", 404, "not_found"),
    ("no/such/address", 404, "not_found"),
]


def test_bad_reads(indexed: World) -> None:
    client = Client()
    for path, status, code in READS:
        assert shape(client.get(f"/api/v1/{path}")) == (status, code), path


def test_more_query_parameters_than_fields_allowed(indexed: World) -> None:
    query = "&".join(f"a{i}=1" for i in range(2000))
    answer = Client().get(f"/api/v1/parameters/?{query}")
    assert shape(answer) == (400, "request_refused")


def test_cursors_of_another_list_are_refused(indexed: World) -> None:
    first = Client().get("/api/v1/parameters/?limit=5").json()
    cursor = first["next"].partition("cursor=")[2].partition("&")[0]
    seen = [row["name"] for row in first["results"]]
    page = first
    while page["next"]:
        page = Client().get(page["next"].partition("localhost:8000")[2] or page["next"]).json()
        seen += [row["name"] for row in page["results"]]
    assert seen == sorted(set(seen))
    assert shape(Client().get(f"/api/v1/nodes/?cursor={cursor}")) == (400, "cursor_invalid")


def test_the_contract_says_why(indexed: World) -> None:
    def validate(name: str, value: int) -> dict[str, Any]:
        body = {"changes": [{"name": name, "value": str(value)}]}
        answer = Client().post(VALIDATE, body, content_type="application/json")
        assert answer.status_code == 200, answer.content
        return dict(answer.json())

    assert validate("attest.ttl", 1800) == {
        "ok": True,
        "code": "",
        "detail": "The contract would accept this set now.",
        "parameter": None,
        "arguments": {},
    }
    for value, code in (
        (60, "ParameterOutOfBounds"),
        (1801, "ParameterOffStep"),
        (2700, "ParameterUnchanged"),
        (60000, "ParameterChangeTooLarge"),
    ):
        answer = validate("attest.ttl", value)
        assert (answer["ok"], answer["code"], answer["parameter"]) == (False, code, "attest.ttl")
        assert answer["detail"]
    # I6: the ttl is at least twice the report interval.
    answer = validate("attest.ttl", 1380)
    assert answer["code"] in ("ParameterInvariantViolated", "ParameterChangeTooLarge")


def test_bad_reports_are_refused_and_nothing_is_lost(make_node: MakeNode) -> None:
    node = make_node()
    challenge = node.challenge()
    good = node.report(challenge)
    device = good["devices"][0]

    def refused(**changes: Any) -> tuple[int, str]:
        return shape(node.post("attestations", good | changes))

    assert refused(nonce="0x12") == (400, "validation_error")
    assert refused(seq=0) == (400, "validation_error")
    assert refused(seq=2**63) == (400, "validation_error")
    assert refused(seq="1e3") == (400, "validation_error")
    assert refused(seq=True) == (400, "validation_error")
    assert refused(previous_hash="") == (400, "validation_error")
    assert refused(devices={}) == (400, "validation_error")
    assert refused(devices=[1]) == (400, "validation_error")
    small = {"arch": "x", "uuid": "x", "evidence": "AA==", "certificate": "AA=="}
    assert refused(devices=[small] * 129) == (400, "validation_error")
    assert refused(devices=[small] * 4100) == (400, "json_too_many_keys")
    assert refused(seq="2") == refused(seq="٢") == refused(seq=1.0) == (400, "validation_error")
    assert refused(devices=[device | {"evidence": "!!"}]) == (400, "evidence.invalid")
    long = base64.b64encode(b"x" * 40_000).decode()
    assert refused(devices=[device | {"evidence": long}]) == (400, "evidence.invalid")
    assert refused(devices=[device | {"arch": "x" * 65}]) == (400, "validation_error")
    spoilt = node.post("attestations", raw=b'{"nonce":1,"nonce":2}')
    assert shape(spoilt) == (400, "json_duplicate_key")
    large = node.post("attestations", raw=b'{"a":"' + b"x" * 2_100_000 + b'"}')
    assert shape(large) == (413, "body_too_large")
    assert shape(node.post("attestations", good, headers={"Idempotency-Key": None})) == (
        400,
        "idempotency_key_missing",
    )
    tampered = json.dumps(good | {"seq": 2}).encode()
    digest = {"Content-Digest": "sha-256=:AAAA:"}
    assert shape(node.post("attestations", raw=tampered, headers=digest)) == (
        401,
        "digest_mismatch",
    )
    unsigned = node.client.post("/api/v1/attestations", good, "application/json")
    assert shape(unsigned) == (401, "signature_missing")

    # Nothing was stored, and nothing was used up: the honest report is still accepted.
    assert not Attestation.objects.exists()
    assert node.post("attestations", good).status_code == 201


def telemetry(index: int) -> dict[str, Any]:
    """Everything that a card's driver tells, and more: 64 values."""
    claims = {f"value_{number:02}": index * 1000 + number for number in range(62)}
    return {"index": index, "uuid": f"GPU-{index:08x}-0000-0000-0000-000000000000"} | claims


@pytest.mark.parametrize("gpus", [16, 128], ids=["a large node", "attest.max_gpus_per_node"])
def test_a_large_node_with_rich_telemetry_fits(make_node: MakeNode, gpus: int) -> None:
    """Sixteen of an emulated card's devices, or as many as the parameter can ever allow."""
    node = make_node()
    body = node.report(node.challenge())
    body["devices"] = (body["devices"] * gpus)[:gpus]
    body["inventory"] = {"gpus": [telemetry(index) for index in range(gpus)]}
    answer = node.post("attestations", body)
    assert answer.status_code == 201, answer.content
    assert answer.json()["attestation"]["device_count"] == gpus


def test_other_routes_keep_their_limits(make_node: MakeNode) -> None:
    node = make_node()
    many = {f"k{number}": number for number in range(600)}
    assert shape(node.post_open("key-challenges", many)) == (400, "json_too_many_keys")
    large = node.post("challenges", {"a": "x" * 60_000, "b": ["x" * 60_000] * 4})
    assert shape(large) == (413, "body_too_large")


def test_no_node_can_write_for_another(make_node: MakeNode, service: World) -> None:
    node, other = make_node(), make_node(operator=4)
    body = node.report(node.challenge())
    # The old addresses named a node; nothing answers there.
    for path in (f"{other.path}/attestations", f"{other.path}/challenges"):
        assert shape(node.post("attestations", body, path=path)) == (404, "not_found")
    claimed = body | {"node_id": f"0x{other.node_id.hex()}"}
    assert node.post("attestations", claimed).status_code == 201
    assert list(Attestation.objects.values_list("node_id", flat=True)) == [node.node_id]


def test_a_node_cannot_make_us_store_challenges_without_end(make_node: MakeNode) -> None:
    node = make_node()
    answers = [node.post("challenges").status_code for _ in range(22)]
    assert answers == [201] * 20 + [429] * 2
    assert Challenge.objects.filter(purpose="attest").count() == 20


def test_strangers_cannot_use_up_the_operators_challenges(make_node: MakeNode) -> None:
    node = make_node(proven=False)
    body = {"ed25519": f"0x{node.public_key.hex()}"}
    answers = [node.post_open("key-challenges", body).json()["nonce"] for _ in range(30)]
    assert len(set(answers)) == 1
    assert Challenge.objects.filter(purpose="keys").count() == 1
    assert node.prove_keys().status_code == 201
    # Answered once; the next proof needs another nonce.
    assert node.post_open("key-challenges", body).json()["nonce"] not in answers


def test_rates(make_node: MakeNode, settings: Any) -> None:
    node = make_node()
    rates = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] | {"node": "2/min"}
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    assert [node.post("challenges").status_code for _ in range(2)] == [201, 201]
    answer = node.post("challenges")
    assert shape(answer) == (429, "throttled")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    # A stranger's noise under the node's name does not use its rate up.
    rates = rates | {"node": "100/min", "write": "2/min"}
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    from django.core.cache import cache

    cache.clear()
    unsigned = [
        node.client.post("/api/v1/attestations/challenges", {}, "application/json").status_code
        for _ in range(3)
    ]
    assert unsigned == [401, 401, 429]


@pytest.mark.django_db(transaction=True)
def test_the_same_report_at_once_counts_once(make_node: MakeNode) -> None:
    node = make_node()
    body = node.report(node.challenge())

    def send(index: int) -> int:
        from django.db import connection

        try:
            return int(node.post("attestations", body).status_code)
        finally:
            connection.close()

    statuses = sorted(in_threads(4, send))
    assert statuses == [201, 409, 409, 409]
    assert Attestation.objects.count() == 1
    assert AttestationState.objects.get().last_seq == 1
    assert NodeKey.objects.count() == 1
