"""A JSON-RPC client: one request or one batch, checked answers, typed errors. No Django."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from chain.hashing import keccak
from chain.rpc.errors import BlockUnknown, Inconsistent, RpcError
from chain.rpc.exchange import BATCH_MAX, Call, Exchanger
from chain.rpc.header_hash import HeaderTrust
from chain.rpc.log_page import logs_check, logs_read
from chain.rpc.pool import ProviderPool
from chain.rpc.receipts import parse_receipt
from chain.rpc.transport import Transport
from chain.rpc.types import (
    BlockHeader,
    RawLog,
    Receipt,
    hex_bytes,
    hex_int,
    parse_header,
)
from chain.rpc.validation import check_block_logs, check_header

__all__ = ["BlockRef", "Call", "RpcClient", "block_param", "eth_call_request", "header_request"]

#: A block by number, by hash, or by tag ("latest", "finalized", "pending").
BlockRef = int | bytes | str


def block_param(block: BlockRef) -> Any:
    """Write a block reference; hashes in the form of EIP-1898, so that a node that left the
    block says so instead of answering for another."""
    if isinstance(block, bytes):
        return {"blockHash": f"0x{block.hex()}"}
    return hex(block) if isinstance(block, int) else block


def eth_call_request(
    to: bytes,
    data: bytes,
    block: BlockRef,
    *,
    sender: bytes | None = None,
    value_wei: int = 0,
    gas: int | None = None,
) -> Call:
    """Build an ``eth_call`` to ``to`` (20 bytes)."""
    tx: dict[str, str] = {"to": f"0x{to.hex()}", "data": f"0x{data.hex()}"}
    if sender is not None:
        tx["from"] = f"0x{sender.hex()}"
    if value_wei:
        tx["value"] = hex(value_wei)
    if gas is not None:
        tx["gas"] = hex(gas)
    return Call("eth_call", (tx, block_param(block)))


class RpcClient(Exchanger):
    """Reads a chain through a transport, or through the nodes of a pool.

    ``headers``: what a header means that does not give its own hash (chain.rpc.header_hash).
    """

    def __init__(
        self,
        transport: Transport | ProviderPool,
        *,
        batch_max: int = BATCH_MAX,
        retries: int = 2,
        headers: HeaderTrust | None = None,
    ) -> None:
        super().__init__(transport, batch_max=batch_max, retries=retries)
        self.header_trust = headers or HeaderTrust()
        #: Whether the nodes run calls without ``to``; chain.rpc.multicall finds out.
        self.deployless = True
        #: Whether they have eth_getBlockReceipts: None until chain.rpc.proof has found out. Once
        #: they had it, refusing it is no longer believed.
        self.block_receipts: bool | None = None

    # --- chain ----------------------------------------------------------------------

    def chain_id(self) -> int:
        """EIP-155 chain id of the node."""
        return self._int("eth_chainId")

    def headers(self, blocks: Iterable[BlockRef]) -> list[BlockHeader | None]:
        """Headers in the order asked; None where the node has no such block.

        Raises:
            Inconsistent: a header is of another block than asked.
        """
        wanted = list(blocks)
        return self.checked(lambda: self._headers(wanted))

    def _headers(self, wanted: Sequence[BlockRef]) -> list[BlockHeader | None]:
        results = self.batch([header_request(block) for block in wanted])
        headers: list[BlockHeader | None] = []
        for block, result in zip(wanted, results, strict=True):
            header = header_result(block, result, self.header_trust)
            if header is not None and block == "latest":
                self.pool.saw_head(self._local.last, header.number)
            headers.append(header)
        return headers

    def header(self, block: BlockRef) -> BlockHeader:
        """One header.

        Raises:
            BlockUnknown: the node has no such block.
        """
        header = self.headers([block])[0]
        if header is None:
            raise BlockUnknown(f"The node has no block {_name(block)}.")
        return header

    def logs_of_block(self, header: BlockHeader, addresses: Sequence[bytes]) -> list[RawLog]:
        """All logs of ``addresses`` in one block, by its hash, checked against its header."""

        def read() -> list[RawLog]:
            logs = self._logs({"blockHash": f"0x{header.hash.hex()}"}, addresses)
            check_block_logs(header, logs)
            return logs

        return self.checked(read)

    def logs_of_range(self, start: int, end: int, addresses: Sequence[bytes]) -> list[RawLog]:
        """All logs of ``addresses`` in blocks ``start``..``end``, both included.

        Raises:
            RangeTooLarge: ask for fewer blocks.
            BlockUnknown: the node does not have block ``end``; one that lags gives a short list
                and no error (go-ethereum#24078).
        """

        def read() -> list[RawLog]:
            logs = self._logs({"fromBlock": hex(start), "toBlock": hex(end)}, addresses)
            self.header(end)
            if logs and not start <= logs[0].block_number <= logs[-1].block_number <= end:
                raise Inconsistent(f"Logs of other blocks than {start}..{end}.")
            return logs

        # One node for both: that it has block ``end`` says something of its own logs only.
        return self.checked(read, together=True)

    def _logs(self, query: dict[str, Any], addresses: Sequence[bytes]) -> list[RawLog]:
        call = Call("eth_getLogs", (query | {"address": _hexes(addresses)},), logs_read)
        result = self.batch([call])[0]
        if isinstance(result, RpcError):
            raise result
        # What logs_read leaves is an error or no list: null is not [].
        if not isinstance(result, list):
            raise Inconsistent("eth_getLogs gave no list.")
        logs_check(result, set(addresses))
        return result

    def eth_call(
        self,
        to: bytes,
        data: bytes,
        block: BlockRef = "latest",
        *,
        sender: bytes | None = None,
        value_wei: int = 0,
        gas: int | None = None,
    ) -> bytes:
        """Run a call without sending it; return the bytes it returns.

        Raises:
            ContractReverted: with the raw revert bytes.
        """
        request = eth_call_request(to, data, block, sender=sender, value_wei=value_wei, gas=gas)
        return self._bytes(request.method, *request.params)

    def _bytes(self, method: str, *params: Any) -> bytes:
        return self.checked(lambda: hex_bytes(self.call(method, *params)))

    def _int(self, method: str, *params: Any) -> int:
        return self.checked(lambda: hex_int(self.call(method, *params)))

    def balance_wei(self, address: bytes, block: BlockRef = "latest") -> int:
        """Balance in wei."""
        return self._int("eth_getBalance", f"0x{address.hex()}", block_param(block))

    def nonce(self, address: bytes, block: BlockRef = "latest") -> int:
        """Transactions sent from ``address`` as of ``block``."""
        return self._int("eth_getTransactionCount", f"0x{address.hex()}", block_param(block))

    def code(self, address: bytes, block: BlockRef = "latest") -> bytes:
        """Contract code at ``address``; empty for a plain account."""
        return self._bytes("eth_getCode", f"0x{address.hex()}", block_param(block))

    def estimate_gas(self, *, sender: bytes, to: bytes, data: bytes, value_wei: int = 0) -> int:
        """Gas units the transaction would need now.

        Raises:
            ContractReverted: it would revert.
        """
        tx = {"from": f"0x{sender.hex()}", "to": f"0x{to.hex()}", "data": f"0x{data.hex()}"}
        return self._int("eth_estimateGas", tx | {"value": hex(value_wei)})

    def receipts(self, hashes: Sequence[bytes]) -> list[Receipt | None]:
        """Receipts in the order asked; None for a transaction not (or no longer) mined."""
        return self.checked(lambda: self._receipts(hashes))

    def _receipts(self, hashes: Sequence[bytes]) -> list[Receipt | None]:
        results = self.batch(
            [Call("eth_getTransactionReceipt", (f"0x{item.hex()}",)) for item in hashes]
        )
        receipts: list[Receipt | None] = []
        for item, result in zip(hashes, results, strict=True):
            if isinstance(result, RpcError):
                raise result
            receipt = None if result is None else parse_receipt(result)
            if receipt is not None and receipt.transaction_hash != item:
                raise Inconsistent("A receipt of another transaction than asked.")
            receipts.append(receipt)
        return receipts

    def priority_fee_wei(self) -> int:
        """Median priority fee of the last ten blocks, wei per gas (``eth_feeHistory``)."""
        history = self.call("eth_feeHistory", "0xa", "latest", [50])
        rewards = history.get("reward") if isinstance(history, dict) else None
        tips = sorted(hex_int(row[0]) for row in rewards or [] if row)
        return tips[len(tips) // 2] if tips else 0

    def send_raw(self, raw: bytes) -> bytes:
        """Broadcast signed bytes to the best node; return the hash. Never retried here, nor sent
        elsewhere: the sender decides.

        Raises:
            RpcError: what became of the transaction is unknown.
        """
        said = hex_bytes(self.call("eth_sendRawTransaction", f"0x{raw.hex()}", retries=0), 32)
        if said != keccak(raw):
            error = Inconsistent("The node names another transaction than the one it was given.")
            self.distrust(error)
            raise error
        return said


def header_request(block: BlockRef) -> Call:
    """The request for one header, without the transactions' bodies."""
    if isinstance(block, bytes):
        return Call("eth_getBlockByHash", (f"0x{block.hex()}", False))
    return Call("eth_getBlockByNumber", (block_param(block), False))


def header_result(block: BlockRef, result: Any, trust: HeaderTrust) -> BlockHeader | None:
    """Read the answer to ``header_request(block)``.

    Raises:
        RpcError: the request failed, or the header is of another block.
    """
    if isinstance(result, BlockUnknown) or result is None:
        return None
    if isinstance(result, RpcError):
        raise result
    header = parse_header(result)
    verified = trust.check(header.hash, result)
    if verified:
        header = replace(header, hash_verified=True)
    check_header(
        header,
        number=block if isinstance(block, int) else None,
        hash=block if isinstance(block, bytes) else b"",
    )
    return header


def _hexes(addresses: Sequence[bytes]) -> list[str]:
    return [f"0x{address.hex()}" for address in addresses]


def _name(block: BlockRef) -> str:
    return f"0x{block.hex()}" if isinstance(block, bytes) else str(block)
