"""A recorded NVML: the calls of nvidia-ml-py that the agent makes, with an emulated GPU behind.

Real NVML needs hardware; what is tested here is what the agent does with its answers, its raw codes
and its exceptions, which are nvidia-ml-py's own classes.
"""

from __future__ import annotations

import queue
import threading
from ctypes import Array, c_uint8
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pynvml

from network.attestation.emulator import EmulatedGpu


@dataclass
class FakeNvml:
    """Stands in for the module; everything not defined here is the real binding's."""

    gpus: list[EmulatedGpu]
    init_error: int | None = None
    cc_feature: int = 1
    devtools: int = 0
    multi_gpu: int = 0
    settings_code: int = 0
    ready: int = 1
    unsupported: tuple[str, ...] = ()
    #: Current and pending mode, as NVML gives them.
    mig: tuple[int, int] = (0, 0)
    virtualization: int = 0
    open_sessions: int = 0
    uncorrected: int = 0
    remap_failed: int = 0
    #: Places of GPUs that fell off the bus, and of those that never answer until released.
    lost: frozenset[int] = frozenset()
    hanging: frozenset[int] = frozenset()
    released: threading.Event = field(default_factory=threading.Event)
    #: Xid errors to come: the GPU's place and the number.
    xids: queue.Queue[tuple[int, int]] = field(default_factory=queue.Queue)

    def __getattr__(self, name: str) -> Any:
        return getattr(pynvml, name)

    def nvmlInit(self) -> None:
        if self.init_error is not None:
            raise pynvml.NVMLError(self.init_error)
        self.open_sessions += 1

    def nvmlShutdown(self) -> None:
        self.open_sessions -= 1

    def nvmlSystemGetDriverVersion(self) -> str:
        return "550.90.07"

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> EmulatedGpu:
        if index in self.hanging:
            self.released.wait(60)
        if index in self.lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return self.gpus[index]

    def nvmlSystemGetConfComputeCapabilities(self) -> Any:
        if "cc" in self.unsupported:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(cpuCaps=3, gpusCaps=1)

    def nvmlSystemGetConfComputeSettings(self, reference: Any) -> int:
        settings = reference._obj
        settings.environment = 2
        settings.ccFeature = self.cc_feature
        settings.devToolsMode = self.devtools
        settings.multiGpuMode = self.multi_gpu
        return self.settings_code

    def nvmlSystemGetConfComputeGpusReadyState(self) -> int:
        return self.ready

    def nvmlDeviceGetConfComputeGpuCertificate(self, gpu: EmulatedGpu) -> Any:
        chain = gpu.certificate_chain + b"\0"
        return SimpleNamespace(
            attestationCertChain=_buffer(chain, 0x1400), attestationCertChainSize=len(chain)
        )

    def nvmlDeviceGetConfComputeGpuAttestationReport(self, gpu: EmulatedGpu, nonce: bytes) -> Any:
        report = gpu.report(bytes(nonce))
        return SimpleNamespace(
            attestationReport=_buffer(report, 0x2000), attestationReportSize=len(report)
        )

    def nvmlDeviceGetArchitecture(self, gpu: EmulatedGpu) -> int:
        return 9

    def nvmlDeviceGetUUID(self, gpu: EmulatedGpu) -> str:
        return gpu.uuid

    def nvmlDeviceGetName(self, gpu: EmulatedGpu) -> bytes:
        return b"NVIDIA H100 80GB HBM3"

    def nvmlDeviceGetSerial(self, gpu: EmulatedGpu) -> str:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    def nvmlDeviceGetVbiosVersion(self, gpu: EmulatedGpu) -> str:
        return gpu.firmware.vbios_version

    def nvmlDeviceGetMemoryInfo(self, gpu: EmulatedGpu, version: int) -> Any:
        assert version == pynvml.nvmlMemory_v2
        return SimpleNamespace(total=80 * 2**30, used=2**30)

    def nvmlDeviceGetPowerUsage(self, gpu: EmulatedGpu) -> int:
        return 71_500

    def nvmlDeviceGetEnforcedPowerLimit(self, gpu: EmulatedGpu) -> int:
        return 700_000

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: EmulatedGpu) -> int:
        return 123_456_789

    def nvmlDeviceGetPciInfo(self, gpu: EmulatedGpu) -> Any:
        return SimpleNamespace(busId=b"00000000:3B:00.0")

    def nvmlDeviceGetGspFirmwareVersion(self, gpu: EmulatedGpu) -> str:
        return "550.90.07"

    def nvmlDeviceGetInforomImageVersion(self, gpu: EmulatedGpu) -> bytes:
        return b"G520.0202.00.05"

    def nvmlDeviceGetEccMode(self, gpu: EmulatedGpu) -> list[int]:
        return [1, 1]

    def nvmlDeviceGetTotalEccErrors(self, gpu: EmulatedGpu, kind: int, counter: int) -> int:
        assert counter == pynvml.NVML_AGGREGATE_ECC
        return {pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED: 7}.get(kind, self.uncorrected)

    def nvmlDeviceGetRemappedRows(self, gpu: EmulatedGpu) -> tuple[int, int, int, int]:
        if "remap" in self.unsupported:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return (1, 2, 0, self.remap_failed)

    def nvmlEventSetCreate(self) -> list[EmulatedGpu]:
        return []

    def nvmlDeviceRegisterEvents(
        self, gpu: EmulatedGpu, kinds: int, events: list[EmulatedGpu]
    ) -> None:
        assert kinds == pynvml.nvmlEventTypeXidCriticalError
        if "events" in self.unsupported:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        events.append(gpu)

    def nvmlEventSetWait_v2(self, events: list[EmulatedGpu], timeout_ms: int) -> Any:
        try:
            index, xid = self.xids.get(timeout=0.01)
        except queue.Empty:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_TIMEOUT) from None
        return SimpleNamespace(device=events[index], eventData=xid)

    def nvmlEventSetFree(self, events: list[EmulatedGpu]) -> None:
        events.clear()

    def nvmlDeviceGetTemperatureV(self, gpu: EmulatedGpu, sensor: int) -> int:
        return 41

    def nvmlDeviceGetMigMode(self, gpu: EmulatedGpu) -> list[int]:
        if "mig" in self.unsupported:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return list(self.mig)

    def nvmlDeviceGetVirtualizationMode(self, gpu: EmulatedGpu) -> int:
        return self.virtualization

    def nvmlDeviceGetUtilizationRates(self, gpu: EmulatedGpu) -> Any:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)


def _buffer(data: bytes, size: int) -> Array[c_uint8]:
    """A C array that is longer than its content, as NVML's are."""
    return (c_uint8 * size)(*data)
