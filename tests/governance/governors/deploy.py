"""Deploys a local governor of every kind, with real tokens and timelocks."""

from __future__ import annotations

from collections.abc import Callable

import rlp

from chain.contracts import codec_load
from chain.hashing import keccak
from tests.governance.governors.compiled import compiled
from tests.governance.governors.local import (
    COUNCIL,
    GUARDIAN,
    HOLDER,
    HOLDER_TOKENS,
    UNIT,
    VOTES,
    WHALE,
    WHITELISTER,
    LocalChain,
    LocalGovernor,
)

SUPPLY = 10_000_000 * UNIT
#: Seconds. Compound's Timelock takes no less than two days.
CONTROLLER_DELAY_S = 3600
COMPOUND_DELAY_S = 2 * 86_400
#: The guardian of the local CompoundGovernor leaves this long after the chain's newest block.
GUARDIAN_TERM_S = 365 * 86_400
#: Numbers of proposals from before: both go on from another governor's.
BRAVO_LAST_ID, COMPOUND_LAST_ID = 100, 300


def address_next(chain: LocalChain, ahead: int = 0) -> bytes:
    """Where the whale's next deployment lands, or the one ``ahead`` deployments later."""
    sender = chain.accounts[WHALE]
    nonce = int(chain.rpc("eth_getTransactionCount", sender.checksum, "latest"), 16)
    return keccak(rlp.encode([sender.address, nonce + ahead]))[12:]


def token_deploy(chain: LocalChain, name: str) -> bytes:
    """A token, spread over the accounts of ``local.VOTES``; each delegates."""
    if name == "Uni":
        whale = chain.accounts[WHALE].address
        token = chain.deploy("Uni", whale, whale, chain.block()[1] + 86_400)
    else:
        token = chain.deploy(name, SUPPLY)
    codec = codec_load("VotesToken")
    transfer, delegate = codec.function("transfer"), codec.function("delegate")
    for who, amount in {**VOTES, HOLDER: HOLDER_TOKENS}.items():
        chain.done(WHALE, token, transfer.encode((chain.accounts[who].address, amount * UNIT)))
    for who in (WHALE, *VOTES, HOLDER):
        voter = 2 if who == HOLDER else who
        chain.done(who, token, delegate.encode((chain.accounts[voter].address,)))
    return token


def controller_deploy(chain: LocalChain, name: str = "TimelockController") -> bytes:
    """A TimelockController for the governor that is deployed next. Anyone executes; the governor
    and the council propose and cancel."""
    proposers = (address_next(chain, 1), chain.accounts[COUNCIL].address)
    admin = () if name == "TimelockV4" else (bytes(20),)
    return chain.deploy(name, CONTROLLER_DELAY_S, proposers, (bytes(20),), *admin)


def compound_timelock_deploy(chain: LocalChain, ahead: int = 1) -> bytes:
    """Compound's Timelock, whose admin is the governor that is deployed ``ahead`` later."""
    return chain.deploy("Timelock", address_next(chain, ahead), COMPOUND_DELAY_S)


def _timelocked(contract: str, token: str, timelock: str) -> Callable[[LocalChain], LocalGovernor]:
    def build(chain: LocalChain) -> LocalGovernor:
        coin = token_deploy(chain, token)
        lock = (
            compound_timelock_deploy(chain)
            if timelock == "Timelock"
            else controller_deploy(chain, timelock)
        )
        address = chain.deploy(contract, coin, lock)
        return LocalGovernor("", chain, address, coin, b"", lock)

    return build


def _bare(
    contract: str, coin_name: str = "TokenV5", clock_mode: str = "block"
) -> Callable[[LocalChain], LocalGovernor]:
    def build(chain: LocalChain) -> LocalGovernor:
        coin = token_deploy(chain, coin_name)
        address = chain.deploy(contract, coin)
        return LocalGovernor("", chain, address, coin, b"", clock_mode=clock_mode)

    return build


def _fractional(chain: LocalChain) -> LocalGovernor:
    coin = token_deploy(chain, "TokenV5Seconds")
    lock = controller_deploy(chain)
    address = chain.deploy("OZ5Fractional", coin, lock, chain.accounts[GUARDIAN].address)
    return LocalGovernor("", chain, address, coin, b"", lock, clock_mode="timestamp")


def _access(chain: LocalChain) -> LocalGovernor:
    coin = token_deploy(chain, "TokenV5")
    manager = chain.deploy("AccessManager", chain.accounts[COUNCIL].address)
    address = chain.deploy("OZ5Access", coin, manager)
    return LocalGovernor("", chain, address, coin, b"", others={"manager": manager})


def _compound_governor(chain: LocalChain) -> LocalGovernor:
    coin = token_deploy(chain, "Uni")
    lock = compound_timelock_deploy(chain)
    until = chain.block()[1] + GUARDIAN_TERM_S
    guardian, whitelister = (chain.accounts[who].address for who in (GUARDIAN, WHITELISTER))
    address = chain.deploy("CompoundGovernor", coin, lock, guardian, until, whitelister)
    return LocalGovernor("", chain, address, coin, b"", lock)


def _bravo(chain: LocalChain) -> LocalGovernor:
    """Behind a proxy, as the published ones are."""
    coin = token_deploy(chain, "Uni")
    lock = compound_timelock_deploy(chain, ahead=2)
    implementation = chain.deploy("GovernorBravo")
    guardian = chain.accounts[WHITELISTER].address
    start = compiled("GovernorBravo").codec.function("initialize")
    data = start.encode((lock, coin, guardian, BRAVO_LAST_ID))
    address = chain.deploy("BravoProxy", implementation, data)
    others = {"implementation": implementation}
    return LocalGovernor("", chain, address, coin, b"", lock, others=others)


#: By kind, how to deploy it.
BUILDERS: dict[str, Callable[[LocalChain], LocalGovernor]] = {
    "oz5_timelock": _timelocked("OZ5Timelock", "TokenV5", "TimelockController"),
    "oz5_fractional": _fractional,
    "oz5_overridable": _bare("OZ5Overridable"),
    "oz5_super_quorum": _bare("OZ5SuperQuorum", "TokenV5Seconds", "timestamp"),
    "oz5_compound_timelock": _timelocked("OZ5CompoundTimelock", "TokenV5", "Timelock"),
    "oz5_settable_quorum": _bare("OZ5SettableQuorum"),
    "oz5_rounds": _bare("OZ5SettableQuorum", "TokenV5Rounds", "rounds"),
    "oz5_access": _access,
    "compound_governor": _compound_governor,
    "oz4_timelock": _timelocked("OZ4Timelock", "TokenV4", "TimelockV4"),
    "oz4_bravo_compatible": _timelocked("OZ4BravoCompatible", "Uni", "Timelock"),
    "bravo": _bravo,
}
KINDS = tuple(BUILDERS)


def governor_deploy(chain: LocalChain, kind: str) -> LocalGovernor:
    """Deploy a governor of ``kind`` with a box to act on, and give it something to remember by."""
    governor = BUILDERS[kind](chain)
    governor.kind = kind
    governor.created_at = chain.block()[0]
    governor.box = chain.deploy("Box")
    # Votes count from the block, and the second, after the delegation.
    chain.travel(2)
    if governor.clock_mode == "rounds":
        chain.mine(20)
    return governor
