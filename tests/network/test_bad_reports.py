"""Reports that are well formed and wrong: each gets its own code, refused or judged and kept."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from network.api.views.attestation import REPORT_MAX_BYTES
from network.models import Attestation, Device
from tests.network.nodes import TestNode, later
from tests.network.test_api_attestation import code

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]
Body = dict[str, Any]


def pem_of(device: Body) -> bytes:
    return base64.b64decode(device["certificate"])


def with_chain(body: Body, chain: bytes) -> Body:
    """The first device with another chain."""
    first = body["devices"][0] | {"certificate": base64.b64encode(chain).decode()}
    return body | {"devices": [first, *body["devices"][1:]]}


def blocks(pem: bytes) -> list[bytes]:
    end = b"-----END CERTIFICATE-----\n"
    return [block + end for block in pem.split(end) if block.strip()]


def errors(answer: Any, device: int | None = 0) -> set[str]:
    assert answer.status_code == 201, answer.content
    verdict = answer.json()["verdict"]
    assert verdict["status"] == "contraindicated", verdict["sentence"]
    rows = verdict["findings"]["findings"]
    return {r["code"] for r in rows if r["device"] == device and r["severity"] == "error"}


@pytest.fixture
def node(make_node: MakeNode) -> TestNode:
    return make_node()


@pytest.fixture
def body(node: TestNode) -> Body:
    return node.report(node.challenge())


def test_another_gpus_report_under_this_ones_chain(node: TestNode, body: Body) -> None:
    first, second = body["devices"]
    swapped = [
        first | {"evidence": second["evidence"]},
        second | {"evidence": first["evidence"]},
    ]
    answer = node.post("attestations", body | {"devices": swapped})
    assert "sig.report" in errors(answer, 0) & errors(answer, 1)
    assert not Device.objects.exists()


def test_a_report_of_the_challenge_before(node: TestNode) -> None:
    """Fresh nonce in the body, old evidence below it."""
    old = node.report(node.challenge())
    body = node.report(node.challenge()) | {"devices": old["devices"]}
    assert errors(node.post("attestations", body)) == {"nonce.mismatch"}
    assert not Device.objects.exists()


def test_a_chain_without_its_root(node: TestNode, body: Body) -> None:
    short = b"".join(blocks(pem_of(body["devices"][0]))[:-1])
    found = errors(node.post("attestations", with_chain(body, short)))
    assert any(name.startswith("chain.") for name in found)
    # The other card is as good as before, and is known.
    assert [row.identity.hex() for row in Device.objects.all()] == [node.gpus[1].identity_sha256]


def test_a_chain_in_another_order_names_another_device(node: TestNode, body: Body) -> None:
    turned = b"".join(reversed(blocks(pem_of(body["devices"][0]))))
    answer = node.post("attestations", with_chain(body, turned))
    assert code(answer) == (409, "challenge_devices_differ")
    assert answer.json()["data"]["missing"] == [f"0x{node.gpus[0].identity_sha256}"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda pem: pem[:-40],
        lambda pem: b"\0" * 64,
        lambda pem: b"text before\n" + pem,
        lambda pem: pem.replace(b"\n", b"\r\n"),
        lambda pem: blocks(pem)[0],
    ],
    ids=["cut", "zeros", "text", "CRLF", "leaf alone"],
)
def test_a_chain_that_cannot_be_read(
    node: TestNode, body: Body, spoil: Callable[[bytes], bytes]
) -> None:
    answer = node.post("attestations", with_chain(body, spoil(pem_of(body["devices"][0]))))
    assert code(answer) == (409, "challenge_devices_differ")
    assert answer.json()["data"]["unreadable"] == [0]
    assert answer.json()["data"]["missing"] == [f"0x{node.gpus[0].identity_sha256}"]
    # It used nothing up.
    assert node.post("attestations", body).status_code == 201


def test_no_chain_and_two_of_them(node: TestNode, body: Body) -> None:
    pem = pem_of(body["devices"][0])
    assert code(node.post("attestations", with_chain(body, b""))) == (400, "validation_error")
    assert code(node.post("attestations", with_chain(body, pem + pem))) == (400, "evidence.invalid")


@pytest.mark.parametrize("size", [0, 1, 36, 100, 1000])
def test_a_report_cut_anywhere(node: TestNode, body: Body, size: int) -> None:
    raw = base64.b64decode(body["devices"][0]["evidence"])[:size]
    first = body["devices"][0] | {"evidence": base64.b64encode(raw).decode()}
    answer = node.post("attestations", body | {"devices": [first, body["devices"][1]]})
    if size == 0:
        assert code(answer) == (400, "validation_error")
        return
    assert any(name.startswith("report.") for name in errors(answer))


@pytest.mark.parametrize(
    "claim",
    [
        {"power_mw": -1},
        {"temperature_c": 10**18},
        {"energy_mj": 2**63},
        {"mig": "enabled", "vgpu": "guest"},
        {"uuid": "MIG-GPU-0/1/0"},
        {"uuid": ""},
        {"sampled_at": "2099-01-01T00:00:00Z"},
        {"sampled_at": "yesterday"},
        {"index": [[[]]]},
        {"name": "\u202egpu\u200b"},
    ],
    ids=lambda value: json.dumps(value)[:30],
)
def test_what_the_inventory_claims_never_stops_a_report(
    node: TestNode, body: Body, claim: dict[str, Any]
) -> None:
    gpus = [gpu | claim for gpu in body["inventory"]["gpus"]]
    answer = node.post("attestations", body | {"inventory": {"gpus": gpus}})
    assert answer.status_code == 201, answer.content
    assert answer.json()["verdict"]["tier"] == 4


@pytest.mark.parametrize(
    ("inventory", "expected"),
    [
        (b'{"gpus":[{"power_mw":NaN}]}', "json_number"),
        (b'{"gpus":[{"power_mw":1e400}]}', "json_number"),
        (b'{"gpus":[{"power_mw":' + b"9" * 79 + b"}]}", "json_number"),
        (b'{"gpus":[{"name":"\\u0000"}]}', "json_string"),
        (b'{"gpus":[{"name":"\\ud800"}]}', "json_string"),
        (b'{"gpus":[' + b"{}," * 20_000 + b"{}]}", "json_too_many_items"),
        (b'{"gpus":' + b"[" * 20 + b"]" * 20 + b"}", "json_too_deep"),
    ],
    ids=["NaN", "infinite", "79 digits", "NUL", "half a pair", "20,001 GPUs", "deep"],
)
def test_json_that_readers_understand_differently_is_refused(
    node: TestNode, body: Body, inventory: bytes, expected: str
) -> None:
    raw = json.dumps(body | {"inventory": "@"}).encode().replace(b'"@"', inventory)
    assert code(node.post("attestations", raw=raw)) == (400, expected)
    assert not Attestation.objects.exists()


def test_the_largest_body_and_one_byte_more(node: TestNode, body: Body) -> None:
    raw = json.dumps(body).encode()
    full = raw[:-1] + b" " * (REPORT_MAX_BYTES - len(raw)) + raw[-1:]
    assert len(full) == REPORT_MAX_BYTES
    assert code(node.post("attestations", raw=full + b" ")) == (413, "body_too_large")
    assert node.post("attestations", raw=full).status_code == 201


def test_a_report_long_after_its_challenge(node: TestNode, body: Body) -> None:
    with later(86_400):
        assert code(node.post("attestations", body)) == (409, "challenge_expired")
    with later(-86_400):
        # The service's clock was set back: the signature is of its time, the challenge is open.
        assert node.post("attestations", body).status_code == 201
