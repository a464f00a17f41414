"""Times as options of commands."""

from datetime import UTC, datetime

from django.core.management.base import CommandError


def time_option(name: str, text: str | None) -> datetime | None:
    """An ISO 8601 time, in UTC where it says no zone. Raises CommandError for anything else."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise CommandError(
            f"{name} {text} is no time, as in 2024-06-01 or 2024-06-01T12:00:00Z.", returncode=2
        ) from error
