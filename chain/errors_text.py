"""Every way our contracts refuse, as a plain sentence with the next step."""

from chain.rpc.errors import ContractReverted


def revert_sentence(error: ContractReverted) -> str:
    """Say why the contract refused and what to do next. One or two plain sentences."""
    return f"The contract refused this transaction ({error.code}): {error.detail}"
