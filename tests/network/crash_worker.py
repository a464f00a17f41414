"""One signed request in a web process of its own, which is told where to die.

``python -m tests.network.crash_worker POINT``: reads the request as JSON from standard input, posts
it through the whole service, and kills itself with SIGKILL when it passes POINT: ``worked`` (the
report is judged, its answer not yet stored), ``answered`` (both are written, nothing is committed)
or ``committed`` (nobody has been told).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any


def main() -> None:
    import django

    django.setup()
    from django.test import Client

    from network.api.views import base

    point = sys.argv[1]

    def reached(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    finish = base.idempotency_finish

    def finish_or_die(**answer: Any) -> None:
        reached("worked")
        finish(**answer)
        reached("answered")

    def respond_or_die(*_: Any, **__: Any) -> None:
        reached("committed")

    base.idempotency_finish = finish_or_die
    base.Response = respond_or_die  # type: ignore[assignment, misc]
    request = json.load(sys.stdin)
    Client(SERVER_NAME="localhost").post(**request | {"data": request["data"].encode()})
    raise SystemExit(f"It never passed {point}.")


if __name__ == "__main__":
    main()
