"""TLS for the ExtProc port: certificates that may be renewed while the daemon runs.

Why this file exists: a mounted Secret and an ACME client replace files under a running process, and
a gateway must never meet an expired certificate for it. It must not know what is served.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from srd.daemon.reload import POLL_SECONDS, watch

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger("srd.tls")


class TlsError(ValueError):
    """The operator's files cannot be used: missing, unreadable, no pair, not PEM.

    At start the daemon ends; later it keeps what it has.
    """


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files. With `client_ca`, only clients with a certificate that it signed are served."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    def paths(self) -> Sequence[Path]:
        """The files that are given."""
        return [path for path in (self.cert, self.key, self.client_ca) if path is not None]


class ServerTls:
    """`context` for the listener; every handshake uses the files as last loaded.

    A connection keeps the certificates it was made with. Sessions are not resumed, so that a client
    whose CA was withdrawn is not let in by an old ticket.
    """

    def __init__(self, files: TlsFiles) -> None:
        self.files = files
        self.context = _context(files)
        self._current = self.context
        self.context.sni_callback = self._choose

    def __repr__(self) -> str:
        return f"<ServerTls {self.files.cert}{', mTLS' if self.files.client_ca else ''}>"

    def reload(self) -> bool:
        """Load the files again; True when they are in force, False (logged) when the old stay."""
        try:
            self._current = _context(self.files)
        except TlsError as error:
            log.error("tls_reload_failed: %s", error)
            return False
        log.info("tls_reloaded: %s", self.files.cert)
        return True

    async def watch(self, *, poll_seconds: float = POLL_SECONDS) -> None:
        """Reload whenever one of the files changes, until cancelled.

        A certificate and its key that are replaced one after the other fail once, after the first;
        the second change brings them in.
        """

        async def changed() -> None:
            await asyncio.get_running_loop().run_in_executor(None, self.reload)

        async with asyncio.TaskGroup() as group:
            for path in self.files.paths():
                group.create_task(watch(path, changed, poll_seconds=poll_seconds))

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """OpenSSL calls this in every handshake, also without a server name."""
        connection.context = self._current


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION
    context.num_tickets = 0
    context.set_alpn_protocols(["h2"])
    for path in files.paths():
        try:
            path.read_bytes()  # OpenSSL's own message would not say which file
        except OSError as error:
            raise TlsError(f"{path}: {error.strerror or error}") from error
    try:
        # The callback refuses an encrypted key; by default OpenSSL would ask the terminal.
        context.load_cert_chain(files.cert, files.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise TlsError(f"{files.cert} with {files.key}: {_reason(error)}") from error
    if files.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(files.client_ca)
        except OSError as error:
            raise TlsError(f"{files.client_ca}: {_reason(error)}") from error
    return context


def _reason(error: Exception) -> str:
    """OpenSSL's reason ("KEY_VALUES_MISMATCH") in words, where it gives one."""
    reason = getattr(error, "reason", None)
    if "PEM lib" in str(error):
        return "not PEM"
    return reason.replace("_", " ").lower() if isinstance(reason, str) else str(error)


def _no_password() -> str:
    raise ValueError("the key is encrypted")
