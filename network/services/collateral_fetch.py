"""Get manifests and statements on revocation from the vendor's servers. Nothing else is asked.

Addresses come from the settings and never from a certificate, a report or an answer. What comes
back is trusted no more than a file: it goes the same way in, through the same checks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
from cryptography import x509
from django.conf import settings

from network.attestation import TrustAnchors
from network.attestation.ocsp import NONCE_BYTES, ocsp_request
from network.errors import NetworkError, Refused
from network.models import ChainCertificate
from network.services.collateral_revocation import ocsp_failed, ocsp_ingest
from network.services.collateral_rims import Ingested, rim_ingest

#: Larger than any genuine answer, and no burden.
MAX_BYTES: Final = 256 * 1024
#: For one question from the first byte to the last.
TIMEOUT_S: Final = 10.0
OCSP_CONTENT_TYPE: Final = "application/ocsp-request"


@dataclass(frozen=True, slots=True)
class FetchRound:
    """How many certificates were asked about, and how it went. Reasons by how often they came."""

    asked: int
    answered: int
    reasons: dict[str, int]


def fetch_client() -> httpx.Client:
    """A client that follows nothing, keeps no cookies and heeds no proxy of the environment."""
    return httpx.Client(
        follow_redirects=False,
        timeout=TIMEOUT_S,
        trust_env=False,
        # Compressed, a small answer could become a large one.
        headers={"user-agent": "althing", "accept-encoding": "identity"},
    )


def fetch(
    client: httpx.Client, url: str, *, body: bytes | None = None, content_type: str = ""
) -> bytes:
    """The body of a 200 answer: a GET, or a POST of ``body``.

    Raises:
        Refused: ``fetch_address``, ``fetch_failed``, ``fetch_status``, ``fetch_too_large``,
            ``fetch_too_slow``.
    """
    _address_check(url)
    deadline = time.monotonic() + TIMEOUT_S
    headers = {"content-type": content_type} if body is not None else {}
    method = "GET" if body is None else "POST"
    found = bytearray()
    try:
        with client.stream(method, url, content=body, headers=headers) as answer:
            if answer.status_code != 200:
                raise Refused(
                    "fetch_status",
                    f"The server answered {answer.status_code}; 200 is wanted, and no redirect "
                    "is followed.",
                    {"status": answer.status_code},
                )
            for chunk in answer.iter_raw():
                found += chunk
                if len(found) > MAX_BYTES:
                    raise Refused("fetch_too_large", f"The answer has more than {MAX_BYTES} bytes.")
                if time.monotonic() > deadline:
                    raise Refused("fetch_too_slow", f"The answer took more than {TIMEOUT_S:.0f} s.")
    except httpx.TimeoutException as error:
        raise Refused("fetch_too_slow", f"No answer within {TIMEOUT_S:.0f} s.") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Refused(
            "fetch_failed", f"The server cannot be reached ({type(error).__name__})."
        ) from error
    return bytes(found)


def rim_fetch(
    rim_id: str, *, client: httpx.Client, trust: TrustAnchors, at: datetime, as_of: datetime | None
) -> Ingested:
    """Get one manifest from ``ALTHING_RIM_URL`` and take it in.

    Raises:
        Refused: ``fetch_*``; ``rim_service`` for an answer that is not the service's JSON about
            this id; everything that ``rim_ingest`` refuses.
    """
    base = _configured(settings.RIM_URL, "ALTHING_RIM_URL")
    url = f"{base.rstrip('/')}/{quote(rim_id, safe='')}"
    xml = _rim_of_answer(fetch(client, url), rim_id)
    return rim_ingest(xml, rim_id=rim_id, trust=trust, source=url, at=at, as_of=as_of)


def ocsp_fetch(
    certificates: Iterable[ChainCertificate],
    *,
    client: httpx.Client,
    at: datetime,
    budget_s: float,
) -> FetchRound:
    """Ask ``ALTHING_OCSP_URL`` about each certificate and take the answers in.

    ``certificates`` come with their issuers. One that cannot be had is noted and asked about again
    later; none stops the others. Ends early when ``budget_s`` is used up.
    """
    url = _configured(settings.OCSP_URL, "ALTHING_OCSP_URL")
    deadline = time.monotonic() + budget_s
    asked, answered, reasons = 0, 0, dict[str, int]()
    for row in certificates:
        if time.monotonic() > deadline:
            break
        asked += 1
        try:
            _ask(row, url=url, client=client, at=at)
        except NetworkError as error:
            why = str(error.data.get("reason") or error.code)
            reasons[why] = reasons.get(why, 0) + 1
            ocsp_failed(row, why=f"{why}: {error.detail}", at=at)
        else:
            answered += 1
    return FetchRound(asked, answered, reasons)


def _ask(row: ChainCertificate, *, url: str, client: httpx.Client, at: datetime) -> None:
    if row.issuer is None:
        raise Refused("certificate_is_root", "A root has nobody who could revoke it.")
    nonce = secrets.token_bytes(NONCE_BYTES) if settings.OCSP_NONCE else None
    request = ocsp_request(
        x509.load_der_x509_certificate(row.der),
        x509.load_der_x509_certificate(row.issuer.der),
        nonce=nonce,
    )
    der = fetch(client, url, body=request, content_type=OCSP_CONTENT_TYPE)
    ocsp_ingest(der, source=url, at=at, about=row, nonce=nonce)


def _rim_of_answer(body: bytes, rim_id: str) -> bytes:
    """The manifest in the service's JSON ``{"id", "rim": base64, "sha256"?}``."""
    try:
        answer: Any = json.loads(body)
        xml = base64.b64decode(answer["rim"], validate=True)
        named, digest = answer["id"], answer.get("sha256")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        kind = "not base64" if isinstance(error, binascii.Error) else "not the service's JSON"
        raise Refused("rim_service", f"The answer about {rim_id} is {kind}.") from error
    if named != rim_id:
        raise Refused("rim_service", f"The answer is about another manifest than {rim_id}.")
    if digest is not None:
        found = hashlib.sha256(xml).hexdigest()
        if not isinstance(digest, str) or not hmac.compare_digest(
            digest.lower().encode(), found.encode()
        ):
            raise Refused("rim_service", f"The answer's digest is not that of its {rim_id}.")
    return xml


def _configured(url: str, name: str) -> str:
    if not url:
        raise Refused("not_configured", f"{name} is not set, so nothing is asked over the network.")
    return url


def _address_check(url: str) -> None:
    """Only https; plain http to this very machine where the settings allow it, as tests do."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname and parts.username is None:
        return
    local = parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if parts.scheme == "http" and local and settings.COLLATERAL_HTTP_LOOPBACK:
        return
    raise Refused("fetch_address", "Collateral is fetched by https only, without a user's name.")
