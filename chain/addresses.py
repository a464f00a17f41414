"""Addresses: 20 bytes inside, EIP-55 text at the edge."""

import re
from functools import lru_cache

from eth_utils.crypto import keccak

#: The address that stands for "none": mints come from it, burns go to it.
ZERO_ADDRESS = bytes(20)
_FORM = re.compile(r"0x[0-9a-fA-F]{40}\Z", re.ASCII)


class AddressInvalid(ValueError):
    """Text that is not an address. ``code`` says why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@lru_cache(maxsize=65536)
def to_checksum(address: bytes) -> str:
    """Write a 20-byte address as EIP-55 text, ``0x`` and 40 digits.

    Raises:
        AddressInvalid: ``address_length`` when not 20 bytes.
    """
    if len(address) != 20:
        raise AddressInvalid("address_length", f"An address has 20 bytes, not {len(address)}.")
    text = address.hex()
    digest = keccak(text.encode("ascii")).hex()
    mixed = "".join(c.upper() if int(d, 16) >= 8 else c for c, d in zip(text, digest, strict=False))
    return f"0x{mixed}"


def parse_address(text: str) -> bytes:
    """Read an address as people write it. All-lower and all-upper digits pass.

    Raises:
        AddressInvalid: ``address_malformed`` (not 0x and 40 hex digits) or
            ``address_checksum`` (mixed case that is not the EIP-55 form: a typing error).
    """
    if not isinstance(text, str) or not _FORM.match(text):
        raise AddressInvalid(
            "address_malformed", "An address is 0x followed by 40 hexadecimal digits."
        )
    address = bytes.fromhex(text[2:])
    digits = text[2:]
    mixed = digits not in (digits.lower(), digits.upper())
    if mixed and to_checksum(address) != text:
        raise AddressInvalid(
            "address_checksum", "The capital letters do not match: check the address for a typo."
        )
    return address
