"""Votes as a table for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.views.decorators.http import require_safe

from chain.addresses import to_checksum
from governance.models import Proposal, Vote
from governance.views.proposals import cell

#: Rows of one export; a bound, far above any vote so far.
EXPORT_MAX = 100_000
COLUMNS = (
    "voter",
    "support",
    "weight_wei",
    "for_wei",
    "against_wei",
    "abstain_wei",
    "reason",
    "voted_at",
    "block_number",
    "transaction_hash",
)


class _Line:
    """The file ``csv.writer`` writes to: it hands back what it is given."""

    def write(self, value: str) -> str:
        return value


@require_safe
def votes_export(request: HttpRequest, number: int) -> StreamingHttpResponse:
    """Stream the votes on a proposal as CSV, in the chain's order; amounts in wei."""
    proposal = Proposal.objects.filter(number=number).first()
    if proposal is None:
        raise Http404("There is no proposal of this number.")
    votes = Vote.objects.filter(proposal=proposal).order_by("block_number", "log_index")
    hidden = proposal.hidden

    def lines() -> Iterator[str]:
        writer = csv.writer(_Line())
        yield str(writer.writerow(COLUMNS))
        for vote in votes[:EXPORT_MAX].iterator(chunk_size=500):
            yield str(writer.writerow([cell(value) for value in _row(vote, hidden=hidden)]))

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="proposal-{number}-votes.csv"'
    return response


def _row(vote: Vote, *, hidden: bool) -> tuple[object, ...]:
    return (
        to_checksum(bytes(vote.voter)),
        vote.support,
        vote.weight_wei,
        vote.for_wei,
        vote.against_wei,
        vote.abstain_wei,
        "" if hidden else vote.reason,
        vote.voted_at.isoformat(),
        vote.block_number,
        f"0x{bytes(vote.tx).hex()}",
    )
