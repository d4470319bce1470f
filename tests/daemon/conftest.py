"""A daemon inside the test: real ports, real signals, a configuration that needs no classifier.

async with daemon_on(path) as running:      # started and ready
    running.daemon, running.get("/ready"), running.post("/api/v1/eval", {...})
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from srd.daemon.app import Daemon, ServeOptions
from srd.demo.process import free_port

SECONDS = 20

CONFIG = """
version: v0.3
providers:
  defaults: {default_model: base-model}
  models:
    - name: base-model
      backend_refs: [{name: local, endpoint: "127.0.0.1:8000"}]
routing:
  modelCards:
    - name: base-model
      loras: [{name: math-expert}]
  signals:
    keywords: [{name: maths, operator: OR, keywords: [derivative]}]
  decisions:
    - name: math_decision
      priority: 10
      rules: {operator: OR, conditions: [{type: keyword, name: maths}]}
      modelRefs: [{model: base-model, lora_name: math-expert, use_reasoning: false}]
"""


@dataclass
class Running:
    """A daemon and how to ask it. `ask` blocks, so it is called on a thread."""

    daemon: Daemon
    task: asyncio.Task[int]

    async def ask(self, method: str, path: str, value: object = None) -> tuple[int, Any]:
        return await asyncio.to_thread(self._ask, method, path, value)

    async def get(self, path: str) -> tuple[int, Any]:
        return await self.ask("GET", path)

    async def post(self, path: str, value: object) -> tuple[int, Any]:
        return await self.ask("POST", path, value)

    def _ask(self, method: str, path: str, value: object) -> tuple[int, Any]:
        host, _, port = self.daemon.options.admin.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=SECONDS)
        with contextlib.closing(connection):
            body = value if value is None or isinstance(value, bytes) else json.dumps(value)
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait for what the daemon does on its own; the test's own deadline ends the wait."""
        while not happened():
            assert not self.task.done(), self.task
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def daemon_on(path: Path, **options: Any) -> AsyncIterator[Running]:
    ports = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    open_classifier = options.pop("open_classifier", lambda document: None)
    wait = options.pop("wait", True)
    settings = ServeOptions(
        **{"config": path, "listen": "127.0.0.1:0", "admin": ports[0], "metrics": ports[1]}
        | {"watch": False, "grace": 5.0}
        | options
    )
    daemon = Daemon(settings, open_classifier=open_classifier)
    running = Running(daemon, asyncio.create_task(daemon.run()))
    try:
        if wait:
            await running.until(lambda: daemon.state == "ready")
        yield running
    finally:
        daemon._on_stop()
        with contextlib.suppress(asyncio.CancelledError):
            await running.task


@pytest.fixture
def start_daemon() -> Callable[..., contextlib.AbstractAsyncContextManager[Running]]:
    return daemon_on


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def run_async() -> Callable[[Coroutine[Any, Any, None]], None]:
    """Run to the end, failing rather than hanging."""
    return lambda test: asyncio.run(asyncio.wait_for(test, SECONDS))
