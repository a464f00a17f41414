"""``althing-node doctor``: what is there, what is missing, what to do; every check on its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from network.agent.client import ServiceClient
from network.agent.errors import AgentError, Exit, GpuError, ServiceUnreachable
from network.agent.home import Home
from network.agent.nvml import NvmlSource
from network.http_signatures import pq_key_id

#: Used until the service has told ``attest.clock_skew``.
DEFAULT_SKEW_S: Final = 30


class Mark(StrEnum):
    """How a check went. NOTE is worth knowing and stops nothing."""

    OK = "ok"
    NOTE = "note"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's report. ``exit_code`` counts where the mark is FAIL."""

    name: str
    mark: Mark
    text: str
    code: str = ""
    exit_code: Exit = Exit.FAULT

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"name": self.name, "mark": self.mark, "code": self.code, "text": self.text}


def examine(*, source: NvmlSource, home: Home, client: ServiceClient | None) -> list[Check]:
    """Run all checks; none of them hides another."""
    checks = [*_gpu_checks(source), _guarded("node key", lambda: _key_check(home))]
    if client is None:
        text = "No service address is known; give --server or register first."
        return [*checks, Check("service", Mark.NOTE, text, "server_missing")]
    checks.append(_guarded("service", lambda: _service_check(client)))
    checks.append(_guarded("clock", lambda: _clock_check(client)))
    checks.append(_guarded("registration", lambda: _registration_check(home, client)))
    return checks


def exit_code(checks: list[Check]) -> Exit:
    """The first failure's code: GPU before key, key before service."""
    return next((check.exit_code for check in checks if check.mark is Mark.FAIL), Exit.OK)


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except AgentError as error:
        return Check(name, Mark.FAIL, error.detail, error.code, error.exit_code)


def _gpu_checks(source: NvmlSource) -> list[Check]:
    try:
        inventory = source.inventory()
        state = source.confidential_state()
    except GpuError as error:
        return [Check("gpu", Mark.FAIL, error.detail, error.code, error.exit_code)]
    working = [gpu for gpu in inventory["gpus"] if "error" not in gpu]
    gpus = ", ".join(f"{gpu['name']} ({gpu['uuid']})" for gpu in working) or "none that works"
    checks = [
        Check("driver", Mark.OK, f"NVIDIA driver {inventory['driver_version']}."),
        Check("gpu", Mark.OK, f"{len(inventory['gpus'])} found: {gpus}."),
        *_health_checks(inventory["gpus"]),
    ]
    if state is None:
        text = "This driver knows no confidential computing: the node can prove tier T1, not T4."
        return [*checks, Check("attestation", Mark.NOTE, text, "cc_unsupported")]
    if not state.can_attest:
        text = "Confidential computing is off: the node can prove tier T1, not T4."
        return [*checks, Check("attestation", Mark.NOTE, text, "cc_off")]
    text = f"Confidential computing is on ({state.environment}, CPU {state.cpu})."
    checks.append(Check("attestation", Mark.OK, text))
    if state.devtools:
        text = "DevTools mode is on; measurements may differ from the vendor's manifests."
        checks.append(Check("devtools", Mark.NOTE, text, "cc_devtools"))
    if not state.ready:
        text = "The GPUs do not accept work yet (ready state off)."
        checks.append(Check("ready", Mark.NOTE, text, "cc_not_ready"))
    return checks


def _health_checks(gpus: list[dict[str, Any]]) -> list[Check]:
    """What a card says of its own memory, and whether it is a slice of one."""
    checks = []
    for gpu in gpus:
        if "error" in gpu:
            code, text = gpu["error"]["code"], gpu["error"]["detail"]
            checks.append(Check(f"gpu {gpu['index']}", Mark.FAIL, text, code, Exit.NO_GPU))
        elif gpu.get("row_remap_failed"):
            text = f"{gpu['uuid']} could not replace a faulty memory row; take it out of service."
            checks.append(Check("memory", Mark.NOTE, text, "row_remap_failed"))
        elif gpu.get("ecc_uncorrected"):
            text = f"{gpu['uuid']} has had {gpu['ecc_uncorrected']} uncorrectable memory errors."
            checks.append(Check("memory", Mark.NOTE, text, "ecc_uncorrected"))
    return checks


def _key_check(home: Home) -> Check:
    keys = home.keys_load()
    if keys.ml_dsa_65 is None:
        text = f"Key id {keys.public.hex()}; no ML-DSA-65 key (keygen --add-ml-dsa makes one)."
        return Check("node key", Mark.NOTE, text, "pq_key_missing")
    text = f"Key id {keys.public.hex()}, post-quantum {pq_key_id(keys.pq_public)}."
    return Check("node key", Mark.OK, text)


def _service_check(client: ServiceClient) -> Check:
    trust = client.get("network/trust/")
    policy = trust.get("policy")
    version = policy.get("version") if isinstance(policy, dict) else "unknown"
    emulator = " It trusts EMULATED GPUs." if trust.get("emulator_trusted") else ""
    return Check("service", Mark.OK, f"{client.server}, policy version {version}.{emulator}")


def _clock_check(client: ServiceClient) -> Check:
    values = client.get("network/policy/").get("values")
    text = str(values.get("attest.clock_skew", "")) if isinstance(values, dict) else ""
    allowed_s = int(text) if text.isascii() and text.isdigit() else DEFAULT_SKEW_S
    offset_s = client.clock_offset_s()
    if offset_s is None:
        raise ServiceUnreachable("date_missing", "The service's answer has no Date header.")
    if abs(offset_s) > allowed_s:
        way = "behind" if offset_s > 0 else "ahead of"
        return Check(
            "clock",
            Mark.FAIL,
            f"This machine's clock is {abs(offset_s):.0f} s {way} the service's; {allowed_s} s "
            "are tolerated. Switch on NTP.",
            "clock_skew",
            Exit.CLOCK,
        )
    return Check("clock", Mark.OK, f"Within {max(abs(offset_s), 1):.0f} s of the service's.")


def _registration_check(home: Home, client: ServiceClient) -> Check:
    config = home.config_load()
    if config.node_id is None:
        return Check("registration", Mark.NOTE, "Not registered yet.", "node_unregistered")
    node = client.get(f"nodes/{config.node_id}/")
    standing = node.get("standing")
    sentence = standing.get("sentence") if isinstance(standing, dict) else None
    text = f"Node {config.node_id} is {node.get('status')}. {sentence or ''}".rstrip()
    return Check("registration", Mark.OK, text)
