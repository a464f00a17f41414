"""The API's documentation: our own page, and the explorer with its looser policy."""

from typing import Any

from csp.constants import UNSAFE_INLINE
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularSwaggerSplitView

from network.attestation.codes import CODES
from network.http_signatures import COMPONENTS, MAX_LIFETIME_S
from network.services.challenges import KEYS_CHALLENGE_TTL_S
from network.services.requests import IDEMPOTENCY_TTL_S

#: Codes every client meets sooner or later, with what to do about them.
ERROR_CATALOGUE = [
    (401, "signature_missing", "Send Signature-Input and Signature headers."),
    (401, "signature_invalid", "Sign exactly the address, headers and body you send."),
    (401, "signature_replayed", "Use a fresh nonce in every signature."),
    (401, "clock_skew", "Set the node's clock; data.server_time_s is ours."),
    (401, "key_unknown", "Prove the key first, or it was revoked."),
    (401, "key_superseded", "The registry holds other keys now; prove those."),
    (401, "pq_signature_missing", "The node has an ML-DSA-65 key: sign with it, too."),
    (401, "pq_signature_invalid", "Sign the same with label althing-pq, context althing-node-v1."),
    (401, "pq_required", "Rotate to keys with an ML-DSA-65 key and prove them."),
    (400, "idempotency_key_missing", "Every signed request needs an Idempotency-Key."),
    (422, "idempotency_key_reused", "A key names one request; use a new one for new content."),
    (409, "idempotency_in_flight", "The first request is still being worked on; wait."),
    (409, "challenge_expired", "Ask for another challenge and answer sooner."),
    (409, "challenge_used", "A challenge is answered once; ask for another."),
    (409, "challenge_devices_differ", "Send exactly the devices that the challenge names."),
    (409, "seq_conflict", "data.expected_seq is the number of the next report."),
    (409, "previous_hash_conflict", "data.expected_previous_hash is the last accepted report."),
    (409, "keys_hash_mismatch", "Register these keys on chain first."),
    (422, "ml_dsa_signature_missing", "Sign the digest with the ML-DSA-65 key, too."),
    (422, "ml_dsa_signature_invalid", "Sign data.digest with the context in data.context."),
    (413, "body_too_large", "A report has 2 MiB at most, other bodies 256 KiB."),
    (415, "unsupported_media_type", "Send application/json in UTF-8, uncompressed."),
    (429, "throttled", "Wait as long as Retry-After says."),
    (503, "judging_busy", "Too many reports at once; send the same again after Retry-After."),
    (503, "policy_unavailable", "Nothing final is indexed yet; try again shortly."),
    (503, "rpc_unavailable", "The chain's node does not answer; try again shortly."),
]


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    """Show how to use the API, and every operation it has."""
    context = {
        "operations": _operations(),
        "errors": ERROR_CATALOGUE,
        "codes": CODES,
        "components": COMPONENTS,
        "signature_lifetime_s": MAX_LIFETIME_S,
        "keys_challenge_s": KEYS_CHALLENGE_TTL_S,
        "idempotency_s": IDEMPOTENCY_TTL_S,
    }
    return render(request, "network/api_docs.html", context)


def _operations() -> list[dict[str, Any]]:
    """Every operation of the description, in its order."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    found = []
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            text = operation.get("description") or operation.get("summary") or ""
            found.append(
                {
                    "method": method.upper(),
                    "path": path,
                    "text": text.split("\n\n")[0],
                    "codes": sorted(operation["responses"]),
                    "is_signed": {"nodeSignature": []} in operation.get("security", []),
                }
            )
    return found


# Swagger UI writes style elements of its own. Nothing else of the site's policy is loosened,
# and nowhere else; its scripts are files of ours (the sidecar), never inline.
@method_decorator(csp_update({"style-src": [UNSAFE_INLINE]}), name="dispatch")
class ApiExplorerView(SpectacularSwaggerSplitView):
    """Swagger UI from our own static files."""

    url_name = "api-schema"
