"""The console: moderators' queue, keeper, outbox, and the indexed tables to look at."""

from governance.admin import governors, indexed, keeper, moderation, outbox, reconcile

__all__ = ["governors", "indexed", "keeper", "moderation", "outbox", "reconcile"]
