"""The three kinds of deployment: a demo, the tests and a real one.

Amounts are wei of the token (18 decimals), times seconds, the quorum hundredths.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from _deployment.errors import DeploymentRefused

ALT = 10**18
DAY_S = 86_400
LOCAL_CHAIN_ID = 31337
BPS = 10_000
# The mnemonic's accounts: 0 deploys, these two have a duty, the demo's holders begin after them.
GUARDIAN_INDEX = 1
ATTESTOR_INDEX = 2
DEMO_FIRST_HOLDER = 3
DEMO_HOLDERS = 40
DEMO_LARGE_ALT = (1_600_000, 1_250_000, 1_000_000, 850_000, 700_000, 600_000, 500_000, 400_000)
DEMO_SUPPLY_ALT = 10_000_000


@dataclass(frozen=True)
class Profile:
    """The settings of one kind of deployment.

    `threshold_bps` is a share of the genesis supply and wins over `threshold_wei`. `parameters` are
    first values of parameters (by name) that replace those of ``contracts/parameters.csv``.
    """

    name: str
    voting_delay_s: int
    voting_period_s: int
    late_quorum_extension_s: int
    timelock_delay_s: int
    constitutional_delay_s: int
    guardian_term_s: int
    treasury_wei: int
    threshold_wei: int = 0
    threshold_bps: int = 0
    quorum_numerator: int = 4
    token_name: str = "Althing"  # noqa: S105 (a name, no secret)
    token_symbol: str = "ALT"  # noqa: S105 (a symbol, no secret)
    cap_wei: int = 100_000_000 * ALT
    # A fiftieth of the cap: what a captured vote could mint before anyone can leave stays small.
    yearly_mint_max_wei: int = 2_000_000 * ALT
    local_only: bool = True
    parameters: dict[str, int] = field(default_factory=dict)


# The registry's own minimum, so that a sensitive change can be seen to take effect the same day.
SHORT_DELAYS = {"meta.s_extra_delay": 3_600, "meta.c_extra_delay": DAY_S}

PROFILES = {
    "demo": Profile(
        name="demo",
        voting_delay_s=30,
        voting_period_s=600,
        late_quorum_extension_s=120,
        timelock_delay_s=30,
        constitutional_delay_s=60,
        guardian_term_s=30 * DAY_S,
        treasury_wei=2_000_000 * ALT,
        threshold_wei=10_000 * ALT,
        parameters=SHORT_DELAYS,
    ),
    "tests": Profile(
        name="tests",
        voting_delay_s=5,
        voting_period_s=60,
        late_quorum_extension_s=15,
        timelock_delay_s=10,
        constitutional_delay_s=20,
        guardian_term_s=30 * DAY_S,
        treasury_wei=200_000 * ALT,
        threshold_wei=ALT,
        parameters=SHORT_DELAYS,
    ),
    "production": Profile(
        name="production",
        voting_delay_s=2 * DAY_S,
        voting_period_s=7 * DAY_S,
        late_quorum_extension_s=2 * DAY_S,
        timelock_delay_s=2 * DAY_S,
        constitutional_delay_s=7 * DAY_S,
        guardian_term_s=365 * DAY_S,
        treasury_wei=0,
        threshold_bps=25,
        local_only=False,
    ),
}


@dataclass(frozen=True)
class Holder:
    """One line of the genesis list: an EIP-55 address and its tokens in wei."""

    address: str
    amount_wei: int


@dataclass(frozen=True)
class Plan:
    """Everything a deployment needs to know before the first transaction.

    `guardian` and `attestor` are EIP-55 addresses; the attestor is the attestation service's
    account.
    """

    profile: Profile
    holders: tuple[Holder, ...]
    guardian: str
    attestor: str

    @property
    def supply_wei(self) -> int:
        return sum(holder.amount_wei for holder in self.holders) + self.profile.treasury_wei

    @property
    def proposal_threshold_wei(self) -> int:
        if self.profile.threshold_bps:
            return self.supply_wei * self.profile.threshold_bps // BPS
        return self.profile.threshold_wei


def demo_holders(accounts: Sequence[str]) -> tuple[Holder, ...]:
    """Return 40 holders with 10 million ALT: eight large, the rest small and ever smaller."""
    chosen = accounts[DEMO_FIRST_HOLDER : DEMO_FIRST_HOLDER + DEMO_HOLDERS]
    small = DEMO_HOLDERS - len(DEMO_LARGE_ALT)
    left = DEMO_SUPPLY_ALT - sum(DEMO_LARGE_ALT)
    weights = [small - position for position in range(small)]
    amounts = [left * weight // sum(weights) // 100 * 100 for weight in weights]
    # What rounding to hundreds left over goes to the first of the small ones.
    amounts[0] += left - sum(amounts)
    return tuple(
        Holder(address, amount * ALT)
        for address, amount in zip(chosen, [*DEMO_LARGE_ALT, *amounts], strict=True)
    )


def tests_holders(accounts: Sequence[str]) -> tuple[Holder, ...]:
    """Return ten holders: 100,000 ALT for account 0, a tenth less for each that follows."""
    return tuple(
        Holder(address, (10 - position) * 10_000 * ALT)
        for position, address in enumerate(accounts[:10])
    )


def holders_read(path: Path) -> tuple[Holder, ...]:
    """Read a genesis list: CSV with the columns ``address`` and ``amount_wei``.

    Raises:
        DeploymentRefused: a column is missing, an amount is no positive integer, or an address
            stands there twice.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        holders = tuple(Holder(row["address"], int(row["amount_wei"])) for row in rows)
    except (KeyError, TypeError, ValueError) as error:
        message = f"{path.name}: every row needs an address and an integer amount_wei"
        raise DeploymentRefused(message) from error
    seen = {holder.address.lower() for holder in holders}
    if not holders or len(seen) != len(holders) or any(item.amount_wei <= 0 for item in holders):
        raise DeploymentRefused(
            f"{path.name}: empty, an address twice, or an amount not above zero"
        )
    return holders
