"""Which contracts are followed, and by which ABI their logs are read."""

from collections.abc import Mapping

from chain.deployment import deployment


def watched_contracts() -> Mapping[bytes, str]:
    """Address (20 bytes) -> name of the ABI in ``chain/abi``.

    Raises:
        DeploymentInvalid
    """
    return deployment().by_address
