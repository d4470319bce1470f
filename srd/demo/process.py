"""A child process with a log file and a readiness page.

Why this file exists: Envoy and `srd serve` are started, awaited and stopped the same way. It must
not know which of them it runs.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_LOG_TAIL_LINES = 20
_POLL_SECONDS = 0.02


class StartError(RuntimeError):
    """The child ended, or was not ready in time. The message carries the end of its log."""


def free_port() -> int:
    """Return a loopback port that was free a moment ago; another process may still take it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(port: int, path: str, *, timeout: float = 5.0) -> tuple[int, bytes]:
    """GET http://127.0.0.1:port/path; returns status and body. Raises OSError when unreachable."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as problem:
        raise ConnectionError(f"no HTTP answer from port {port}: {problem!r}") from problem
    finally:
        connection.close()


class Child:
    """One child process. Standard output and error go to the file `log`.

    The child gets a process group of its own, so a Ctrl-C in the terminal reaches only us and the
    order of stopping stays ours.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.directory = tempfile.TemporaryDirectory(prefix=f"srd-demo-{name}-")
        self.log = Path(self.directory.name) / "log"
        self._command = list(command)
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        state = "not started"
        if self._process is not None:
            code = self._process.poll()
            state = f"pid={self._process.pid}" if code is None else f"ended with {code}"
        return f"<Child {self.name} {state}>"

    @property
    def pid(self) -> int:
        """Process id. Raises RuntimeError before start()."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not started")
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, None while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    def spawn(self) -> None:
        """Start the process; returns before it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    def until(self, happened: Callable[[], bool], what: str, *, seconds: float = 30.0) -> None:
        """Return when `happened()`. Raises StartError when the process ends or time runs out."""
        deadline = time.monotonic() + seconds
        while not happened():
            self.check()
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} did not {what} in {seconds:g} s\n{self.tail()}")
            time.sleep(_POLL_SECONDS)

    def until_ready(self, port: int, path: str = "/ready", *, seconds: float = 60.0) -> None:
        """Return when GET path answers 200. Raises StartError as until() does."""

        def ready() -> bool:
            try:
                return get(port, path, timeout=2.0)[0] == 200
            except OSError:
                return False  # not listening yet

        self.until(ready, f"answer {path} with 200", seconds=seconds)

    def check(self) -> None:
        """Raise StartError when the process has ended."""
        if self.returncode is not None:
            raise StartError(f"{self.name} ended with status {self.returncode}\n{self.tail()}")

    def tail(self) -> str:
        """Return the last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_LOG_TAIL_LINES:])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait for the end and return the exit status. Raises subprocess.TimeoutExpired."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not started")
        return self._process.wait(seconds)

    def stop(self, seconds: float = 10.0) -> int | None:
        """SIGTERM, and SIGKILL after `seconds`; returns the exit status and removes the log."""
        code = None
        if self._process is not None:
            self.signal(signal.SIGTERM)
            try:
                code = self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                code = self._process.wait()
        self.directory.cleanup()
        return code

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start and return when ready. Raises StartError. Subclasses know what ready means."""
        self.spawn()
