"""Asks a contract nobody vouches for: bounded answers, and none that is not what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain.contracts import codec_load
from chain.decoding import AbiInvalid
from chain.rpc.client import RpcClient
from chain.rpc.multicall import multicall

#: Bytes. No view that is asked here returns more; a contract that does is not believed.
ANSWER_MAX = 8192
#: Characters of a name, a version or a mode that are kept.
TEXT_MAX = 200


@dataclass(frozen=True, slots=True)
class Question:
    """One view of one contract, by the name of its ABI. ``at`` is 20 bytes."""

    at: bytes
    abi: str
    function: str
    args: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """``value`` is None where the contract did not answer what the ABI says it would."""

    value: Any
    ok: bool
    raw: bytes


def ask(
    client: RpcClient, block_hash: bytes, questions: Mapping[str, Question]
) -> dict[str, Answer]:
    """Ask everything at one block; answers by the questions' names.

    Raises:
        RpcError: the node failed, not the contract.
    """
    codecs = [codec_load(q.abi).function(q.function, q.args) for q in questions.values()]
    calls = [
        (question.at, codec.encode(question.args))
        for question, codec in zip(questions.values(), codecs, strict=True)
    ]
    answers = {}
    found = multicall(client, calls, block_hash)
    for name, codec, (ok, raw) in zip(questions, codecs, found, strict=True):
        value = None
        if ok and 0 < len(raw) <= ANSWER_MAX:
            try:
                value = codec.decode_output(raw)
            except AbiInvalid:
                value = None
        answers[name] = Answer(value, ok, raw if len(raw) <= ANSWER_MAX else b"")
    return answers


def value_of(answers: Mapping[str, Answer], name: str) -> Any:
    """The answer's value; None where it was not asked or not answered."""
    found = answers.get(name)
    return None if found is None else found.value


def int_of(answers: Mapping[str, Answer], name: str) -> int | None:
    """A number, or None."""
    value = value_of(answers, name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def address_of(answers: Mapping[str, Answer], name: str) -> bytes | None:
    """An address of 20 bytes other than zero, or None."""
    value = value_of(answers, name)
    return value if isinstance(value, bytes) and len(value) == 20 and any(value) else None


def text_of(answers: Mapping[str, Answer], name: str) -> str:
    """Text that can be shown in one line: no control characters, not too long. "" without one."""
    value = value_of(answers, name)
    if not isinstance(value, str):
        return ""
    # A name may carry a terminal's escape sequences or turn the text's direction around.
    kept = "".join(letter if letter.isprintable() else " " for letter in value[:TEXT_MAX])
    return " ".join(kept.split())


def questions_at(
    at: bytes, abi: str, functions: Sequence[str], args: tuple[Any, ...] = ()
) -> dict[str, Question]:
    """Questions named by their functions."""
    return {name: Question(at, abi, name, args) for name in functions}
