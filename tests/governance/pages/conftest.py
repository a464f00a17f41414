"""Rows for the pages: built directly, because a list of thirty proposals needs no thirty votes.

The projectors' own tests make such rows out of a real chain; here it is the
pages that are under test.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from chain import clock
from chain.addresses import to_checksum
from chain.models import Cursor
from chain.signatures import keccak
from governance.models import Delegate, Holder, Proposal, ProposalAction, Vote
from network.models import Parameter, ParameterChange, ParameterSet
from treasury.models import Asset, Balance, Transfer

#: The chain's time in these tests: a whole second, as block times are.
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ALT = 10**18


def digest(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()


def account(number: int) -> bytes:
    return digest("account", number)[:20]


@pytest.fixture
def chain_now(db) -> Iterator[datetime]:
    """An index that stands at block 1000, whose time is NOW; the clock agrees."""
    Cursor.objects.create(
        chain_id=settings.CHAIN_ID,
        number=1000,
        hash=digest("block"),
        timestamp=int(NOW.timestamp()),
        finalized_number=998,
        head_number=1000,
        head_timestamp=int(NOW.timestamp()),
        indexed_at=NOW,
        seen_at=NOW,
    )
    with clock.clock_override(lambda: NOW):
        yield NOW


@pytest.fixture
def deployed(tmp_path, settings) -> dict[str, bytes]:
    """A deployment file of made-up addresses: names for the pages, no chain behind them."""
    names = ("AlthingToken", "TimelockController", "AlthingGovernor", "NetworkParameters")
    contracts = {name: account(900 + place) for place, name in enumerate(names)}
    path = tmp_path / "deployment.json"
    path.write_text(
        json.dumps(
            {
                "chain_id": settings.CHAIN_ID,
                "name": "Althing",
                "first_block": 1,
                "contracts": {
                    name: {"address": to_checksum(address)} for name, address in contracts.items()
                },
                "settings": {"timelock_delay_s": 30, "constitutional_delay_s": 60},
            }
        ),
        encoding="utf-8",
    )
    settings.ALTHING_DEPLOYMENT = path
    return contracts


class Factory:
    """Makes proposals and what belongs to them. Every proposal is the next number."""

    def __init__(self) -> None:
        self.count = 0

    def proposal(self, state: str = "active", **changes: Any) -> Proposal:
        self.count += 1
        number = self.count
        values: dict[str, Any] = {
            "proposal_id": int.from_bytes(digest("proposal", number)),
            "number": number,
            "proposer": account(1),
            "title": f"Proposal number {number}",
            "description": f"# Proposal number {number}\n\nBecause.",
            "description_hash": digest("text", number),
            "kind": "parameter",
            "created_at": NOW - timedelta(days=10),
            "created_block": number,
            "created_log_index": 0,
            "created_tx": digest("created", number),
            "timelock_operation_id": digest("operation", number),
            **_LIFE[state](number),
            **changes,
        }
        return Proposal.objects.create(**values)

    def proposal_numbered(self, number: int) -> Proposal:
        return Proposal.objects.get(number=number)

    def action(self, proposal: Proposal, **changes: Any) -> ProposalAction:
        values: dict[str, Any] = {
            "proposal": proposal,
            "index": proposal.actions.count(),
            "target": account(99),
            "calldata": b"\x01\x02\x03\x04" + bytes(32),
            "kind": "contract_call",
            "function": "doIt",
            "args": {"value": "1"},
            "summary": "Call doIt.",
            **changes,
        }
        return ProposalAction.objects.create(**values)

    def vote(self, proposal: Proposal, voter: bytes, support: int = 1, **changes: Any) -> Vote:
        weight = changes.pop("weight_wei", 5 * ALT)
        side = {0: "against_wei", 1: "for_wei", 2: "abstain_wei"}.get(support)
        values: dict[str, Any] = {
            "proposal": proposal,
            "voter": voter,
            "support": support,
            "weight_wei": weight,
            "block_number": 100 + Vote.objects.count(),
            "log_index": 0,
            "tx": digest("vote", proposal.number, voter),
            "voted_at": NOW - timedelta(hours=1),
            **({side: weight} if side else {}),
            **changes,
        }
        return Vote.objects.create(**values)

    def parameter(self, name: str = "attest.ttl", **changes: Any) -> Parameter:
        values: dict[str, Any] = {
            "key": keccak(name.encode()),
            "name": name,
            "group": name.split(".")[0],
            "kind": "SECONDS",
            "risk_class": "R",
            "activation": "now",
            "tighten": "none",
            "min": 120,
            "max": 604_800,
            "step": 60,
            "max_abs": 600,
            "max_rel_bps": 5000,
            "min_interval_s": 86_400,
            "value": "2700",
            "voted_value": "2700",
            "valued_at": NOW,
            "last_changed_at": NOW - timedelta(days=41),
            "last_changed_tx": digest("genesis"),
            "defined_value": "2700",
            "defined_at": NOW - timedelta(days=200),
            "defined_block": 1,
            "defined_tx": digest("genesis"),
            **changes,
        }
        return Parameter.objects.create(**values)

    def change(self, parameter: Parameter, transaction_hash: bytes, **changes: Any) -> None:
        """A set of one change, made in ``transaction_hash``."""
        number = ParameterSet.objects.count() + 1
        made = {
            "version": number,
            "scheduled_at": NOW - timedelta(hours=3),
            "effective_at": NOW - timedelta(hours=3),
            "block_number": 900,
            "transaction_hash": transaction_hash,
        }
        row = ParameterSet.objects.create(set_id=number, **made)
        ParameterChange.objects.create(
            position=number, parameter=parameter, set=row, old="2700", new="1800", **made | changes
        )

    def treasury(self, code: str, balance_wei: int) -> Asset:
        address = None if code == "ETH" else account(98)
        asset = Asset.objects.create(code=code, name=code, address=address, decimals=18)
        Balance.objects.create(asset=asset, amount_wei=balance_wei, block_number=1000)
        return asset

    def payment(self, asset: Asset, amount_wei: int, transaction_hash: bytes) -> Transfer:
        number = Transfer.objects.count() + 1
        return Transfer.objects.create(
            position=number,
            asset=asset,
            direction="out",
            sender=account(97),
            recipient=account(5),
            counterparty=account(5),
            amount_wei=amount_wei,
            block_number=900,
            log_index=number,
            transaction_hash=transaction_hash,
            transferred_at=NOW - timedelta(hours=3),
        )

    def delegate(self, address: bytes, power_wei: int, **changes: Any) -> Delegate:
        values: dict[str, Any] = {
            "delegators_count": 1,
            "last_changed_block": 1,
            "last_changed_at": NOW - timedelta(days=20),
            **changes,
        }
        return Delegate.objects.create(address=address, power_wei=power_wei, **values)

    def holder(self, address: bytes, balance_wei: int, **changes: Any) -> Holder:
        values: dict[str, Any] = {"last_changed_block": 1, **changes}
        return Holder.objects.create(address=address, balance_wei=balance_wei, **values)


def _closed(**more: Any) -> dict[str, Any]:
    return {
        "snapshot_at": NOW - timedelta(days=9),
        "deadline_at": NOW - timedelta(days=2),
        "quorum_wei": 10 * ALT,
        "for_wei": 20 * ALT,
        **more,
    }


def _queued(number: int, **more: Any) -> dict[str, Any]:
    return _closed(
        queued_at=NOW - timedelta(days=1),
        queued_tx=digest("queued", number),
        eta_at=NOW + timedelta(days=1),
        executable_at=NOW + timedelta(days=1),
        expires_at=NOW + timedelta(days=15),
        **more,
    )


_LIFE: dict[str, Any] = {
    "pending": lambda n: {
        "snapshot_at": NOW + timedelta(days=1),
        "deadline_at": NOW + timedelta(days=8),
    },
    "active": lambda n: {
        "snapshot_at": NOW - timedelta(days=1),
        "deadline_at": NOW + timedelta(days=6),
        "quorum_wei": 10 * ALT,
        "for_wei": 5 * ALT,
        "against_wei": 2 * ALT,
        "abstain_wei": ALT,
    },
    "defeated": lambda n: _closed(for_wei=ALT, against_wei=3 * ALT),
    "succeeded": lambda n: _closed(),
    "queued": _queued,
    "executed": lambda n: _queued(
        n,
        executed_at=NOW - timedelta(hours=3),
        executed_block=900,
        executed_tx=digest("executed", n),
    ),
    "canceled": lambda n: _closed(canceled_at=NOW - timedelta(days=5), canceled_tx=digest("x", n)),
    "expired": lambda n: {
        **_queued(n),
        "eta_at": NOW - timedelta(days=30),
        "executable_at": NOW - timedelta(days=30),
        "expires_at": NOW - timedelta(days=1),
    },
}
STATES = tuple(_LIFE)


@pytest.fixture
def make(chain_now) -> Factory:
    return Factory()


@pytest.fixture
def sign_in(client: Client) -> Callable[[bytes], Client]:
    """``sign_in(account)``: a client whose session is that account's.

    The sign-in itself is tested with real signatures elsewhere; here a session
    as it leaves it is enough.
    """

    def open_session(address: bytes) -> Client:
        session = client.session
        session["siwe_address"] = to_checksum(address)
        session["siwe_chain"] = settings.CHAIN_ID
        session["siwe_at"] = session["siwe_seen_at"] = int(NOW.timestamp())
        session.save()
        return client

    return open_session
