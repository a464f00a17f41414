"""The JSON parser's limits belong to the route; its other rules hold for all of them."""

from __future__ import annotations

import json
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest

from chain.api.parsers import (
    DEFAULT_LIMITS,
    JsonLimits,
    JsonRefused,
    StrictJSONParser,
    parse_strict,
)

WIDE = JsonLimits(keys=16384)


def body(gpus: int, values: int) -> bytes:
    """An inventory of so many GPUs with so many values each."""
    card = {f"value_{number}": number for number in range(values)}
    return json.dumps({"inventory": {"gpus": [card] * gpus}}).encode()


def refused(raw: bytes, limits: JsonLimits = DEFAULT_LIMITS) -> tuple[str, str]:
    with pytest.raises(JsonRefused) as caught:
        parse_strict(raw, limits)
    return caught.value.api_code, str(caught.value.detail)


def test_a_route_may_take_more_keys_than_the_others() -> None:
    large = body(gpus=16, values=60)
    assert refused(large) == ("json_too_many_keys", "JSON may have 512 keys at most.")
    assert len(parse_strict(large, WIDE)["inventory"]["gpus"]) == 16
    # 128 is the most that attest.max_gpus_per_node can be.
    assert len(parse_strict(body(gpus=128, values=100), WIDE)["inventory"]["gpus"]) == 128
    assert refused(body(gpus=129, values=128), WIDE)[0] == "json_too_many_keys"


@pytest.mark.parametrize(
    ("limits", "raw", "code"),
    [
        (JsonLimits(keys=2), b'{"a":1,"b":{"c":1}}', "json_too_many_keys"),
        (JsonLimits(items=2), b'{"a":[1,2],"b":[3]}', "json_too_many_items"),
        (WIDE, b'{"a":' * 17 + b"1" + b"}" * 17, "json_too_deep"),
        (WIDE, b'{"a":1,"a":2}', "json_duplicate_key"),
        (WIDE, b'{"a":"' + b"x" * 65537 + b'"}', "json_string"),
        (WIDE, b'{"a":NaN}', "json_number"),
    ],
    ids=["keys", "items", "depth", "twice", "text", "NaN"],
)
def test_each_limit_is_the_whole_bodys(limits: JsonLimits, raw: bytes, code: str) -> None:
    assert refused(raw, limits)[0] == code


@pytest.mark.parametrize("view", [None, SimpleNamespace()])
def test_a_view_that_says_nothing_has_the_default_limits(view: Any) -> None:
    context = {"view": view}
    large = body(gpus=16, values=60)
    with pytest.raises(JsonRefused):
        StrictJSONParser().parse(BytesIO(large), parser_context=context)
    found = StrictJSONParser().parse(
        BytesIO(large), parser_context={"view": SimpleNamespace(json_limits=WIDE)}
    )
    assert list(found) == ["inventory"]
