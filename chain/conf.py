"""The settings ``chain`` reads, typed, in one place; units and reasons stand beside them."""

from typing import Any

from django.conf import settings


def _get(name: str, default: Any) -> Any:
    return getattr(settings, name, default)


def chain_id() -> int:
    """EIP-155 id of the one chain this service serves."""
    return int(_get("CHAIN_ID", 31337))


def rpc_urls() -> tuple[str, ...]:
    """The nodes read from and broadcast to, in the order configured, each once: RPC_URL and
    RPC_URLS, both comma separated."""
    given = f"{settings.RPC_URL},{_get('RPC_URLS', '')}".split(",")
    return tuple(dict.fromkeys(url.strip() for url in given if url.strip()))


def verify_receipts() -> bool:
    """Whether a hot block's logs are proven complete by the block's receipts. One request more
    per block whose bloom may hold our logs; without it one node alone can hide a log."""
    return bool(_get("CHAIN_VERIFY_RECEIPTS", True))


def verify_headers() -> str:
    """What a header means that does not give its own hash: ``strict`` (a lie), ``learn`` (a lie,
    once any header of the chain did), ``off`` (nothing: the chain makes hashes otherwise), or
    ``auto``: strict on chains known to us, else learn."""
    return str(_get("CHAIN_VERIFY_HEADERS", "auto"))


def rpc_url_second() -> str:
    """A second, independent node compared with the first at finality; empty: none."""
    return str(_get("RPC_URL_SECOND", "") or "")


def deployment_path() -> str:
    """The deployment file written by the deploy script. Text: it is asked for at every log, and
    making a Path costs more than looking at the file."""
    return str(settings.ALTHING_DEPLOYMENT)


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


def account_keystore(account: str) -> str:
    """Web3 keystore v3 of an account that sends, "keeper" or "attestor" (gas money only): a path,
    or ``credential:NAME`` for a systemd credential. Empty: none."""
    return str(_get(f"{account.upper()}_KEYSTORE", None) or "")


def account_passphrase_file(account: str) -> str:
    """Where its passphrase is, likewise: a variable would show in the process's environment."""
    return str(_get(f"{account.upper()}_PASSPHRASE_FILE", None) or "")


def account_signer_url(account: str) -> str:
    """Address of an external JSON-RPC signer (Web3Signer, Clef) instead of a keystore; may carry
    a secret. Empty: none."""
    return str(_get(f"{account.upper()}_SIGNER_URL", "") or "")


def account_signer_address(account: str) -> str:
    """The address (EIP-55) with which the external signer signs: it may hold several."""
    return str(_get(f"{account.upper()}_SIGNER_ADDRESS", "") or "")


def keeper_signer_timeout_s() -> float:
    """Seconds for one signature: the signer's row is locked meanwhile, so no person's time."""
    return float(_get("KEEPER_SIGNER_TIMEOUT_S", 10))


def keeper_dry_run() -> bool:
    """True: plan, ask the chain and say what would be sent, but sign and send nothing."""
    return bool(_get("KEEPER_DRY_RUN", False))


def keeper_overdue_s() -> int:
    """Seconds after a passed proposal could be queued or executed until nobody having done it is
    an alarm. An hour: longer than any usual fee spike, far shorter than the 14 days to expiry."""
    return int(_get("KEEPER_OVERDUE_S", 3600))


def keeper_daily_gas_wei() -> int:
    """Wei for gas per signer and UTC day: what a fault or a thief of the outbox can burn in a
    day. Half an ether is some fifty executions in a fee spike at the cap."""
    return int(_get("KEEPER_DAILY_GAS_WEI", 5 * 10**17))


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
