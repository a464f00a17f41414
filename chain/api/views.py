"""What every API view starts from."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request
from rest_framework.views import APIView

from chain.api.errors import ApiError


@csrf_exempt  # there is nothing to forge, and the answer must be ours, not the CSRF page
def api_not_found(request: HttpRequest, rest: str = "") -> JsonResponse:
    """Answer an unknown address below ``/api/`` in the API's own shape. Put last in the URLs."""
    return JsonResponse(
        {"code": "not_found", "detail": "There is nothing at this address.", "data": {}},
        status=404,
    )


class ReadView(APIView):
    """A public read. Anybody may ask; no session is looked at, so answers can be cached."""

    authentication_classes: Any = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        query_check(request)
        super().initial(request, *args, **kwargs)


def query_check(request: Request) -> None:
    """Refuse query strings that no database text can hold.

    Raises:
        ApiError: ``query_malformed``.
    """
    for name, values in request.query_params.lists():
        for text in (name, *values):
            if "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
                raise ApiError("query_malformed", "The query string holds a NUL or broken text.")
            if len(text) > 512:
                raise ApiError(
                    "query_too_long", "A query parameter may have 512 characters at most."
                )
