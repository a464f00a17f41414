"""Proposals that are still being written."""

import uuid

from django.db import models

from chain.fields import AddressField


class Draft(models.Model):
    """A proposal in the wizard, kept on the server.

    Written by ``governance.services.drafts``. Belongs to an account, or before sign-in to a random
    token in the session; signing in moves the session's drafts to the account.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = AddressField(null=True, db_index=True)
    owner_token = models.CharField(max_length=64, blank=True, db_index=True)
    title = models.CharField(max_length=256, blank=True)
    description = models.TextField(blank=True)
    #: The wizard's actions, as it posted them: [{"type": "parameter_set", …}, …].
    actions = models.JSONField(default=list, blank=True)
    step = models.PositiveSmallIntegerField(default=1)
    #: Counts saves; a save that names an older one is refused (two tabs).
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-updated_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(account__isnull=False) | ~models.Q(owner_token=""),
                name="draft_has_owner",
            )
        ]

    def __str__(self) -> str:
        return self.title or str(self.id)
