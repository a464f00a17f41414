"""The OpenAPI description: every operation documents every error it can answer."""

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

_WRITES = {"POST", "PUT", "PATCH", "DELETE"}


class ErrorSerializer(serializers.Serializer[Any]):
    """The shape of every error."""

    code = serializers.CharField(help_text="Machine-readable, never changes.")
    detail = serializers.CharField(help_text="One plain sentence.")
    data = serializers.DictField(  # type: ignore[assignment]  # a field, as in every response
        help_text="What the sentence speaks of."
    )

    class Meta:
        ref_name = "Error"


_TEXTS = {
    "400": "The request is not well formed; `code` says what is wrong.",
    "401": "The signature or the sign-in is missing, wrong, old or used before.",
    "403": "This caller may not do that.",
    "404": "There is nothing at this address.",
    "409": "Another request, or the state of things, stands in the way.",
    "413": "The body is larger than allowed.",
    "415": "The body must be uncompressed `application/json` in UTF-8.",
    "422": "Well formed, but refused by the rules; `code` names the rule.",
    "429": "Too many requests; `Retry-After` says when to come back.",
    "503": "An engine behind the service is away; `Retry-After` says when to come back.",
}


class ApiSchema(AutoSchema):
    """Adds the errors that follow from the method, the path and the parsers.

    A view documents its own with ``error_statuses = {"post": (409, 422)}`` or with
    ``extend_schema(responses=...)``, and what can follow an answer with ``response_links =
    {"post": {"201": {name: link}}}`` (OpenAPI 3.0, Link Object). Named in
    ``REST_FRAMEWORK["DEFAULT_SCHEMA_CLASS"]``.
    """

    def _get_response_bodies(
        self, direction: Literal["request", "response"] = "response"
    ) -> dict[str, Any]:
        responses = super()._get_response_bodies(direction)
        if direction != "response":
            return responses
        for code in sorted(self._error_codes()):
            if code not in responses:
                body = self._get_response_for_code(ErrorSerializer, code)
                responses[code] = {**body, "description": _TEXTS[code]}
        own = getattr(self.view, "response_links", {}).get(self.method.lower(), {})
        for code, links in own.items():
            responses[code] = {**responses[code], "links": links}
        return responses

    def _error_codes(self) -> set[str]:
        codes = {"400", "429", "503"}
        if "{" in self.path:
            codes.add("404")
        if self.method in _WRITES:
            codes |= {"413", "415"}
        # A signed-in caller's session may have ended, and unsafe methods check it.
        if self.method in _WRITES and self.view.get_authenticators():
            codes |= {"401", "403"}
        own = getattr(self.view, "error_statuses", {})
        codes |= {str(code) for code in own.get(self.method.lower(), ())}
        return codes
