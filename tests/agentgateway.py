"""A model of AgentGateway 1.4 and newer, over real gRPC, for tests of what srd promises behind it.

Why this file exists: the real gateway is not at hand where the tests run, and what it makes of our
replies differs from Envoy in ways that cut, lose or hang requests. It does what the program was
seen to do and what its source says, also where that is unkind; it must not know how `srd` works.

    async with AgentGateway(address) as gateway:
        call = gateway.open()                   # one HTTP request of some client
        await call.headers()
        await call.frame(b"...", end=True)
        await call.reach(call.released)         # the header reply is here: the upstream is called
        await call.reach(call.finished)         # the upstream has a whole body, or a cut one
        await call.respond(200)
        await call.close()                      # the client has all; nothing that was said is lost

All streams share one connection with hyper's windows (2 MiB a stream, 5 MiB in all). Replies wait
in 10 slots, then one slot a direction, then one slot before the backend or the client. Streams are
never reset: they end with a half-close once request, response head and bodies are done, and the
reader stays until the server ends them.

Not modelled, by name: BufferedPartial; attributes, metadataContext and dynamic metadata; `ai`
backends, which read a body again; retries and mirrors; two policies in one request; the bytes
behind a 101; TLS; requestTimeout and every other clock (`time_out` is called instead); hyper's
cutting of HTTP/1.1 bodies (the test's frames are its frames); the client connection that is lost
when a task panics (here PunishedError).
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal, Self

from agentgateway_headers import Head, HeaderMap, forwarded
from agentgateway_processing import (
    BUFFERED,
    DUPLEX,
    NONE,
    PROCESS,
    Answer,
    Frame,
    GatewayError,
    Options,
    Processing,
    PunishedError,
)
from agentgateway_wire import Connection
from grpclib.const import Status

from srd.wire.messages import BodyMode

__all__ = ["BUFFERED", "DUPLEX", "NONE", "PROCESS", "AgentGateway", "Call", "PunishedError", "run"]

SECONDS = 60.0
H2_FRAME = 16_384


def run(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test to its end, failing it rather than hanging."""

    @functools.wraps(test)
    def runner(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), SECONDS))

    return runner


class AgentGateway:
    """The gateway: one connection to the processor, a stream on it for every request."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._connecting: asyncio.Task[Connection] | None = None
        self._calls: list[Call] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for call in self._calls:
            call.stop()
        await self.crash()

    async def connection(self) -> Connection:
        if self._connecting is None:
            self._connecting = asyncio.create_task(Connection.to(self._address))
        return await asyncio.shield(self._connecting)

    async def crash(self) -> None:
        """The gateway's process dies."""
        if self._connecting is not None:
            await asyncio.wait({self._connecting})
            if self._connecting.exception() is None:
                connection = self._connecting.result()
                connection.abort()
                await connection.lost.wait()

    def open(
        self,
        mode: BodyMode = DUPLEX,
        response_mode: BodyMode = NONE,
        *,
        client: Literal["http1", "http2"] = "http1",
        **options: Any,
    ) -> Call:
        """A client that has not sent anything yet."""
        call = Call(self, mode, response_mode, client, Options(**options))
        self._calls.append(call)
        return call


class Call(Processing):
    """One request and its response.

    The backend: `request` is the head that it got, `body` and `digest` what it read; `gate`
    cleared keeps it from reading, `jammed` tells that replies wait for it. `released`: it is called
    or the client was refused, `finished`: it has read the body's end or there is none. The client:
    `answered` with `answer`.
    """

    def __init__(
        self,
        gateway: AgentGateway,
        mode: BodyMode,
        response_mode: BodyMode,
        client: str,
        options: Options,
    ) -> None:
        super().__init__(gateway.connection, mode, response_mode, options)
        self.body = bytearray()
        self.size = 0
        self.digest = hashlib.sha256()
        self.released, self.finished = asyncio.Event(), asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.answered = asyncio.Event()
        self.answer: Answer
        self.sent_bytes = 0
        self._client = client
        self._rides = False  # the end rides on the last data
        self._left = 0  # of what content-length announced
        self._upstream_head: Head | None = None
        self._responded, self._timed_out = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Call sent={self.sent} upstream={self.size} released={self.released.is_set()}>"

    # -- the client ------------------------------------------------------------------------------

    async def headers(
        self,
        path: str = "/v1/chat/completions",
        *,
        method: str = "POST",
        end: bool = False,
        extra: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    ) -> None:
        """The request's head; a body follows unless `end`."""
        fields = list(extra.items()) if isinstance(extra, Mapping) else extra
        pairs = [("content-type", b"application/json")]
        pairs += [(name, value.encode()) for name, value in fields]
        length = dict(fields).get("content-length")
        self._rides = self._client == "http2" or length is not None
        self._left = int(length or 0)
        self._had_body = not end and length != "0"
        self.request = Head(forwarded(pairs), method.encode(), b"http", b"a.example", path.encode())
        self.warnings = self.request.warnings
        if not self._had_body:
            self._upload.finish()
        self._spawn(self._open_stream())
        self._task = self._spawn(self._serve())

    async def frame(self, data: bytes = b"", *, end: bool = False) -> None:
        """A piece of the request's body; `end` is implied where content-length tells it."""
        self.sent_bytes += len(data)
        if self._client == "http1" and self._rides:
            self._left -= len(data)
            end = self._left <= 0
            if not data:
                return
        step = H2_FRAME if self._client == "http2" else len(data) or 1
        pieces = [data[at : at + step] for at in range(0, len(data), step)]
        if not pieces and self._rides:
            pieces = [b""]
        for piece in pieces:
            last = end and self._rides and piece is pieces[-1]
            await self._upload.put(Frame(piece, last))
        if end:
            self._upload.finish()

    async def trailers(self) -> None:
        """The request ends with trailers."""
        await self._upload.put(Frame(trailers=True))
        self._upload.finish()

    def abort(self) -> None:
        """The client goes away. Of an HTTP/1.1 client the gateway sees it only where it reads."""
        self._upload.abort()
        if self._client == "http2" and self._task is not None:
            self._task.cancel()

    async def chunk(self) -> bytes | None:
        """The next piece of the answer's body, None at its end. Not called: not read."""
        await self.reach(self.answered)
        if self.answer.frames is None:
            body, self.answer.body = self.answer.body, b""
            return body or None
        while (frame := await self._or_fail(self.answer.frames.get())) is not None:
            if frame.aborted:
                self.broken.set()
                return None
            if frame.data:
                return bytes(frame.data)
        return None

    # -- the backend -----------------------------------------------------------------------------

    async def respond(
        self,
        status: int = 200,
        content_type: str = "application/json",
        *,
        end: bool = False,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """The backend's head; a body follows unless `end`."""
        fields = {"content-type": content_type, **(extra or {})}
        pairs = [(name, value.encode()) for name, value in fields.items()]
        self._upstream_head = Head(forwarded(pairs), status=status)
        self._download.known_empty = end
        if end:
            self._download.finish()
        self._responded.set()

    async def respond_frame(self, data: bytes = b"", *, end: bool = False) -> None:
        if data:
            await self._download.put(Frame(data))
        if end:
            self._download.finish()

    async def respond_trailers(self) -> None:
        await self._download.put(Frame(trailers=True))
        self._download.finish()

    def time_out(self) -> None:
        """The route's requestTimeout; it covers the call of the backend alone."""
        self._timed_out.set()

    # -- the test --------------------------------------------------------------------------------

    async def reach(self, *events: asyncio.Event) -> None:
        """Wait for events; an error of the gateway's fails the test here instead of hanging it."""
        for event in events:
            if not event.is_set():
                await self._or_fail(event.wait())

    async def _or_fail(self, awaited: Coroutine[Any, Any, Any]) -> Any:
        waiting = asyncio.ensure_future(awaited)
        failing = asyncio.ensure_future(self._failure.wait())
        await asyncio.wait({waiting, failing}, return_when=asyncio.FIRST_COMPLETED)
        failing.cancel()
        if waiting.done():
            return waiting.result()
        waiting.cancel()
        if isinstance(self._why, BaseException):
            raise self._why
        raise PunishedError(f"{self._why}: {self!r}")

    async def close(self) -> Status | None:
        """Let the exchange come to its end and the client leave; the status of the stream.

        PunishedError when anything was lost on the way."""
        if self.released.is_set() and not (self.answered.is_set() or self._responded.is_set()):
            await self.respond(end=True)
        while await self.chunk() is not None:
            pass
        await self.leave()
        if self.cut or self.strays or self.broken.is_set():
            raise PunishedError(f"cut={self.cut!r} strays={self.strays} {self!r}")
        return self.status

    async def leave(self) -> None:
        """The client has its answer, or gave up; wait until the server has ended the stream."""
        self._upload.abort()
        await self.over.wait()
        await asyncio.wait(self._tasks)
        if self._failure.is_set() and isinstance(self._why, BaseException):
            raise self._why

    def stop(self) -> None:
        """The gateway's process dies, as far as this request goes."""
        for task in self._tasks:
            task.cancel()

    # -- the request's task ---

    async def _serve(self) -> None:
        """The request's task, which ends with the head of an answer."""
        try:
            answer = await self._mutate_request()
            self.released.set()
            if answer is not None:
                self.finished.set()
            else:
                answer = await self._call_upstream()
            self.answer = answer
            self.answered.set()
        except GatewayError as error:
            self.answer = Answer(Head(HeaderMap(), status=500), str(error).encode())
            self.answered.set()
            self._fail(str(error))
        except asyncio.CancelledError:
            self.broken.set()
            raise
        finally:
            if not self._responded.is_set():
                self._chunks.drop()  # the backend's connection with it
            self._tx.drop()
            self._for_response.drop()

    async def _call_upstream(self) -> Answer:
        reading = self._spawn(self._upstream_reads())
        events = [self._responded, self._timed_out]
        waiting = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in waiting:
                future.cancel()
            if not self._responded.is_set():
                reading.cancel()
        if self._upstream_head is None:
            return Answer(Head(HeaderMap(), status=504), b"timeout")
        if self._stored is not None:
            return self._stored
        return await self._mutate_response(self._upstream_head)

    async def _upstream_reads(self) -> None:
        while (frame := await self._chunks.get()) is not None:
            await self.gate.wait()
            if len(self.body) < 1_000_000:
                self.body += frame.data
            self.size += len(frame.data)
            self.digest.update(frame.data)
        self.finished.set()
