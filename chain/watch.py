"""Which contracts are followed, and by which ABI their logs are read.

Those of the deployment always, and those that people added (``contract_watch``) once they have
joined the main lane. Indexer, web and workers are different processes, so no process trusts what
it remembers: the cursor row names the set in force by a digest of its content, a batch says for
which set it was fetched, and the commit refuses it where the two differ.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock

from django.db import transaction

from chain import clock, conf
from chain.addresses import to_checksum
from chain.client import rpc_client
from chain.contracts import codec_load
from chain.deployment import DeploymentInvalid, deployment
from chain.models import Cursor, WatchedContract
from chain.rpc.client import RpcClient


class WatchRefused(Exception):
    """A contract cannot be watched, or left. ``code`` says why, ``detail`` what to do.

    Codes: ``watch_chain`` (the node serves another chain), ``watch_no_code``, ``watch_future``,
    ``watch_block`` (no block number), ``watch_abi`` (no such ABI here), ``watch_abi_differs``,
    ``watch_known`` (already watched), ``watch_unknown``.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class WatchList:
    """The contracts every batch must hold the logs of. ``digest`` names the added ones by their
    content: two lists of one digest are the same list, whichever process made them."""

    digest: bytes
    added: Mapping[bytes, str]

    @property
    def contracts(self) -> Mapping[bytes, str]:
        """Address (20 bytes) -> name of the ABI in ``chain/abi``: ours, and those added.

        Raises:
            DeploymentInvalid
        """
        ours = deployment().by_address
        return {**ours, **self.added} if self.added else ours


_EMPTY = WatchList(b"", {})
_lock = Lock()
_current = _EMPTY


def watch_digest(added: Iterable[tuple[bytes, str]]) -> bytes:
    """Name a set of added contracts by its content; empty for none."""
    items = sorted((bytes(address), abi) for address, abi in added)
    if not items:
        return b""
    return sha256(b"".join(address + abi.encode() + b"\0" for address, abi in items)).digest()


def watch_refresh(digest: bytes) -> bool:
    """Take the list that the cursor names into use; whether it is another than before.

    The indexer calls it with the cursor it has just read, before it fetches anything.
    """
    global _current
    with _lock:
        if _current.digest == digest:
            return False
        rows = WatchedContract.objects.filter(chain_id=conf.chain_id(), joined=True)
        added = {bytes(address): abi for address, abi in rows.values_list("address", "abi")}
        # A contract that joined meanwhile makes this list newer than the cursor that was read;
        # a batch fetched for it is then refused by its digest, and fetched again.
        _current = WatchList(watch_digest(added.items()), added)
        return True


def watch_current() -> WatchList:
    """The list this process fetches by."""
    return _current


def watched_contracts() -> Mapping[bytes, str]:
    """Address (20 bytes) -> name of the ABI in ``chain/abi``, as of the last ``watch_refresh``.

    Raises:
        DeploymentInvalid
    """
    return _current.contracts


def contract_watch(
    *,
    address: bytes,
    abi: str,
    first_block: int,
    actor: str,
    label: str = "",
    client: RpcClient | None = None,
) -> WatchedContract:
    """Begin to index a contract; the indexer catches it up from ``first_block`` and joins it.

    One that was removed comes back and goes on where it stopped.

    Raises:
        WatchRefused: see there; nothing was changed.
        RpcError: the node could not be asked.
    """
    contract_check(address=address, abi=abi, first_block=first_block, client=client)
    known = WatchedContract.objects.filter(chain_id=conf.chain_id(), address=address)
    if known.filter(removed_at=None).exists():
        raise WatchRefused("watch_known", f"{to_checksum(address)} is watched already.")
    return watch_begin(address=address, abi=abi, first_block=first_block, actor=actor, label=label)


def contract_check(
    *, address: bytes, abi: str, first_block: int, client: RpcClient | None = None
) -> None:
    """Ask the node whether a contract can be watched, before anything is written.

    Raises:
        WatchRefused: see there.
        RpcError: the node could not be asked.
    """
    client = client or rpc_client()
    place = to_checksum(address)
    chain_id = client.chain_id()
    if chain_id != conf.chain_id():
        raise WatchRefused(
            "watch_chain",
            f"The node serves chain {chain_id}, this index is of chain {conf.chain_id()}. "
            "Give the address of a node of this chain.",
        )
    try:
        codec_load(abi)
    except DeploymentInvalid as error:
        raise WatchRefused("watch_abi", f"{error.detail} Put {abi}.json there first.") from error
    name = deployment().by_address.get(address)
    if name is not None:
        raise WatchRefused("watch_known", f"{place} is our own {name} and indexed already.")
    head = client.header("latest").number
    if first_block < 0:
        raise WatchRefused("watch_block", f"{first_block} is no block. Begin at 0 or later.")
    if first_block > head:
        raise WatchRefused(
            "watch_future",
            f"Block {first_block} does not exist yet; the chain's head is {head}. "
            "Begin at the block the contract was deployed in.",
        )
    if not client.code(address):
        raise WatchRefused(
            "watch_no_code",
            f"There is no contract at {place} on chain {chain_id}. Check the address and chain.",
        )


def watch_begin(
    *, address: bytes, abi: str, first_block: int, actor: str, label: str = ""
) -> WatchedContract:
    """Write that a contract is watched, from ``first_block`` at the latest. Check it first
    (``contract_check``). Where it is watched already, the keys of its logs are recomputed: what
    the projections know of it may be another thing now.

    Raises:
        WatchRefused: ``watch_abi_differs``.
    """
    chain_id = conf.chain_id()
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().filter(chain_id=chain_id).first()
        row, created = WatchedContract.objects.select_for_update().get_or_create(
            chain_id=chain_id,
            address=address,
            defaults={
                "abi": abi,
                "label": label,
                "first_block": first_block,
                "indexed_to": first_block - 1,
                "added_at": clock.now(),
                "added_by": actor,
            },
        )
        if created:
            return row
        if row.abi != abi:
            raise WatchRefused(
                "watch_abi_differs",
                f"{to_checksum(address)} was indexed as {row.abi}, not {abi}; its logs are stored "
                f"under that name. Add it as {row.abi}.",
            )
        if row.removed_at is not None:
            row.removed_at, row.removed_by, row.error = None, "", ""
            row.added_at, row.added_by, row.label = clock.now(), actor, label or row.label
        _begin_again(row, first_block)
        if cursor is not None:
            cursor_name_watched(cursor)
        return row


def _begin_again(row: WatchedContract, first_block: int) -> None:
    if first_block < row.first_block:
        # It leaves the main lane and comes again from there; what is stored already stays.
        row.first_block, row.indexed_to, row.indexed_hash = first_block, first_block - 1, None
        row.joined, row.joined_number = False, None
    row.settled, row.settled_projector, row.settled_key = False, "", ""
    row.generation += 1
    row.save()


def contract_unwatch(*, address: bytes, actor: str) -> WatchedContract:
    """Stop indexing an added contract. Nothing indexed is deleted; it may be added again.

    Raises:
        WatchRefused: ``watch_unknown``.
    """
    chain_id = conf.chain_id()
    with transaction.atomic():
        # The cursor first, as everywhere: it says up to where the contract's logs are complete.
        cursor = Cursor.objects.select_for_update().filter(chain_id=chain_id).first()
        row = (
            WatchedContract.objects.select_for_update()
            .filter(chain_id=chain_id, address=address, removed_at=None)
            .first()
        )
        if row is None:
            raise WatchRefused(
                "watch_unknown", f"{to_checksum(address)} is not among the added contracts."
            )
        if row.joined and cursor is not None:
            row.joined, row.settled, row.joined_number = False, False, None
            row.indexed_to, row.indexed_hash = cursor.number, bytes(cursor.hash)
        row.generation += 1
        row.removed_at, row.removed_by = clock.now(), actor
        row.save()
        if cursor is not None:
            cursor_name_watched(cursor)
        return row


def cursor_name_watched(cursor: Cursor) -> None:
    """Write the digest of the contracts that have joined to the locked cursor."""
    rows = WatchedContract.objects.filter(chain_id=cursor.chain_id, joined=True)
    digest = watch_digest(rows.values_list("address", "abi"))
    Cursor.objects.filter(pk=cursor.pk).update(watch_digest=digest)


def watch_roll_back(*, number: int, hash: bytes) -> None:
    """Take back what added contracts had indexed above a block. In the transaction of a
    reorganisation, before its rows are marked: what is being fetched for them now is refused."""
    rows = WatchedContract.objects.select_for_update().filter(chain_id=conf.chain_id())
    for row in rows.filter(settled=False).order_by("pk"):
        row.generation += 1
        if not row.joined and row.indexed_to > number:
            # Below its first block there is nothing of it, on either branch.
            row.indexed_to = max(number, row.first_block - 1)
            row.indexed_hash = hash if row.indexed_to == number else None
        row.save()


def watch_first_block(first_block: int) -> int:
    """The lowest of ``first_block`` and the first blocks of all contracts ever added: below it
    nothing of any of them is stored."""
    rows = WatchedContract.objects.filter(chain_id=conf.chain_id())
    return min([first_block, *rows.values_list("first_block", flat=True)])
