"""Sign-In with Ethereum (EIP-4361) without parsing anybody's text.

The server writes the whole message and keeps it in the session; the wallet returns only a
signature. Domain and URI come from the settings, never from the request, so a signature made for
another site does not fit. Challenges are single-use and bound to one session, which also makes
planting one's own sign-in on somebody else (login CSRF) impossible.

Sessions last 12 hours at most and end after 2 idle hours.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from siwe import SiweMessage

from chain import clock, conf
from chain.addresses import to_checksum
from chain.client import rpc_client
from chain.rpc.errors import RpcError
from chain.signatures import SIGNATURE_MAX_BYTES, verify_message
from governance.errors import ChainUnavailable, GovernanceError, InputInvalid
from governance.models import SpentChallenge

STATEMENT = "This does not cost gas and cannot move funds."
#: Seconds to sign: long enough to find the wallet, short enough to be no use to a thief.
CHALLENGE_S = 5 * 60
#: Seconds for contract wallets, whose owners may have to sign one after the other.
CHALLENGE_CONTRACT_S = 24 * 60 * 60
#: Seconds a sign-in lasts, whatever happens.
SESSION_ABSOLUTE_S = 12 * 60 * 60
#: Seconds without a request that end it.
SESSION_IDLE_S = 2 * 60 * 60
#: Seconds between writes of "last seen": every page would otherwise write its session.
SEEN_EVERY_S = 5 * 60

_CHALLENGE = "siwe_challenge"
_ADDRESS, _SIGNED_AT, _SEEN_AT, _CHAIN = "siwe_address", "siwe_at", "siwe_seen_at", "siwe_chain"


class SiweError(GovernanceError):
    """A sign-in that did not work. Codes: ``siwe_no_challenge``, ``siwe_expired``,
    ``siwe_used``, ``siwe_signature_invalid``."""

    code = "siwe_error"
    http_status = 400


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a wallet is asked to sign. ``expires_at`` in Unix seconds."""

    text: str
    address: bytes
    nonce: str
    expires_at: int


def challenge_start(*, session: Any, address: bytes) -> Challenge:
    """Write a message for ``address`` and bind it to this session, replacing an earlier one."""
    lifetime_s = CHALLENGE_CONTRACT_S if _has_code(address) else CHALLENGE_S
    issued = clock.now().replace(microsecond=0)
    nonce = secrets.token_hex(16)
    expires = issued + timedelta(seconds=lifetime_s)
    message = SiweMessage(
        domain=settings.SITE_DOMAIN,
        address=to_checksum(address),
        statement=STATEMENT,
        uri=settings.SITE_URL,
        version="1",
        chain_id=conf.chain_id(),
        nonce=nonce,
        issued_at=_iso(issued),
        expiration_time=_iso(expires),
    )
    challenge = Challenge(message.prepare_message(), address, nonce, int(expires.timestamp()))
    session[_CHALLENGE] = {
        "text": challenge.text,
        "address": address.hex(),
        "nonce": nonce,
        "expires_at": challenge.expires_at,
    }
    return challenge


def challenge_finish(*, session: Any, signature: bytes) -> bytes:
    """Check the signature over this session's message and sign the account in.

    The challenge is spent whatever comes of it. Returns the account's 20 bytes.

    Raises:
        SiweError: no open challenge, too late, used already, or not that account's signature.
        InputInvalid: a signature longer than any real one.
        ChainUnavailable: a contract wallet's signature, and no node to ask.
    """
    if len(signature) > SIGNATURE_MAX_BYTES:
        raise InputInvalid(
            f"A signature has at most {SIGNATURE_MAX_BYTES} bytes.", code="siwe_signature_too_long"
        )
    stored = session.pop(_CHALLENGE, None)
    if stored is None:
        raise SiweError("There is nothing to sign. Start again.", code="siwe_no_challenge")
    if clock.now_s() > stored["expires_at"]:
        raise SiweError("The message is too old. Start again.", code="siwe_expired")
    _challenge_spend(stored["nonce"], stored["expires_at"])
    address = bytes.fromhex(stored["address"])
    try:
        genuine = verify_message(address, stored["text"], signature)
    except RpcError as error:
        raise ChainUnavailable(
            "The chain's node does not answer, so the contract wallet cannot be asked. "
            "Start again in a moment."
        ) from error
    if not genuine:
        raise SiweError(
            "The signature is not of this account and this message.", code="siwe_signature_invalid"
        )
    _session_open(session, address)
    return address


def _challenge_spend(nonce: str, expires_at: int) -> None:
    """Use a challenge up. Two requests of one session at once both still see it: one row passes.

    Raises:
        SiweError: ``siwe_used``.
    """
    # The messages stop being accepted before their rows are deleted.
    kept_until = datetime.fromtimestamp(expires_at + CHALLENGE_S, UTC)
    row = SpentChallenge(nonce=nonce, expires_at=kept_until)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise SiweError("This message was used already. Start again.", code="siwe_used") from None


def challenges_expire(*, before: datetime) -> int:
    """Delete the used challenges that are too old to be tried again; return how many."""
    return SpentChallenge.objects.filter(expires_at__lt=before).delete()[0]


def session_close(*, session: Any) -> None:
    """Sign out: nothing of the session remains."""
    session.flush()


def _session_open(session: Any, address: bytes) -> None:
    session.cycle_key()
    moment = clock.now_s()
    session[_ADDRESS] = to_checksum(address)
    session[_CHAIN] = conf.chain_id()
    session[_SIGNED_AT] = session[_SEEN_AT] = moment
    session.set_expiry(SESSION_ABSOLUTE_S)


def session_account(session: Any) -> bytes | None:
    """The signed-in account (20 bytes), or None; ends a sign-in that has run out."""
    text = session.get(_ADDRESS)
    if not text:
        return None
    moment = clock.now_s()
    too_old = moment - session.get(_SIGNED_AT, 0) > SESSION_ABSOLUTE_S
    idle = moment - session.get(_SEEN_AT, 0) > SESSION_IDLE_S
    if too_old or idle or session.get(_CHAIN) != conf.chain_id():
        for name in (_ADDRESS, _SIGNED_AT, _SEEN_AT, _CHAIN):
            session.pop(name, None)
        return None
    if moment - session[_SEEN_AT] > SEEN_EVERY_S:
        session[_SEEN_AT] = moment
    return bytes.fromhex(text[2:])


def _iso(moment: Any) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _has_code(address: bytes) -> bool:
    """Whether a contract lives there. Without a node the short lifetime will do."""
    try:
        return bool(rpc_client().code(address))
    except RpcError:
        return False


class SiweMiddleware:
    """Sets ``request.account``: 20 bytes of who is signed in, or None."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.account = session_account(request.session)  # type: ignore[attr-defined]
        return self.get_response(request)


@dataclass(frozen=True, slots=True)
class Account:
    """What the API sees as ``request.user``."""

    address: bytes
    is_authenticated: bool = True
    is_anonymous: bool = False
    is_active: bool = True
    is_staff: bool = False

    @property
    def pk(self) -> str:
        """What throttles count by."""
        return self.address.hex()

    def __str__(self) -> str:
        return to_checksum(self.address)


class _CsrfCheck(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason


class SiweAuthentication(BaseAuthentication):
    """The browser's session. Demands the CSRF token of every unsafe request, signed in or not:
    an anonymous session holds drafts and challenges too."""

    def authenticate(self, request: Any) -> tuple[Account, None] | None:
        plain = request._request
        if request.method not in ("GET", "HEAD", "OPTIONS", "TRACE"):
            self._enforce_csrf(plain)
        account = getattr(plain, "account", None)
        return None if account is None else (Account(account), None)

    def authenticate_header(self, request: Any) -> str:
        return 'Session realm="sign in with Ethereum"'

    def _enforce_csrf(self, request: HttpRequest) -> None:
        check = _CsrfCheck(lambda _: HttpResponse())
        check.process_request(request)
        reason = check.process_view(request, lambda _: HttpResponse(), (), {})
        if reason:
            raise exceptions.PermissionDenied(f"CSRF: {reason}", "csrf_failed")


class SessionScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI description names the session."""

    target_class = "governance.siwe.SiweAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": (
                "The session of Sign-In with Ethereum (EIP-4361). Unsafe methods also need the "
                "page's X-CSRFToken header."
            ),
        }
