"""Is the chain layer set up as it must be? Each check answers in words or raises a coded error.

``manage.py chain_doctor`` runs all of them; ``index`` and the worker's tick run those that would
let it store nonsense, once, before they begin. Nothing here changes anything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from chain import conf
from chain.addresses import to_checksum
from chain.client import rpc_client
from chain.contracts import codec_load
from chain.deployment import Deployment, DeploymentInvalid, deployment
from chain.models import Block, Cursor
from chain.rpc.client import RpcClient
from chain.rpc.errors import RpcError, WrongChain
from chain.rpc.transport import HttpTransport
from chain.rpc.types import hex_bytes

#: EIP-1967: where a proxy keeps the address of its code.
_IMPLEMENTATION_SLOT = 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC

_DEPLOYMENT_STEPS = {
    "deployment_missing": "Deploy with scripts/deploy.py, or let ALTHING_DEPLOYMENT name its file.",
    "deployment_malformed": "Restore the file that scripts/deploy.py wrote.",
    "deployment_chain": "Set CHAIN_ID to the file's chain, or ALTHING_DEPLOYMENT to this chain's.",
    "contract_unknown": "Let ALTHING_DEPLOYMENT name the file of the whole deployment.",
    "abi_missing": "Compile the contracts, which writes chain/abi.",
}
_RESOLVE = (
    "Run `manage.py resolve_reorg`, and with --yes to go back to the newest block that both have. "
    "Nothing stored is deleted."
)


class ChainSetupError(Exception):
    """Base. ``code`` is for machines, ``detail`` says what is wrong, ``next_step`` what to do."""

    def __init__(self, code: str, detail: str, next_step: str) -> None:
        super().__init__(f"{detail} ({code}) {next_step}")
        self.code = code
        self.detail = detail
        self.next_step = next_step


class NodeProblem(ChainSetupError):
    """The node: ``rpc_unreachable``, ``chain_mismatch``, ``second_rpc_*``, ``history_differs``."""


class ContractProblem(ChainSetupError):
    """The deployment: its file's codes, ``start_block_in_future``, ``contract_no_code``,
    ``contract_abi_mismatch``."""


class CursorProblem(ChainSetupError):
    """The cursor: ``cursor_negative``, ``cursor_below_start``, ``cursor_headerless``,
    ``cursor_hash_mismatch``, ``cursor_of_other_chain``, ``index_halted``."""


def deployment_check(client: RpcClient | None = None) -> str:
    """The deployment file can be read and is of this chain.

    Raises:
        ContractProblem
    """
    found = _deployment()
    return f"{len(found.contracts)} contracts since block {found.first_block}"


def _deployment() -> Deployment:
    try:
        found = deployment()
        for name in found.contracts:
            codec_load(name)
    except DeploymentInvalid as error:
        raise deployment_problem(error) from error
    return found


def deployment_problem(error: DeploymentInvalid) -> ContractProblem:
    """Say what is wrong with the deployment file, and what to do."""
    step = _DEPLOYMENT_STEPS.get(error.code, "Deploy with scripts/deploy.py.")
    return ContractProblem(error.code, error.detail, step)


def node_check(client: RpcClient) -> str:
    """The node answers, and serves the chain of the settings.

    Raises:
        NodeProblem
    """
    try:
        chain_id = client.chain_id()
        head = client.header("latest")
    except RpcError as error:
        raise node_problem(error) from error
    if chain_id != conf.chain_id():
        raise NodeProblem(
            "chain_mismatch",
            f"The node serves chain {chain_id}, CHAIN_ID is {conf.chain_id()}.",
            "Point RPC_URL at a node of this chain, or set CHAIN_ID (and the deployment).",
        )
    return f"chain {chain_id}, head {head.number}"


def node_problem(error: RpcError) -> NodeProblem:
    """Say that the node does not answer, or is of another chain, and what to do."""
    if isinstance(error, WrongChain):
        return NodeProblem(
            "chain_mismatch",
            error.detail,
            "Point RPC_URL at a node of this chain, or set CHAIN_ID (and the deployment).",
        )
    return NodeProblem(
        "rpc_unreachable",
        f"The node does not answer as it should: {error.detail} ({error.code}).",
        "Check that it runs and that RPC_URL is right. Nothing is lost; it goes on by itself.",
    )


def providers_check(client: RpcClient) -> str:
    """Every configured node by itself answers and serves this chain; the pool hides one that
    does not.

    Raises:
        NodeProblem: at the first that does not.
    """
    urls = conf.rpc_urls()
    for url in urls:
        _node_alone(url, "rpc", f"The node {urlsplit(url).hostname}", "Correct it in RPC_URL(S).")
    return f"{len(urls)} configured"


def second_node_check(client: RpcClient) -> str:
    """The second node, where there is one, answers and serves the same chain.

    Raises:
        NodeProblem
    """
    url = conf.rpc_url_second()
    if not url:
        return "none configured (RPC_URL_SECOND); finality is one node's word"
    step = "Correct RPC_URL_SECOND; until it answers nothing further counts as final."
    _node_alone(url, "second_rpc", "The second node", step)
    return f"chain {conf.chain_id()}"


def _node_alone(url: str, code: str, name: str, step: str) -> None:
    transport = HttpTransport(url)
    try:
        chain_id = RpcClient(transport).chain_id()
    except RpcError as error:
        raise NodeProblem(
            f"{code}_unreachable", f"{name} does not answer: {error.detail} ({error.code}).", step
        ) from error
    finally:
        transport.close()
    if chain_id != conf.chain_id():
        raise NodeProblem(
            f"{code}_chain_mismatch",
            f"{name} serves chain {chain_id}, CHAIN_ID is {conf.chain_id()}.",
            step,
        )


def start_check(client: RpcClient) -> str:
    """The block to start from exists.

    Raises:
        ContractProblem, RpcError
    """
    first, head = _deployment().first_block, client.header("latest").number
    if first > head:
        raise ContractProblem(
            "start_block_in_future",
            f"The deployment starts at block {first}, the node's head is {head}.",
            "Wait until the node has synced, or correct first_block in the deployment file.",
        )
    return f"block {first} of {head}"


def contracts_check(client: RpcClient) -> str:
    """There is code at every address, and it has the functions of its ABI.

    Raises:
        ContractProblem: at the first contract that is not what the file says.
        RpcError
    """
    contracts = _deployment().contracts
    for name, item in contracts.items():
        place = f"{name} at {to_checksum(item.address)}"
        code = client.code(item.address)
        if not code:
            raise ContractProblem(
                "contract_no_code",
                f"There is no contract code for {place}.",
                "Check that the node serves the chain deployed to and has synced, and that "
                "ALTHING_DEPLOYMENT names this chain's file.",
            )
        missing = selectors_missing(name, code)
        if missing:
            missing = selectors_missing(name, code + _implementation(client, item.address))
        if missing:
            raise ContractProblem(
                "contract_abi_mismatch",
                f"{place} has not the functions of its ABI: {', '.join(missing[:3])} "
                f"({len(missing)} missing).",
                "Check the address in the deployment file, and that chain/abi is of the version "
                "that was deployed.",
            )
    return f"{len(contracts)} contracts have code that fits their ABI"


def selectors_missing(name: str, code: bytes) -> list[str]:
    """Signatures of the ABI ``name`` whose selector is nowhere in the code.

    A Solidity or Vyper dispatcher pushes each selector as a constant, less its leading zeros.
    """
    functions = codec_load(name).functions
    return [item.signature for item in functions if item.selector.lstrip(b"\0") not in code]


def _implementation(client: RpcClient, proxy: bytes) -> bytes:
    word = hex_bytes(
        client.call("eth_getStorageAt", f"0x{proxy.hex()}", hex(_IMPLEMENTATION_SLOT), "latest"), 32
    )
    return client.code(word[12:]) if any(word) else b""


def cursor_check(client: RpcClient | None = None) -> str:
    """The cursor stands where it can stand: on a stored block of this chain. Asks no node.

    Raises:
        CursorProblem
        ContractProblem: the deployment file cannot be read.
    """
    chain_id = conf.chain_id()
    cursor = Cursor.objects.filter(chain_id=chain_id).first()
    if cursor is None:
        other = Cursor.objects.values_list("chain_id", flat=True).first()
        if other is None:
            return "nothing is indexed yet"
        raise CursorProblem(
            "cursor_of_other_chain",
            f"This database indexes chain {other}; CHAIN_ID is {chain_id}.",
            "Set CHAIN_ID back, or give this chain a database of its own.",
        )
    _cursor_judge(cursor, first_block=_deployment().first_block)
    return f"block {cursor.number}, {cursor.get_state_display().lower()}"


def _cursor_judge(cursor: Cursor, *, first_block: int) -> None:
    if cursor.number < 0:
        raise CursorProblem("cursor_negative", f"The cursor stands at {cursor.number}.", _RESOLVE)
    if cursor.number < first_block - 1:
        raise CursorProblem(
            "cursor_below_start",
            f"The cursor stands at {cursor.number}, below the first block {first_block}.",
            _RESOLVE,
        )
    row = Block.objects.filter(
        chain_id=cursor.chain_id, number=cursor.number, canonical=True
    ).first()
    if row is None:
        raise CursorProblem(
            "cursor_headerless",
            f"The cursor stands at {cursor.number}, whose header is not stored.",
            _RESOLVE,
        )
    if row.hash != cursor.hash:
        raise CursorProblem(
            "cursor_hash_mismatch",
            f"The cursor's hash at {cursor.number} is not that of the stored block.",
            _RESOLVE,
        )


def halt_check(client: RpcClient | None = None) -> str:
    """The index is not halted.

    Raises:
        CursorProblem: ``index_halted``.
    """
    cursor = Cursor.objects.filter(chain_id=conf.chain_id()).first()
    if cursor is not None and cursor.state != Cursor.State.RUNNING:
        raise halt_problem(cursor)
    return "not halted"


def halt_problem(cursor: Cursor) -> CursorProblem:
    """Say why the index is halted, and how it goes on."""
    why = cursor.error or "The chain was reorganised deeper than this service keeps."
    return CursorProblem("index_halted", f"Indexing is halted at {cursor.number}: {why}", _RESOLVE)


def history_check(client: RpcClient) -> str:
    """The node has the newest block that we took for final.

    Raises:
        NodeProblem, RpcError
    """
    cursor = Cursor.objects.filter(chain_id=conf.chain_id()).first()
    rows = Block.objects.filter(chain_id=conf.chain_id(), canonical=True)
    final = min(cursor.finalized_number, cursor.number) if cursor else 0
    row = rows.filter(number__lte=final).order_by("-number").first()
    if row is None:
        return "no final block is stored yet"
    header = client.headers([row.number])[0]
    if header is None or header.hash != row.hash:
        raise NodeProblem(
            "history_differs",
            f"The node has another block {row.number} than the one indexed as final.",
            f"Find out which is right (another provider?). If the node is: {_RESOLVE}",
        )
    return f"the node has our final block {row.number}"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at. ``fatal``: indexing would store nonsense, so it does not begin."""

    name: str
    run: Callable[[RpcClient], str]
    fatal: bool = True


CHECKS = (
    Check("deployment", deployment_check),
    Check("node", node_check),
    Check("providers", providers_check, fatal=False),
    Check("second node", second_node_check, fatal=False),
    Check("start block", start_check),
    Check("contracts", contracts_check),
    Check("cursor", cursor_check),
    Check("halt", halt_check, fatal=False),
    Check("history", history_check, fatal=False),
)


def index_check(client: RpcClient | None = None) -> None:
    """Refuse to begin indexing where it would store nonsense.

    Raises:
        ChainSetupError: the first check that failed.
    """
    for check in CHECKS:
        if check.fatal:
            try:
                check.run(client or rpc_client())
            except RpcError as error:
                raise node_problem(error) from error
