"""Shapes of the treasury's API. Amounts are decimal strings: JSON numbers lose precision."""

from typing import Any

from rest_framework import serializers

from chain.addresses import to_checksum
from treasury.models import TransferDirection


class BalanceSerializer(serializers.Serializer[Any]):
    """One asset's balance beside the sum of its logged transfers."""

    asset = serializers.CharField(source="asset.code", help_text="Code, as in `ETH`.")
    name = serializers.CharField(source="asset.name")
    contract = serializers.SerializerMethodField(help_text="EIP-55 address; null for ETH.")
    decimals = serializers.IntegerField(source="asset.decimals")
    amount_wei = serializers.CharField(
        source="balance_wei", help_text="In the smallest unit, read at `block_number`."
    )
    logged_wei = serializers.CharField(help_text="Transfers in minus transfers out up to there.")
    difference_wei = serializers.CharField(help_text="`amount_wei` minus `logged_wei`.")
    reconciliation = serializers.ChoiceField(
        source="state",
        choices=["ok", "unlogged", "mismatch"],
        help_text="`unlogged`: plain ETH reached the treasury, which leaves no log.",
    )
    inflow_30d_wei = serializers.CharField()
    outflow_30d_wei = serializers.CharField()
    block_number = serializers.IntegerField()

    def get_contract(self, row: Any) -> str | None:
        return None if row.asset.address is None else to_checksum(row.asset.address)


class TransferSerializer(serializers.Serializer[Any]):
    """One logged movement into or out of the treasury."""

    asset = serializers.CharField(source="asset_id")
    direction = serializers.ChoiceField(choices=TransferDirection.choices)
    sender = serializers.SerializerMethodField(help_text="EIP-55 address.")
    recipient = serializers.SerializerMethodField(help_text="EIP-55 address.")
    amount_wei = serializers.CharField(help_text="In the asset's smallest unit.")
    block_number = serializers.IntegerField()
    log_index = serializers.IntegerField()
    transaction_hash = serializers.SerializerMethodField(help_text="0x and 64 digits.")
    transferred_at = serializers.DateTimeField(help_text="The block's time.")

    def get_sender(self, row: Any) -> str:
        return to_checksum(row.sender)

    def get_recipient(self, row: Any) -> str:
        return to_checksum(row.recipient)

    def get_transaction_hash(self, row: Any) -> str:
        return f"0x{row.transaction_hash.hex()}"


class TransferQuerySerializer(serializers.Serializer[Any]):
    """The filters of the transfer list."""

    asset = serializers.CharField(required=False, max_length=16)
    direction = serializers.ChoiceField(choices=TransferDirection.choices, required=False)
    counterparty = serializers.RegexField(
        r"^0x[0-9a-fA-F]{40}\Z", required=False, help_text="Whom the treasury paid, or who paid it."
    )
    transaction_hash = serializers.RegexField(r"^0x[0-9a-fA-F]{64}\Z", required=False)
