"""Epochs for tests: the service's clock within one, days that pass, the real sender."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from chain import clock
from chain.client import chain_call, chain_head
from chain.sender.keys import key_from_private
from chain.sender.loop import outbox_run_once
from network.epochs.seconds import EPOCH_S
from network.models import Epoch, EpochRecord
from network.services.epochs import MARGIN_S
from network.services.epochs_anchor import epochs_tick
from tests.network.conftest import ATTESTOR, GUARDIAN, World

LEDGER = "AttestationLedger"
DAY_S = 86_400


@dataclass
class Anchoring:
    """The deployed ledger and a service with the attestor's key. Epoch 0 is the deployment's."""

    world: World
    genesis_s: int

    @contextmanager
    def at(self, epoch: int, second: int) -> Iterator[None]:
        """The service's clock at a second of an epoch."""
        moment = datetime.fromtimestamp(self.genesis_s + epoch * EPOCH_S + second, tz=UTC)
        with clock.clock_override(lambda: moment):
            yield

    def over(self, epoch: int, margin_s: int = MARGIN_S) -> None:
        """Let the chain's time pass an epoch's end, and index what is final then."""
        self.until(self.genesis_s + (epoch + 1) * EPOCH_S + margin_s)

    def until(self, second: int) -> None:
        """Let the chain's time reach a second, Unix; earlier ones have passed already."""
        missing = second - chain_head().timestamp
        if missing > 0:
            self.world.pass_time(missing)
        self.world.settle()

    def send(self) -> None:
        """What the beat does: plan, sign and send, and see it final and indexed."""
        epochs_tick()
        outbox_run_once()
        self.world.settle()
        outbox_run_once()

    def anchor(self, epoch: int) -> Epoch:
        """See an epoch onto the chain."""
        self.over(epoch)
        self.send()
        assert EpochRecord.objects.get(epoch=epoch).voided_at is None
        return Epoch.objects.filter(number=epoch).latest("revision")

    def void(self, epoch: int, reason: bytes = b"wrong") -> None:
        guardian = self.world.accounts[GUARDIAN].address
        self.world.send(guardian, LEDGER, "voidEpoch", (epoch, reason.ljust(32, b"\0")))
        self.world.settle()

    def post(self, *args: Any) -> None:
        """Post as somebody else with the attestor's role."""
        self.world.send(self.world.accounts[ATTESTOR].address, LEDGER, "post", args)


@pytest.fixture
def anchoring(service: World, monkeypatch: pytest.MonkeyPatch) -> Anchoring:
    """A service that anchors with the plan's attestor account."""
    keys = {"attestor": key_from_private(service.accounts[ATTESTOR].private_key)}
    monkeypatch.setattr("chain.sender.accounts.key_from_settings", keys.get)
    outbox_run_once()
    return Anchoring(service, int(chain_call("NetworkParameters", "genesisAt")))


@pytest.fixture
def attested(anchoring: Anchoring, make_node: Callable[..., Any]) -> Callable[..., Any]:
    """Register a node that sends a report at each of the given seconds of epoch 0."""

    def make(*seconds: int, **options: Any) -> Any:
        with anchoring.at(0, min(seconds, default=0)):
            node = make_node(**options)
        for second in seconds:
            with anchoring.at(0, second):
                answer = node.attest()
                assert answer.status_code == 201, answer.content
        return node

    return make
