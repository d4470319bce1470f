"""Both ends of a gateway as raw sockets: an upload sent in steps, an upstream that keeps framing.

Why this file exists: the scenarios of the protocol ask when a byte arrived, and in which
framing, which no HTTP library tells. It must not know `srd` or Envoy. Waiting is on conditions,
never on time; TIMEOUT only turns a hang into a failure.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

TIMEOUT = 10.0
#: One request a connection: a gateway must not send another behind it.
OK = (
    b"HTTP/1.1 200 OK\r\nconnection: close\r\n"
    b"content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
)


@dataclass
class Seen:
    """One request as it came; lines of one header are joined by ", "."""

    line: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    size: int = 0
    finished: bool = False
    broken: bool = False
    digest: Any = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        return str(self.digest.hexdigest())

    @property
    def chunked(self) -> bool:
        return self.headers.get("transfer-encoding") == "chunked"


Answer = Callable[["Tap", Seen, socket.socket], None]


def plain_answer(tap: Tap, seen: Seen, connection: socket.socket) -> None:
    """Read the whole request, then 200."""
    tap.read_body(seen, connection)
    connection.sendall(OK)


class Tap:
    """An HTTP/1.1 upstream on loopback, one request a connection; `answer` scripts it."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answer: Answer = plain_answer
        self._changed = threading.Condition()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="tap", daemon=True)

    def __repr__(self) -> str:
        return f"<Tap {self.port} seen={len(self.seen)}>"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait for a condition on what was seen; it is asked after every change."""
        with self._changed:
            assert self._changed.wait_for(happened, TIMEOUT), f"the upstream never saw: {what}"

    def next(self, count: int) -> Seen:
        """The request with this number (from 0), when its head is there."""
        self.until(lambda: len(self.seen) > count, f"request {count}")
        return self.seen[count]

    def until_size(self, seen: Seen, size: int) -> None:
        self.until(lambda: seen.size >= size, f"{size} bytes of the body, only {seen.size}")

    # -- one connection, on a thread of its own --------------------------------------------------

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        seen = Seen()
        with connection, contextlib.suppress(OSError, ValueError):
            seen.line, seen.headers = _head(connection)
            with self._changed:
                self.seen.append(seen)
                self._changed.notify_all()
            try:
                self.answer(self, seen, connection)
            finally:
                with self._changed:
                    seen.broken = not seen.finished
                    self._changed.notify_all()
            connection.shutdown(socket.SHUT_WR)

    def read_body(self, seen: Seen, connection: socket.socket) -> None:
        """Read a body in either framing; ValueError when it ends early."""
        if seen.chunked:
            self._read_chunks(seen, connection)
        else:
            self._read(seen, connection, int(seen.headers.get("content-length", 0)))
        with self._changed:
            seen.finished = True
            self._changed.notify_all()

    def _read_chunks(self, seen: Seen, connection: socket.socket) -> None:
        while size := int(_line(connection), 16):
            self._read(seen, connection, size)
            _line(connection)
        while line := _line(connection):
            name, _, value = line.partition(": ")
            seen.trailers[name.lower()] = value

    def _read(self, seen: Seen, connection: socket.socket, size: int) -> None:
        while size:
            data = connection.recv(min(size, 65536))
            if not data:
                raise ValueError("the body ended early")
            size -= len(data)
            seen.digest.update(data)
            with self._changed:
                seen.size += len(data)
                if seen.size < 4_000_000:
                    seen.body += data
                self._changed.notify_all()


def _line(connection: socket.socket) -> str:
    line = bytearray()
    while not line.endswith(b"\r\n"):
        byte = connection.recv(1)
        if not byte:
            raise ValueError("the connection ended inside a line")
        line += byte
    return line[:-2].decode("latin-1")


def _head(connection: socket.socket) -> tuple[str, dict[str, str]]:
    first, headers = _line(connection), {}
    while line := _line(connection):
        name, _, value = line.partition(":")
        before = headers.get(name.lower())
        headers[name.lower()] = value.strip() if before is None else f"{before}, {value.strip()}"
    return first, headers


class Upload:
    """One HTTP/1.1 request on a connection of its own, sent piece by piece.

    `length` None sends chunked coding; 0 and more announces that content-length.
    """

    def __init__(
        self,
        port: int,
        *,
        length: int | None = None,
        headers: Mapping[str, str] | None = None,
        path: str = "/v1/chat/completions",
        method: str = "POST",
    ) -> None:
        self._chunked = length is None and method == "POST"
        fields = {"host": "gateway.example", "content-type": "application/json", **(headers or {})}
        if self._chunked:
            fields["transfer-encoding"] = "chunked"
        elif length is not None:
            fields["content-length"] = str(length)
        lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._response: http.client.HTTPResponse | None = None
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode())

    def __repr__(self) -> str:
        return f"<Upload {self.connection}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._response is not None:
            self._response.close()
        self.connection.close()

    def send(self, *pieces: bytes) -> Self:
        for piece in pieces:
            self.connection.sendall(
                b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece
            )
        return self

    def end(self, trailers: Mapping[str, str] | None = None) -> Self:
        """Finish a chunked body."""
        lines = "".join(f"{k}: {v}\r\n" for k, v in (trailers or {}).items())
        self.connection.sendall(f"0\r\n{lines}\r\n".encode())
        return self

    def response(self) -> http.client.HTTPResponse:
        """The answer's head; its body is still to be read."""
        if self._response is None:
            self._response = http.client.HTTPResponse(self.connection)
            self._response.begin()
        return self._response

    def status(self) -> int:
        """Read the whole answer and return its status."""
        response = self.response()
        response.read()
        return response.status
