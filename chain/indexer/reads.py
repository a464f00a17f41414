"""Reads of the chain: what is asked, and what the stored answer means."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chain.contracts import contract
from chain.decoding import FunctionCodec
from chain.deployment import deployment
from chain.hashing import keccak
from chain.projections import ETH_BALANCE, Projector, Read
from chain.rpc.types import BlockHeader

#: (address, keccak of calldata).
ReadKey = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A read in bytes. ``codec`` is None for an account's balance."""

    address: bytes
    calldata: bytes
    calldata_hash: bytes
    codec: FunctionCodec | None

    @property
    def read_key(self) -> ReadKey:
        """What names the read."""
        return self.address, self.calldata_hash

    def decode(self, value: bytes) -> Any:
        """The stored bytes as the function's return value; a balance in wei.

        Raises:
            AbiInvalid
        """
        if self.codec is None:
            return int.from_bytes(value, "big")
        return self.codec.decode_output(value)


def read_request(read: Read) -> ReadRequest:
    """Encode a read.

    Raises:
        AbiUnknown, AbiUnencodable, DeploymentInvalid
    """
    return _encode(read, id(deployment()))


@lru_cache(maxsize=65536)
def _encode(read: Read, deployed: int) -> ReadRequest:
    """Encode, once per read and deployment: the same is asked when it is fetched and when its
    answer is used."""
    if read.function == ETH_BALANCE:
        calldata = ETH_BALANCE.encode("ascii")
        return ReadRequest(bytes(read.args[0]), calldata, keccak(calldata), None)
    target = contract(read.contract)
    codec = target.codec.function(read.function, read.args)
    calldata = codec.encode(read.args)
    return ReadRequest(target.address, calldata, keccak(calldata), codec)


def requests_of(projector: Projector, keys: Sequence[str], block: BlockHeader) -> list[ReadRequest]:
    """What a projector wants read at ``block`` for these keys, each read once."""
    reads = projector.reads(keys=list(keys), block=block) if keys else ()
    return list(dict.fromkeys(map(read_request, reads)))
