"""Tell other processes that what they hold in memory is no longer what the database holds."""

from django.db.models import F

from network.models import CollateralVersion


def version_read() -> tuple[int, int]:
    """(manifests and allow-lists, revocation). 1 query; zeros before anything was taken in."""
    row = CollateralVersion.objects.filter(pk=1).values_list("rims", "revocation").first()
    return row or (0, 0)


def version_raise(*, rims: bool = False, revocation: bool = False) -> None:
    """Count a change. Call it in the transaction that makes the change."""
    CollateralVersion.objects.get_or_create(pk=1)
    CollateralVersion.objects.filter(pk=1).update(
        rims=F("rims") + int(rims), revocation=F("revocation") + int(revocation)
    )
