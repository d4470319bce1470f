from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from srd.cli.healthcheck import healthcheck
from srd.daemon.admin import AdminServer, json_response
from srd.daemon.server import ExtProcServer, ServerOptions


async def _never(stream: object) -> None:
    raise AssertionError("no stream is opened here")


def probe(*args: str) -> Result:
    return CliRunner().invoke(healthcheck, args)


def while_serving(
    act: Callable[[str], Result], *, ready: bool, unix_path: str | None = None
) -> Result:
    """What `act` finds when it is given the address of a server."""

    async def run() -> Result:
        listen = None if unix_path else "127.0.0.1:0"
        server = ExtProcServer(_never, ServerOptions(listen=listen, unix_path=unix_path))
        await server.start()
        server.health.set_ready(ready)
        try:
            return await asyncio.to_thread(act, server.addresses[0])
        finally:
            await server.close()

    return asyncio.run(run())


def test_a_ready_daemon_gives_zero() -> None:
    result = while_serving(lambda address: probe("--address", address), ready=True)
    assert (result.exit_code, result.output) == (0, "readiness: SERVING\n")


def test_a_unix_socket_is_asked_by_its_path(tmp_path: Path) -> None:
    path = str(tmp_path / "srd.sock")
    result = while_serving(lambda address: probe("--address", address), ready=True, unix_path=path)
    assert result.exit_code == 0, result.output


def test_a_daemon_that_drains_gives_one_but_is_alive() -> None:
    result = while_serving(lambda address: probe("--address", address), ready=False)
    assert (result.exit_code, result.output) == (1, "readiness: NOT_SERVING\n")
    alive = while_serving(
        lambda address: probe("--address", address, "--service", "liveness"), ready=False
    )
    assert alive.exit_code == 0


def test_an_unknown_service_gives_one() -> None:
    result = while_serving(
        lambda address: probe("--address", address, "--service", "tea"), ready=True
    )
    assert result.exit_code == 1


def test_nobody_there_gives_two() -> None:
    with socket.socket() as unused:  # bound, so that nobody else takes it; not listening
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        result = probe("--address", address)
        over_http = probe("--admin", address)
    assert (result.exit_code, over_http.exit_code) == (2, 2)
    assert "no answer" in result.output


def test_somebody_silent_gives_two() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert probe("--address", address, "--timeout", "0.05").exit_code == 2


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_admin_port_is_asked_over_http(status: int, code: int) -> None:
    async def ready(call: object) -> object:
        return json_response({"status": "here", "reason": "loading"}, status)

    routes: dict[str, Callable[..., Awaitable[object]]] = {"GET /ready": ready}

    async def run() -> Result:
        server = AdminServer("127.0.0.1:0", routes)  # type: ignore[arg-type]
        await server.start()
        try:
            return await asyncio.to_thread(probe, "--admin", server.address)
        finally:
            await server.close()

    result = asyncio.run(run())
    assert result.exit_code == code
    assert "loading" in result.output
