"""A JSON-RPC client: one request or one batch, checked answers, typed errors. No Django."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from chain.rpc.classifier import error_read
from chain.rpc.errors import (
    BlockUnknown,
    Inconsistent,
    RateLimited,
    RpcError,
    Transient,
)
from chain.rpc.log_page import logs_check, logs_read
from chain.rpc.transport import Transport
from chain.rpc.types import (
    BlockHeader,
    RawLog,
    Receipt,
    hex_bytes,
    hex_int,
    parse_header,
    parse_receipt,
)
from chain.rpc.validation import check_block_logs, check_header

#: A block by number, by hash, or by tag ("latest", "finalized", "pending").
BlockRef = int | bytes | str
#: Requests in one batch; common providers refuse more.
BATCH_MAX = 100


@dataclass(frozen=True, slots=True)
class Call:
    """One JSON-RPC request."""

    method: str
    params: tuple[Any, ...] = ()
    #: Reads the whole response of a request made alone, in one pass; None leaves it to us.
    read: Callable[[bytes], Any] | None = None


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


class RpcClient:
    """Speaks to one node through an injected transport."""

    def __init__(
        self, transport: Transport, *, batch_max: int = BATCH_MAX, retries: int = 2
    ) -> None:
        self.transport = transport
        self._batch_max = batch_max
        self._retries = retries
        #: Whether the node runs calls without ``to``; chain.rpc.multicall finds out.
        self.deployless = True

    # --- requests -----------------------------------------------------------------

    def call(self, method: str, *params: Any, retries: int | None = None) -> Any:
        """Make one request and return its result.

        Raises:
            RpcError: by kind; see chain.rpc.errors.
        """
        result = self.batch([Call(method, params)], retries=retries)[0]
        if isinstance(result, RpcError):
            raise result
        return result

    def batch(self, calls: Sequence[Call], *, retries: int | None = None) -> list[Any]:
        """Make many requests in few exchanges; an element that failed is its RpcError.

        Raises:
            RpcError: the exchange itself failed.
        """
        results: list[Any] = []
        for start in range(0, len(calls), self._batch_max):
            results += self._exchange_retrying(calls[start : start + self._batch_max], retries)
        return results

    def _exchange_retrying(self, calls: Sequence[Call], retries: int | None) -> list[Any]:
        attempts = self._retries if retries is None else retries
        for attempt in range(attempts + 1):
            try:
                return self._exchange(calls)
            except (Transient, RateLimited) as error:
                if attempt == attempts:
                    raise
                wait = error.retry_after_s if isinstance(error, RateLimited) else 0.1
                time.sleep(min(wait * 2**attempt, 5.0))
        raise AssertionError("unreachable")

    def _exchange(self, calls: Sequence[Call]) -> list[Any]:
        requests = [
            {"jsonrpc": "2.0", "id": i, "method": call.method, "params": list(call.params)}
            for i, call in enumerate(calls)
        ]
        single = len(requests) == 1
        body = orjson.dumps(requests[0] if single else requests)
        response = self.transport.send(body)
        if single and calls[0].read is not None:
            result = calls[0].read(response)
            if result is not None:
                return [result]
        try:
            answer = orjson.loads(response)
        except orjson.JSONDecodeError as error:
            raise Transient(f"The node's answer is not JSON: {error}") from error
        if single:
            return [self._result(answer)]
        if isinstance(answer, dict):  # one error for the whole batch
            result = self._result(answer)
            raise result if isinstance(result, RpcError) else Inconsistent("No list for a batch.")
        return self._match(answer, len(requests))

    def _match(self, answers: Any, count: int) -> list[Any]:
        if not isinstance(answers, list):
            raise Inconsistent("The answer to a batch is not a list.")
        results: dict[int, Any] = {}
        for answer in answers:
            number = answer.get("id") if isinstance(answer, dict) else None
            if not isinstance(number, int) or number in results:
                raise Inconsistent("An answer in a batch has no id of ours, or one twice.")
            results[number] = self._result(answer)
        if set(results) != set(range(count)):
            raise Inconsistent(f"{len(results)} answers to {count} requests.")
        return [results[i] for i in range(count)]

    @staticmethod
    def _result(answer: Any) -> Any:
        if not isinstance(answer, dict):
            return Inconsistent("An answer is not an object.")
        error = answer.get("error")
        if error is not None:
            if not isinstance(error, dict):
                return Transient(str(error)[:500])
            return error_read(error)
        if "result" not in answer:
            return Inconsistent("An answer has neither result nor error.")
        return answer["result"]

    # --- chain ----------------------------------------------------------------------

    def chain_id(self) -> int:
        """EIP-155 chain id of the node."""
        return hex_int(self.call("eth_chainId"))

    def headers(self, blocks: Iterable[BlockRef]) -> list[BlockHeader | None]:
        """Headers in the order asked; None where the node has no such block.

        Raises:
            Inconsistent: a header is of another block than asked.
        """
        wanted = list(blocks)
        results = self.batch([header_request(block) for block in wanted])
        return [header_result(block, r) for block, r in zip(wanted, results, strict=True)]

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
        logs = self._logs({"blockHash": f"0x{header.hash.hex()}"}, addresses)
        check_block_logs(header, logs)
        return logs

    def logs_of_range(self, start: int, end: int, addresses: Sequence[bytes]) -> list[RawLog]:
        """All logs of ``addresses`` in blocks ``start``..``end``, both included.

        Raises:
            RangeTooLarge: ask for fewer blocks.
            BlockUnknown: the node does not have block ``end``; one that lags gives a short list
                and no error (go-ethereum#24078).
        """
        logs = self._logs({"fromBlock": hex(start), "toBlock": hex(end)}, addresses)
        self.header(end)
        if logs and not start <= logs[0].block_number <= logs[-1].block_number <= end:
            raise Inconsistent(f"Logs of other blocks than {start}..{end}.")
        return logs

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
        return hex_bytes(self.call(request.method, *request.params))

    def balance_wei(self, address: bytes, block: BlockRef = "latest") -> int:
        """Balance in wei."""
        return hex_int(self.call("eth_getBalance", f"0x{address.hex()}", block_param(block)))

    def nonce(self, address: bytes, block: BlockRef = "latest") -> int:
        """Transactions sent from ``address`` as of ``block``."""
        return hex_int(
            self.call("eth_getTransactionCount", f"0x{address.hex()}", block_param(block))
        )

    def code(self, address: bytes, block: BlockRef = "latest") -> bytes:
        """Contract code at ``address``; empty for a plain account."""
        return hex_bytes(self.call("eth_getCode", f"0x{address.hex()}", block_param(block)))

    def estimate_gas(self, *, sender: bytes, to: bytes, data: bytes, value_wei: int = 0) -> int:
        """Gas units the transaction would need now.

        Raises:
            ContractReverted: it would revert.
        """
        tx = {"from": f"0x{sender.hex()}", "to": f"0x{to.hex()}", "data": f"0x{data.hex()}"}
        return hex_int(self.call("eth_estimateGas", tx | {"value": hex(value_wei)}))

    def receipts(self, hashes: Sequence[bytes]) -> list[Receipt | None]:
        """Receipts in the order asked; None for a transaction not (or no longer) mined."""
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
        """Broadcast signed bytes; return the hash. Never retried here: the sender decides."""
        return hex_bytes(self.call("eth_sendRawTransaction", f"0x{raw.hex()}", retries=0), 32)


def header_request(block: BlockRef) -> Call:
    """The request for one header, without the transactions' bodies."""
    if isinstance(block, bytes):
        return Call("eth_getBlockByHash", (f"0x{block.hex()}", False))
    return Call("eth_getBlockByNumber", (block_param(block), False))


def header_result(block: BlockRef, result: Any) -> BlockHeader | None:
    """Read the answer to ``header_request(block)``.

    Raises:
        RpcError: the request failed, or the header is of another block.
    """
    if isinstance(result, BlockUnknown) or result is None:
        return None
    if isinstance(result, RpcError):
        raise result
    header = parse_header(result)
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
