"""The gRPC server: listens, accepts streams, hands them to handlers, drains.

Why this file exists: it is the one place that owns sockets and tasks of the ExtProc port. It must
not know what a handler does with its stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.metadata import Deadline
from grpclib.protocol import AbstractHandler

from srd.daemon.grpc_connection import ServerProtocol, ServerStream
from srd.daemon.grpc_health import EXT_PROC_SERVICE, Health
from srd.daemon.grpc_reflection import load_descriptors, reflection_handler
from srd.daemon.grpc_stream import ProcessStream, StreamClosedError

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Mapping, Sequence

    from grpclib import protocol

log = logging.getLogger(__name__)

Handler = Callable[[ProcessStream], Awaitable[None]]
"""Serves one stream. Returning ends it with OK, a GRPCError with its status, any other error with
INTERNAL. CancelledError: the peer is gone, or the server stops."""

PROCESS = f"/{EXT_PROC_SERVICE}/Process"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Where to listen, and the bounds of what a peer may make us hold.

    `listen` is host:port ("127.0.0.1:0" for a free port), `unix_path` a socket's path, `sockets`
    listening sockets handed over by the service manager; any of the three, all are used.
    `tls` must demand client certificates itself where they are wanted. An unread stream holds
    at most `stream_window` bytes (256 KiB echo faster than 1 MiB does). The window of the
    connection is given back at receipt, so it bounds only what is on the way; by default it is the
    sum of those of all streams that it may have.
    Windows and sizes in bytes. `shortcuts` lets ordinary DATA frames pass h2 by (see
    grpc_shortcuts).
    """

    listen: str | None = None
    unix_path: str | None = None
    sockets: Sequence[socket.socket] = ()
    tls: ssl.SSLContext | None = None
    reuse_port: bool = False
    backlog: int = 1024
    max_message_bytes: int = 64 << 20
    stream_window: int = 256 << 10
    max_concurrent_streams: int = 1024  # of one connection; gateways open another when it is full
    connection_window: int | None = None
    shortcuts: bool = True
    drain_patience: float = 1.0  # seconds to wait for the peer's answer to the first GOAWAY

    def window_of_connection(self) -> int:
        """The window of a connection, at least HTTP/2's initial one and at most its maximum."""
        every_stream = self.max_concurrent_streams * self.stream_window
        wanted = every_stream if self.connection_window is None else self.connection_window
        return min(max(wanted, 65_535), 2**31 - 1)


class ExtProcServer:
    """The ExtProc port: Process by the given handler, health and reflection by itself."""

    def __init__(self, handler: Handler, options: ServerOptions) -> None:
        self.options = options
        self.health = Health()
        self._methods = _methods(handler, self.health)
        self._config = Configuration(
            http2_connection_window_size=options.window_of_connection(),
            http2_stream_window_size=options.stream_window,
        ).__for_server__()
        self._listeners: list[asyncio.Server] = []
        self._connections: set[ServerProtocol] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._live: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    def __repr__(self) -> str:
        return (
            f"<ExtProcServer {', '.join(self.addresses) or 'not listening'}: "
            f"{len(self._connections)} connections, {self.live_streams} streams>"
        )

    @property
    def live_streams(self) -> int:
        """Process streams whose handler has not returned."""
        return len(self._live)

    @property
    def addresses(self) -> list[str]:
        """Where the server listens: host:port, or unix: with the path."""
        names = [sock.getsockname() for server in self._listeners for sock in server.sockets]
        return [
            f"unix:{name}" if isinstance(name, str) else f"{_bracketed(name[0])}:{name[1]}"
            for name in names
        ]

    async def start(self) -> None:
        """Bind and accept. OSError when an address cannot be had."""
        options, loop = self.options, asyncio.get_running_loop()
        if options.tls is not None:
            options.tls.set_alpn_protocols(["h2"])
        try:
            if options.listen is not None:
                host, port = split_address(options.listen)
                self._listeners.append(
                    await loop.create_server(
                        self._protocol,
                        host,
                        port,
                        ssl=options.tls,
                        backlog=options.backlog,
                        reuse_port=options.reuse_port or None,
                    )
                )
            if options.unix_path is not None:
                _remove_stale_socket(Path(options.unix_path))
                self._listeners.append(
                    await loop.create_unix_server(
                        self._protocol, options.unix_path, ssl=options.tls, backlog=options.backlog
                    )
                )
            for sock in options.sockets:
                self._listeners.append(
                    await loop.create_server(self._protocol, sock=sock, ssl=options.tls)
                )
        except BaseException:
            self._stop_accepting()
            raise

    async def drain(self, grace: float) -> int:
        """Stop without losing a stream; returns how many were cut off after `grace` seconds.

        Not ready; no new connection; each peer is told to open no new stream; live Process
        streams finish; connections close, and with them who watches health.
        """
        self.health.set_ready(False)
        self._stop_accepting()
        patience = min(self.options.drain_patience, grace)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await asyncio.gather(*(c.go_away(patience) for c in list(self._connections)))
                await self._idle.wait()
        left = self.live_streams
        await self.close()
        return left

    async def close(self) -> None:
        """Stop at once: live handlers are cancelled and waited for."""
        self._stop_accepting()
        for connection in list(self._connections):
            connection.close()
        for task in list(self._tasks):
            _cancel(task)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _stop_accepting(self) -> None:
        for listener in self._listeners:
            listener.close()
        if self._listeners and self.options.unix_path is not None:
            Path(self.options.unix_path).unlink(missing_ok=True)
        self._listeners = []

    def _protocol(self) -> ServerProtocol:
        return ServerProtocol(
            _Dispatcher(self._methods, self._started, self._finished),
            self._config,
            max_message_bytes=self.options.max_message_bytes,
            max_concurrent_streams=self.options.max_concurrent_streams,
            shortcuts=self.options.shortcuts,
            on_open=self._connections.add,
            on_close=self._connections.discard,
        )

    def _started(self, task: asyncio.Task[None], *, process: bool) -> None:
        self._tasks.add(task)
        if process:
            self._live.add(task)
            self._idle.clear()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._live.discard(task)
        if not self._live:
            self._idle.set()


def _methods(handler: Handler, health: Health) -> Mapping[str, Handler]:
    descriptors = load_descriptors()
    methods: dict[str, Handler] = {
        PROCESS: handler,
        "/grpc.health.v1.Health/Check": health.check,
        "/grpc.health.v1.Health/Watch": health.watch,
    }
    for version in ("v1", "v1alpha"):
        path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        methods[path] = reflection_handler(descriptors, version)
    return methods


class _Started(Protocol):
    def __call__(self, task: asyncio.Task[None], *, process: bool) -> None: ...


class _Dispatcher(AbstractHandler):
    """The streams of one connection: a task for each, from its headers to its status."""

    def __init__(
        self,
        methods: Mapping[str, Handler],
        started: _Started,
        finished: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self._methods = methods
        self._started = started
        self._finished = finished
        self._tasks: dict[protocol.Stream, asyncio.Task[None]] = {}

    def accept(
        self,
        stream: protocol.Stream,
        headers: Sequence[tuple[str, str]],
        release_stream: Callable[[], None],
    ) -> None:
        """A request's headers arrived."""
        assert isinstance(stream, ServerStream)
        named = dict(headers)
        call = ProcessStream(stream, headers)
        task = asyncio.get_running_loop().create_task(self._serve(call, stream, named))
        self._tasks[stream] = task

        def done(task: asyncio.Task[None]) -> None:
            del self._tasks[stream]
            release_stream()
            self._finished(task)

        task.add_done_callback(done)
        self._started(task, process=named.get(":path") == PROCESS)

    def cancel(self, stream: protocol.Stream) -> None:
        """The peer reset the stream."""
        task = self._tasks.get(stream)
        if task is not None:
            _cancel(task)

    def close(self) -> None:
        """The connection is gone."""
        for task in self._tasks.values():
            _cancel(task)

    async def _serve(
        self, call: ProcessStream, stream: ServerStream, headers: Mapping[str, str]
    ) -> None:
        """One stream, whatever happens to it; never raises but CancelledError."""
        try:
            await self._call(call, stream, headers)
        except GRPCError as error:
            await call.end(error.status, error.message or "")
        except StreamClosedError:
            log.debug("the peer closed %r", call)
        except Exception:
            log.exception("handler failed on %r", call)
            await call.end(Status.INTERNAL, "internal error")
        else:
            await call.end()

    async def _call(
        self, call: ProcessStream, stream: ServerStream, headers: Mapping[str, str]
    ) -> None:
        content_type = headers.get("content-type", "")
        if headers.get(":method") != "POST" or not content_type.startswith("application/grpc"):
            await call.refuse("415")
            return
        handler = self._methods.get(headers.get(":path", ""))
        if handler is None:
            raise GRPCError(Status.UNIMPLEMENTED, "unknown method")
        stream.buffer.encoding = headers.get("grpc-encoding", "identity")
        await call.start()
        if "grpc-timeout" not in headers:
            await handler(call)
            return
        try:
            async with asyncio.timeout(_timeout(headers)) as scope:
                await handler(call)
        except TimeoutError:
            if not scope.expired():
                raise
            raise GRPCError(Status.DEADLINE_EXCEEDED, "deadline exceeded") from None


def _cancel(task: asyncio.Task[None]) -> None:
    """Cancel once: a reset and the loss of the connection must not interrupt a clean-up twice."""
    if not task.cancelling():
        task.cancel()


def _timeout(headers: Mapping[str, str]) -> float:
    try:
        deadline = Deadline.from_headers(list(headers.items()))
    except ValueError:
        raise GRPCError(Status.INTERNAL, "grpc-timeout is malformed") from None
    return float(deadline.time_remaining()) if deadline else 0.0


def split_address(address: str) -> tuple[str, int]:
    """Host and port of "host:port", "[::1]:port" or ":port" (all interfaces); else ValueError."""
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{address!r} is not host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _remove_stale_socket(path: Path) -> None:
    """A socket file that an earlier process left behind would make binding fail."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
