"""The settings ``chain`` reads, typed, in one place; units and reasons stand beside them."""

from pathlib import Path
from typing import Any

from django.conf import settings


def _get(name: str, default: Any) -> Any:
    return getattr(settings, name, default)


def chain_id() -> int:
    """EIP-155 id of the one chain this service serves."""
    return int(_get("CHAIN_ID", 31337))


def rpc_url() -> str:
    """The node read from and broadcast to."""
    return str(settings.RPC_URL)


def rpc_url_second() -> str:
    """A second, independent node compared with the first at finality; empty: none."""
    return str(_get("RPC_URL_SECOND", "") or "")


def deployment_path() -> Path:
    """The deployment file written by the deploy script."""
    return Path(settings.ALTHING_DEPLOYMENT)


def finality_depth() -> int | None:
    """Blocks behind the head that count as final; None asks the ``finalized`` tag."""
    value = str(_get("CHAIN_FINALITY", "finalized"))
    return None if value == "finalized" else int(value)


def reorg_window() -> int:
    """Blocks: headers kept below the head. A deeper reorganisation halts the index."""
    return int(_get("CHAIN_REORG_WINDOW", 128))


def freshness_amber_blocks() -> int:
    """Blocks behind the head from which the page says so."""
    return int(_get("FRESHNESS_AMBER_BLOCKS", 5))


def freshness_red_blocks() -> int:
    """Blocks behind the head from which the page warns."""
    return int(_get("FRESHNESS_RED_BLOCKS", 25))


def freshness_stall_s() -> int:
    """Seconds without any indexed block from which the page warns: the indexer may be dead."""
    return int(_get("FRESHNESS_STALL_S", 120))


def keeper_keystore() -> Path | None:
    """Web3 keystore v3 file of the keeper (gas money only)."""
    value = _get("KEEPER_KEYSTORE", None)
    return Path(value) if value else None


def keeper_passphrase_file() -> Path | None:
    """File with the passphrase: a variable would show in the process list's environment."""
    value = _get("KEEPER_PASSPHRASE_FILE", None)
    return Path(value) if value else None


def keeper_max_fee_per_gas_wei() -> int:
    """Wei per gas. The highest fee ever offered: in a spike we wait, we do not drain."""
    return int(_get("KEEPER_MAX_FEE_PER_GAS_WEI", 200 * 10**9))


def keeper_min_balance_wei() -> int:
    """Wei. Below this the sender signs nothing new and says so."""
    return int(_get("KEEPER_MIN_BALANCE_WEI", 10**16))


def keeper_min_tip_wei() -> int:
    """Wei per gas. Floor of the priority fee, for chains that report none."""
    return int(_get("KEEPER_MIN_TIP_WEI", 10**9))


def keeper_in_flight_max() -> int:
    """Transactions in flight per signer: nodes drop long queues of one account."""
    return int(_get("KEEPER_IN_FLIGHT_MAX", 8))


def keeper_bump_after_s() -> float:
    """Seconds from an attempt's creation until a fee bump is considered."""
    return float(_get("KEEPER_BUMP_AFTER_S", 30))
