"""Which verifier this process judges with: a digest of its sources, so that nobody has to
remember to count a version up."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

_SOURCES: Final = Path(__file__).resolve().parent / "attestation"
#: Makes evidence and judges none.
_NOT_JUDGING: Final = "emulator"


@cache
def verifier_digest() -> str:
    """SHA-256 (hex) over the names and bytes of the verifier's sources, read once per process."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCES.rglob("*.py")):
        name = path.relative_to(_SOURCES)
        if name.parts[0] == _NOT_JUDGING:
            continue
        content = path.read_bytes()
        digest.update(f"{name.as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
