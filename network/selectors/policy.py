"""The policy in force: the values of the on-chain parameters at one finalized block.

Evidence is judged by what is final and by nothing newer, so that no
reorganisation can change a judgement afterwards; anybody can repeat the reading
with ``NetworkParameters.get`` at the same block.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

from django.db.models import F, Q

from chain import conf
from chain.models import Block, Cursor
from network.attestation import BoundedCache
from network.attestation.policy import DEFAULTS, Policy
from network.errors import PolicyUnavailable
from network.models import Parameter, ParameterChange, ParameterKind, ParameterTightening
from network.parameters import stricter


class PqMode(IntEnum):
    """``quantum.pq_mode``. Off: second signatures are not looked at. Hybrid: a node whose keys hash
    covers an ML-DSA key must sign with both. Required: so must every node."""

    OFF = 0
    HYBRID = 1
    REQUIRED = 2


@dataclass(frozen=True, slots=True)
class PolicySnapshot:
    """Every parameter's value at one block.

    ``version`` counts the changes of policy since genesis: each set of changes when
    it takes effect, each guardian tightening when it starts and when it lapses.
    ``set_id`` is the newest voted set in force. ``digest`` is the SHA-256 of the
    values, so that two services can compare what they judge by. Values are decimal
    text, Merkle roots 0x hex.
    """

    version: int
    set_id: int
    block_number: int
    block_hash: bytes
    at: datetime
    values: dict[str, str]

    @property
    def digest(self) -> bytes:
        canonical = json.dumps(self.values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("ascii")).digest()

    def number(self, name: str, default: int = 0) -> int:
        """A numeric parameter; ``default`` where the chain does not define it (yet)."""
        return int(self.values.get(name, default))

    @property
    def ttl_s(self) -> int:
        """Seconds for which a report counts (``attest.ttl``)."""
        return self.number("attest.ttl", DEFAULTS["ttl"])

    @property
    def nonce_ttl_s(self) -> int:
        """Seconds for which a challenge may be answered (``attest.nonce_ttl``)."""
        return self.number("attest.nonce_ttl", 120)

    @property
    def clock_skew_s(self) -> int:
        """Seconds by which a node's clock may be wrong (``attest.clock_skew``)."""
        return self.number("attest.clock_skew", 30)

    @property
    def pq_mode(self) -> PqMode:
        """What is asked of requests' second signatures (``quantum.pq_mode``)."""
        return PqMode(min(self.number("quantum.pq_mode", PqMode.HYBRID), PqMode.REQUIRED))

    @property
    def ml_dsa_65_counts(self) -> bool:
        """Whether ML-DSA-65 is among the algorithms that count (``quantum.pq_alg_mask``, bit 0)."""
        return bool(self.number("quantum.pq_alg_mask", 1) & 1)

    @property
    def strikes_max(self) -> int:
        """Strikes at which a node counts no longer (``slash.strikes``)."""
        return self.number("slash.strikes", 3)

    @property
    def trust_consecutive(self) -> int:
        """Accepted reports in a row that clear a node's strikes (``attest.trust_consecutive``)."""
        return self.number("attest.trust_consecutive", 10)

    def required_tier(self, gpu_class: str) -> int:
        """The tier (0..5) a class of nodes must prove; 0 where none is defined."""
        return self.number(f"attest.required_tier_{gpu_class}")

    def appraisal_policy(self) -> Policy:
        """The same values as the verifier takes them."""
        numeric = {name: int(v) for name, v in self.values.items() if not v.startswith("0x")}
        return Policy.from_parameters(numeric, version=self.version)


#: Snapshots of the newest final blocks. The key names a block's hash, so no entry is ever wrong;
#: two are in use while a block becomes final.
_SNAPSHOTS: BoundedCache[PolicySnapshot] = BoundedCache(4)


def policy_current() -> PolicySnapshot:
    """Return the policy at the newest finalized block that is indexed. 2 queries; 3 more for the
    first caller of this process after each finalized block.

    Raises:
        PolicyUnavailable: ``policy_unavailable``, nothing final is indexed yet.
    """
    chain_id = conf.chain_id()
    cursor = Cursor.objects.filter(chain_id=chain_id).first()
    if cursor is None:
        raise _unavailable()
    number = min(cursor.number, cursor.finalized_number)
    block = _block_at(number)
    # During a catch-up blocks are stored before the tables have been computed from them.
    computed = min(cursor.projected_number, number)
    key = f"{chain_id} {number} {computed} ".encode("ascii") + block.hash
    return _SNAPSHOTS.get_or_compute(key, lambda: _snapshot(number, block))


def policy_cache_clear() -> None:
    """Forget all snapshots, for a process whose database was exchanged."""
    _SNAPSHOTS.clear()


def policy_at(*, block_number: int) -> PolicySnapshot:
    """Return the policy at the newest indexed block not above ``block_number``. 4 queries.

    Raises:
        PolicyUnavailable: no such block, or no parameter was defined by then.
    """
    return _snapshot(block_number, _block_at(block_number))


def _block_at(number: int) -> Block:
    """The newest indexed block not above ``number``."""
    blocks = Block.objects.filter(chain_id=conf.chain_id(), canonical=True)
    block = blocks.filter(number__lte=number).order_by("-number").first()
    if block is None:
        raise _unavailable()
    return block


def _snapshot(block_number: int, block: Block) -> PolicySnapshot:
    at = datetime.fromtimestamp(block.timestamp, tz=UTC)
    parameters = {row.key: row for row in Parameter.objects.filter(defined_block__lte=block_number)}
    if not parameters:
        raise _unavailable()
    voted = _voted_values(block_number, at)
    tightenings = list(
        ParameterTightening.objects.filter(block_number__lte=block_number, tightened_at__lte=at)
    )
    values = _values(parameters, voted, [row for row in tightenings if row.in_force_at(at)])
    sets = {set_id for _, set_ids in voted.values() for set_id in set_ids}
    moved = len(tightenings) + sum(row.lapses_at <= at for row in tightenings)
    return PolicySnapshot(
        version=len(sets) + moved,
        set_id=max(sets, default=0),
        block_number=block.number,
        block_hash=block.hash,
        at=at,
        values=dict(sorted(values.items())),
    )


def _values(
    parameters: dict[bytes, Parameter],
    voted: dict[bytes, tuple[str, set[int]]],
    tightenings: list[ParameterTightening],
) -> dict[str, str]:
    """By name: the voted value, or the guardian's where a tightening is in force."""
    values = {
        parameter.name: voted[key][0] if key in voted else parameter.defined_value
        for key, parameter in parameters.items()
    }
    for row in tightenings:
        parameter = parameters[row.parameter_id]
        values[parameter.name] = value_tightened(
            parameter, voted=values[parameter.name], tightened=row.to_value
        )
    return values


def changes_in_force(at: datetime) -> Q:
    """Changes whose time had come at ``at`` and whose set was not dropped before."""
    return Q(effective_at__lte=at, set__vetoed_at=None, set__withdrawn_at=None)


def value_tightened(parameter: Parameter, *, voted: str, tightened: str) -> str:
    """The value in force while the guardian's tightening holds."""
    if parameter.kind == ParameterKind.BYTES32:
        return voted
    return str(stricter(parameter.tighten, int(voted), int(tightened)))


def _voted_values(block_number: int, at: datetime) -> dict[bytes, tuple[str, set[int]]]:
    """By key: the newest voted value, and every set that ever took effect on the key."""
    rows = (
        ParameterChange.objects.filter(changes_in_force(at), block_number__lte=block_number)
        .order_by("effective_at", "set_id")
        .values_list("parameter_id", "new", F("set_id"))
    )
    found: dict[bytes, tuple[str, set[int]]] = {}
    for key, value, set_id in rows:
        before = found.get(bytes(key), ("", set()))[1]
        found[bytes(key)] = (value, before | {set_id})
    return found


def _unavailable() -> PolicyUnavailable:
    return PolicyUnavailable(
        "policy_unavailable",
        "No finalized block with parameters is indexed yet, so nothing can be judged. "
        "Try again shortly.",
    )
