"""Who holds tokens and who votes with them."""

from django.db import models

from chain.fields import AddressField, Uint256Field


class Delegate(models.Model):
    """An account with voting power, or that once had some.

    Written only by the projector ``governance.delegates``. ``power_wei`` is ``getVotes`` read at a
    block's hash, never a sum of logs.
    """

    address = AddressField(primary_key=True)
    power_wei = Uint256Field(default=0, db_index=True)
    #: Holders who delegate to this account, itself included.
    delegators_count = models.PositiveIntegerField(default=0)
    last_changed_block = models.PositiveBigIntegerField()
    last_changed_at = models.DateTimeField()

    class Meta:
        ordering = ["-power_wei", "address"]

    def __str__(self) -> str:
        return self.address.hex()


class Holder(models.Model):
    """An account that holds, or once held, tokens.

    Written only by the projector ``governance.holders``. ``balance_wei`` and ``delegate`` are
    ``balanceOf`` and ``delegates`` read at a block's hash.
    """

    address = AddressField(primary_key=True)
    balance_wei = Uint256Field(default=0, db_index=True)
    #: None: has not delegated, so the balance carries no vote.
    delegate = AddressField(null=True, db_index=True)
    delegated_at = models.DateTimeField(null=True)
    delegated_block = models.PositiveBigIntegerField(null=True)
    last_changed_block = models.PositiveBigIntegerField()

    class Meta:
        ordering = ["-balance_wei", "address"]

    def __str__(self) -> str:
        return self.address.hex()
