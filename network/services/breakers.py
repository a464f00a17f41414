"""Note which verifier judges; ``network.selectors.suspensions`` says what follows from a change."""

from datetime import datetime

from django.db import transaction

from network.models import VerifierBuild
from network.verifier_build import verifier_digest


@transaction.atomic
def build_note(*, at: datetime, digest: str | None = None) -> None:
    """Note that this process's verifier judges at ``at``; a change starts its time anew."""
    mine = digest or verifier_digest()
    rows = VerifierBuild.objects.select_for_update()
    newest = rows.order_by("-seen_at", "-id").first()
    if newest is not None and newest.digest == mine:
        rows.filter(pk=newest.pk).update(seen_at=at)
        return
    VerifierBuild.objects.update_or_create(digest=mine, defaults={"since": at, "seen_at": at})
