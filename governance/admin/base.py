"""What the console's tables share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest

from chain.admin import ReadOnlyAdmin as ChainReadOnlyAdmin
from chain.admin import columns
from governance.errors import GovernanceError


class ReadOnlyAdmin(ChainReadOnlyAdmin):
    """Rows the console shows and cannot add, change or delete; ``list_display`` may mix columns
    of the model (bytes are written as text) and methods."""

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        """Who may moderate."""
        return bool(request.user.has_perm("governance.moderate"))

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        names = {field.name for field in self.model._meta.fields}
        return [
            columns(self.model, str(name))[0] if name in names else name
            for name in self.list_display
        ]


def act_on(request: HttpRequest, rows: Iterable[Any], act: Callable[[Any], Any], done: str) -> None:
    """Do ``act(row)`` for each row; say per row what was refused and why."""
    count = 0
    for row in rows:
        try:
            act(row)
        except GovernanceError as error:
            messages.error(request, f"{row}: {error.detail}")
        else:
            count += 1
    if count:
        messages.success(request, f"{count} {done}.")
