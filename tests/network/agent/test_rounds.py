"""Rounds and the loop against a service that fails on demand: crashes, repetitions, patience."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from network.agent.cli import describe
from network.agent.client import ServiceClient
from network.agent.errors import (
    AttestationUnavailable,
    Exit,
    ServiceRefused,
    ServiceUnreachable,
)
from network.agent.home import Home, NodeKeys, State
from network.agent.loop import BACKOFF_MAX_S, Loop, backoff_s, report_interval_s
from network.agent.registration import Proof, proof_open
from network.agent.rounds import Node, Outcome
from network.agent.sources import EmulatedSource
from network.attestation import device_identities, devices_from_json
from network.attestation.emulator import EmulatorAuthority
from network.http_signatures import verify_request
from network.registration import RegisterNode
from tests.network.agent.conftest import ScriptedService

SERVER = "https://althing.example"
NODE_ID = "0x" + "ab" * 32
NONCE = "0x" + "11" * 32
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VERDICT = {
    "status": "affirming",
    "tier": 4,
    "required_tier": 4,
    "sentence": "1 device proved tier T4; the report counts for 45 minutes.",
    "emulated": True,
    "fresh_until": "2027-01-15T08:45:00Z",
    "policy_version": 3,
    "findings": {
        "findings": [
            {
                "device": 0,
                "code": "revocation.unknown",
                "severity": "info",
                "detail": "Revocation of the chain was not looked up.",
            }
        ]
    },
}


def challenge(seq: int, previous: str | None) -> httpx.Response:
    body = {"nonce": NONCE, "next_seq": seq, "previous_hash": previous, "expires_at": "x"}
    return httpx.Response(201, json=body)


def accepted() -> httpx.Response:
    return httpx.Response(201, json={"attestation": {"id": 1}, "verdict": VERDICT})


def refusal(status: int, code: str, **headers: str) -> httpx.Response:
    body = {"code": code, "detail": "No.", "data": {"n": 1}}
    return httpx.Response(status, json=body, headers=headers)


def each(*answers: httpx.Response | Exception) -> Any:
    """One answer after the other."""
    remaining: Iterator[httpx.Response | Exception] = iter(answers)
    return lambda _: next(remaining)


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def node(tmp_path: Path, scripted: ScriptedService, waits: list[float]) -> Node:
    scripted.handlers["/network/trust/"] = lambda _: httpx.Response(
        200, json={"emulator_trusted": True}
    )
    scripted.handlers["/challenges/"] = lambda _: challenge(1, None)
    scripted.handlers["/attestations/"] = lambda _: accepted()
    source = EmulatedSource(
        EmulatorAuthority.from_seed("agent tests"), NODE_ID, "h100_80g", 1, behaviours={}
    )
    return Node(
        client=ServiceClient(SERVER, transport=scripted.transport(), now_s=lambda: 1_800_000_000.0),
        home=Home(tmp_path / "home"),
        source=source,
        keys=NodeKeys(KEY),
        node_id=NODE_ID,
        sleep=waits.append,
    )


def test_a_round_is_signed_numbered_and_remembered(node: Node, scripted: ScriptedService) -> None:
    outcome = node.attest()
    assert outcome.accepted
    (request,) = [r for r in scripted.requests if r.url.path.endswith("/attestations/")]
    verified = verify_request(
        method="POST",
        url=f"{SERVER}/api/v1/attestations/",
        headers=dict(request.headers),
        body=request.content,
        resolve_key=lambda _: KEY.public_key().public_bytes_raw(),
        now_s=1_800_000_000,
        skew_s=0,
    )
    assert verified.key_id == KEY.public_key().public_bytes_raw().hex()
    (body,) = scripted.bodies("/attestations/")
    assert (body["seq"], body["previous_hash"], body["nonce"]) == (1, None, NONCE)
    assert body["emulated"] is True
    assert body["inventory"]["source"] == "ALTHING EMULATED"
    digest = "0x" + hashlib.sha256(request.content).hexdigest()
    assert node.home.state_load() == State(last_seq=1, last_hash=digest)


def test_emulated_evidence_never_goes_to_a_service_that_does_not_trust_it(
    node: Node, scripted: ScriptedService
) -> None:
    for answer in ({"emulator_trusted": False}, {}, {"emulator_trusted": "true"}):
        scripted.handlers["/network/trust/"] = lambda _, a=answer: httpx.Response(200, json=a)
        with pytest.raises(AttestationUnavailable) as caught:
            node.attest()
        assert caught.value.code == "emulator_untrusted"
    assert not scripted.bodies("/challenges/")


def test_a_lost_answer_is_asked_for_again_with_the_same_bytes(
    node: Node, scripted: ScriptedService, waits: list[float]
) -> None:
    scripted.handlers["/attestations/"] = each(
        httpx.ReadTimeout("lost"),
        refusal(503, "engines_away", **{"Retry-After": "7"}),
        refusal(429, "throttled", **{"Retry-After": "3"}),
        accepted(),
    )
    assert node.attest().accepted
    sent = [r for r in scripted.requests if r.url.path.endswith("/attestations/")]
    assert len({request.content for request in sent}) == 1
    assert len({request.headers["idempotency-key"] for request in sent}) == 1
    # Every try is a new signature with a new nonce: the service refuses replays.
    assert len({request.headers["signature"] for request in sent}) == 4
    assert waits == [1.0, 7.0, 4.0]


def test_a_crash_after_sending_is_noticed_by_the_next_challenge(
    node: Node, scripted: ScriptedService, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.handlers["/attestations/"] = lambda _: httpx.ReadTimeout("the power went")
    with pytest.raises(ServiceUnreachable):
        node.attest()
    pending = node.home.state_load()
    assert (pending.last_seq, pending.pending_seq) == (0, 1)
    # It had arrived: the service goes on from it, and so does the agent, without a warning.
    scripted.handlers["/challenges/"] = lambda _: challenge(2, pending.pending_hash)
    scripted.handlers["/attestations/"] = lambda _: accepted()
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert node.attest().seq == 2
    assert not caplog.records
    assert scripted.bodies("/attestations/")[-1]["previous_hash"] == pending.pending_hash


def test_a_history_that_is_not_ours_is_followed_and_told(
    node: Node, scripted: ScriptedService, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.handlers["/challenges/"] = lambda _: challenge(8, "0x" + "77" * 32)
    assert node.attest().seq == 8
    assert "another agent uses the same key" in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"nonce": "0x12", "next_seq": 1, "previous_hash": None},
        {"nonce": NONCE, "next_seq": "1", "previous_hash": None},
        {"nonce": NONCE, "next_seq": 1, "previous_hash": 5},
        {"nonce": "zz", "next_seq": 1, "previous_hash": None},
    ],
)
def test_a_senseless_challenge_is_not_answered(
    node: Node, scripted: ScriptedService, body: dict[str, object]
) -> None:
    scripted.handlers["/challenges/"] = lambda _: httpx.Response(201, json=body)
    with pytest.raises(ServiceUnreachable) as caught:
        node.attest()
    assert caught.value.code == "challenge_malformed"


def test_classes_without_evidence_report_their_inventory(
    node: Node, scripted: ScriptedService
) -> None:
    source = replace(node.source, gpu_class="consumer_24g")  # type: ignore[type-var]
    replace(node, source=source).attest()
    (body,) = scripted.bodies("/attestations/")
    assert body["devices"] == []
    assert len(body["inventory"]["gpus"]) == 1


class _Dark:
    """GPUs that cannot attest."""

    emulated = False

    def inventory(self) -> dict[str, Any]:
        return {"gpus": []}

    def identities(self) -> list[str]:
        raise AttestationUnavailable("cc_off", "Confidential computing is off.")

    def evidence(self, nonce: bytes) -> list[Any]:
        raise AssertionError("nothing was named, so nothing is asked")


def test_without_confidential_computing_the_inventory_is_sent_unless_evidence_is_required(
    node: Node, scripted: ScriptedService
) -> None:
    dark = replace(node, source=_Dark())
    outcome = dark.attest()
    assert outcome.note == "Confidential computing is off."
    assert "No GPU evidence was sent" in "\n".join(describe(outcome))
    with pytest.raises(AttestationUnavailable):
        replace(dark, require_evidence=True).attest()
    assert len(scripted.bodies("/attestations/")) == 1
    assert scripted.bodies("/challenges/") == [{"devices": []}]


def test_the_challenge_names_the_devices_and_the_report_holds_no_others(
    node: Node, scripted: ScriptedService
) -> None:
    three = replace(node.source, gpu_count=3)  # type: ignore[type-var]
    named = three.identities()[:2]

    class Plugged(EmulatedSource):
        """A third card is there by the time of the reports."""

        def identities(self) -> list[str]:
            return named

    source = Plugged(three.authority, three.label, three.gpu_class, 3, behaviours={})
    assert replace(node, source=source).attest().accepted
    assert scripted.bodies("/challenges/") == [
        {"devices": [f"0x{identity}" for identity in sorted(named)]}
    ]
    (report,) = scripted.bodies("/attestations/")
    found = devices_from_json(report["devices"])
    assert set(device_identities(found)) == set(named)


def test_the_verdict_is_told_in_plain_words() -> None:
    text = "\n".join(describe(Outcome(3, {"verdict": VERDICT})))
    assert "Report 3: affirming, tier T4 of T4 required (EMULATED GPUs)." in text
    assert "[info] GPU 0: Revocation of the chain was not looked up. (revocation.unknown)" in text
    assert not Outcome(3, {"verdict": VERDICT | {"status": "contraindicated"}}).accepted
    assert not Outcome(3, {}).accepted


class TestProof:
    """The challenge for the proof of keys is checked before anything is signed."""

    STATEMENT = RegisterNode(
        operator=b"\x0a" * 20,
        node_id=b"\xab" * 32,
        keys_hash=NodeKeys(KEY).hash(b"\x0a" * 20),
        nonce=b"\x11" * 32,
        deadline_s=1_800_000_600,
        chain_id=31337,
        registry=b"\x0b" * 20,
    )

    def ask(self, scripted: ScriptedService, **changes: Any) -> Proof:
        answer = {
            "nonce": f"0x{self.STATEMENT.nonce.hex()}",
            "expires_at": "2027-01-15T08:10:00Z",
            "digest": f"0x{self.STATEMENT.digest().hex()}",
            "typed_data": self.STATEMENT.typed_data(),
        }
        scripted.handlers.setdefault(
            "/key-challenges/", lambda _: httpx.Response(201, json=answer | changes)
        )
        return proof_open(
            ServiceClient(SERVER, transport=scripted.transport()),
            node_id=self.STATEMENT.node_id,
            keys=NodeKeys(KEY),
            operator=self.STATEMENT.operator,
            sleep=lambda _: None,
        )

    def test_the_digest_is_computed_here(self, scripted: ScriptedService) -> None:
        assert self.ask(scripted).digest == self.STATEMENT.digest()

    @pytest.mark.parametrize(
        "changes",
        [
            {"digest": "0x" + "99" * 32},
            {"nonce": "0x" + "12" * 32},
            {"expires_at": "2027-01-15T08:10:01Z"},
            {
                "typed_data": replace(STATEMENT, registry=b"\x0c" * 20).typed_data(),
            },
        ],
    )
    def test_anything_else_is_not_signed(
        self, scripted: ScriptedService, changes: dict[str, Any]
    ) -> None:
        with pytest.raises(ServiceUnreachable) as caught:
            self.ask(scripted, **changes)
        assert caught.value.code == "digest_mismatch"
        assert "Nothing was signed" in caught.value.detail

    @pytest.mark.parametrize(
        "changes", [{"digest": 5}, {"typed_data": {}}, {"expires_at": "soon"}, {"nonce": "zz"}]
    )
    def test_a_senseless_challenge_is_coded(
        self, scripted: ScriptedService, changes: dict[str, Any]
    ) -> None:
        with pytest.raises(ServiceUnreachable) as caught:
            self.ask(scripted, **changes)
        assert caught.value.code == "challenge_malformed"

    def test_it_waits_for_the_service_to_index_the_registration(
        self, scripted: ScriptedService
    ) -> None:
        scripted.handlers["/key-challenges/"] = lambda _: refusal(404, "node_unknown")
        with pytest.raises(ServiceUnreachable) as caught:
            self.ask(scripted)
        assert caught.value.code == "node_not_indexed"
        assert len(scripted.requests) == 150

    def test_another_refusal_is_passed_on(self, scripted: ScriptedService) -> None:
        scripted.handlers["/key-challenges/"] = lambda _: refusal(409, "keys_hash_mismatch")
        with pytest.raises(ServiceRefused) as caught:
            self.ask(scripted)
        assert caught.value.code == "keys_hash_mismatch"


class TestLoop:
    @pytest.fixture
    def loop(self, node: Node, scripted: ScriptedService) -> Loop:
        scripted.handlers["/network/policy/"] = lambda _: httpx.Response(
            200, json={"values": {"attest.report_interval": "120"}}
        )
        self.pauses: list[float] = []

        def wait(seconds: float) -> bool:
            self.pauses.append(seconds)
            return False

        return Loop(
            node=node,
            wait=wait,
            report=lambda _: None,
            monotonic=lambda: 0.0,
            jitter=lambda: 1.0,
            max_rounds=3,
        )

    def test_it_keeps_the_interval_that_was_voted_for(
        self, loop: Loop, scripted: ScriptedService
    ) -> None:
        scripted.handlers["/network/policy/"] = each(
            *(
                httpx.Response(200, json={"values": {"attest.report_interval": text}})
                for text in ("120", "600", "600")
            )
        )
        assert loop.run() == 3
        assert self.pauses == [120.0, 600.0]

    def test_it_waits_longer_and_longer_and_recovers(
        self, loop: Loop, scripted: ScriptedService
    ) -> None:
        scripted.handlers["/challenges/"] = each(
            httpx.ConnectError("away"),
            refusal(429, "throttled", **{"Retry-After": "90"}),
            challenge(1, None),
        )
        assert loop.run() == 1
        assert 5 <= self.pauses[0] <= 6.25
        assert 90 <= self.pauses[1] <= 112.5

    def test_a_stale_challenge_is_replaced_at_once(
        self, loop: Loop, scripted: ScriptedService
    ) -> None:
        scripted.handlers["/attestations/"] = each(
            refusal(409, "challenge_expired"), accepted(), accepted()
        )
        assert loop.run() == 2
        assert self.pauses[0] == 0.0

    def test_it_stops_when_told(self, loop: Loop) -> None:
        loop.wait = lambda _: True
        assert loop.run() == 1

    def test_the_backoff_is_bounded(self) -> None:
        error = ServiceRefused("key_unknown", "No.", {}, http_status=401)
        for failures in (1, 5, 50, 5000):
            assert backoff_s(error, failures) <= BACKOFF_MAX_S * 1.25
        stale = ServiceRefused("seq_conflict", "No.", {}, http_status=409)
        assert backoff_s(stale, 1) == 0.0
        assert backoff_s(stale, 2) > 0.0

    @pytest.mark.parametrize(
        ("text", "expected"), [("120", 120), ("1", 60), ("99999999999999", 86_400)]
    )
    def test_the_interval_stays_in_its_bounds(
        self, scripted: ScriptedService, text: str, expected: int
    ) -> None:
        scripted.handlers["/network/policy/"] = lambda _: httpx.Response(
            200, json={"values": {"attest.report_interval": text}}
        )
        assert report_interval_s(ServiceClient(SERVER, transport=scripted.transport())) == expected

    @pytest.mark.parametrize("values", [None, [], {}, {"attest.report_interval": "soon"}])
    def test_a_policy_without_interval_is_coded(
        self, scripted: ScriptedService, values: object
    ) -> None:
        scripted.handlers["/network/policy/"] = lambda _: httpx.Response(
            200, json={"values": values}
        )
        with pytest.raises(ServiceUnreachable) as caught:
            report_interval_s(ServiceClient(SERVER, transport=scripted.transport()))
        assert caught.value.code == "policy_malformed"


class TestClient:
    def client(self, answer: httpx.Response | Exception) -> ServiceClient:
        service = ScriptedService({"/x/": lambda _: answer})
        return ServiceClient(SERVER, transport=service.transport())

    @pytest.mark.parametrize(
        ("answer", "code", "kind"),
        [
            (refusal(401, "clock_skew"), "clock_skew", ServiceRefused),
            (refusal(409, "seq_conflict"), "seq_conflict", ServiceRefused),
            (httpx.Response(403, text="<html>"), "http_403", ServiceRefused),
            (httpx.Response(200, text="<html>"), "http_200", ServiceUnreachable),
            (httpx.Response(200, json=[1]), "http_200", ServiceUnreachable),
            (httpx.Response(302, headers={"Location": "/"}), "http_302", ServiceUnreachable),
            (httpx.Response(500, text="x"), "http_500", ServiceUnreachable),
            (httpx.Response(200, content=b" " * 5_000_000), "answer_too_large", ServiceUnreachable),
            (httpx.ConnectError("no"), "service_unreachable", ServiceUnreachable),
        ],
    )
    def test_every_answer_that_is_none_is_coded(
        self, answer: httpx.Response | Exception, code: str, kind: type[Exception]
    ) -> None:
        with pytest.raises((ServiceRefused, ServiceUnreachable)) as caught:
            self.client(answer).get("x/")
        assert type(caught.value) is kind
        assert caught.value.code == code
        assert caught.value.detail

    def test_a_wrong_clock_has_its_own_exit_code(self) -> None:
        with pytest.raises(ServiceRefused) as caught:
            self.client(refusal(401, "clock_skew")).get("x/")
        assert caught.value.exit_code == Exit.CLOCK

    @pytest.mark.parametrize("server", ["", "althing.example", "ftp://x", "https://", "http://x?y"])
    def test_only_addresses_of_services_are_taken(self, server: str) -> None:
        with pytest.raises(ValueError, match="address"):
            ServiceClient(server)
