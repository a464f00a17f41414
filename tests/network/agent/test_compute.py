"""The agent's compute rounds: backends that are tested before use, and whole rounds played."""

from __future__ import annotations

import importlib.util
import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection

from chain import clock
from config.wsgi import application
from network.agent.client import ServiceClient
from network.agent.compute import Challenger, challenger_start
from network.agent.compute_backends import ENGINES, DeviceBackend, backend_open
from network.agent.errors import ComputeUnavailable, ServiceRefused, ServiceUnreachable
from network.agent.home import NodeKeys
from network.compute import NumpyBackend
from network.compute.matmul import fold, multiply
from network.models import ComputeRound
from tests.network.agent.conftest import ScriptedService
from tests.network.compute_player import Clock, round_due, round_formed, stopped_clock
from tests.network.nodes import TestNode


class StandIn:
    """A GPU library in numpy: exact, unless told how to spoil a product."""

    name = "stand-in"

    def __init__(self, spoil: Callable[[Any], Any] = lambda product: product) -> None:
        self.spoil = spoil
        self.uploads = 0

    def upload(self, matrix: Any) -> Any:
        self.uploads += 1
        return matrix.copy()

    def multiply(self, left: Any, right: Any) -> Any:
        return self.spoil(multiply(left, right))

    def fold(self, product: Any) -> Any:
        return fold(product)

    def download(self, product: Any) -> Any:
        return product


def half_precision(product: Any) -> Any:
    """Scaled into the range of a 16-bit float and back, as a tensor core of that format would."""
    return (
        (product / 1024)
        .astype(np.float16)
        .astype(np.float64)
        .round(3)
        .__mul__(1024)
        .astype(np.int32)
    )


def test_an_exact_stand_in_is_accepted_and_gets_the_right_factor_once() -> None:
    engine = StandIn()
    backend = backend_open("gpu", 3, engines={"gpu": lambda device: engine})
    assert backend.name == "stand-in"
    before = engine.uploads
    generator = np.random.default_rng(1)
    left, right = (generator.integers(-128, 128, (64, 64), dtype=np.int8) for _ in range(2))
    for _ in range(3):
        assert np.array_equal(
            backend.product(left, right, 2), NumpyBackend().product(left, right, 2)
        )
    assert engine.uploads - before == 4


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(half_precision, id="16-bit floats"),
        pytest.param(lambda p: p.astype(np.float32).astype(np.int64) // 2 * 2, id="8-byte, even"),
        pytest.param(lambda p: p.astype(np.float32), id="floats"),
        pytest.param(lambda p: np.clip(p, -(2**24), 2**24), id="saturating"),
        pytest.param(lambda p: p + (np.arange(p.size).reshape(p.shape) == 7), id="one bit"),
    ],
)
def test_a_backend_that_differs_in_one_bit_is_refused(spoil: Callable[[Any], Any]) -> None:
    with pytest.raises(ComputeUnavailable) as caught:
        backend_open("gpu", engines={"gpu": lambda device: StandIn(spoil)})
    assert caught.value.code == "compute_inexact"
    assert "stand-in does not multiply exactly" in caught.value.detail


def test_auto_takes_the_first_that_is_exact_and_never_numpy() -> None:
    def broken(device: int) -> StandIn:
        raise OSError("libcuda.so is gone")

    inexact, exact = StandIn(half_precision), StandIn()
    engines = {"a": broken, "b": lambda device: inexact, "c": lambda device: exact}
    assert backend_open("auto", engines=engines).name == "stand-in"
    with pytest.raises(ComputeUnavailable) as caught:
        backend_open("auto", engines={"a": broken})
    assert caught.value.code == "compute_missing"
    assert "libcuda.so is gone" in caught.value.detail
    assert backend_open("numpy").name == "numpy"


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_a_library_that_is_not_there_is_named(name: str) -> None:
    if importlib.util.find_spec(name) is not None:
        pytest.skip(f"{name} is installed here")
    with pytest.raises(ComputeUnavailable) as caught:
        backend_open(name)
    assert caught.value.code == "compute_missing"
    assert f"No module named '{name}'" in caught.value.detail


@pytest.mark.gpu
@pytest.mark.parametrize("name", sorted(ENGINES))
def test_a_real_gpu_multiplies_exactly(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed here")
    try:
        backend = backend_open(name)
    except ComputeUnavailable as error:
        if error.code == "compute_inexact":
            raise
        pytest.skip(error.detail)
    generator = np.random.default_rng(2)
    left = generator.integers(-128, 128, (16, 1024), dtype=np.int8)
    right = generator.integers(-128, 128, (1024, 1024), dtype=np.int8)
    assert np.array_equal(backend.product(left, right, 1), multiply(left, right))


@pytest.fixture
def hands() -> Iterator[Clock]:
    with stopped_clock() as made:
        yield made


@pytest.fixture
def same_connection() -> Iterator[None]:
    """The WSGI handler would close the connection that the test's transaction is on."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


@dataclass
class Cards:
    """A node's GPUs as the agent sees them."""

    node: TestNode
    emulated: bool = True
    hidden: set[str] = field(default_factory=set)

    def inventory(self) -> dict[str, Any]:
        listed = self.node.inventory()
        listed["gpus"] = [gpu for gpu in listed["gpus"] if gpu["uuid"] not in self.hidden]
        return listed

    def evidence(self, nonce: bytes) -> list[Any]:
        return []


class InTurn(httpx.BaseTransport):
    """Lets one request through at a time, in this process."""

    def __init__(self) -> None:
        self.inner = httpx.WSGITransport(app=application)
        self.turn = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            with self.turn:
                return self.inner.handle_request(request)
        finally:
            if threading.current_thread() is not threading.main_thread():
                # A thread of the agent's pool had a connection of its own.
                connection.close()


@pytest.fixture
def challenger(
    make_node: Callable[..., TestNode], hands: Clock, same_connection: None
) -> Iterator[tuple[Challenger, TestNode]]:
    """An agent in front of the real service, in this process."""
    node = make_node(gpu_class="consumer_24g", gpu_count=2)
    node.can_attest = False
    assert node.attest().status_code == 201
    client = ServiceClient(settings.SITE_URL, transport=InTurn(), now_s=clock.now_s)

    def wait(seconds: float) -> bool:
        hands.wait(seconds)
        return False

    made = Challenger(
        client=client,
        keys=NodeKeys(node.key),
        source=Cards(node),
        backend_for=lambda device: backend_open("numpy"),
        wait=wait,
        monotonic=lambda: 0.0,
    )
    yield made, node
    client.close()


@pytest.mark.chain
@pytest.mark.django_db(transaction=True)
def test_the_agent_answers_a_round(challenger: tuple[Challenger, TestNode], hands: Clock) -> None:
    agent, node = challenger
    assert agent.once() == 60
    assert not ComputeRound.objects.exists()
    formed = round_formed(hands, node)
    agent.once()
    played = ComputeRound.objects.get(pk=formed.pk)
    assert (played.status, played.codes) == ("passed", [])
    # It waited for the round's instant and not a moment longer.
    assert played.begun_at == formed.starts_at
    assert node.attest().json()["verdict"]["tier"] == 2


@pytest.mark.chain
@pytest.mark.django_db(transaction=True)
def test_a_gpu_that_is_gone_does_not_keep_the_others_from_answering(
    challenger: tuple[Challenger, TestNode], hands: Clock, caplog: Any
) -> None:
    agent, node = challenger
    due = round_due(hands, node)
    assert isinstance(agent.source, Cards)
    agent.source.hidden.add(node.gpus[0].uuid)
    agent.play(str(due.pk))
    tasks = {task.gpu_id: task.status for task in due.tasks.all()}
    assert tasks[node.gpus[1].uuid.lower()] == "passed"
    assert tasks[node.gpus[0].uuid.lower()] == "begun"
    assert "could not compute" in caplog.text


@pytest.mark.chain
@pytest.mark.django_db(transaction=True)
def test_a_lost_answer_is_asked_for_again(
    challenger: tuple[Challenger, TestNode], hands: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, node = challenger
    due = round_due(hands, node)
    post, lost = agent.client.post_signed, set[str]()

    def lossy(path: str, body: bytes, **options: Any) -> dict[str, Any]:
        answer = post(path, body, **options)
        if "ready" not in path and path not in lost:
            lost.add(path)
            raise ServiceUnreachable("service_unreachable", "the answer was lost")
        return answer

    monkeypatch.setattr(agent.client, "post_signed", lossy)
    agent.play(str(due.pk))
    assert len(lost) == 4
    assert ComputeRound.objects.get(pk=due.pk).status == "passed"


@pytest.mark.parametrize(
    "answers",
    [
        {"next/": {"ask_again_s": 60, "round": {"id": "../keys", "starts_in_ms": 0}}},
        {"begin/": {"challenges": [{"position": 0, "n": 10**9}]}},
        {"begin/": {"challenges": "many"}},
        {"begin/": {}},
    ],
)
def test_an_answer_that_makes_no_sense_is_named(
    scripted: ScriptedService, answers: dict[str, Any]
) -> None:
    round_id = "00000000-0000-4000-8000-000000000001"
    usual = {
        "next/": {"ask_again_s": 60, "round": {"id": round_id, "starts_in_ms": 0}},
        "ready/": {"echo": f"0x{'00' * 32}"},
    }
    for ending, content in (usual | answers).items():
        scripted.handlers[ending] = lambda request, found=content: httpx.Response(
            200, text=json.dumps(found)
        )
    agent = scripted_agent(scripted)
    with pytest.raises(ServiceUnreachable) as caught:
        agent.once()
    assert caught.value.code == "challenge_malformed"


def scripted_agent(scripted: ScriptedService, waits: list[float] | None = None) -> Challenger:
    slept = [] if waits is None else waits

    def wait(seconds: float) -> bool:
        slept.append(seconds)
        return len(slept) > 5

    return Challenger(
        client=ServiceClient("http://service.example", transport=scripted.transport()),
        keys=NodeKeys(Ed25519PrivateKey.generate()),
        source=Cards(TestNode(bytes(32), b"", [])),
        backend_for=lambda device: backend_open("numpy"),
        wait=wait,
    )


def test_a_refusal_or_a_service_that_is_away_ends_no_loop(
    scripted: ScriptedService, caplog: Any
) -> None:
    body = {"code": "compute.begin_late", "detail": "Too late.", "data": {}}
    scripted.handlers["next/"] = lambda request: httpx.Response(409, json=body)
    waits: list[float] = []
    agent = scripted_agent(scripted, waits)
    with pytest.raises(ServiceRefused):
        agent.once()
    agent.run()
    assert "Too late." in caplog.text
    assert all(50 < pause <= 60 for pause in waits[1:])


@pytest.mark.parametrize(
    ("told", "asked"), [(5, 5.0), (0, 1.0), (-1, 1.0), (10**9, 3600.0), ("soon", 1.0)]
)
def test_the_service_says_when_to_ask_again_within_bounds(
    scripted: ScriptedService, told: Any, asked: float
) -> None:
    content = {"ask_again_s": told, "round": None}
    scripted.handlers["next/"] = lambda request: httpx.Response(200, json=content)
    assert scripted_agent(scripted).once() == asked


def test_without_a_gpu_library_the_agent_says_so_and_reports_on(caplog: Any) -> None:
    if any(importlib.util.find_spec(name) for name in ENGINES):
        pytest.skip("a GPU library is installed here")

    class Source:
        emulated = False

    class Machine:
        source = Source()

    caplog.set_level(logging.WARNING)
    assert challenger_start(Machine(), "auto", wait=lambda seconds: True) is None  # type: ignore[arg-type]
    assert "compute rounds will be missed" in caplog.text
    assert challenger_start(Machine(), "off", wait=lambda seconds: True) is None  # type: ignore[arg-type]


def test_a_device_backend_keeps_no_factor_of_another_challenge() -> None:
    backend = DeviceBackend(StandIn())
    generator = np.random.default_rng(3)
    left, one, other = (generator.integers(-128, 128, (64, 64), dtype=np.int8) for _ in range(3))
    assert np.array_equal(backend.product(left, one, 1), multiply(left, one))
    assert np.array_equal(backend.product(left, other, 1), multiply(left, other))
