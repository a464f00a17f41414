"""The freshness strip, fetched again every few seconds by every open page."""

from hashlib import sha256

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from governance.context import Site


@require_safe
def status_strip(request: HttpRequest) -> HttpResponse:
    """The strip alone, with an ETag: an unchanged chain answers 304."""
    site = Site(request)
    response = render(
        request, "components/freshness.html", {"freshness": site.freshness, "site": site}
    )
    etag = quote_etag(sha256(response.content).hexdigest()[:32])
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    return get_conditional_response(request, etag=etag, response=response) or response
