"""HTTP/1.1 for one server connection: request heads, request bodies, responses.

Why this file exists: the demo backend must take bodies of any size in constant memory, say exactly
which bytes arrived, and break a response in the middle on purpose; no small library does all three.
It must not know what the requests mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Mapping

# nginx and Envoy take 60 KiB of header by default; a gateway in front has already enforced its own.
MAX_HEAD_BYTES = 128 * 1024
READ_BYTES = 256 * 1024


class BadRequestError(Exception):
    """The client's bytes are not HTTP/1.1. The connection answers `status` and closes."""

    def __init__(self, problem: str, status: int = 400) -> None:
        super().__init__(problem)
        self.status = status


@dataclass(frozen=True, slots=True)
class RequestHead:
    """Request line and headers. Names are lower-case; repeated headers are joined by ", "."""

    method: str
    target: str
    version: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """The target without its query string."""
        return self.target.partition("?")[0]

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection may carry another request after this one."""
        connection = self.headers.get("connection", "").lower()
        return connection == "keep-alive" if self.version == "HTTP/1.0" else connection != "close"


@dataclass(frozen=True, slots=True)
class Response:
    """A status and either a whole body or a stream of pieces, which is sent in chunked coding."""

    status: int
    body: bytes | AsyncIterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


class AbortResponse(Exception):  # noqa: N818 - it is an instruction, not an error
    """Raised by a body stream to have the connection reset instead of ended."""


async def read_head(reader: asyncio.StreamReader) -> RequestHead | None:
    """Return the next request's head, or None when the client closed between requests.

    Raises BadRequestError for anything that is not a request head of at most MAX_HEAD_BYTES.
    """
    lines: list[str] = []
    size = 0
    while True:
        try:
            line = await reader.readline()
        except ValueError:  # asyncio's answer to a line longer than the reader's limit
            raise BadRequestError("header line too long", 431) from None
        if not line.endswith(b"\n"):
            if not lines and not line:
                return None
            raise BadRequestError("connection closed inside the request head")
        size += len(line)
        if size > MAX_HEAD_BYTES:
            raise BadRequestError("request head too large", 431)
        text = line.rstrip(b"\r\n").decode("latin-1")
        if text:
            lines.append(text)
        elif lines:  # RFC 9112 2.2: empty lines before a request line are ignored
            return _parse_head(lines)


def _parse_head(lines: list[str]) -> RequestHead:
    parts = lines[0].split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequestError("malformed request line")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequestError("malformed header line")
        key = name.lower()
        value = value.strip()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return RequestHead(method=parts[0], target=parts[1], version=parts[2], headers=headers)


async def read_body(head: RequestHead, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield the request's body in pieces of at most READ_BYTES, framing removed.

    Raises BadRequestError when the framing is wrong or the client closed before the end.
    """
    coding = head.headers.get("transfer-encoding", "").lower()
    if coding:
        if coding != "chunked":
            raise BadRequestError(f"transfer-encoding {coding!r} is not supported", 501)
        while size := await _chunk_size(reader):
            async for piece in _exactly(reader, size):
                yield piece
            if await reader.readline() not in (b"\r\n", b"\n"):
                raise BadRequestError("chunk without its line end")
        while (await reader.readline()).strip():  # trailers
            pass
        return
    length = head.headers.get("content-length", "0")
    if not length.isdecimal():
        raise BadRequestError("malformed content-length")
    async for piece in _exactly(reader, int(length)):
        yield piece


async def _chunk_size(reader: asyncio.StreamReader) -> int:
    line = await reader.readline()
    try:
        return int(line.partition(b";")[0].strip(), 16)
    except ValueError:
        raise BadRequestError("malformed chunk size") from None


async def _exactly(reader: asyncio.StreamReader, size: int) -> AsyncIterator[bytes]:
    while size:
        piece = await reader.read(min(size, READ_BYTES))
        if not piece:
            raise BadRequestError("connection closed inside the request body")
        size -= len(piece)
        yield piece


async def write_response(
    writer: asyncio.StreamWriter, response: Response, *, head_only: bool, keep_alive: bool
) -> None:
    """Send `response`; each piece of a stream is flushed before the next is asked for.

    Raises AbortResponse through from the stream, with nothing written after its last piece.
    """
    whole = response.body if isinstance(response.body, bytes) else None
    reason = HTTPStatus(response.status).phrase
    lines = [f"HTTP/1.1 {response.status} {reason}", f"content-type: {response.content_type}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    lines.append("transfer-encoding: chunked" if whole is None else f"content-length: {len(whole)}")
    if not keep_alive:
        lines.append("connection: close")
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    if head_only:
        pass
    elif whole is not None:
        writer.write(whole)
    elif not isinstance(response.body, bytes):
        async for piece in response.body:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    await writer.drain()
