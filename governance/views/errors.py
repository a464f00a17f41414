"""What is answered where a view could not: in the API's shape below /api/, else as a page."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader

from chain.api.errors import UNAVAILABLE_RETRY_S


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500. A database that is away is a 503 with the time to come back: also
    where middleware met it first, before any view could answer for itself."""
    away = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    if away:
        code, detail = "database_unavailable", "The database does not answer. Try again shortly."
    else:
        code, detail = "internal_error", "The service failed. The error was recorded."
    status = 503 if away else 500
    if request.path.startswith("/api/"):
        body = {"code": code, "detail": detail, "data": {}}
        response: HttpResponse = JsonResponse(body, status=status)
    else:
        # Without a context: what fills it may be what failed.
        page = loader.get_template(f"{status}.html").render()
        response = HttpResponse(page, status=status)
    if away:
        response.headers["Retry-After"] = str(UNAVAILABLE_RETRY_S)
    return response
