"""Reads of the chain: what is asked, and what the stored answer means."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_utils.crypto import keccak

from chain.contracts import contract
from chain.decoding import FunctionCodec
from chain.projections import ETH_BALANCE, Read
from chain.rpc.client import BlockRef, Call, block_param, eth_call_request


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A read in bytes. ``codec`` is None for an account's balance."""

    address: bytes
    calldata: bytes
    calldata_hash: bytes
    codec: FunctionCodec | None

    def call(self, block: BlockRef) -> Call:
        """The request to a node."""
        if self.codec is None:
            return Call("eth_getBalance", (f"0x{self.address.hex()}", block_param(block)))
        return eth_call_request(self.address, self.calldata, block)

    def decode(self, value: bytes) -> Any:
        """The stored bytes as the function's return value; a balance in wei.

        Raises:
            AbiInvalid
        """
        if self.codec is None:
            return int.from_bytes(value, "big")
        return self.codec.decode_output(value)


@lru_cache(maxsize=8192)
def _request(address: bytes, calldata: bytes, codec: FunctionCodec | None) -> ReadRequest:
    return ReadRequest(address, calldata, keccak(calldata), codec)


def read_request(read: Read) -> ReadRequest:
    """Encode a read.

    Raises:
        AbiUnknown, AbiUnencodable, DeploymentInvalid
    """
    if read.function == ETH_BALANCE:
        return _request(bytes(read.args[0]), ETH_BALANCE.encode("ascii"), None)
    target = contract(read.contract)
    codec = target.codec.function(read.function, read.args)
    return _request(target.address, codec.encode(read.args), codec)
