"""Telling the service manager: sd_notify in ten lines of standard library.

Why this file exists: systemd's protocol is one datagram; a dependency would be larger than it. It
must not know when the daemon is ready, only how to say so (sd_notify(3)).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping


def notify(*lines: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send `lines` ("READY=1", "STATUS=...") to $NOTIFY_SOCKET; False when there is none.

    Never raises: a service manager that went away must not take the daemon with it.
    """
    path = environ.get("NOTIFY_SOCKET", "")
    if not path:
        return False
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.sendto("\n".join(lines).encode(), address)
    except OSError:
        return False
    return True


def reloading() -> bool:
    """RELOADING=1 wants the monotonic clock, so that the manager can order it."""
    return notify(
        "RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
    )


def watchdog_interval(environ: Mapping[str, str] = os.environ) -> float | None:
    """Half of the watchdog's patience in seconds, or None when nobody watches this process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / 2_000_000 if text.isdigit() and int(text) > 0 else None


def listen_fds(environ: Mapping[str, str] = os.environ) -> list[socket.socket]:
    """Listening sockets handed over by socket activation (sd_listen_fds(3)), or none."""
    if environ.get("LISTEN_PID", "") != str(os.getpid()):
        return []
    count = environ.get("LISTEN_FDS", "0")
    first = 3  # SD_LISTEN_FDS_START
    sockets = [socket.socket(fileno=first + i) for i in range(int(count) if count.isdigit() else 0)]
    for sock in sockets:
        sock.setblocking(False)
        os.set_inheritable(sock.fileno(), False)
    return sockets
