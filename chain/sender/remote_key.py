"""A key that somebody else keeps: a JSON-RPC signer (Web3Signer, Clef, or any node that knows
``eth_signTransaction``).

It is asked for a signature and believed nothing: what comes back is parsed, and every field and
the recovered sender must be what was asked, or it is never stored and never sent.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import rlp

from chain.addresses import AddressInvalid, parse_address, to_checksum
from chain.models import SendingAccount
from chain.rpc.client import RpcClient
from chain.rpc.errors import Inconsistent, RateLimited, RpcError, Transient
from chain.rpc.transport import HttpTransport
from chain.rpc.types import hex_bytes
from chain.sender.keys import KeyUnavailable, SignedTransaction
from chain.signatures import SignatureInvalid, keccak, recover_digest

#: EIP-1559's payload, in order; after it yParity, r and s.
_FIELDS = ("chain", "nonce", "tip", "fee", "gas", "target", "value", "data", "access list")


class RemoteKey:
    """Signs through JSON-RPC with one of the signer's accounts. ``address`` has 20 bytes."""

    __slots__ = ("_account", "_address", "_client")

    def __init__(
        self, client: RpcClient, address: bytes, account: str = SendingAccount.KEEPER
    ) -> None:
        self._client = client
        self._address = address
        self._account = account

    @property
    def address(self) -> bytes:
        return self._address

    def __repr__(self) -> str:
        return f"<external key of 0x{self._address.hex()}>"

    def check(self) -> None:
        """Ask the signer whether it holds the account.

        Raises:
            KeyUnavailable: ``signer_unreachable``, ``signer_refused``, ``signer_address_unknown``.
        """
        held = self._ask("eth_accounts")
        accounts = {str(item).lower() for item in held} if isinstance(held, list) else set()
        if f"0x{self._address.hex()}" not in accounts:
            raise KeyUnavailable(
                f"The external signer does not hold {to_checksum(self._address)}. Correct "
                f"ALTHING_{self._account.upper()}_SIGNER_ADDRESS, or give the signer that key.",
                code="signer_address_unknown",
            )

    def sign(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        answer = self._ask("eth_signTransaction", _request(transaction, self._address))
        # Web3Signer and nodes answer the bytes, Clef and geth an object around them.
        raw = answer.get("raw") if isinstance(answer, dict) else answer
        try:
            signed = hex_bytes(raw)
        except Inconsistent:
            raise _lied("its answer is no signed transaction") from None
        _verify(signed, transaction, self._address)
        return SignedTransaction(signed, keccak(signed))

    def _ask(self, method: str, *params: Any) -> Any:
        """One request, never repeated: a signer may ask a person each time.

        The signer's address may carry a secret, so nothing of the transport's words is repeated.
        """
        try:
            return self._client.call(method, *params, retries=0)
        except (Transient, RateLimited, Inconsistent) as error:
            code, what = "signer_unreachable", f"does not answer {method} ({error.code})"
        except RpcError as error:
            code, what = "signer_refused", f"refuses {method} ({error.code})"
        raise KeyUnavailable(
            f"The external signer {what}. Look at its log; nothing was sent.", code=code
        )


@lru_cache(maxsize=4)
def remote_key(url: str, address: str, timeout_s: float, account: str) -> RemoteKey:
    """The external signer at ``url``, asked once per process whether it holds ``address``.

    Raises:
        KeyUnavailable
    """
    try:
        parsed = parse_address(address)
    except AddressInvalid as error:
        raise KeyUnavailable(
            f"ALTHING_{account.upper()}_SIGNER_ADDRESS: {error}", code="signer_address_invalid"
        ) from None
    client = RpcClient(HttpTransport(url, timeout_s=timeout_s), retries=0)
    key = RemoteKey(client, parsed, account)
    key.check()
    return key


def _request(transaction: Mapping[str, Any], sender: bytes) -> dict[str, str]:
    """The transaction as JSON-RPC writes it. ``data`` and ``input`` are the same thing: signers
    differ in which they read."""
    data = f"0x{bytes(transaction['data']).hex()}"
    numbers = {"chainId", "nonce", "gas", "maxFeePerGas", "maxPriorityFeePerGas", "value", "type"}
    return {
        "from": to_checksum(sender),
        "to": str(transaction["to"]),
        "data": data,
        "input": data,
        **{name: hex(transaction[name]) for name in sorted(numbers)},
    }


def _verify(raw: bytes, transaction: Mapping[str, Any], sender: bytes) -> None:
    """Hold what came back against what was asked, byte for byte.

    Raises:
        KeyUnavailable: ``signer_lied``.
    """
    if raw[:1] != b"\x02":
        raise _lied("it signed another type of transaction")
    try:
        items = rlp.decode(raw[1:])
    except rlp.DecodingError:
        raise _lied("its answer is no signed transaction") from None
    if not isinstance(items, list) or len(items) != len(_FIELDS) + 3:
        raise _lied("its answer is no signed transaction")
    asked, got, signature = _payload(transaction), items[:-3], items[-3:]
    for name, wanted, item in zip(_FIELDS, asked, got, strict=True):
        if item != wanted:
            raise _lied(f"it signed another {name} than was asked")
    if not all(isinstance(part, bytes) and len(part) <= 32 for part in signature):
        raise _lied("its signature is malformed")
    parity, r, s = (int.from_bytes(part, "big") for part in signature)
    if parity > 1:
        raise _lied("its signature is malformed")
    digest = keccak(b"\x02" + rlp.encode(asked))
    try:
        signer = recover_digest(
            digest, r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
        )
    except SignatureInvalid as error:
        raise _lied(f"its signature does not verify: {error}") from None
    if signer != sender:
        raise _lied(f"it signed with {to_checksum(signer)}")


def _payload(transaction: Mapping[str, Any]) -> list[Any]:
    """The nine fields as RLP items."""

    def number(name: str) -> bytes:
        value = int(transaction[name])
        return value.to_bytes((value.bit_length() + 7) // 8, "big")

    return [
        number("chainId"),
        number("nonce"),
        number("maxPriorityFeePerGas"),
        number("maxFeePerGas"),
        number("gas"),
        bytes.fromhex(str(transaction["to"])[2:]),
        number("value"),
        bytes(transaction["data"]),
        [],
    ]


def _lied(what: str) -> KeyUnavailable:
    return KeyUnavailable(
        f"The external signer cannot be trusted: {what}. Nothing was sent. Replace it, and the "
        "key it holds.",
        code="signer_lied",
    )
