from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from srd.daemon.notify import listen_fds, notify, reloading, watchdog_interval


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager's end of the protocol."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


def test_lines_go_out_as_one_datagram(manager: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname()}
    assert notify("READY=1", "STATUS=routing", environ=environ)
    assert manager.recv(100) == b"READY=1\nSTATUS=routing"


def test_an_abstract_socket_is_named_with_an_at_sign() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0srd-test-{os.getpid()}")
        assert notify("READY=1", environ={"NOTIFY_SOCKET": f"@srd-test-{os.getpid()}"})
        assert sock.recv(100) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_nobody_to_tell_is_no_error(environ: dict[str, str]) -> None:
    assert not notify("READY=1", environ=environ)


def test_reloading_carries_the_monotonic_clock(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    assert reloading()
    assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", manager.recv(100))


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_asks(
    environ: dict[str, str], interval: float | None
) -> None:
    assert watchdog_interval(environ) == interval


@pytest.mark.parametrize(
    "environ",
    [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": str(os.getpid())}],
)
def test_sockets_for_nobody_or_another_process_are_left_alone(environ: dict[str, str]) -> None:
    assert listen_fds(environ) == []


def test_handed_over_sockets_are_taken_in_their_order(tmp_path: Path) -> None:
    """Descriptors begin at 3, which only a fresh process has free."""
    import subprocess
    import sys

    code = (
        "import os; from srd.daemon.notify import listen_fds\n"
        "env = {'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '2'}\n"
        "socks = listen_fds(env)\n"
        "print([s.getsockname()[1] for s in socks], [s.getblocking() for s in socks],"
        " [s.get_inheritable() for s in socks])"
    )
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        # The shell puts the two where systemd would.
        script = f'exec 3<&{one.fileno()} 4<&{two.fileno()}; exec "$0" -c "$1"'
        done = subprocess.run(
            ["bash", "-c", script, sys.executable, code],
            pass_fds=(one.fileno(), two.fileno()),
            capture_output=True,
            text=True,
        )
        ports = [one.getsockname()[1], two.getsockname()[1]]
    assert done.stdout.strip() == f"{ports} [False, False] [False, False]", done.stderr
