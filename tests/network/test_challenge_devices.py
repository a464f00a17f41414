"""A challenge is for one node and the devices it names; the report holds exactly these."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from network.attestation.emulator import EmulatedGpu, EmulatorAuthority
from network.models import Attestation, Challenge
from tests.network.conftest import World
from tests.network.nodes import TestNode
from tests.network.test_api_attestation import code

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]
STRANGE = "0x" + "ab" * 32


@pytest.fixture
def third(emulator: tuple[Any, EmulatorAuthority]) -> EmulatedGpu:
    """A card that is not the node's."""
    return EmulatedGpu(emulator[1], "somebody's card")


def entry(gpu: EmulatedGpu, nonce: str) -> dict[str, str]:
    evidence = gpu.evidence(bytes.fromhex(nonce[2:]))
    return {
        "evidence": base64.b64encode(evidence.report).decode(),
        "certificate": base64.b64encode(evidence.certificate_chain).decode(),
    }


def test_the_challenge_keeps_what_it_was_asked_for(make_node: MakeNode) -> None:
    node = make_node()
    answer = node.challenge()
    assert answer["devices"] == sorted(node.identities())
    stored = Challenge.objects.get(purpose="attest")
    assert stored.devices == [identity[2:] for identity in answer["devices"]]


@pytest.mark.parametrize(
    "devices",
    [
        None,
        "x",
        {},
        [1],
        ["0x12"],
        ["ab" * 32],
        [STRANGE + "00"],
        [STRANGE, STRANGE],
        [STRANGE, STRANGE.upper().replace("0X", "0x")],
        [f"0x{number:064x}" for number in range(129)],
    ],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:12]}",
)
def test_a_misshapen_list_of_devices_is_refused(make_node: MakeNode, devices: Any) -> None:
    node = make_node()
    assert code(node.post("challenges", {"devices": devices})) == (400, "validation_error")
    assert not Challenge.objects.filter(purpose="attest").exists()


def test_the_list_is_needed(make_node: MakeNode) -> None:
    assert code(make_node().post("challenges", {})) == (400, "validation_error")


def test_a_report_holds_exactly_the_devices_of_its_challenge(
    make_node: MakeNode, service: World, third: EmulatedGpu
) -> None:
    node = make_node()
    challenge = node.challenge()
    good = node.report(challenge)
    first, second = good["devices"]
    stranger = entry(third, challenge["nonce"])
    cut = first | {"certificate": base64.b64encode(b"-----BEGIN CERT").decode()}
    mine = [gpu.identity_sha256 for gpu in node.gpus]
    for devices, missing, unexpected, unreadable in (
        ([], mine, [], []),
        ([first], mine[1:], [], []),
        ([first, second, stranger], [], [third.identity_sha256], []),
        ([first, stranger], mine[1:], [third.identity_sha256], []),
        ([cut, second], mine[:1], [], [0]),
        ([first, second, cut], [], [], [2]),
    ):
        answer = node.post("attestations", good | {"devices": devices})
        assert code(answer) == (409, "challenge_devices_differ")
        assert answer.json()["data"] == {
            "missing": sorted(f"0x{identity}" for identity in missing),
            "unexpected": [f"0x{identity}" for identity in unexpected],
            "unreadable": unreadable,
        }
    # None of them used anything up, and the order of the devices says nothing.
    assert not Attestation.objects.exists()
    assert node.post("attestations", good | {"devices": [second, first]}).status_code == 201


def test_the_same_device_twice_is_judged_and_kept(make_node: MakeNode) -> None:
    node = make_node()
    good = node.report(node.challenge())
    answer = node.post("attestations", good | {"devices": good["devices"] + good["devices"][:1]})
    assert answer.status_code == 201, answer.content
    found = answer.json()["verdict"]["findings"]["findings"]
    assert [row["device"] for row in found if row["code"] == "device.duplicate"] == [0, 2]


def test_a_node_without_devices_names_none(make_node: MakeNode) -> None:
    node = make_node(gpu_class="edge_iot", gpu_count=1)
    node.can_attest = False
    assert node.challenge()["devices"] == []
    assert node.attest().status_code == 201
