"""RLP and the root of an ordered trie (Yellow Paper, appendices B and D), for proofs.

The packages ``rlp`` and ``trie`` are exact and slow: a root over 300 receipts takes them
0.3 s, and a node can only be checked at every block if that takes a tenth. Both are made for
changing structures; here everything is known at once. Tests hold this equal to them.
"""

from collections.abc import Iterable, Sequence

from chain.hashing import keccak

_SHORT = tuple(bytes((0x80 + size,)) for size in range(56))


def rlp_bytes(item: bytes) -> bytes:
    """Encode a byte string."""
    size = len(item)
    if size == 1 and item[0] < 0x80:
        return item
    if size < 56:
        return _SHORT[size] + item
    return _head(0x80, size) + item


def rlp_int(number: int) -> bytes:
    """Encode a non-negative integer: big-endian, without leading zeros."""
    return rlp_bytes(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def rlp_list(encoded: Iterable[bytes]) -> bytes:
    """Encode a list whose items are encoded already."""
    payload = b"".join(encoded)
    return _head(0xC0, len(payload)) + payload


def _head(base: int, size: int) -> bytes:
    if size < 56:
        return bytes((base + size,))
    length = (size.bit_length() + 7) // 8
    return bytes((base + 55 + length,)) + size.to_bytes(length, "big")


def ordered_root(values: Sequence[bytes]) -> bytes:
    """Root of the trie that maps ``rlp(index)`` to each value; 32 bytes."""
    if not values:
        return keccak(rlp_bytes(b""))
    items = sorted((_nibbles(rlp_int(index)), value) for index, value in enumerate(values))
    return keccak(_node(items, 0))


def _nibbles(key: bytes) -> bytes:
    return bytes.fromhex("".join(f"0{digit}" for digit in key.hex()))


def _node(items: Sequence[tuple[bytes, bytes]], depth: int) -> bytes:
    """Encode the node over ``items`` (sorted), whose keys agree before ``depth``.

    No key is a beginning of another (RLP is prefix-free), so no branch holds a value.
    """
    first = items[0][0]
    if len(items) == 1:
        return rlp_list((rlp_bytes(_path(first[depth:], leaf=True)), rlp_bytes(items[0][1])))
    last = items[-1][0]
    fork = depth
    while first[fork] == last[fork]:
        fork += 1
    children = [b"\x80"] * 17
    start = 0
    for end in range(1, len(items) + 1):
        if end == len(items) or items[end][0][fork] != items[start][0][fork]:
            children[items[start][0][fork]] = _reference(_node(items[start:end], fork + 1))
            start = end
    branch = rlp_list(children)
    if fork == depth:
        return branch
    return rlp_list((rlp_bytes(_path(first[depth:fork], leaf=False)), _reference(branch)))


def _reference(node: bytes) -> bytes:
    return node if len(node) < 32 else rlp_bytes(keccak(node))


def _path(nibbles: bytes, *, leaf: bool) -> bytes:
    """Hex-prefix encoding of a path."""
    flag = 2 if leaf else 0
    padded = bytes((flag + 1, *nibbles)) if len(nibbles) % 2 else bytes((flag, 0, *nibbles))
    return bytes(high << 4 | low for high, low in zip(padded[::2], padded[1::2], strict=True))
