"""A running backend and a plain client for it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from srd.backend import BackgroundBackend, Settings

Call = Callable[..., http.client.HTTPResponse]


@pytest.fixture(scope="session")
def backend() -> Iterator[BackgroundBackend]:
    with BackgroundBackend(Settings()) as running:
        yield running


@pytest.fixture
def call(backend: BackgroundBackend) -> Iterator[Call]:
    """POST `body` (a dict becomes JSON) on one kept-alive connection; GET without one."""
    connection = http.client.HTTPConnection("127.0.0.1", backend.port, timeout=10)

    def send(path: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET" if body is None else "POST", path, data, names)
        return connection.getresponse()

    yield send
    connection.close()
