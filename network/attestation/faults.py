"""Whose fault a refused report is: only the node's own counts against it. Pure.

A report can be refused without anybody having cheated: the vendor published no manifest yet, a
statement on revocation is out of date, token holders ask for more than the node's class can prove,
or the verifier itself broke down. Such a report does not count, and no strike follows from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """To whom a refusal is put down, the weightiest first."""

    #: The evidence contradicts itself, the vendor's reference values or the registration.
    NODE = "node"
    #: This service's verifier failed, or cannot read so new a format.
    VERIFIER = "verifier"
    #: Who provides reference values, statements or certificates did not, or let them run out.
    PROVIDER = "provider"
    #: The rules ask for more than was offered; nobody did anything wrong.
    POLICY = "policy"


#: Codes that are not the node's fault, and families of them (ending in a dot). Every other code
#: is: a new check counts against the node unless somebody says here why not.
_NOT_THE_NODE: Final[dict[str, Fault]] = {
    # One round weighs on every report until the next: reports must not count it again and again.
    "challenge.": Fault.POLICY,
    "chain.expired": Fault.PROVIDER,
    "chain.not_yet_valid": Fault.VERIFIER,
    "class.sku_unknown": Fault.PROVIDER,
    "device.unknown_type": Fault.VERIFIER,
    "driver.not_allowed": Fault.POLICY,
    "driver.not_evaluated": Fault.VERIFIER,
    "energy.class_unknown": Fault.PROVIDER,
    "evidence.stale": Fault.POLICY,
    "inventory.incomplete": Fault.POLICY,
    "node.too_many_devices": Fault.POLICY,
    "policy.": Fault.POLICY,
    "report.opaque_version": Fault.VERIFIER,
    "revocation.hold": Fault.PROVIDER,
    "revocation.malformed": Fault.PROVIDER,
    "revocation.not_checked": Fault.PROVIDER,
    "revocation.stale": Fault.PROVIDER,
    "revocation.unknown": Fault.PROVIDER,
    "rim.": Fault.PROVIDER,
    "rim.not_allowed": Fault.POLICY,
    "tier.required": Fault.POLICY,
    "verifier.": Fault.VERIFIER,
}
_ORDER: Final = tuple(Fault)


def fault_of_code(code: str) -> Fault:
    """Whose fault a finding with this code is, where it refuses a report."""
    family = f"{code.partition('.')[0]}."
    return _NOT_THE_NODE.get(code) or _NOT_THE_NODE.get(family) or Fault.NODE


def fault_of(codes: Iterable[str]) -> Fault:
    """Whose fault a refused report is, from the codes of the findings that refuse it.

    One finding that is the node's own is enough: another device's trouble hides nothing. Without
    any code the verifier said nothing that could be held against the node.
    """
    found = {fault_of_code(code) for code in codes}
    return next((fault for fault in _ORDER if fault in found), Fault.VERIFIER)
