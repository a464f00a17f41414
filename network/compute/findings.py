"""What can be wrong with a compute round: stable codes, and the error of a message out of turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from network.attestation.codes import CODES as ALL_CODES

#: Code -> what it means, in a sentence. docs/compute_challenge.md is compared with it.
CODES: Final[Mapping[str, str]] = {
    code: entry.meaning for code, entry in ALL_CODES.items() if code.startswith("compute.")
}


class RoundError(Exception):
    """A message that changes nothing: it came out of turn or cannot be read. ``code`` is stable
    and one of :data:`CODES`; ``detail`` is one plain sentence."""

    def __init__(self, code: str, detail: str | None = None) -> None:
        self.code = code
        self.detail = detail or CODES[code]
        super().__init__(f"{code}: {self.detail}")
