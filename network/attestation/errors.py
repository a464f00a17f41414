"""The root of the attestation errors, and the finding that every failed check becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class EvidenceError(Exception):
    """Evidence or collateral that cannot be used. ``code`` is stable and dotted, for example
    ``report.too_short``; ``detail`` is one plain sentence; ``data`` holds only JSON values."""

    def __init__(self, code: str, detail: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.data: dict[str, Any] = dict(data or {})

    def finding(self) -> Finding:
        """This error as a finding whose severity the policy has not judged yet."""
        return Finding(code=self.code, detail=self.detail, data=self.data)


class Severity(StrEnum):
    """How much a finding weighs. ERROR refuses the device, WARNING marks it, INFO only tells."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One failed or remarkable check. The checks report ERROR; the policy may soften it."""

    code: str
    detail: str
    severity: Severity = Severity.ERROR
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self, *, device: int | None) -> dict[str, Any]:
        """The API's shape; ``device`` is the index in the request, None for the whole node."""
        return {
            "device": device,
            "code": self.code,
            "severity": self.severity.value,
            "detail": self.detail,
            "data": dict(self.data),
        }
