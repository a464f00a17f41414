"""Ways in which the compute challenges of other networks were broken, tried on the whole service.

Each test is named by its break. The pure core's own list is tests/network/compute/test_breaks.py;
here the same is tried through the API, where a round is kept in the database between the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from network.compute import Challenge, NumpyBackend, Params, Prover
from network.compute.params import COMMITMENT_BYTES, MAX_OPENING_BYTES
from network.compute.wire import opening_encode, opening_entries
from network.models import ComputeRound, ComputeTask
from tests.network.compute_player import Clock, Player, round_due, schedule, stopped_clock
from tests.network.nodes import TestNode

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]


@pytest.fixture
def hands() -> Iterator[Clock]:
    with stopped_clock() as made:
        yield made


@pytest.fixture
def node(make_node: MakeNode) -> TestNode:
    return reported(make_node(gpu_class="consumer_24g", gpu_count=2))


def reported(node: TestNode) -> TestNode:
    node.can_attest = False
    assert node.attest().status_code == 201
    return node


@pytest.fixture
def player(node: TestNode) -> Player:
    return Player(node)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def codes_of(round_id: Any, position: int = 0) -> list[str]:
    """The codes that failed one GPU."""
    task = ComputeTask.objects.get(round_id=round_id, position=position)
    findings = (task.outcome or {})["findings"]
    return sorted(item["code"] for item in findings if item["severity"] == "error")


def first_opened(
    player: Player, round_id: Any, spoil: Callable[[bytes, Params], bytes]
) -> list[str]:
    """Play honestly, but spoil the first GPU's opening; its codes."""
    drawn = player.committed(round_id)
    prover = player.provers[0]
    data = spoil(prover.open(drawn[0]), prover.challenge.params)
    assert player.open(round_id, 0, data).status_code == 201
    return codes_of(round_id)


def test_no_row_is_opened_and_all_rows_pass(player: Player, node: TestNode, hands: Clock) -> None:
    due = round_due(hands, node)
    found = first_opened(player, due.pk, lambda data, params: data[:32])
    assert found == ["compute.index_missing", "compute.open_length"]
    assert ComputeTask.objects.get(round_id=due.pk, position=0).opening == b""


def test_nothing_at_all_is_opened(player: Player, node: TestNode, hands: Clock) -> None:
    due = round_due(hands, node)
    found = first_opened(player, due.pk, lambda data, params: b"\0")
    assert found == ["compute.open_length", "compute.wrong_round"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: rows[:-1] + rows[:1], ["compute.index_duplicate", "compute.index_missing"]),
        (lambda rows: rows[::-1], ["compute.index_order"]),
        (lambda rows: rows[:-1], ["compute.index_missing", "compute.open_length"]),
        (lambda rows: [*rows, rows[0]], ["compute.index_duplicate", "compute.open_length"]),
    ],
)
def test_opened_indices_are_not_compared_with_those_asked_for(
    settings: Any,
    player: Player,
    node: TestNode,
    hands: Clock,
    change: Callable[[list[Any]], list[Any]],
    expected: list[str],
) -> None:
    # Fewer rows than the matrix has, so that "the wrong rows" exist.
    settings.COMPUTE_EMULATED_N = 256
    due = round_due(hands, node)
    asked: list[Challenge] = []

    def spoil(data: bytes, params: Params) -> bytes:
        challenge = player.provers[0].challenge
        asked.append(challenge)
        entries = opening_entries(params, data)
        assert entries is not None
        return opening_encode(challenge, change(list(entries)))

    assert first_opened(player, due.pk, spoil) == expected


def test_other_rows_than_those_asked_for_are_opened(
    settings: Any, player: Player, node: TestNode, hands: Clock
) -> None:
    settings.COMPUTE_EMULATED_N = 256
    due = round_due(hands, node)
    drawn = player.committed(due.pk)
    others = [row for row in range(256) if row not in drawn[0]][: len(drawn[0])]
    player.open(due.pk, 0, player.provers[0].open(others))
    assert codes_of(due.pk) == ["compute.index_extra", "compute.index_missing"]


def test_an_older_rounds_answer_is_sent_again(player: Player, node: TestNode, hands: Clock) -> None:
    due = round_due(hands, node)
    drawn = player.committed(due.pk)
    old_commitments = player.commitments()
    old_openings = [player.provers[0].open(drawn[0]), player.provers[1].open(drawn[1])]
    player.opened(due.pk, drawn)
    second = next_round(hands, node)
    assert player.begin(second.pk).status_code == 201
    assert code(player.commit(second.pk, old_commitments)) == (422, "compute.wrong_round")
    rows = player.commit(second.pk).json()["drawn"]
    assert rows[0]["indices"]
    player.open(second.pk, 0, old_openings[0])
    assert "compute.wrong_round" in codes_of(second.pk)
    # And the old round takes nothing more.
    assert code(player.open(due.pk, 0, old_openings[0])) == (409, "compute.out_of_turn")


def next_round(hands: Clock, node: TestNode) -> ComputeRound:
    """The node's next round; half of the fleet may be drawn without it, so it may take a while."""
    for _ in range(20):
        hands.wait(3600)
        assert node.attest().status_code == 201
        schedule(hands)
        found = ComputeRound.objects.filter(node_id=node.node_id, status="scheduled").first()
        if found is not None:
            hands.now = found.starts_at
            return found
    raise AssertionError("an operator is overdue after 17 hours")


def test_one_gpu_answers_for_two(player: Player, node: TestNode, hands: Clock) -> None:
    """One product, two claims: the second GPU's matrices are others."""
    due = round_due(hands, node)
    player.begin(due.pk)
    first = player.commitments()[0]["commitment"]
    twice = [{"position": place, "commitment": first} for place in (0, 1)]
    assert code(player.commit(due.pk, twice)) == (422, "compute.wrong_round")
    # With the second GPU's tag in front of the first one's root, the rows tell.
    commitments = player.commitments()
    forged = commitments[1]["commitment"][:66] + first[66:]
    commitments[1]["commitment"] = forged
    drawn = [item["indices"] for item in player.commit(due.pk, commitments).json()["drawn"]]
    player.open(due.pk, 0, player.provers[0].open(drawn[0]))
    entries = opening_entries(player.provers[0].challenge.params, player.provers[0].open(drawn[1]))
    assert entries is not None
    player.open(due.pk, 1, opening_encode(player.provers[1].challenge, entries))
    assert codes_of(due.pk, 0) == []
    assert codes_of(due.pk, 1) == ["compute.row_wrong"]
    assert ComputeRound.objects.get(pk=due.pk).status == "failed"


def test_another_nodes_answer_is_passed_on(
    make_node: MakeNode, node: TestNode, player: Player, hands: Clock
) -> None:
    """What one node computed answers nothing that another was asked, in its round or in theirs."""
    stranger = reported(make_node(gpu_class="consumer_24g", gpu_count=2, operator=4))
    due = round_due(hands, node)
    player.begin(due.pk)
    other = Player(stranger)
    assert code(other.ready(due.pk)) == (404, "round_unknown")
    assert code(other.commit(due.pk, player.commitments())) == (404, "round_unknown")
    assert code(other.open(due.pk, 0, b"1")) == (404, "round_unknown")


@pytest.mark.parametrize("size", [{"n": 64}, {"params": {"n": 64}}, {"rounds": 1}])
def test_the_prover_chooses_the_size(
    settings: Any, player: Player, node: TestNode, hands: Clock, size: dict[str, Any]
) -> None:
    """A size in an answer is read by nobody, and a product of it has another length."""
    settings.COMPUTE_EMULATED_N = 256
    due = round_due(hands, node)
    player.begin(due.pk)
    body = {"commitments": player.commitments(), **size}
    drawn = player.post(due.pk, "commit", body).json()["drawn"]
    asked = player.provers[0].challenge
    assert asked.params.n == 256
    small = Challenge.from_json({**asked.as_json(), "n": 64, "openings": 64})
    prover = Prover(small, NumpyBackend())
    prover.commit()
    player.open(due.pk, 0, prover.open(list(range(64))))
    assert {"compute.open_length", "compute.wrong_round"} <= set(codes_of(due.pk))
    assert len(drawn[0]["indices"]) == 64


class Rounded(NumpyBackend):
    """Products that went through a 16-bit float, behind the self-test's back."""

    def product(self, first: Any, right: Any, rounds: int) -> NDArray[np.int32]:
        exact = super().product(first, right, rounds)
        # Scaled into its range, as one does who works in it.
        return (exact / 64).astype(np.float16).astype(np.int32) * 64


def test_a_low_precision_product_is_within_tolerance(
    player: Player, node: TestNode, hands: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = round_due(hands, node)
    monkeypatch.setattr("network.compute.prover.check_backend", lambda backend: None)
    player.backend = Rounded()
    player.play(due.pk)
    assert "compute.row_wrong" in codes_of(due.pk)
    assert ComputeRound.objects.get(pk=due.pk).status == "failed"


def test_one_card_serves_two_nodes_of_its_operator(
    make_node: MakeNode, node: TestNode, hands: Clock
) -> None:
    """An operator's nodes are asked at one instant, so a card that needs most of the time for one
    product is late with the other."""
    twin = reported(make_node(gpu_class="consumer_24g", gpu_count=2))
    due = round_due(hands, node)
    rounds = ComputeRound.objects.filter(status="scheduled")
    assert {bytes(item.node_id) for item in rounds} == {node.node_id, twin.node_id}
    assert {item.starts_at for item in rounds} == {due.starts_at}
    players = [Player(node), Player(twin)]
    ids = [rounds.get(node_id=item.node.node_id).pk for item in players]
    for item, round_id in zip(players, ids, strict=True):
        assert item.begin(round_id).status_code == 201
    for item, round_id in zip(players, ids, strict=True):
        # One after the other: each product takes two thirds of the deadline of 30 s.
        hands.wait(20)
        drawn = [row["indices"] for row in item.commit(round_id).json()["drawn"]]
        item.opened(round_id, drawn)
    ended = {pk: ComputeRound.objects.get(pk=pk) for pk in ids}
    assert [ended[pk].status for pk in ids] == ["passed", "failed"]
    assert ended[ids[1]].codes == ["compute.late"]
    assert node.attest().json()["verdict"]["tier"] == 2
    assert twin.attest().json()["verdict"]["tier"] == 1


COMMITMENTS_THAT_CANNOT_BE_READ: list[tuple[Any, tuple[int, str]]] = [
    ([], (400, "validation_error")),
    ([{"position": 0, "commitment": "0x"}], (422, "compute.commit_length")),
    ([{"position": 0, "commitment": f"0x{'00' * 63}"}], (422, "compute.commit_length")),
    ([{"position": 0, "commitment": f"0x{'00' * 64}"}], (422, "compute.wrong_round")),
    ([{"position": 0, "commitment": f"0x{'00' * 129}"}], (400, "validation_error")),
    ([{"position": 2, "commitment": f"0x{'00' * 64}"}], (404, "gpu_unknown")),
    ([{"position": -1, "commitment": f"0x{'00' * 64}"}], (400, "validation_error")),
    ([{"position": "0", "commitment": f"0x{'00' * 64}"}], (400, "validation_error")),
    ([{"position": 0}], (400, "validation_error")),
    ([{"position": 0, "commitment": f"0x{'00' * 64}"}] * 2, (422, "gpu_twice")),
    ("all", (400, "validation_error")),
]


def test_commitments_that_cannot_be_read_change_nothing(
    player: Player, node: TestNode, hands: Clock
) -> None:
    due = round_due(hands, node)
    player.begin(due.pk)
    assert COMMITMENT_BYTES == 64
    for commitments, expected in COMMITMENTS_THAT_CANNOT_BE_READ:
        assert code(player.commit(due.pk, commitments)) == expected, commitments
        # One good commitment beside a bad one is not taken either.
        if isinstance(commitments, list) and commitments:
            good = player.commitments()[1]
            assert player.commit(due.pk, [good, *commitments]).status_code >= 400
    assert set(ComputeTask.objects.values_list("status", flat=True)) == {"begun"}
    assert player.commit(due.pk).status_code == 201


def test_messages_out_of_turn_change_nothing(player: Player, node: TestNode, hands: Clock) -> None:
    due = round_due(hands, node)
    assert code(player.commit(due.pk, [{"position": 0, "commitment": f"0x{'00' * 64}"}])) == (
        409,
        "compute.out_of_turn",
    )
    assert code(player.open(due.pk, 0, b"1")) == (409, "compute.out_of_turn")
    player.begin(due.pk)
    assert code(player.open(due.pk, 0, b"1")) == (409, "compute.out_of_turn")
    drawn = [item["indices"] for item in player.commit(due.pk).json()["drawn"]]
    assert code(player.open(due.pk, 7, b"1")) == (404, "gpu_unknown")
    player.opened(due.pk, drawn)
    assert code(player.open(due.pk, 0, b"1")) == (409, "compute.out_of_turn")
    assert ComputeRound.objects.get(pk=due.pk).status == "passed"


def test_an_opening_is_bytes_and_not_too_many(player: Player, node: TestNode, hands: Clock) -> None:
    due = round_due(hands, node)
    player.committed(due.pk)
    path = "gpus/0/open"
    wrong = player.post(due.pk, path, raw=b"{}", content_type="application/json")
    assert wrong.status_code == 415
    large = player.open(due.pk, 0, bytes(MAX_OPENING_BYTES + 1))
    assert code(large) == (413, "body_too_large")
    assert ComputeTask.objects.get(round_id=due.pk, position=0).status == "drawn"


def test_a_stranger_and_an_unsigned_request_are_refused(
    player: Player, node: TestNode, hands: Clock, client: Any
) -> None:
    due = round_due(hands, node)
    for step in ("ready", "begin", "commit"):
        answer = client.post(
            f"/api/v1/compute/rounds/{due.pk}/{step}/", {}, content_type="application/json"
        )
        assert answer.status_code == 401
    answer = client.post(
        f"/api/v1/compute/rounds/{due.pk}/gpus/0/open/",
        b"",
        content_type="application/octet-stream",
    )
    assert answer.status_code == 401
    body = {"commitments": [], "challenge": "mine"}
    signed = node.signed("", body, path=f"/api/v1/compute/rounds/{due.pk}/commit/")
    signed["data"] = b'{"commitments": [1]}'
    assert client.post(**signed).status_code == 401
