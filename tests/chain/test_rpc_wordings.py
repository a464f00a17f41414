"""How nodes and providers word their errors, one row per wording, and what each must mean."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.rpc.classifier import CLASSIFIER, classify, classify_http, revert_bytes, suggested
from chain.rpc.errors import (
    BatchTooLarge,
    BlockUnknown,
    ContractReverted,
    Permanent,
    RangeTooLarge,
    RateLimited,
    RpcError,
    StateUnavailable,
    Transient,
)

# Who says it, number, words, and what eth_getLogs is told to ask instead.
RANGES: list[tuple[str, int, str, Any]] = [
    ("Infura", -32005, "query returned more than 10000 results", None),
    (
        "Infura",
        -32005,
        "query returned more than 10000 results. Try with this block range [0x10, 0x1F].",
        (16, 31),
    ),
    ("Infura", -32602, "range 1000000 exceeds limit of 10000", 10_000),
    (
        "Alchemy",
        -32602,
        "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range "
        "and no limit on the response size, or you can request any block range with a cap of 10K "
        "logs in the response. Based on your parameters and the response size limit, this block "
        "range should work: [0x0, 0x270f]",
        (0, 9999),
    ),
    (
        "Alchemy, free",
        -32600,
        "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range. "
        "Based on your parameters, this block range should work: [0x1180fca, 0x1180fd3]. Upgrade",
        (0x1180FCA, 0x1180FD3),
    ),
    ("Alchemy", -32602, "eth_getLogs requests with up to a 2K block range", 2000),
    ("Alchemy", -32002, "Query timeout exceeded. Consider reducing your block range.", None),
    ("Ankr", -32600, "block range is too wide", None),
    ("Moonbeam", -32603, "block range is too wide (maximum 1024)", 1024),
    ("Chainstack", -32000, "Block range limit exceeded. See more details at the docs", None),
    ("Tenderly", -32602, "range 9009594 is bigger than range limit 2000", 2000),
    ("Scroll", -32000, "block range is bigger than maxBlockRange", None),
    (
        "Morph",
        -32000,
        "block range is larger than max block range, block range = 5120, max block range = 5000",
        5000,
    ),
    ("BNB Chain", -32000, "exceed maximum block range: 5000", 5000),
    ("PublicNode", -32701, "exceed maximum block range: 50000", 50_000),
    ("Erigon, zkEVM", -32005, "block range too large, max range: 10000", 10_000),
    ("QuickNode", -32614, "eth_getLogs is limited to a 10,000 range", 10_000),
    ("QuickNode", -32614, "eth_getLogs is limited to a 5 range", 5),
    ("BlockPI", -32602, "eth_getLogs is limited to 1024 block range. Please check", 1024),
    ("1RPC", -32001, "eth_getLogs is limited to a 1000 blocks range", 1000),
    ("LlamaRPC", -32000, "eth_getLogs is limited to 0 - 10000 blocks range", 10_000),
    ("dRPC", 35, "ranges over 10000 blocks are not supported on free plan", 10_000),
    ("dRPC", -32600, "ranges over 10000 blocks are not supported on freetier", 10_000),
    (
        "Reth",
        -32602,
        "query exceeds max results 20000, retry with the range 6000000-6000509",
        (6_000_000, 6_000_509),
    ),
    ("Reth", -32602, "query exceeds max block range 100000", 100_000),
    (
        "Arc",
        -32602,
        "request exceeded max allowed range: query exceeds max results 2000, retry with the range "
        "64862334-64862849",
        (64_862_334, 64_862_849),
    ),
    ("Arc", -32012, "requested range too large", None),
    (
        "Avalanche",
        -32000,
        "requested too many blocks from 0 to 5000000, maximum is set to 2048",
        2048,
    ),
    ("Sei", -32000, "block range too large (2000), maximum allowed is 1000 blocks", 1000),
    (
        "thirdweb",
        -32602,
        "Log response size exceeded. Maximum allowed number of requested blocks is 1000",
        1000,
    ),
    ("Cloudflare", -32047, "Max range: 800", 800),
    ("Blast", -32600, "exceeds the range allowed for your plan (5000 > 500)", 500),
    ("Merkle", -32000, "eth_getLogs range is too large, max is 1k blocks", 1000),
    ("Harmony", -32000, "query must be smaller than size 1024", 1024),
    ("Optimism", -32000, "Block range is too large", None),
    ("Base", -32614, "eth_getLogs is limited to a 10,000 range", 10_000),
    ("Pocket", -32000, "query block range exceeds server limit, narrow your filter: 5000", None),
    ("Gnosis", -32000, "backend response too large", None),
    ("Besu", -32005, "Requested range exceeds maximum RPC range limit", None),
    ("Nethermind", -32005, "Too many logs requested. Max logs per response is 20000.", None),
    ("Nethermind", -32000, "Too many results, max logs per response is 20000", None),
    ("geth", -32000, "exceeds max block range", None),
    ("Polygon", -32000, "Block range is too large, max block count 1000", None),
    ("Ankr, Monad", -32602, "query exceeds size limit", None),
    ("HTTP gateways", -32000, "response is too large", None),
]
REST: list[tuple[str, type[RpcError], int, str]] = [
    ("geth", ContractReverted, 3, "execution reverted: ERC20: transfer amount exceeds balance"),
    ("geth", ContractReverted, -32000, "execution reverted"),
    ("geth", ContractReverted, -32000, "out of gas"),
    ("geth", ContractReverted, -32000, "gas required exceeds allowance (30000000)"),
    ("geth", ContractReverted, -32000, "invalid opcode: INVALID"),
    ("geth", ContractReverted, -32000, "invalid jump destination"),
    ("geth", ContractReverted, -32000, "stack underflow (0 <=> 2)"),
    ("geth", ContractReverted, -32000, "max initcode size exceeded: code size 60000 limit 49152"),
    ("Nethermind", ContractReverted, -32015, "VM execution error."),
    ("OpenEthereum", ContractReverted, -32015, "VM execution error."),
    ("Besu", ContractReverted, -32000, "Execution reverted"),
    ("Hardhat", ContractReverted, -32603, "VM Exception while processing transaction: reverted"),
    ("anvil", ContractReverted, -32603, "EVM error: InvalidFEOpcode"),
    ("anvil", ContractReverted, -32603, "EVM error OutOfGas"),
    ("geth", BatchTooLarge, -32600, "batch too large"),
    ("QuickNode", BatchTooLarge, -32007, "batch limit exceeded: 100"),
    ("dRPC", BatchTooLarge, 31, "Batch of more than 3 requests are not allowed on free tier"),
    ("Alchemy", BatchTooLarge, -32600, "Batch requests are limited to at most 1000 requests"),
    ("Base", BatchTooLarge, -32014, "over the maximum number of calls in a batch"),
    ("public gateways", BatchTooLarge, -32600, "batches are not supported"),
    ("geth", BlockUnknown, -32000, "header not found"),
    ("geth", BlockUnknown, -32000, "header for hash not found"),
    ("geth", BlockUnknown, -32001, "Unknown block"),
    ("geth", BlockUnknown, -32602, "block range extends beyond current head block"),
    ("Reth", BlockUnknown, -32001, "block not found: hash 0x12"),
    ("Besu", BlockUnknown, -32000, "Block not found"),
    ("Nethermind", BlockUnknown, -32001, "Header not found"),
    ("Nethermind", BlockUnknown, -32001, "Cannot find block 0x99"),
    ("Erigon", BlockUnknown, -32000, "block 123456 not found"),
    ("anvil", BlockUnknown, -32001, "Resource not found"),
    ("Avalanche", BlockUnknown, -32000, "cannot query unfinalized data"),
    ("Avalanche", BlockUnknown, -32000, "requested block 12 after last accepted block 11"),
    (
        "Tenderly",
        BlockUnknown,
        -32000,
        "One of the blocks specified in filter (fromBlock, toBlock or blockHash) cannot be found.",
    ),
    ("QuickNode", BlockUnknown, -32000, "block is out of range"),
    ("Infura", BlockUnknown, -32001, "resource not found"),
    ("geth", StateUnavailable, 4444, "pruned history unavailable"),
    ("geth", StateUnavailable, -32000, "missing trie node 2a4c (path ) state is not available"),
    ("geth", StateUnavailable, -32000, "required historical state unavailable (reexec=128)"),
    ("geth", StateUnavailable, -32000, "historical state 5a..1f is not available"),
    ("Reth", StateUnavailable, -32000, "state at block #1 is pruned"),
    ("Reth", StateUnavailable, -32602, "distance to target block exceeds maximum proof window"),
    ("Erigon", StateUnavailable, -32000, "old data not available due to pruning"),
    ("Nethermind", StateUnavailable, -32002, "No state available for block 0x12"),
    ("Besu", StateUnavailable, -32000, "World state unavailable"),
    ("dRPC", StateUnavailable, 27, "Unknown state. First available state is 1"),
    ("anvil", StateUnavailable, -32000, "BlockOutOfRangeError: block height is 20 but requested 1"),
    ("Chainstack", StateUnavailable, -32002, "Archive, Debug and Trace requests are not available"),
    ("PublicNode", StateUnavailable, -32701, "Archive requests require a personal token"),
    ("Ankr", StateUnavailable, -32000, "this request needs an archive node"),
    ("op-geth", StateUnavailable, -32000, "no state found for block number 5"),
    ("Infura", RateLimited, -32005, "daily request count exceeded, request rate limited"),
    ("Infura", RateLimited, -32005, "project ID request rate exceeded"),
    ("Alchemy", RateLimited, 429, "Your app has exceeded its compute units per second capacity."),
    ("Alchemy", RateLimited, 429, "Your app has exceeded its concurrent requests capacity."),
    ("Alchemy", RateLimited, 429, "Monthly capacity limit exceeded."),
    ("QuickNode", RateLimited, -32007, "15/second request limit reached - reduce calls per second"),
    ("QuickNode", RateLimited, -32003, "daily request limit reached - upgrade your account"),
    ("Chainstack", RateLimited, -32005, "You've exceeded the RPS limit available on the plan."),
    ("Ankr", RateLimited, -32090, "Too many requests, reason: call rate limit exhausted"),
    ("dRPC", RateLimited, 15, "Too many request, try again later"),
    ("BlockPI", RateLimited, -32000, "the method is rate limited, please try again in 2 seconds"),
    ("1RPC", RateLimited, -32001, "You've reached the usage limit for your current plan"),
    ("Blast", RateLimited, -32000, "exceeded 25 calls per second"),
    ("Base", RateLimited, -32016, "over rate limit"),
    ("Optimism", RateLimited, -32016, "over rate limit"),
    ("Moralis", RateLimited, 429, "Your plan's daily included usage has been consumed"),
    ("LlamaRPC", RateLimited, 429, "Too Many Requests"),
    ("Cloudflare", RateLimited, -32000, "rate limited"),
    ("Tenderly", RateLimited, -32029, "quota of the project"),
    ("most", Permanent, -32601, "the method eth_getBlockReceipts does not exist/is not available"),
    ("Alchemy", Permanent, -32600, "Unsupported method: eth_getBlockReceipts on ZKSYNC_MAINNET."),
    ("dRPC", Permanent, 35, "method is not available on freetier"),
    ("PublicNode", Permanent, -32701, "the method debug_traceCall is not whitelisted"),
    ("geth", Permanent, -32602, "invalid argument 0: hex string without 0x prefix"),
    ("Alchemy", Permanent, -32600, "Must be authenticated!"),
    ("geth", Permanent, -32000, "insufficient funds for gas * price + value"),
    ("Base", Transient, -32011, "no backends available for method"),
    ("Cloudflare", Transient, -32046, "Cannot fulfill request"),
    ("Infura", Transient, -32603, "Internal error"),
    ("geth", Transient, -32000, "context deadline exceeded"),
    ("geth", Transient, -32000, "execution aborted (timeout = 5s)"),
    ("dRPC", Transient, 30, "Request timeout on the free tier, please upgrade your tier"),
    ("LlamaRPC", Transient, -32000, "upstream temporarily gone"),
    ("nobody", Transient, -12345, "words nobody wrote before"),
]


@pytest.mark.parametrize(
    ("code", "message", "blocks"),
    [row[1:] for row in RANGES],
    ids=[f"{row[0]}: {row[2][:30]}" for row in RANGES],
)
def test_ranges_that_are_too_large(code: int, message: str, blocks: Any) -> None:
    error = classify(code, message)
    assert type(error) is RangeTooLarge
    assert error.suggested == blocks


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [row[1:] for row in REST],
    ids=[f"{row[0]}: {row[3][:30]}" for row in REST],
)
def test_every_other_wording(kind: type[RpcError], code: int, message: str) -> None:
    assert type(classify(code, message)) is kind


def test_words_in_the_data_count_too() -> None:
    data = {"error_id": "4e", "payload": "range 9009594 is bigger than range limit 2000"}
    error = classify(-32602, "invalid params", data)
    assert isinstance(error, RangeTooLarge)
    assert error.suggested_blocks == 2000
    assert type(classify(-32015, "VM execution error.", "Reverted 0xbeef")) is ContractReverted


@pytest.mark.parametrize(
    ("message", "data", "seconds"),
    [
        (
            "daily request count exceeded, request rate limited",
            {"rate": {"backoff_seconds": 30}},
            30,
        ),
        ("You've exceeded the RPS limit", {"try_again_in": "250ms"}, 0.25),
        ("Too many requests, reason: call rate limit exhausted, retry in 10s", None, 10),
        ("rate limited, please try again in 2 seconds", None, 2),
        ("rate limited, retry after 3 minutes", None, 60),
        ("rate limit exceeded", None, 1),
        ("rate limit exceeded, retry in ......s", None, 1),
        ("rate limit exceeded", {"rate": {"backoff_seconds": True}}, 1),
        ("rate limit exceeded", {"retry_after": -5}, 0.05),
    ],
)
def test_how_long_to_wait(message: str, data: Any, seconds: float) -> None:
    error = classify(-32005, message, data)
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == seconds


def test_http_statuses() -> None:
    assert type(classify_http(503, "", None)) is Transient
    assert type(classify_http(413, "", None)) is RangeTooLarge
    assert type(classify_http(401, "", None)) is Permanent
    # The words of a gateway's body say more than its status.
    body = '{"jsonrpc":"2.0","id":56,"error":{"code":-32614,"message":"eth_getLogs is limited to a 10,000 range"}}'  # noqa: E501
    error = classify_http(413, body, None)
    assert isinstance(error, RangeTooLarge)
    assert error.suggested == 10_000
    body = '[{"error":{"code":31,"message":"Batch of more than 3 requests are not allowed"}}]'
    assert type(classify_http(500, body, None)) is BatchTooLarge
    body = '{"error":{"code":429,"message":"capacity","data":{"try_again_in":"3s"}}}'
    error = classify_http(429, body, None)
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 3


@pytest.mark.parametrize(
    ("header", "low_s", "high_s"),
    [("7", 7, 7), ("0", 0.05, 0.05), ("999999", 60, 60), ("soon", 1, 1), ("", 1, 1)],
)
def test_retry_after(header: str, low_s: float, high_s: float) -> None:
    error = classify_http(429, "", header)
    assert isinstance(error, RateLimited)
    assert low_s <= error.retry_after_s <= high_s


def test_retry_after_as_a_date() -> None:
    error = classify_http(429, "", email.utils.formatdate(time.time() + 20, usegmt=True))
    assert isinstance(error, RateLimited)
    assert 15 < error.retry_after_s <= 20
    error = classify_http(429, "", email.utils.formatdate(time.time() - 500, usegmt=True))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 0.05


@pytest.mark.parametrize(
    ("data", "raw"),
    [
        ("0x08c379a0", "08c379a0"),
        ({"data": "0xdead"}, "dead"),
        ("Reverted 0xbeef", "beef"),
        ({"data": {}}, ""),
        ("0xabc", ""),
        (None, ""),
        (5, ""),
    ],
)
def test_revert_bytes_are_found_wherever_nodes_put_them(data: Any, raw: str) -> None:
    assert revert_bytes(data).hex() == raw


@given(
    st.integers(),
    st.text(max_size=200),
    st.none() | st.text(max_size=50) | st.dictionaries(st.text(max_size=9), st.text(max_size=9)),
)
def test_any_words_are_survived(code: int, message: str, data: Any) -> None:
    assert isinstance(classify(code, message, data), RpcError)


@given(st.from_regex(r"(range|limit|max|up to a) ?\[?(0x)?[0-9]{1,40}[ ,-]{1,3}[0-9]{0,40}\]?"))
def test_what_is_suggested_is_a_number_of_blocks(text: str) -> None:
    found = suggested(text)
    if isinstance(found, tuple):
        assert 0 <= found[0] <= found[1]
    elif found is not None:
        assert 0 < found <= 10_000_000


def test_every_row_names_who_says_it_and_is_reached() -> None:
    assert all(rule.seen for rule in CLASSIFIER)
    texts = [(row[1], row[2]) for row in RANGES] + [(row[2], row[3]) for row in REST]
    reached = set()
    for code, text in texts:
        for number, rule in enumerate(CLASSIFIER):
            fits = not rule.codes or code in rule.codes
            if fits and (rule.pattern is None or rule.pattern.search(text)):
                reached.add(number)
                break
    idle = [rule.seen for number, rule in enumerate(CLASSIFIER) if number not in reached]
    assert len(idle) <= len(CLASSIFIER) // 3, idle
