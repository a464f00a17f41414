"""The environment, typed: every variable a deployment may set, with its unit and reason.

A value that cannot be read stops the process at start with the name of the
variable; nothing falls back to a guess. Secrets may be given as ``NAME_FILE``.
"""

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

BASE_DIR = Path(__file__).resolve().parent.parent


class Environment(BaseSettings):
    """What the process reads from its environment; field names are the variables'."""

    model_config = SettingsConfigDict(extra="ignore", case_sensitive=False)

    #: Signs sessions and CSRF tokens; at least 50 characters in production.
    secret_key: SecretStr = SecretStr("")
    #: Former keys, comma separated, still accepted while sessions roll over.
    secret_key_fallbacks: str = ""
    #: Exact host names served, comma separated. The first is the SIWE domain.
    allowed_hosts: str = "localhost,127.0.0.1"
    #: Public address of the site; SIWE messages and signed requests name it.
    site_url: str = "http://localhost:8000"
    #: Name of the DAO on pages and in SIWE messages.
    dao_name: str = "Althing"

    #: A libpq URL; a socket directory may stand in ``host=``.
    database_url: str = "postgresql:///althing"
    #: Celery's broker: Redis/Valkey or RabbitMQ.
    celery_broker_url: str = "redis://127.0.0.1:6379/0"
    #: Django's cache (throttles). Redis/Valkey; the service runs on while it is away.
    cache_url: str = ""

    #: The nodes this service reads from and broadcasts to, comma separated: the best is used, the
    #: others when it fails.
    rpc_url: str = "http://127.0.0.1:8545"
    #: More of them; the same list, for those who keep one node in RPC_URL.
    rpc_urls: str = ""
    #: A second, independent node that only confirms; disagreement freezes finality. Empty: none.
    rpc_url_second: str = ""
    #: Prove each recent block's logs complete by its receipts (one more request per such block).
    chain_verify_receipts: bool = True
    #: A header that does not give its own hash: a lie (strict), a lie once any header of the chain
    #: did (learn), nothing (off); auto is strict on chains known to hash so, else learn.
    chain_verify_headers: Literal["auto", "strict", "learn", "off"] = "auto"
    #: The deployment file written by scripts/deploy.py.
    althing_deployment: Path = Path("")
    chain_id: int = 31337
    #: ``finalized`` asks the node; a number is a depth in blocks (local chains).
    chain_finality: str = "finalized"
    #: Blocks below the finalized one whose headers are kept to see a reorg.
    chain_reorg_window: int = Field(default=128, ge=8)

    #: Ethereum keystore (v3) of the keeper; it holds gas money only. A path, or
    #: ``credential:NAME`` for a file in systemd's $CREDENTIALS_DIRECTORY.
    althing_keeper_keystore: str = ""
    #: Its passphrase, likewise a path or ``credential:NAME``.
    althing_keeper_passphrase_file: str = ""
    #: Instead of a keystore: a JSON-RPC signer (Web3Signer, Clef) and the account it signs with.
    althing_keeper_signer_url: SecretStr = SecretStr("")
    althing_keeper_signer_address: str = ""
    #: The same four for the attestor, the account that suspends nodes and anchors epochs. Without
    #: one this service does neither. The keeper's limits below hold for each of the two.
    althing_attestor_keystore: str = ""
    althing_attestor_passphrase_file: str = ""
    althing_attestor_signer_url: SecretStr = SecretStr("")
    althing_attestor_signer_address: str = ""
    #: Wei per gas. Highest fee the keeper ever offers: a fee spike waits, it does not drain.
    althing_keeper_max_fee_per_gas_wei: int = Field(default=200 * 10**9, gt=0)
    #: Wei. Below this balance the keeper raises an alarm and signs nothing new.
    althing_keeper_min_balance_wei: int = Field(default=10**16, ge=0)
    #: Wei for gas per UTC day; used up, the keeper raises an alarm and waits for the next day.
    althing_keeper_daily_gas_wei: int = Field(default=5 * 10**17, ge=0)
    #: Wei per gas. Least priority fee offered, for chains whose blocks report none.
    althing_keeper_min_tip_wei: int = Field(default=10**9, ge=0)
    #: Seconds until an unmined transaction that others outbid is replaced by a dearer one.
    althing_keeper_bump_after_s: float = Field(default=30, ge=0)
    #: Seconds after which a step that nobody took is an alarm.
    althing_keeper_overdue_s: int = Field(default=3600, ge=0)
    #: Do everything but sign and send, and say what would be sent.
    althing_keeper_dry_run: bool = False

    #: PEM file with the ES256 key that signs verdicts (EAR), or a directory of them to rotate
    #: (network/ear_keys.py). A production server does not start without.
    althing_ear_key: Path | None = None
    #: Trust the emulated GPU's root in this directory. Never in production.
    althing_emulator_root: Path | None = None
    #: Seconds; two weeks.
    althing_evidence_retention_s: int = Field(default=14 * 86_400, ge=86_400)
    #: Folder with reference integrity manifests (RIM), ``<id>.swidtag``; new files in it are
    #: verified and taken into the database.
    althing_rim_dir: Path | None = None
    #: Reports that are judged at once, over all processes; more are answered 503 with Retry-After.
    althing_attest_concurrency: int = Field(default=8, ge=1, le=1024)
    #: Service that manifests are fetched from by id, https. Empty: none is fetched.
    althing_rim_url: str = ""
    #: OCSP responder that is asked whether certificates are revoked, https. Empty: nobody is asked.
    althing_ocsp_url: str = ""
    #: Send a nonce with each question; turn it off behind a cache of answers (RFC 9654).
    althing_ocsp_nonce: bool = True

    #: Seconds. How long before its instant a node, and nobody else, is told of a compute round.
    althing_compute_notice_s: int = Field(default=90, ge=5, le=600)
    #: The size asked of emulated GPUs.
    althing_compute_emulated_n: Literal["64", "256", "1024"] = "1024"
    #: How opened rows of compute challenges are checked: ``freivalds`` (megabytes of the node's
    #: uplink) or ``recompute`` (seconds of this service's CPU).
    althing_compute_check: Literal["freivalds", "recompute"] = "freivalds"

    #: Reverse proxies in front; so many entries of X-Forwarded-For are believed, none beyond.
    trusted_proxies: int = Field(default=0, ge=0)

    #: Path of the admin console, without slashes.
    admin_path: str = "admin"
    #: Staff may reach the console only from these addresses, comma separated. Empty: any.
    admin_allowed_ips: str = ""
    #: Networks that may read /metrics, comma separated, like ``10.0.0.0/8``. Empty: none. Behind a
    #: proxy set TRUSTED_PROXIES too, or every visitor has the proxy's address.
    metrics_allowed_ips: Annotated[list[IPv4Network | IPv6Network], NoDecode] = []
    #: Who shows it as ``Authorization: Bearer`` may read /metrics too. Empty: nobody.
    metrics_token: SecretStr = SecretStr("")
    #: Offers a test wallet on the pages and a proxy to the local chain.
    demo_mode: bool = False
    log_level: str = "INFO"

    @field_validator("metrics_allowed_ips", mode="before")
    @classmethod
    def _networks(cls, value: str | list[str]) -> list[str]:
        return split(value) if isinstance(value, str) else value


def read_environment() -> Environment:
    """Read the environment, taking ``NAME_FILE`` where a secret is a file."""
    names = (
        "SECRET_KEY DATABASE_URL CELERY_BROKER_URL CACHE_URL RPC_URL RPC_URLS RPC_URL_SECOND "
        "ALTHING_KEEPER_SIGNER_URL ALTHING_ATTESTOR_SIGNER_URL METRICS_TOKEN"
    )
    for name in names.split():
        path = os.environ.get(f"{name}_FILE")
        if path and name not in os.environ:
            os.environ[name] = Path(path).read_text(encoding="utf-8").strip()
    return Environment()


def database_from_url(url: str) -> dict[str, object]:
    """Turn a libpq URL into Django's connection settings.

    Raises:
        psycopg.ProgrammingError: the URL is malformed.
    """
    parts = conninfo_to_dict(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", "althing"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "")),
        "OPTIONS": parts,
    }


def split(value: str) -> list[str]:
    """Split a comma-separated variable, dropping blanks."""
    return [item.strip() for item in value.split(",") if item.strip()]
