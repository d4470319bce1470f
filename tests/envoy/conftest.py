"""A real Envoy, a real `srd serve` and the demo backend, started once for the whole session.

    backend                       the running backend; backend.last is what the upstream received
    srd_factory(config, ...)      starts `srd serve` with a configuration text, document or path
    srd_process                   one with the embedded default configuration
    envoy_factory(srd, ...)       starts an Envoy; keywords are EnvoyConfig's
    gateway                       Envoy with all six listeners on srd_process and backend
    connect(envoy, listener)      a Client for one listener, closed after the test
    stage_factory(config)         (srd, Envoy) of the scenarios, in front of `tap`
    upload(envoy, listener, ...)  a request that is sent step by step, see wiretap.py

Equal calls of a factory return the same process. Tests that need Envoy carry the mark `envoy`.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from stage import CONFIG, StageConfig
from wiretap import Tap, Upload, plain_answer

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


@pytest.fixture
def tap(stage_tap: Tap) -> Tap:
    """The upstream of the stage, answering plainly again, with what it saw forgotten."""
    stage_tap.answer = plain_answer
    stage_tap.seen.clear()
    return stage_tap


@pytest.fixture(scope="session")
def stage_tap(processes: contextlib.ExitStack) -> Tap:
    return processes.enter_context(Tap())


@pytest.fixture(scope="session")
def stage_factory(
    processes: contextlib.ExitStack, srd_factory: Callable[..., Srd], stage_tap: Tap
) -> Callable[[str], tuple[Srd, Envoy]]:
    """`srd` with a configuration text and the scenarios' Envoy, between us and the tap."""
    started: dict[str, tuple[Srd, Envoy]] = {}

    def start(config: str) -> tuple[Srd, Envoy]:
        if config not in started:
            srd = srd_factory(config)
            settings = StageConfig(processor=srd.address, backend=f"127.0.0.1:{stage_tap.port}")
            started[config] = (srd, processes.enter_context(Envoy(settings)))
        return started[config]

    return start


@pytest.fixture
def stage(stage_factory: Callable[[str], tuple[Srd, Envoy]]) -> Envoy:
    """The Envoy of the scenarios with the common configuration."""
    return stage_factory(CONFIG)[1]


@pytest.fixture
def stage_srd(stage_factory: Callable[[str], tuple[Srd, Envoy]]) -> Srd:
    """The processor behind `stage`."""
    return stage_factory(CONFIG)[0]


@pytest.fixture
def upload() -> Iterator[Callable[..., Upload]]:
    """`upload(envoy, listener, ...)` opens one request; it is closed after the test."""
    with contextlib.ExitStack() as open_uploads:

        def start(envoy: Envoy, listener: str, **options: Any) -> Upload:
            port = envoy.ports[listener]
            return open_uploads.enter_context(Upload(port, **options))

        yield start
