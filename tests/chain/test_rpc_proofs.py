"""Header hashes and receipt roots: equal to the reference libraries and to real chains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from chain.rpc import HttpTransport, Inconsistent, RpcClient
from chain.rpc.header_hash import HeaderTrust, header_hash
from chain.rpc.proof import receipts_of_block
from chain.rpc.receipts_root import receipt_encode, receipts_check
from chain.rpc.rlp_trie import ordered_root, rlp_bytes, rlp_int, rlp_list
from chain.rpc.types import RawLog, parse_header
from config.embedded.anvil import AnvilServer

#: Ethereum's first block, whose hash everybody knows: a header of Frontier.
GENESIS = {
    "hash": "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
    "parentHash": f"0x{'00' * 32}",
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": f"0x{'00' * 20}",
    "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
    "transactionsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "receiptsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "logsBloom": f"0x{'00' * 256}",
    "difficulty": "0x400000000",
    "number": "0x0",
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
    "timestamp": "0x0",
    "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
    "mixHash": f"0x{'00' * 32}",
    "nonce": "0x0000000000000042",
    "totalDifficulty": "0x400000000",
    "size": "0x21c",
    "transactions": [],
    "uncles": [],
}


def hexed(raw: bytes) -> str:
    return f"0x{raw.hex()}"


def test_the_first_header_of_ethereum() -> None:
    assert hexed(header_hash(GENESIS) or b"") == GENESIS["hash"]


@pytest.mark.chain
@pytest.mark.parametrize("fork", ["istanbul", "london", "shanghai", "cancun", "prague", "osaka"])
def test_headers_and_receipts_of_every_fork(tmp_path: Path, fork: str) -> None:
    server = AnvilServer(tmp_path, extra=["--hardfork", fork])
    server.start()
    try:
        emitter = hexed(b"\xa1" * 20)
        server.rpc("anvil_setCode", emitter, "0x36600060003760ff366000a100")
        accounts = server.rpc("eth_accounts")
        server.rpc("evm_setAutomine", False)
        fees = [{"gasPrice": hex(3 * 10**9)}, {"gasPrice": hex(3 * 10**9), "accessList": []}]
        if fork != "istanbul":
            fees.append({"maxFeePerGas": hex(3 * 10**9), "maxPriorityFeePerGas": "0x1"})
        else:
            fees.pop()
        for index in range(9):
            tx = {"from": accounts[index], "to": emitter, "gas": "0x30000", "data": "0x" + "ab" * 9}
            server.rpc("eth_sendTransaction", tx | fees[index % len(fees)])
        server.rpc("evm_mine")
        client = RpcClient(HttpTransport(server.url), headers=HeaderTrust("strict"))
        header = client.header("latest")
        found = receipts_of_block(client, header)
        assert header.hash_verified
        # anvil's own first block has the blob fields of Cancun in every fork.
        assert fork in ("istanbul", "london", "shanghai") or client.header(0).hash_verified
        assert found is not None
        assert found.proven
        assert len(found.logs) == 9
    finally:
        server.stop()


items = st.lists(st.binary(min_size=1, max_size=300), max_size=300)


@given(items)
def test_the_root_is_that_of_a_trie(values: list[bytes]) -> None:
    trie = HexaryTrie({})
    for index, value in enumerate(values):
        trie[rlp.encode(index)] = value
    assert ordered_root(values) == trie.root_hash


@pytest.mark.parametrize("count", [0, 1, 2, 127, 128, 129, 255, 256, 257, 1100])
def test_roots_where_keys_grow(count: int) -> None:
    values = [bytes([index % 251]) * (1 + index % 90) for index in range(count)]
    trie = HexaryTrie({})
    for index, value in enumerate(values):
        trie[rlp.encode(index)] = value
    assert ordered_root(values) == trie.root_hash


nested = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=5))


@given(nested)
def test_rlp_is_rlp(value: Any) -> None:
    def encode(item: Any) -> bytes:
        return rlp_bytes(item) if isinstance(item, bytes) else rlp_list(map(encode, item))

    assert encode(value) == rlp.encode(value)


@given(st.integers(min_value=0, max_value=2**256 - 1))
def test_rlp_numbers_have_no_leading_zeros(number: int) -> None:
    assert rlp_int(number) == rlp.encode(number)


log_lists = st.lists(
    st.tuples(
        st.binary(min_size=20, max_size=20),
        st.lists(st.binary(min_size=32, max_size=32), max_size=4),
        st.binary(max_size=200),
    ),
    max_size=4,
)


@given(
    st.sampled_from([0, 1, 2, 3, 4]),
    st.booleans(),
    st.integers(min_value=0, max_value=2**40),
    st.binary(min_size=256, max_size=256),
    log_lists,
)
def test_a_receipt_is_encoded_as_its_type_says(
    kind: int, ok: bool, gas: int, bloom: bytes, logs: list[Any]
) -> None:
    source = {
        "type": hex(kind),
        "status": hex(ok),
        "cumulativeGasUsed": hex(gas),
        "logsBloom": hexed(bloom),
    }
    hash = b"\x01" * 32
    parsed = [RawLog(1, hash, hash, 0, 0, a, tuple(topics), data) for a, topics, data in logs]
    payload = rlp.encode([int(ok), gas, bloom, [[a, topics, data] for a, topics, data in logs]])
    assert receipt_encode(source, parsed) == (bytes([kind]) if kind else b"") + payload
    before = {key: value for key, value in source.items() if key not in ("status", "type")}
    root = rlp.encode([b"\x07" * 32, gas, bloom, [[a, t, d] for a, t, d in logs]])
    assert receipt_encode(before | {"root": hexed(b"\x07" * 32)}, parsed) == root


def test_an_op_stack_deposit_has_its_nonce_from_canyon_on() -> None:
    source = {
        "type": "0x7e",
        "status": "0x1",
        "cumulativeGasUsed": "0xb729",
        "logsBloom": hexed(bytes(256)),
        "depositNonce": "0x5",
    }
    fields = [1, 0xB729, bytes(256), []]
    assert receipt_encode(source, []) == b"\x7e" + rlp.encode(fields)
    canyon = source | {"depositReceiptVersion": "0x1"}
    assert receipt_encode(canyon, []) == b"\x7e" + rlp.encode([*fields, 5, 1])


def test_what_cannot_be_proven_says_why() -> None:
    header = parse_header(GENESIS)
    found = receipts_check(header, [])
    assert not found.proven
    assert "cannot be recomputed" in found.reason
    for source in (None, {}, ["x"], [{}]):
        with pytest.raises(Inconsistent):
            receipts_check(header, source)


mutations = st.sampled_from(sorted(set(GENESIS) - {"hash", "size", "totalDifficulty"}))


@given(mutations, st.none() | st.integers() | st.text(max_size=20) | st.binary(max_size=40))
def test_no_field_of_a_header_can_be_changed_unnoticed(name: str, value: Any) -> None:
    changed = GENESIS | {name: hexed(value) if isinstance(value, bytes) else value}
    trust = HeaderTrust("strict")
    said = bytes.fromhex(GENESIS["hash"][2:])
    if name in ("transactions", "uncles"):
        return
    try:
        verified = trust.check(said, changed)
    except Inconsistent:
        return
    # What is written otherwise but means the same (0x00 for 0x0) is the same header.
    assert verified
    assert str(changed[name]).lstrip("0x") == str(GENESIS[name]).lstrip("0x")
