"""The demo wallet's way to the local chain: same origin, so that the CSP stays closed."""

import httpx
import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

# What a wallet needs; nothing that moves the clock or mines.
ALLOWED_METHODS = frozenset(
    {
        "eth_accounts",
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_estimateGas",
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getBlockByNumber",
        "eth_getCode",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "eth_maxPriorityFeePerGas",
        "eth_sendRawTransaction",
        "eth_sendTransaction",
        "net_version",
        "personal_sign",
        "eth_signTypedData_v4",
    }
)


@csrf_exempt  # a wallet's provider knows no cookie of ours; the chain is a toy
@require_POST
def rpc(request: HttpRequest) -> HttpResponse:
    """Pass one allow-listed JSON-RPC call on to the local chain."""
    try:
        body = orjson.loads(request.body)
        method = body["method"]
    except (orjson.JSONDecodeError, TypeError, KeyError):
        return JsonResponse(
            {"code": "rpc_malformed", "detail": "Send one JSON-RPC call."}, status=400
        )
    if method not in ALLOWED_METHODS:
        return JsonResponse(
            {"code": "rpc_method_refused", "detail": f"The demo wallet may not call {method}."},
            status=403,
        )
    answer = httpx.post(
        settings.RPC_URL,
        content=request.body,
        headers={"Content-Type": "application/json"},
        timeout=20,
    )
    return HttpResponse(answer.content, content_type="application/json")
