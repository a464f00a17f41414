"""Why the agent stops, and with which exit code. The codes are documented in docs/nodes.md."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit codes of ``althing-node``. 2 is click's own for a wrong command line."""

    OK = 0
    FAULT = 1
    NO_GPU = 3
    CANNOT_ATTEST = 4
    UNREACHABLE = 5
    REFUSED = 6
    CLOCK = 7
    VERDICT = 8
    KEYS = 9
    CHAIN = 10


class AgentError(Exception):
    """A reason to stop that a person can act on. ``detail`` names the next step."""

    exit_code = Exit.FAULT

    def __init__(self, code: str, detail: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.data: dict[str, Any] = dict(data or {})


class GpuError(AgentError):
    """No GPU, no driver, or one that answers with an error."""

    exit_code = Exit.NO_GPU


class AttestationUnavailable(AgentError):
    """There are GPUs, but they cannot attest as they are set up now."""

    exit_code = Exit.CANNOT_ATTEST


class ComputeUnavailable(AgentError):
    """There is nothing on this machine that multiplies exactly, so compute rounds are missed."""

    exit_code = Exit.NO_GPU


class KeysError(AgentError):
    """The node's key, state or configuration files are missing or unusable."""

    exit_code = Exit.KEYS


class ChainFault(AgentError):
    """The chain refused a transaction or could not be asked."""

    exit_code = Exit.CHAIN


class ServiceUnreachable(AgentError):
    """No answer from the service, or one that is no answer. Worth trying again."""

    exit_code = Exit.UNREACHABLE

    def __init__(
        self,
        code: str,
        detail: str,
        data: Mapping[str, Any] | None = None,
        *,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(code, detail, data)
        self.retry_after_s = retry_after_s


class ServiceRefused(AgentError):
    """The service answered with a coded refusal (4xx)."""

    exit_code = Exit.REFUSED

    def __init__(
        self, code: str, detail: str, data: Mapping[str, Any] | None, *, http_status: int
    ) -> None:
        super().__init__(code, detail, data)
        self.http_status = http_status
        if code == "clock_skew":
            self.exit_code = Exit.CLOCK
