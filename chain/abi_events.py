"""Slicers of events: one function per event, written out once from its ABI. No Django.

Logs come by the hundred thousand, and most arguments are one word at a place known beforehand, or
one text. So the function has lines per argument instead of a call; arguments of other types are
read by ``chain.abi_values``. What a line refuses, the reader of that type refuses too: a property
test holds both equal to eth_abi.
"""

from collections.abc import Callable, Sequence
from typing import Any

from chain.abi_values import AbiInvalid, Reader, text_from_bytes

EventReader = Callable[[Sequence[bytes], bytes], dict[str, Any]]


def event_reader(
    event: str,
    *,
    order: Sequence[str],
    indexed: Sequence[tuple[str, str, Reader]],
    fields: Sequence[tuple[str, str, Reader, int]],
) -> EventReader:
    """Build the function that reads one event's (topics, data).

    ``order`` names the arguments in the event's order; ``indexed`` are (name, type, reader) of the
    topics after the first; ``fields`` are (name, type, reader, place of the head in the data).
    """
    names: dict[str, Any] = {
        "AbiInvalid": AbiInvalid,
        "event": event,
        "number": int.from_bytes,
        "text": text_from_bytes,
        "zeros": bytes(32),
    }
    count = len(indexed) + 1
    lines = [
        f"if len(topics) != {count}:",
        f"    raise AbiInvalid(f'{{len(topics)}} topics for {{event}}, not {count}.')",
    ]
    head = max([place + 32 for *_, place in fields], default=0)
    if head:
        lines += [f"if len(data) < {head}:", "    raise AbiInvalid('The data ends inside a word.')"]
    variables: dict[str, str] = {}
    for name, kind, reader in indexed:
        variable = variables[name] = f"v{len(variables)}"
        word = f"topics[{len(variables)}]"
        lines += _lines(variable, kind, word, f"read_{variable}({word}, 0, 0)")
        names[f"read_{variable}"] = reader
    for name, kind, reader, place in fields:
        variable = variables[name] = f"v{len(variables)}"
        word = f"data[{place}:{place + 32}]"
        lines += _lines(variable, kind, word, f"read_{variable}(data, 0, {place})")
        names[f"read_{variable}"] = reader
    pairs = ", ".join(f"{name!r}: {variables[name]}" for name in order)
    body = "\n".join(f"    {line}" for line in [*lines, f"return {{{pairs}}}"])
    # Names come from the ABI only as literals, and the rest is ours.
    exec(f"def read(topics, data):\n{body}\n", names)  # noqa: S102
    return names["read"]  # type: ignore[no-any-return]


def _lines(variable: str, kind: str, word: str, call: str) -> list[str]:
    """Lines that read ``kind``, whose head is ``word``, into a variable; a call for other types."""
    if kind == "address":
        return [
            f"word = {word}",
            "if len(word) != 32 or word[:12] != zeros[:12]:",
            "    raise AbiInvalid('An address with more than 20 bytes.')",
            f"{variable} = word[12:]",
        ]
    if kind.startswith("uint") and kind[4:].isdigit():
        bits = int(kind[4:])
        check = [
            f"if {variable} >= {1 << bits}:",
            f"    raise AbiInvalid('A uint{bits} with bits above {bits}.')",
        ]
        return [f"{variable} = number({word}, 'big')", *(check if bits < 256 else [])]
    if kind == "bytes32":
        return [f"{variable} = {word}"]
    if kind in {"string", "bytes"}:
        value = "data[start:end]"
        return [
            f"start = number({word}, 'big') + 32",
            "if start > len(data):",
            "    raise AbiInvalid('An offset outside the data.')",
            "size = number(data[start - 32:start], 'big')",
            "end, rest = start + size, -size % 32",
            "if end > len(data):",
            "    raise AbiInvalid('A length beyond the data.')",
            "if rest and data[end:end + rest] != zeros[:rest]:",
            "    raise AbiInvalid('Padding that is missing or not zero.')",
            f"{variable} = {f'text({value})' if kind == 'string' else value}",
        ]
    return [f"{variable} = {call}"]
