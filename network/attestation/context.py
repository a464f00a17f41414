"""What every device of one ``verify_evidence`` call is judged in: the same for all, read-only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .allow_lists import NO_LISTS, AllowLists
from .caches import Caches
from .chain_revocation import RevocationMaterial
from .policy import Policy, Tier
from .rim import RimStore
from .trust import TrustAnchors


@dataclass(frozen=True, slots=True)
class Context:
    """``nonce`` is the 32-byte challenge, ``now`` has a time zone, ``gpu_class`` is on chain."""

    nonce: bytes
    policy: Policy
    now: datetime
    trust: TrustAnchors
    rims: RimStore
    caches: Caches
    gpu_class: str
    #: The tier of a device that its own evidence proves nothing for.
    unattested: Tier
    #: None where nobody looks revocation up; an empty collection says that nothing was found.
    revocation: RevocationMaterial | None = None
    allow_lists: AllowLists = NO_LISTS
