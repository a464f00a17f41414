"""The console: moderators' queue, keeper, outbox, and the indexed tables to look at."""

from governance.admin import indexed, keeper, moderation, outbox

__all__ = ["indexed", "keeper", "moderation", "outbox"]
