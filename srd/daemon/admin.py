"""The admin and metrics ports: a table of routes over a small HTTP/1.1 server.

Why this file exists: probes, the classify API and scrapes come over plain HTTP; none of them may
share the ExtProc port or its fate. It must not know what its routes answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec

from srd.backend.http import (
    BadRequestError,
    RequestHead,
    Response,
    read_body,
    read_head,
    write_response,
)
from srd.daemon.server import split_address

log = logging.getLogger("srd.admin")

MAX_BODY_BYTES = 8 << 20
IDLE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read whole: what a route sees."""

    head: RequestHead
    body: bytes
    loopback: bool


Route = Callable[[Call], Awaitable[Response]]


def json_response(value: object, status: int = 200) -> Response:
    """`value` as JSON."""
    return Response(status, msgspec.json.encode(value))


def error_response(status: int, code: str, message: str) -> Response:
    """Upstream's management error shape (section 4.4)."""
    return json_response({"error": {"code": code, "message": message}}, status)


class AdminServer:
    """Serves `routes` ("GET /health" -> coroutine) on one address."""

    def __init__(self, listen: str, routes: Mapping[str, Route]) -> None:
        self._listen = listen
        self._routes = routes
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<AdminServer {self.address or self._listen} {len(self._routes)} routes>"

    @property
    def address(self) -> str:
        """host:port that it listens on, "" before start."""
        if self._server is None or not self._server.sockets:
            return ""
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    async def start(self) -> None:
        """Bind and accept; OSError when the address cannot be had."""
        host, port = split_address(self._listen)
        self._server = await asyncio.start_server(self._accept, host or None, port)

    def warn_if_exposed(self) -> None:
        """Say what other machines can ask, when the address is not a loopback one."""
        addresses = [sock.getsockname() for sock in self._server.sockets] if self._server else []
        if not all(map(_is_loopback, addresses)):
            log.warning(
                "%s is open to other machines, without a password: %s",
                self.address,
                ", ".join(sorted(self._routes)),
            )

    async def close(self) -> None:
        """Stop accepting and end the open connections."""
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=1)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._serve_one(reader, writer):
                pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                head = await read_head(reader)
                if head is None:
                    return False
                body = await self._read(head, reader)
        except BadRequestError as bad:
            response = error_response(bad.status, "BAD_REQUEST", str(bad))
            await write_response(writer, response, head_only=False, keep_alive=False)
            return False
        peer = writer.get_extra_info("peername")
        response = await self._answer(Call(head, body, _is_loopback(peer)))
        await write_response(
            writer, response, head_only=head.method == "HEAD", keep_alive=head.keeps_alive
        )
        return head.keeps_alive

    async def _read(self, head: RequestHead, reader: asyncio.StreamReader) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in read_body(head, reader):
            size += len(piece)
            if size > MAX_BODY_BYTES:
                raise BadRequestError(f"the body is larger than {MAX_BODY_BYTES} bytes", 413)
            pieces.append(piece)
        return b"".join(pieces)

    async def _answer(self, call: Call) -> Response:
        method = "GET" if call.head.method == "HEAD" else call.head.method
        route = self._routes.get(f"{method} {call.head.path}")
        if route is None:
            known = any(key.endswith(f" {call.head.path}") for key in self._routes)
            status, code = (405, "METHOD_NOT_ALLOWED") if known else (404, "NOT_FOUND")
            return error_response(status, code, f"no route {call.head.method} {call.head.path}")
        try:
            return await route(call)
        except (msgspec.DecodeError, msgspec.ValidationError) as bad:
            return error_response(400, "INVALID_INPUT", str(bad))
        except Exception:
            log.exception("admin route %s failed", call.head.path)
            return error_response(500, "INTERNAL", "internal error")


def _is_loopback(peer: object) -> bool:
    if not isinstance(peer, tuple) or not peer:
        return False
    try:
        return ipaddress.ip_address(str(peer[0]).split("%")[0]).is_loopback
    except ValueError:
        return False
