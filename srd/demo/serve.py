"""`srd serve` as a child process on free ports.

Why this file exists: the demo and the tests run the daemon as a user does, as a process of its own.
It must not import the daemon.
"""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from srd.demo.process import Child, StartError, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ATTEMPTS = 3


class Srd(Child):
    """A running `srd serve`. `config` None serves the embedded default configuration."""

    def __init__(
        self,
        config: Path | None = None,
        *,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("srd", [], environment=environment)
        # Read-only and inside the package: `srd serve` wants a file that it can watch.
        default = Path(str(resources.files("srd.config") / "default.yaml"))
        self._config = default if config is None else config
        self._arguments = list(arguments)
        self.port = self.admin_port = self.metrics_port = 0

    @property
    def address(self) -> str:
        """Where ExtProc is served, "host:port"."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and return when /ready answers 200. Raises StartError."""
        for attempt in range(_ATTEMPTS):
            self._choose_ports()
            self.spawn()
            try:
                self.until_ready(self.admin_port)
            except StartError:
                # A free port can be taken between choosing and binding; anything else is final.
                if attempt == _ATTEMPTS - 1 or "in use" not in self.tail():
                    raise
            else:
                return

    def _choose_ports(self) -> None:
        self.port, self.admin_port, self.metrics_port = free_port(), free_port(), free_port()
        self._command = [sys.executable, "-m", "srd.cli", "serve"]
        self._command += ["--config", str(self._config)]
        self._command += ["--listen", self.address]
        self._command += ["--admin", f"127.0.0.1:{self.admin_port}"]
        self._command += ["--metrics", f"127.0.0.1:{self.metrics_port}"]
        self._command += self._arguments
