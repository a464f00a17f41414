"""The hash of a verdict that an epoch's leaf holds: keccak-256 over canonical JSON. Pure.

The canonical form is that of RFC 8785, for the values that occur: objects, lists, texts, whole
numbers, true, false and null. A number with a fraction has no place in a verdict and is refused,
as is a whole number that not every JSON reader keeps exactly (RFC 7493, section 2.2).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chain.hashing import keccak

#: Names the fields below; a verdict published otherwise needs another name.
FORMAT = "althing-verdict/1"
#: The largest whole number that a double holds exactly together with all below it.
MAX_INTEGER = 2**53 - 1
#: Said about the token and not about the evidence: written after the verdict.
UNHASHED_FINDINGS = frozenset({"token_withheld"})


class DigestInvalid(ValueError):
    """A value without a canonical form. `code` says which."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def canonical_json(value: Any) -> bytes:
    """The value's canonical JSON (RFC 8785) in UTF-8.

    Raises:
        DigestInvalid: ``value_type``, ``key_type``, ``integer_unsafe`` or ``text_malformed``.
    """
    text = json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def digest(value: Any) -> bytes:
    """keccak-256 of the value's canonical JSON, 32 bytes. Raises DigestInvalid."""
    return keccak(canonical_json(value))


@dataclass(frozen=True, slots=True)
class PublishedVerdict:
    """What the service publishes of a verdict, and what its hash covers, field by field.

    Hashes, ids and the nonce are 32 bytes, times are aware. `report_hash` is the report's,
    `nonce` the challenge it answered and `seq` its number; `evidence_at` is when it was received.
    `policy_hash` is the digest of the values it was judged by, in force at `policy_block`.
    `inputs` is what else it was judged by, `findings` the verifier's whole answer; in these two a
    whole number beyond `MAX_INTEGER` is decimal text.
    `replaces` is the hash of the verdict that judged the same report before, if any.
    """

    node_id: bytes
    report_hash: bytes
    nonce: bytes
    seq: int
    evidence_at: datetime
    judged_at: datetime
    fresh_until: datetime
    status: str
    tier: int
    required_tier: int
    emulated: bool
    policy_version: int
    policy_hash: bytes
    policy_block: int
    inputs: Mapping[str, Any]
    findings: Mapping[str, Any]
    replaces: bytes | None = None

    def as_json(self) -> dict[str, Any]:
        """The object whose canonical form is hashed. Bytes are lowercase 0x hex, times UTC with
        six digits of a second."""
        return {
            "format": FORMAT,
            "node_id": _hex(self.node_id),
            "report_hash": _hex(self.report_hash),
            "nonce": _hex(self.nonce),
            "seq": self.seq,
            "evidence_at": _time(self.evidence_at),
            "judged_at": _time(self.judged_at),
            "fresh_until": _time(self.fresh_until),
            "status": self.status,
            "tier": self.tier,
            "required_tier": self.required_tier,
            "emulated": self.emulated,
            "policy_version": self.policy_version,
            "policy_hash": _hex(self.policy_hash),
            "policy_block": self.policy_block,
            "inputs": _exact(self.inputs),
            "findings": {
                name: _exact(value)
                for name, value in self.findings.items()
                if name not in UNHASHED_FINDINGS
            },
            "replaces": None if self.replaces is None else _hex(self.replaces),
        }

    @property
    def hash(self) -> bytes:
        """`IAttestationLedger.VerdictLeaf.verdictHash`, 32 bytes. Raises DigestInvalid."""
        return digest(self.as_json())


def _exact(value: Any) -> Any:
    """The value with whole numbers that no double holds as decimal text: a field of eight bytes in
    a node's report can be one, and no report may go without its verdict."""
    if isinstance(value, Mapping):
        return {name: _exact(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return str(value)
    return value


def _ordered(value: Any) -> Any:
    """The value with every object's members in canonical order, once each part is allowed."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise DigestInvalid("integer_unsafe", f"{value} is no exact number in every reader.")
        # An enum's member is written as its number.
        return int(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {name: _ordered(value[name]) for name in sorted(value, key=_member_key)}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    raise DigestInvalid("value_type", f"A {type(value).__name__} has no canonical form.")


def _member_key(name: Any) -> bytes:
    """RFC 8785 orders members by their names' UTF-16 code units."""
    if not isinstance(name, str):
        raise DigestInvalid("key_type", f"A member's name is text, not {type(name).__name__}.")
    return _text(name).encode("utf-16-be")


def _text(value: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DigestInvalid("text_malformed", "Half a surrogate pair is no text.") from error
    return str(value)


def _hex(value: bytes) -> str:
    return f"0x{bytes(value).hex()}"


def _time(value: datetime) -> str:
    if value.tzinfo is None:
        raise DigestInvalid("time_naive", "A time without its zone.")
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
