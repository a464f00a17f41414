"""GPUs through NVIDIA's management library (NVML), by the nvidia-ml-py binding.

The library is loaded on first use only, so that everything else works on a machine without a
driver. Some calls return a raw code instead of raising; those codes are checked here.
"""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ctypes import byref
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from network.agent.errors import AttestationUnavailable, GpuError
from network.agent.health import ask_or_none, health_json, text_or_none
from network.agent.patience import CALL_TIMEOUT_S, Value, within
from network.agent.xid import XidWatch
from network.attestation.evidence import DeviceEvidence
from network.attestation.identity import device_identity
from network.attestation.spdm import NONCE_BYTES

logger = logging.getLogger(__name__)

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
#: NVML architecture number to the name that attestation requests use.
ARCHITECTURES: Final = {9: "HOPPER", 10: "BLACKWELL", 13: "RUBIN"}
CPU_CAPABILITIES: Final = {0: "none", 1: "SEV", 2: "TDX", 3: "SEV-SNP", 4: "SEV-SNP vTOM"}
ENVIRONMENTS: Final = {0: "unavailable", 1: "simulation", 2: "production"}
MULTI_GPU_MODES: Final = {0: "none", 1: "protected PCIe", 2: "NVLE"}


@dataclass(frozen=True, slots=True)
class ConfidentialState:
    """Confidential computing as the driver reports it (not signed by anybody)."""

    cpu: str
    gpus_capable: bool
    enabled: bool
    environment: str
    devtools: bool
    multi_gpu: str
    ready: bool

    @property
    def can_attest(self) -> bool:
        """NVML gives reports in confidential or protected PCIe mode only."""
        return self.enabled or self.multi_gpu != "none"


@dataclass(frozen=True)
class NvmlSource:
    """The GPUs of this machine. ``load`` gives the binding; tests give a recorded one.

    ``xid`` counts the driver's errors where the agent runs for long."""

    load: Callable[[], ModuleType]
    emulated: bool = False
    xid: XidWatch | None = None
    timeout_s: float = CALL_TIMEOUT_S

    def inventory(self) -> dict[str, Any]:
        """Driver, confidential state and one entry per GPU with a telemetry snapshot."""
        with self._session() as nvml:
            state = _confidential_state(nvml)
            return {
                "source": "nvml",
                "driver_version": text_or_none(nvml.nvmlSystemGetDriverVersion()),
                "kernel": platform.release(),
                "confidential": None if state is None else _state_json(state),
                "gpus": [self._gpu_json(nvml, index) for index in range(_gpu_count(nvml))],
            }

    def _gpu_json(self, nvml: ModuleType, index: int) -> dict[str, Any]:
        """One GPU's entry; of one that fails, its number and why."""

        def ask(handle: Any) -> dict[str, Any]:
            return _gpu_json(nvml, index, handle) | health_json(nvml, handle)

        try:
            entry = self._ask(nvml, index, ask)
        except GpuError as error:
            return {"index": index, "error": {"code": error.code, "detail": error.detail}}
        return entry if self.xid is None else entry | self.xid.claims(entry["uuid"])

    def _ask(self, nvml: ModuleType, index: int, question: Callable[[Any], Value]) -> Value:
        """Ask one GPU. Raises GpuError for an error of it, or where it does not answer."""
        try:
            return within(
                self.timeout_s,
                lambda: question(nvml.nvmlDeviceGetHandleByIndex(index)),
                what=f"GPU {index}",
            )
        except nvml.NVMLError as error:
            raise _gpu_error(nvml, error) from error

    def _each(self, nvml: ModuleType, question: Callable[[Any], Value]) -> list[Value]:
        """Ask all GPUs, one after the other: NVML must not be asked in parallel.

        One that fails is left out, and the log says why; its failure must not take the report of
        the others. Raises the last one's GpuError where all fail.
        """
        answers, fault = [], None
        for index in range(_gpu_count(nvml)):
            try:
                answers.append(self._ask(nvml, index, question))
            except GpuError as error:
                logger.warning("GPU %d is left out: %s (%s)", index, error.detail, error.code)
                fault = error
        if fault is not None and not answers:
            raise fault
        return answers

    def confidential_state(self) -> ConfidentialState | None:
        """The state, or None where the driver knows no confidential computing."""
        with self._session() as nvml:
            return _confidential_state(nvml)

    def identities(self) -> Sequence[str]:
        """The identities of all GPUs that have a readable chain.

        Raises:
            GpuError, AttestationUnavailable: as :meth:`evidence`.
        """
        with self._session() as nvml:
            _attestation_check(nvml)
            found = self._each(nvml, lambda handle: device_identity(_chain(nvml, handle)))
        return [identity for identity in found if identity is not None]

    def evidence(self, nonce: bytes) -> Sequence[DeviceEvidence]:
        """Reports of all GPUs that give one.

        Raises:
            GpuError: no library, no driver, or no GPU that gives one.
            AttestationUnavailable: ``cc_off`` or ``cc_unsupported``.
        """
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"the nonce must have {NONCE_BYTES} bytes")
        with self._session() as nvml:
            _attestation_check(nvml)
            return self._each(nvml, lambda handle: _device_evidence(nvml, handle, nonce))

    @contextmanager
    def _session(self) -> Iterator[ModuleType]:
        nvml = self.load()
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            raise _gpu_error(nvml, error) from error
        try:
            yield nvml
        except nvml.NVMLError as error:
            raise _gpu_error(nvml, error) from error
        finally:
            nvml.nvmlShutdown()


def nvml_load() -> ModuleType:
    """Import nvidia-ml-py, whose module is called pynvml."""
    try:
        import pynvml
    except ImportError as error:
        raise GpuError(
            "nvml_binding_missing", "The Python package nvidia-ml-py is not installed."
        ) from error
    module: ModuleType = pynvml
    return module


def nvml_source() -> NvmlSource:
    """The GPUs of this machine."""
    return NvmlSource(nvml_load)


def _gpu_error(nvml: ModuleType, error: Any) -> GpuError:
    known = {
        nvml.NVML_ERROR_LIBRARY_NOT_FOUND: (
            "nvml_library_missing",
            "There is no NVIDIA driver on this machine (libnvidia-ml.so was not found).",
        ),
        nvml.NVML_ERROR_DRIVER_NOT_LOADED: (
            "driver_not_loaded",
            "The NVIDIA driver is installed but its kernel module is not loaded.",
        ),
        nvml.NVML_ERROR_NO_PERMISSION: (
            "no_permission",
            "This user may not use the NVIDIA devices; check /dev/nvidia* and its groups.",
        ),
    }
    code, detail = known.get(
        error.value, ("nvml_error", f"The NVIDIA driver answered: {error} (NVML {error.value}).")
    )
    return GpuError(code, detail, {"nvml": error.value})


def _gpu_count(nvml: ModuleType) -> int:
    count = int(nvml.nvmlDeviceGetCount())
    if count == 0:
        raise GpuError("no_gpu", "The NVIDIA driver runs but sees no GPU.")
    return count


def _confidential_state(nvml: ModuleType) -> ConfidentialState | None:
    settings = nvml.c_nvmlSystemConfComputeSettings_v1_t()
    try:
        capabilities = nvml.nvmlSystemGetConfComputeCapabilities()
        # This one call hands back its code and never raises it.
        code = nvml.nvmlSystemGetConfComputeSettings(byref(settings))
        if code != nvml.NVML_SUCCESS:
            raise nvml.NVMLError(code)
        ready = nvml.nvmlSystemGetConfComputeGpusReadyState()
    except nvml.NVMLError as error:
        if error.value in (nvml.NVML_ERROR_NOT_SUPPORTED, nvml.NVML_ERROR_FUNCTION_NOT_FOUND):
            return None
        raise
    return ConfidentialState(
        cpu=CPU_CAPABILITIES.get(capabilities.cpuCaps, f"unknown {capabilities.cpuCaps}"),
        gpus_capable=capabilities.gpusCaps == nvml.NVML_CC_SYSTEM_GPUS_CC_CAPABLE,
        enabled=settings.ccFeature == nvml.NVML_CC_SYSTEM_FEATURE_ENABLED,
        environment=ENVIRONMENTS.get(settings.environment, "unknown"),
        devtools=settings.devToolsMode == nvml.NVML_CC_SYSTEM_DEVTOOLS_MODE_ON,
        multi_gpu=MULTI_GPU_MODES.get(settings.multiGpuMode, "unknown"),
        ready=ready == nvml.NVML_CC_ACCEPTING_CLIENT_REQUESTS_TRUE,
    )


def _attestation_check(nvml: ModuleType) -> None:
    state = _confidential_state(nvml)
    if state is None:
        raise AttestationUnavailable(
            "cc_unsupported",
            "This driver knows no confidential computing, so the GPUs cannot attest. "
            "The node can still send its signed inventory (tier T1).",
        )
    if not state.can_attest:
        raise AttestationUnavailable(
            "cc_off",
            "Confidential computing is off, so the GPUs give no reports. Switch it on "
            "with NVIDIA's gpu-admin-tools, or attest as tier T1.",
        )


def _state_json(state: ConfidentialState) -> dict[str, Any]:
    return {
        "cpu": state.cpu,
        "enabled": state.enabled,
        "environment": state.environment,
        "devtools": state.devtools,
        "multi_gpu": state.multi_gpu,
        "ready": state.ready,
    }


def _device_evidence(nvml: ModuleType, handle: Any, nonce: bytes) -> DeviceEvidence:
    chain = _chain(nvml, handle)
    report = nvml.nvmlDeviceGetConfComputeGpuAttestationReport(handle, nonce)
    return DeviceEvidence(
        report=bytes(report.attestationReport[: report.attestationReportSize]),
        certificate_chain=chain,
        claimed_architecture=ARCHITECTURES.get(nvml.nvmlDeviceGetArchitecture(handle)),
        claimed_uuid=text_or_none(nvml.nvmlDeviceGetUUID(handle)),
    )


def _chain(nvml: ModuleType, handle: Any) -> bytes:
    """The PEM chain, leaf first."""
    certificate = nvml.nvmlDeviceGetConfComputeGpuCertificate(handle)
    chain = bytes(certificate.attestationCertChain[: certificate.attestationCertChainSize])
    # NVML counts the C string's end; PEM has none.
    return chain.rstrip(b"\0")


def _gpu_json(nvml: ModuleType, index: int, handle: Any) -> dict[str, Any]:
    """One GPU. A value that this GPU does not offer is null: cards differ in what they know."""

    def ask(call: Callable[[], Any]) -> Any:
        return ask_or_none(nvml, call)

    memory = ask(lambda: nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2))
    sensor = nvml.NVML_TEMPERATURE_GPU
    utilization = ask(lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
    mig = ask(lambda: nvml.nvmlDeviceGetMigMode(handle))
    virtual = ask(lambda: nvml.nvmlDeviceGetVirtualizationMode(handle))
    return {
        "index": index,
        "uuid": text_or_none(nvml.nvmlDeviceGetUUID(handle)),
        "name": text_or_none(nvml.nvmlDeviceGetName(handle)),
        "architecture": ARCHITECTURES.get(nvml.nvmlDeviceGetArchitecture(handle)),
        "serial": text_or_none(ask(lambda: nvml.nvmlDeviceGetSerial(handle))),
        "vbios_version": text_or_none(ask(lambda: nvml.nvmlDeviceGetVbiosVersion(handle))),
        # A card that knows neither is neither split nor virtual.
        "mig": mig is not None and mig[0] != nvml.NVML_DEVICE_MIG_DISABLE,
        "vgpu": virtual == nvml.NVML_GPU_VIRTUALIZATION_MODE_VGPU,
        "memory_total_bytes": None if memory is None else int(memory.total),
        "memory_used_bytes": None if memory is None else int(memory.used),
        "sampled_at_ms": time.time_ns() // 1_000_000,
        "boot_id": _boot_id(),
        "power_mw": ask(lambda: nvml.nvmlDeviceGetPowerUsage(handle)),
        "power_limit_mw": ask(lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle)),
        "energy_mj": ask(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle)),
        "temperature_c": ask(lambda: nvml.nvmlDeviceGetTemperatureV(handle, sensor)),
        "utilization_percent": None if utilization is None else int(utilization.gpu),
    }


def _boot_id() -> str | None:
    """Linux's name for this boot: the energy counter begins anew with each."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip() or None
    except OSError:
        return None
