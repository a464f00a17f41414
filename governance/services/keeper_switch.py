"""The keeper's pause switch. One row per turn: the switch is its own audit."""

from __future__ import annotations

from django.contrib.auth.models import User

from chain import clock
from governance.errors import InputInvalid
from governance.models import KeeperSwitch


def keeper_switch_current() -> KeeperSwitch | None:
    """The newest turn of the switch; None while nobody ever touched it (then it runs)."""
    return KeeperSwitch.objects.select_related("changed_by").order_by("-pk").first()


def keeper_switch_turn(*, staff: User, paused: bool, reason: str) -> KeeperSwitch:
    """Pause or resume the keeper.

    Raises:
        InputInvalid: no reason given.
    """
    if not reason.strip():
        raise InputInvalid("Say why; it is shown on every waiting proposal.", code="reason_empty")
    return KeeperSwitch.objects.create(
        paused=paused, reason=reason.strip(), changed_by=staff, changed_at=clock.now()
    )
