"""A real Envoy, a real `srd serve` and the demo backend, started once for the whole session.

    backend                       the running backend; backend.last is what the upstream received
    srd_factory(config, ...)      starts `srd serve` with a configuration text, document or path
    srd_process                   one with the embedded default configuration
    envoy_factory(srd, ...)       starts an Envoy; keywords are EnvoyConfig's
    gateway                       Envoy with all six listeners on srd_process and backend
    connect(envoy, listener)      a Client for one listener, closed after the test

Equal calls of a factory return the same process. Tests that need Envoy carry the mark `envoy`.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from srd.backend import BackgroundBackend
from srd.demo.client import Client
from srd.demo.envoy import Envoy, EnvoyConfig, missing_reason
from srd.demo.serve import Srd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip only where no Envoy can exist; where one must, its absence fails."""
    reason = missing_reason()
    for item in items:
        if reason and item.get_closest_marker("envoy"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def processes() -> Iterator[contextlib.ExitStack]:
    """Stops everything that was started, newest first."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def backend(processes: contextlib.ExitStack) -> BackgroundBackend:
    return processes.enter_context(BackgroundBackend())


@pytest.fixture(scope="session")
def srd_factory(
    processes: contextlib.ExitStack, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Srd]:
    started: dict[str, Srd] = {}

    def start(
        config: str | dict[str, Any] | Path | None = None,
        *,
        arguments: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        fresh: bool = False,
    ) -> Srd:
        """`fresh` starts a process of the test's own, to be signalled or stopped by it."""
        text = config if isinstance(config, str) else None
        if isinstance(config, dict):
            text = yaml.safe_dump(config, sort_keys=False)
        key = json.dumps([text or str(config), arguments, environment])
        if fresh or key not in started:
            path = config if isinstance(config, Path) else None
            if text is not None:
                path = tmp_path_factory.mktemp("srd") / "config.yaml"
                path.write_text(text)
            process = Srd(path, arguments=arguments, environment=environment)
            processes.enter_context(process)
            if fresh:
                return process
            started[key] = process
        return started[key]

    return start


@pytest.fixture(scope="session")
def srd_process(srd_factory: Callable[..., Srd]) -> Srd:
    return srd_factory()


@pytest.fixture(scope="session")
def envoy_factory(
    processes: contextlib.ExitStack, backend: BackgroundBackend
) -> Callable[..., Envoy]:
    started: dict[EnvoyConfig, Envoy] = {}

    def start(srd: Srd | str, **options: Any) -> Envoy:
        """`srd` is a process or the "host:port" of another processor."""
        config = EnvoyConfig(
            processor=srd if isinstance(srd, str) else srd.address,
            backend=f"127.0.0.1:{backend.port}",
            **options,
        )
        if config not in started:
            started[config] = processes.enter_context(Envoy(config))
        return started[config]

    return start


@pytest.fixture(scope="session")
def gateway(envoy_factory: Callable[..., Envoy], srd_process: Srd) -> Envoy:
    return envoy_factory(srd_process)


@pytest.fixture
def connect() -> Iterator[Callable[[Envoy, str], Client]]:
    with contextlib.ExitStack() as clients:
        yield lambda envoy, listener: clients.enter_context(Client(envoy.ports[listener]))
