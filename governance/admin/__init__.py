"""The console: the moderators' queue, the keeper and outbox, and the indexed tables to look at."""

from governance.admin import indexed, keeper, moderation

__all__ = ["indexed", "keeper", "moderation"]
