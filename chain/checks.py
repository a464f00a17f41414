"""What ``manage.py check`` can say of the chain settings without asking a node.

A missing deployment file is no error here: ``migrate`` must work before anything is deployed.
``manage.py chain_doctor`` looks at the rest.
"""

from typing import Any
from urllib.parse import urlsplit

from django.core.checks import CheckMessage, Error, register

from chain import conf
from chain.deployment import DeploymentInvalid, deployment

TAG = "chain"


@register(TAG)
def chain_settings_check(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Addresses of nodes, finality, and the deployment file where there is one."""
    return [*_addresses(), *_finality(), *_file()]


def _addresses() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    second = filter(None, [conf.rpc_url_second()])
    for name, urls in (("RPC_URL", conf.rpc_urls()), ("RPC_URL_SECOND", second)):
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                # Not the value: it may hold a key.
                found.append(
                    Error(
                        f"{name} holds something that is no http(s) address.",
                        hint="Give it as https://host/path.",
                        id="chain.E001",
                    )
                )
    return found


def _finality() -> list[CheckMessage]:
    try:
        depth = conf.finality_depth()
    except ValueError:
        depth = -1
    if depth is None or depth >= 0:
        return []
    return [
        Error(
            "CHAIN_FINALITY is neither `finalized` nor a number of blocks.",
            hint="Use `finalized` where the chain has that tag, or a depth such as 64.",
            id="chain.E002",
        )
    ]


def _file() -> list[CheckMessage]:
    try:
        deployment()
    except DeploymentInvalid as error:
        if error.code == "deployment_missing":
            return []
        return [Error(f"{error.detail} ({error.code})", hint="See chain_doctor.", id="chain.E003")]
    return []
