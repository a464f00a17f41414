"""A service that answers from a script, for the ways that a real one does not go on demand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

Handler = Callable[[httpx.Request], httpx.Response | Exception]


@dataclass
class ScriptedService:
    """Answers each request with the handler of its path; keeps what it was sent."""

    handlers: dict[str, Handler] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)

    def transport(self) -> httpx.MockTransport:
        def answer(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            for ending, handler in self.handlers.items():
                if request.url.path.endswith(ending):
                    found = handler(request)
                    if isinstance(found, Exception):
                        raise found
                    return found
            return httpx.Response(404, json={"code": "not_found", "detail": "Nothing.", "data": {}})

        return httpx.MockTransport(answer)

    def bodies(self, ending: str) -> list[Any]:
        """The JSON bodies sent to a path."""
        return [
            json.loads(request.content)
            for request in self.requests
            if request.url.path.endswith(ending)
        ]


@pytest.fixture
def scripted() -> ScriptedService:
    return ScriptedService()
