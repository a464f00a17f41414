"""The assets the treasury counts: the chain's own coin and the allow-listed ERC-20 tokens.

The list is closed on purpose. A token that anybody can send here is not an
asset of the DAO until somebody added it to this list.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AssetSpec:
    """One asset: its code, its name, and the contract of the deployment that issues it.

    ``contract`` is None for the chain's own coin, which has no contract and no
    log; amounts are in the asset's smallest unit (``10**decimals`` to one).
    """

    code: str
    name: str
    decimals: int
    contract: str | None


ETH = AssetSpec(code="ETH", name="Ether", decimals=18, contract=None)
ALT = AssetSpec(code="ALT", name="Althing", decimals=18, contract="AlthingToken")

#: In the order in which pages show them.
ASSETS = (ETH, ALT)

_BY_CODE = {asset.code: asset for asset in ASSETS}


def asset_spec(code: str) -> AssetSpec:
    """Return the asset of that code.

    Raises:
        KeyError: no asset of the list has this code.
    """
    return _BY_CODE[code]
