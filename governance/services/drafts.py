"""Drafts: kept on the server from the first word, before anybody signs in."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from chain import clock
from governance.errors import Conflict, InputInvalid, NotFound
from governance.models import Draft

#: Drafts one account or session may keep.
DRAFTS_MAX = 30
#: Characters: twice what a proposal may have, so that a draft may be cut back.
DESCRIPTION_MAX = 40_960
#: Bytes of JSON: ten actions with a large call each.
ACTIONS_MAX_BYTES = 256 * 1024
ACTIONS_MAX = 20
#: Days after which a draft nobody signed in for is deleted.
ANONYMOUS_DAYS = 30

_SESSION_TOKEN = "draft_owner"  # noqa: S105 - the name of a session entry


def owner_token(*, session: Any, create: bool = False) -> str:
    """The session's draft token: survives the new session key a sign-in gives. '' if none."""
    token = session.get(_SESSION_TOKEN, "")
    if not token and create:
        token = session[_SESSION_TOKEN] = secrets.token_urlsafe(32)
    return str(token)


def drafts_of(*, account: bytes | None, token: str) -> QuerySet[Draft]:
    """The drafts of a signed-in account, or else of a session's token."""
    if account is not None:
        return Draft.objects.filter(account=account)
    if not token:
        return Draft.objects.none()
    return Draft.objects.filter(account=None, owner_token=token)


def draft_get(*, account: bytes | None, token: str, draft_id: uuid.UUID) -> Draft:
    """One draft of this owner. Somebody else's does not exist here.

    Raises:
        NotFound
    """
    draft = drafts_of(account=account, token=token).filter(pk=draft_id).first()
    if draft is None:
        raise NotFound("There is no such draft.", code="draft_unknown")
    return draft


def draft_create(
    *,
    account: bytes | None,
    token: str,
    title: str = "",
    description: str = "",
    actions: Sequence[Any] = (),
    step: int = 1,
) -> Draft:
    """Begin a draft.

    Raises:
        InputInvalid: too long, or too many drafts already.
    """
    _check(title, description, actions)
    if drafts_of(account=account, token=token).count() >= DRAFTS_MAX:
        raise InputInvalid(
            f"You have {DRAFTS_MAX} drafts already. Delete one first.", code="too_many_drafts"
        )
    moment = clock.now()
    return Draft.objects.create(
        account=account,
        owner_token="" if account is not None else token,
        title=title,
        description=description,
        actions=list(actions),
        step=step,
        created_at=moment,
        updated_at=moment,
    )


def draft_save(
    *,
    account: bytes | None,
    token: str,
    draft_id: uuid.UUID,
    version: int,
    title: str,
    description: str,
    actions: Sequence[Any],
    step: int,
) -> Draft:
    """Save over ``version``.

    Raises:
        NotFound, InputInvalid
        Conflict: another tab saved meanwhile; ``data["version"]`` is the newer one.
    """
    _check(title, description, actions)
    with transaction.atomic():
        draft_get(account=account, token=token, draft_id=draft_id)
        draft = Draft.objects.select_for_update().get(pk=draft_id)
        if draft.version != version:
            raise Conflict(
                "This draft was changed in another tab. Load it again.",
                code="draft_changed",
                version=draft.version,
            )
        draft.title, draft.description = title, description
        draft.actions, draft.step = list(actions), step
        draft.version += 1
        draft.updated_at = clock.now()
        draft.save()
    return draft


def draft_delete(*, account: bytes | None, token: str, draft_id: uuid.UUID) -> None:
    """Delete a draft. Raises NotFound."""
    draft_get(account=account, token=token, draft_id=draft_id).delete()


def drafts_adopt(*, token: str, account: bytes) -> int:
    """Give a session's drafts to the account that signed in; return how many."""
    if not token:
        return 0
    return Draft.objects.filter(account=None, owner_token=token).update(
        account=account, owner_token=""
    )


def drafts_expire() -> int:
    """Delete what anonymous sessions left behind; return how many."""
    limit = clock.now() - timedelta(days=ANONYMOUS_DAYS)
    return Draft.objects.filter(account=None, updated_at__lt=limit).delete()[0]


def _check(title: str, description: str, actions: Sequence[Any]) -> None:
    if len(title) > 256:
        raise InputInvalid("A title has at most 256 characters.", code="title_too_long")
    if len(description) > DESCRIPTION_MAX:
        raise InputInvalid(
            f"A draft's text has at most {DESCRIPTION_MAX} characters.",
            code="description_too_long",
        )
    if len(actions) > ACTIONS_MAX or len(json.dumps(list(actions))) > ACTIONS_MAX_BYTES:
        raise InputInvalid("The draft has too many or too large actions.", code="actions_too_large")
