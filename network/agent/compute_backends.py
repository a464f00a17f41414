"""Where a compute challenge is multiplied: numpy, PyTorch or CuPy, chosen when the agent runs.

None of the GPU libraries is a dependency: a GPU host has the one that its driver wants. Whichever
it is, it answers nothing before it has agreed with plain integer arithmetic in every bit.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import numpy as np

from network.agent.errors import ComputeUnavailable
from network.compute.matmul import Int32Matrix
from network.compute.prng import Int8Matrix
from network.compute.prover import Backend, BackendInexact, NumpyBackend, check_backend

#: Rows below which the integer product of PyTorch refuses, rounded up to what it likes.
_ROW_MULTIPLE: Final = 32
#: Columns for which a float32 sum of int8 products stays below 2**24, see network.compute.matmul.
_EXACT_WIDTH: Final = 512


class Engine(Protocol):
    """The arithmetic of one GPU. Arrays in between are the library's own."""

    name: str

    def upload(self, matrix: Int8Matrix) -> Any:
        """The matrix in the GPU's memory."""

    def multiply(self, left: Any, right: Any) -> Any:
        """The exact product of two int8 matrices as int32."""

    def fold(self, product: Any) -> Any:
        """The four bytes of every entry, exclusive-ored, as int8."""

    def download(self, product: Any) -> Int32Matrix:
        """The product in this process's memory."""


class DeviceBackend:
    """A :class:`network.compute.Backend` on one GPU. Keeps the right factor there: all blocks of a
    challenge have the same."""

    def __init__(self, engine: Engine) -> None:
        self.name = engine.name
        self._engine = engine
        self._right: tuple[Int8Matrix, Any] | None = None

    def product(self, first: Int8Matrix, right: Int8Matrix, rounds: int) -> Int32Matrix:
        """See :class:`network.compute.Backend`."""
        there = self._uploaded(right)
        result = self._engine.multiply(self._engine.upload(first), there)
        for _ in range(rounds - 1):
            result = self._engine.multiply(self._engine.fold(result), there)
        return self._engine.download(result)

    def _uploaded(self, right: Int8Matrix) -> Any:
        if self._right is None or self._right[0] is not right:
            # Let go of the old one first: two do not fit everywhere.
            self._right = None
            self._right = (right, self._engine.upload(right))
        return self._right[1]


class TorchEngine:
    """PyTorch's int8 product, on the GPU's integer units."""

    name = "torch"

    def __init__(self, device: int) -> None:
        self._torch = importlib.import_module("torch")
        if not self._torch.cuda.is_available():
            raise RuntimeError("PyTorch sees no GPU")
        self._device = self._torch.device("cuda", device)

    def upload(self, matrix: Int8Matrix) -> Any:
        # A copy: PyTorch takes no memory that it may not write to.
        return self._torch.from_numpy(matrix.copy()).to(self._device)

    def multiply(self, left: Any, right: Any) -> Any:
        rows = left.shape[0]
        missing = -rows % _ROW_MULTIPLE
        padded = self._torch.nn.functional.pad(left, (0, 0, 0, missing)) if missing else left
        return self._torch._int_mm(padded.contiguous(), right)[:rows]

    def fold(self, product: Any) -> Any:
        mixed = product ^ (product >> 16)
        return (mixed ^ (mixed >> 8)).to(self._torch.int8)

    def download(self, product: Any) -> Int32Matrix:
        return np.asarray(product.cpu().numpy(), dtype=np.int32)


class CupyEngine:
    """CuPy, which has no int8 product with int32 sums: blocks of 512 columns in float32, exact as
    in network.compute.matmul."""

    name = "cupy"

    def __init__(self, device: int) -> None:
        self._cupy = importlib.import_module("cupy")
        self._device = self._cupy.cuda.Device(device)

    def upload(self, matrix: Int8Matrix) -> Any:
        with self._device:
            return self._cupy.asarray(matrix)

    def multiply(self, left: Any, right: Any) -> Any:
        cupy = self._cupy
        with self._device:
            total = cupy.zeros((left.shape[0], right.shape[1]), dtype=cupy.int32)
            for start in range(0, left.shape[1], _EXACT_WIDTH):
                part = slice(start, start + _EXACT_WIDTH)
                block = left[:, part].astype(cupy.float32) @ right[part].astype(cupy.float32)
                total += block.astype(cupy.int32)
            return total

    def fold(self, product: Any) -> Any:
        with self._device:
            mixed = product ^ (product >> 16)
            return (mixed ^ (mixed >> 8)).astype(self._cupy.int8)

    def download(self, product: Any) -> Int32Matrix:
        with self._device:
            return np.asarray(self._cupy.asnumpy(product), dtype=np.int32)


#: By the name of ``--compute``: makes the engine of one GPU.
ENGINES: Final[Mapping[str, Callable[[int], Engine]]] = {"torch": TorchEngine, "cupy": CupyEngine}


def backend_open(
    choice: str, device: int = 0, *, engines: Mapping[str, Callable[[int], Engine]] = ENGINES
) -> Backend:
    """The backend ``numpy``, ``torch`` or ``cupy`` on a GPU, tested; ``auto`` takes the first of
    the GPU libraries that passes, and never numpy, which no GPU's deadline is made for.

    Raises:
        ComputeUnavailable: ``compute_inexact`` where a product differs in a single bit;
            ``compute_missing`` where the library is not there, sees no GPU or fails.
    """
    if choice == "numpy":
        numpy_backend = NumpyBackend()
        check_backend(numpy_backend)
        return numpy_backend
    reasons, inexact = [], False
    for name in engines if choice == "auto" else [choice]:
        try:
            backend = DeviceBackend(engines[name](device))
            check_backend(backend)
        except BackendInexact as error:
            inexact = True
            reasons.append(str(error))
        except Exception as error:  # noqa: BLE001  # said in the reason
            # Foreign libraries fail in ways of their own, and any of them means "not this one".
            reasons.append(f"{name}: {type(error).__name__}: {error}"[:300])
        else:
            return backend
    code = "compute_inexact" if inexact else "compute_missing"
    raise ComputeUnavailable(
        code,
        f"No library on this machine multiplies exactly on GPU {device} ({'; '.join(reasons)}). "
        "Install PyTorch or CuPy for your driver.",
    )
