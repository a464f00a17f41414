"""The policy that evidence is judged by: on-chain parameters, read once, never changed in between.

Every ``attest.enforce_*`` parameter is a switch: 1 makes a failed check refuse the device, 0 only
marks it. A switch never buys a tier: what was not proven is not claimed, observed or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from .errors import Finding, Severity


class Tier(IntEnum):
    """The assurance ladder. T3 and T5 are not claimed yet: they come with their proofs.

    T0 claimed, T1 inventory signed by the node key, T2 compute measured, T3 measured in
    a verified confidential VM, T4 report signed by the GPU vendor, T5 T4 bound to the CPU's TEE.
    """

    T0 = 0
    T1 = 1
    T2 = 2
    T3 = 3
    T4 = 4
    T5 = 5


class RimExpired(IntEnum):
    """``attest.rim_expired``: what an expired manifest signer means."""

    ACCEPT = 0
    WARN = 1
    REJECT = 2


#: Which switch judges which finding, by the part of its code before the dot.
SWITCH_BY_PREFIX: Final[Mapping[str, str]] = {
    "nonce": "nonce",
    "sig": "signature",
    "chain": "chain",
    "dice": "chain",
    "fwid": "chain",
    "revocation": "revocation",
    "rim": "rim",
    "driver": "rim",
    "meas": "measurements",
    "energy": "energy",
    "challenge": "challenge",
    "compute": "challenge",
}
#: Codes whose switch differs from that of their prefix.
SWITCH_BY_CODE: Final[Mapping[str, str]] = {"device.duplicate": "duplicate"}
#: Notes where the network does not enforce revocation.
UNCHECKED: Final = frozenset({"revocation.unknown", "revocation.not_checked"})
#: Used where the chain does not define a parameter yet: the safe reading of each.
DEFAULTS: Final[Mapping[str, int]] = {
    "enforce_nonce": 1,
    "enforce_signature": 1,
    "enforce_chain": 1,
    "enforce_revocation": 0,
    "enforce_rim": 0,
    "enforce_measurements": 0,
    "enforce_duplicate": 1,
    "enforce_energy": 0,
    "enforce_challenge": 0,
    "challenge_rate": 4,
    "rim_expired": int(RimExpired.WARN),
    "max_gpus_per_node": 16,
    "ttl": 2700,
}
#: See :attr:`Policy.challenge_window_s`.
ROUNDS_IN_WINDOW: Final = 4
#: Followed by the class. A class without this parameter is refused (``policy.class_unknown``).
REQUIRED_TIER_PREFIX: Final = "attest.required_tier_"


@dataclass(frozen=True, slots=True)
class Policy:
    """``version`` is that of the on-chain parameter set; ``ttl_s`` is how long a verdict is fresh;
    ``challenge_rate`` is in compute rounds per GPU and day;
    ``required_tiers`` maps a node class (``h100_80g``) to the least tier it must prove."""

    version: int
    ttl_s: int = DEFAULTS["ttl"]
    enforce_nonce: bool = True
    enforce_signature: bool = True
    enforce_chain: bool = True
    enforce_revocation: bool = False
    enforce_rim: bool = False
    enforce_measurements: bool = False
    enforce_duplicate: bool = True
    enforce_energy: bool = False
    enforce_challenge: bool = False
    challenge_rate: int = DEFAULTS["challenge_rate"]
    rim_expired: RimExpired = RimExpired.WARN
    max_gpus_per_node: int = DEFAULTS["max_gpus_per_node"]
    required_tiers: Mapping[str, Tier] = field(default_factory=dict)
    tolerate_zero_padding: bool = False

    @classmethod
    def from_parameters(cls, values: Mapping[str, int], *, version: int) -> Policy:
        """Build from on-chain values by full name (``attest.ttl`` in seconds); others are ignored.

        Raises ValueError for a value outside its kind; the bounds on chain should prevent that.
        """

        def value(name: str) -> int:
            return int(values.get(f"attest.{name}", DEFAULTS[name]))

        return cls(
            version=version,
            ttl_s=value("ttl"),
            enforce_nonce=bool(value("enforce_nonce")),
            enforce_signature=bool(value("enforce_signature")),
            enforce_chain=bool(value("enforce_chain")),
            enforce_revocation=bool(value("enforce_revocation")),
            enforce_rim=bool(value("enforce_rim")),
            enforce_measurements=bool(value("enforce_measurements")),
            enforce_duplicate=bool(value("enforce_duplicate")),
            enforce_energy=bool(value("enforce_energy")),
            enforce_challenge=bool(value("enforce_challenge")),
            challenge_rate=value("challenge_rate"),
            rim_expired=RimExpired(value("rim_expired")),
            max_gpus_per_node=value("max_gpus_per_node"),
            required_tiers={
                name.removeprefix(REQUIRED_TIER_PREFIX): Tier(int(tier))
                for name, tier in values.items()
                if name.startswith(REQUIRED_TIER_PREFIX)
            },
        )

    def required_tier(self, gpu_class: str) -> Tier | None:
        """The least tier of a class; None where no parameter names the class, which proves
        nothing sufficient: defining a price and forgetting the tier must not accept everything."""
        return self.required_tiers.get(gpu_class)

    @property
    def challenge_window_s(self) -> int:
        """Seconds for which a passed compute round counts: as long as four rounds of one GPU are
        apart on average, so that chance alone lets no round lapse."""
        return ROUNDS_IN_WINDOW * 86_400 // max(self.challenge_rate, 1)

    def judge(self, finding: Finding) -> Finding:
        """Set a finding's severity by the switches. INFO and WARNING findings stay as they are."""
        if finding.severity is not Severity.ERROR:
            return finding
        if finding.code == "rim.expired":
            severity = (Severity.INFO, Severity.WARNING, Severity.ERROR)[self.rim_expired]
        else:
            severity = Severity.ERROR if self._enforced(finding.code) else Severity.WARNING
        if severity is Severity.WARNING and finding.code in UNCHECKED:
            # Nobody looked, by this policy's own choice: worth telling, not worth a warning.
            severity = Severity.INFO
        return Finding(finding.code, finding.detail, severity, finding.data)

    def _enforced(self, code: str) -> bool:
        switch = SWITCH_BY_CODE.get(code) or SWITCH_BY_PREFIX.get(code.split(".")[0])
        return True if switch is None else bool(getattr(self, f"enforce_{switch}"))

    def as_json(self) -> dict[str, Any]:
        """The policy as stored beside a verdict, so that the verdict can be explained later."""
        return {
            "version": self.version,
            "ttl_s": self.ttl_s,
            "enforce": {
                name.removeprefix("enforce_"): bool(getattr(self, name))
                for name in DEFAULTS
                if name.startswith("enforce_")
            },
            "rim_expired": self.rim_expired.name.lower(),
            "max_gpus_per_node": self.max_gpus_per_node,
            "challenge_rate": self.challenge_rate,
            "required_tiers": {name: tier.name for name, tier in self.required_tiers.items()},
        }
