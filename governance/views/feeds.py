"""Atom feeds: new proposals, for readers who do not want to come and look."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.syndication.views import Feed
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed

from chain.addresses import to_checksum
from governance.models import Proposal

ITEMS = 30
#: XML 1.0 allows no other control characters; a title may hold any.
_CONTROL = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0xFFFE, 0xFFFF])


def plain(text: str) -> str:
    """Return ``text`` without the characters that XML cannot hold."""
    without = text.translate(_CONTROL)
    return without.encode("utf-8", "replace").decode("utf-8")


class ProposalFeed(Feed):
    """The newest proposals. Addresses come from the settings, never from the Host header."""

    feed_type = Atom1Feed
    description_template = None

    def title(self) -> str:
        return f"{settings.DAO_NAME}: proposals"

    def subtitle(self) -> str:
        return "New proposals, and when their voting closes."

    def link(self) -> str:
        return settings.SITE_URL + reverse("governance:proposal_list")

    def feed_url(self) -> str:
        return settings.SITE_URL + reverse("governance:proposal_feed")

    def items(self) -> QuerySet[Proposal]:
        return Proposal.objects.defer("description").order_by("-number")[:ITEMS]

    def item_title(self, item: Any) -> str:
        title = "Hidden by moderators" if item.hidden else plain(item.title) or "(no title)"
        return f"#{item.number} {title}"

    def item_description(self, item: Proposal) -> str:
        return (
            f"{item.get_kind_display()}. Voting opens {item.snapshot_at:%Y-%m-%d %H:%M} UTC "
            f"and closes {item.deadline_at:%Y-%m-%d %H:%M} UTC."
        )

    def item_link(self, item: Proposal) -> str:
        return settings.SITE_URL + reverse("governance:proposal_detail", args=[item.number])

    def item_guid(self, item: Proposal) -> str:
        return f"urn:althing:{settings.CHAIN_ID}:{item.proposal_id}"

    def item_author_name(self, item: Any) -> str:
        return to_checksum(item.proposer)

    def item_pubdate(self, item: Proposal) -> datetime:
        return item.created_at

    def item_updateddate(self, item: Proposal) -> datetime:
        return item.executed_at or item.canceled_at or item.queued_at or item.created_at


def proposal_feed(request: HttpRequest) -> Any:
    """Serve the feed."""
    return ProposalFeed()(request)
