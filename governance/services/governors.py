"""Governors that people add to the index, and take out of it. Each act leaves its audit row."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from chain import clock, conf
from chain.addresses import to_checksum
from chain.contracts import deployment
from chain.rpc.client import RpcClient
from chain.watch import WatchRefused, contract_check, contract_unwatch, watch_begin
from governance.errors import Conflict, InputInvalid, NotFound
from governance.governors.kinds import ClockMode, GovernorReport
from governance.governors.report import report_json, report_rows
from governance.models import GovernorAct, IndexedGovernor

NAME_MAX = 100
#: What a bigint holds; a grace period beyond it never ends.
_BIGINT_MAX = 2**63 - 1


def governor_add(
    *, report: GovernorReport, name: str, actor: str, client: RpcClient | None = None
) -> IndexedGovernor:
    """Index a governor from what its probe found; the indexer catches it up in the background.

    One that was removed comes back. One that is indexed already takes over the new report (its
    timelock may be another one now), and the indexer judges all its proposals by it anew.

    Raises:
        InputInvalid: ``governor_chain``, or a code of ``chain.watch.WatchRefused``.
        Conflict: ``governor_ours``, or the same.
        RpcError: the node could not be asked.
        DeploymentInvalid
    """
    if report.chain_id != conf.chain_id():
        raise InputInvalid(
            f"The governor is on chain {report.chain_id}; this index is of chain "
            f"{conf.chain_id()}. Add it to an index of that chain.",
            code="governor_chain",
        )
    contracts = _contracts(report)
    for address, abi in contracts:
        _check(address=address, abi=abi, first_block=report.creation_block, client=client)
    with transaction.atomic():
        known = IndexedGovernor.objects.select_for_update().filter(pk=report.address).first()
        values = _columns(report, name)
        if known is None or known.removed_at is not None:
            values |= {"added_at": clock.now(), "added_by": actor}
            values |= {"removed_at": None, "removed_by": ""}
        governor, _ = IndexedGovernor.objects.update_or_create(
            address=report.address, defaults=values
        )
        for address, abi in contracts:
            _begin(address=address, abi=abi, report=report, actor=actor, label=governor.name)
        _note(governor, _act(known), actor)
    return governor


def governor_remove(*, address: bytes, actor: str) -> IndexedGovernor:
    """Stop indexing a governor, and its timelock where no other governor acts through it. What was
    indexed stays to be read; ``governor_add`` brings it back and fetches what was missed.

    Raises:
        NotFound: ``governor_unknown``.
    """
    with transaction.atomic():
        governor = (
            IndexedGovernor.objects.select_for_update().filter(pk=address, removed_at=None).first()
        )
        if governor is None:
            raise NotFound(
                f"{to_checksum(address)} is not among the added governors.",
                code="governor_unknown",
            )
        governor.removed_at, governor.removed_by = clock.now(), actor
        governor.save(update_fields=["removed_at", "removed_by"])
        _leave(bytes(governor.address), actor)
        timelock = governor.timelock
        others = IndexedGovernor.objects.filter(timelock=timelock, removed_at=None)
        if timelock is not None and governor.timelock_abi and not others.exists():
            _leave(bytes(timelock), actor)
        _note(governor, GovernorAct.Act.REMOVE, actor)
    return governor


def _contracts(report: GovernorReport) -> list[tuple[bytes, str]]:
    """The contracts whose logs are needed, less those of our own deployment."""
    ours = deployment().by_address
    if report.address in ours:
        raise Conflict(
            f"{to_checksum(report.address)} is our own {ours[report.address]}; it is indexed "
            "already, and has pages of its own.",
            code="governor_ours",
        )
    contracts = [(report.address, report.abi)]
    timelock = report.timelock.address
    if timelock is not None and report.timelock_abi is not None and timelock not in ours:
        contracts.append((timelock, report.timelock_abi))
    return contracts


def _check(*, address: bytes, abi: str, first_block: int, client: RpcClient | None) -> None:
    try:
        contract_check(address=address, abi=abi, first_block=first_block, client=client)
    except WatchRefused as error:
        raise InputInvalid(error.detail, code=error.code) from error


def _begin(*, address: bytes, abi: str, report: GovernorReport, actor: str, label: str) -> None:
    try:
        watch_begin(
            address=address,
            abi=abi,
            first_block=report.creation_block,
            actor=actor,
            label=label if address == report.address else f"{label}: timelock",
        )
    except WatchRefused as error:
        raise Conflict(error.detail, code=error.code) from error


def _leave(address: bytes, actor: str) -> None:
    try:
        contract_unwatch(address=address, actor=actor)
    except WatchRefused as error:
        # Our own timelock is never among the added contracts; it stays.
        if error.code != "watch_unknown":
            raise


def _act(known: IndexedGovernor | None) -> str:
    if known is None:
        return GovernorAct.Act.ADD
    return GovernorAct.Act.UPDATE if known.removed_at is None else GovernorAct.Act.RESTORE


def _note(governor: IndexedGovernor, act: str, actor: str) -> None:
    GovernorAct.objects.create(
        governor=governor.address,
        act=act,
        actor=actor,
        acted_at=clock.now(),
        report=governor.report,
    )


def _columns(report: GovernorReport, name: str) -> dict[str, Any]:
    timelock, token = report.timelock, report.token
    grace = timelock.grace_period_s
    return {
        "chain_id": report.chain_id,
        "name": _name(name or report.name, report.address),
        "abi": report.abi,
        "family": report.family,
        "ballot": report.ballot,
        "counting_mode": _plain(report.counting.text, 200),
        "clock_mode": _clock_mode(report),
        "clock_unit": _plain(report.clock.unit, 60),
        "quorum_form": report.quorum.form,
        "timelock_kind": timelock.kind,
        "timelock": timelock.address,
        "timelock_abi": report.timelock_abi or "",
        "timelock_salt": timelock.salt or "",
        "grace_period_s": None if grace is None or grace > _BIGINT_MAX else grace,
        "sequential_ids": report.sequential_ids,
        "has_super_quorum": report.quorum.super_votes is not None,
        "token": token.address,
        "token_symbol": _plain(token.symbol, 32),
        "token_decimals": token.decimals,
        "creation_block": report.creation_block,
        # In words too, as they were found: the pages show them without judging anew.
        "report": report_json(report) | {"words": report_rows(report)},
    }


def _clock_mode(report: GovernorReport) -> ClockMode:
    """The clock as it can be followed here: a governor that counts blocks, but not the blocks of
    this chain (rollups whose block.number is another chain's), has a clock of its own."""
    if report.clock.mode is ClockMode.BLOCK and report.clock.now_clock != report.block_number:
        return ClockMode.CUSTOM
    return report.clock.mode


def _plain(text: str, size: int) -> str:
    # A contract's own words: NUL is no text for the database.
    return text.replace("\0", "\ufffd")[:size]


def _name(name: str, address: bytes) -> str:
    return _plain(" ".join(name.split()), NAME_MAX) or to_checksum(address)
