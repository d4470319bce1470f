"""An emulator of AgentGateway v1.4 over real gRPC: it fails on whatever the real one would punish.

Why this file exists: there is no wheel of AgentGateway to test against, and what it does with our
replies differs from Envoy in ways that lose or hang requests. Written from protocol reference 1.1
to 1.6, not from its source; it was never compared with the real program. It must not know `srd`.

    async with AgentGateway(address) as gateway:
        call = gateway.open()                   # one HTTP request
        await call.headers()
        await call.frame(b"...", end=True)
        await call.released.wait()              # the header reply is here: the upstream is called
        await call.finished.wait()              # the upstream has the whole body
        await call.close()                      # half-close, then wait for the server's end

What is modelled: pseudo headers last and in `value`; at most 10 messages wait for the stream; one
dispatcher for both directions, which blocks on a body channel of one slot that is drained only
after the header reply; 4 MiB decode limit; strict UTF-8; a reply without a known oneof is dropped.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Self

import grpc
import grpc.aio

from srd.wire.messages import BodyMode, Phase, ProtocolConfig
from srd.wire.peer import Reply, decode_response, encode_request

SECONDS = 60.0
DECODE_LIMIT = 4 << 20
PROCESS = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
DUPLEX, BUFFERED, NONE = BodyMode.FULL_DUPLEX_STREAMED, BodyMode.BUFFERED, BodyMode.NONE


def run(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test to its end, failing it rather than hanging."""

    @functools.wraps(test)
    def runner(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), SECONDS))

    return runner


class PunishedError(AssertionError):
    """A reply that would have cost the request on the real gateway."""


class AgentGateway:
    """The connection to the processor; every HTTP request is a stream on it."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(
            address, options=[("grpc.max_receive_message_length", DECODE_LIMIT)]
        )
        self._process = self._channel.stream_stream(PROCESS)
        self._calls: list[Call] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for call in self._calls:
            call.drop()
        await self._channel.close()

    def open(self, mode: BodyMode = DUPLEX, response_mode: BodyMode = NONE) -> Call:
        """Open the stream of one request, before anything is sent on it."""
        call = Call(self._process(), mode, response_mode)
        self._calls.append(call)
        return call


class Call:
    """One request and its response.

    `body` and `digest` are what the upstream read; `gate` cleared keeps it from reading, `jammed`
    tells that the dispatcher waits for it.
    `answers` are the replies of the response direction, `refused` an immediate response.
    """

    def __init__(self, stream: Any, mode: BodyMode, response_mode: BodyMode) -> None:
        self.mode = mode
        self.headers_seen: dict[str, bytes] = {}
        self.body = bytearray()
        self.size = 0
        self.digest = hashlib.sha256()
        self.released = asyncio.Event()
        self.finished = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.jammed = asyncio.Event()
        self.refused: Reply | None = None
        self.dropped = 0
        self.answers: asyncio.Queue[Reply] = asyncio.Queue(11)
        self.sent = 0
        self.sent_bytes = 0
        self._stream = stream
        self._config: ProtocolConfig | None = ProtocolConfig(mode, response_mode)
        self._buffered: bytes | None = None
        self._trailers_sent = False
        self._requests: asyncio.Queue[bytes | None] = asyncio.Queue(10)
        self._chunks: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue(1)
        self._writer = asyncio.create_task(self._write())
        self._reader = asyncio.create_task(self._read())
        self._upstream = asyncio.create_task(self._pump())

    def __repr__(self) -> str:
        return f"<Call sent={self.sent} upstream={self.size} released={self.released.is_set()}>"

    # -- what the client and the upstream do -----------------------------------------------------

    async def headers(
        self,
        path: str = "/v1/chat/completions",
        *,
        method: str = "POST",
        end: bool = False,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        fields = {"content-type": "application/json", **(extra or {})}
        fields |= {":method": method, ":scheme": "http", ":authority": "a.example", ":path": path}
        pairs = [(name, value.encode()) for name, value in fields.items()]
        self.headers_seen = dict(pairs)
        await self._send(Phase.REQUEST_HEADERS, headers=pairs, end_of_stream=end)
        if end:
            self.finished.set()

    async def frame(self, data: bytes = b"", *, end: bool = False) -> None:
        """One HTTP body frame of a full duplex request."""
        self.sent_bytes += len(data)
        await self._send(Phase.REQUEST_BODY, body=data, end_of_stream=end)

    async def whole(self, data: bytes) -> None:
        """The body of a Buffered request: sent once the headers were answered."""
        await self.reach(self.released)
        if self.refused is None:
            self._buffered = data
            await self._send(Phase.REQUEST_BODY, body=data, end_of_stream=True)

    async def trailers(self) -> None:
        self._trailers_sent = True
        await self._send(Phase.REQUEST_TRAILERS, headers=[("x-checksum", b"1")])

    async def respond(
        self, status: int = 200, content_type: str = "application/json", *, end: bool = False
    ) -> None:
        pairs = [("content-type", content_type.encode()), (":status", str(status).encode())]
        await self._send(Phase.RESPONSE_HEADERS, headers=pairs, end_of_stream=end)

    async def respond_frame(self, data: bytes = b"", *, end: bool = False) -> None:
        await self._send(Phase.RESPONSE_BODY, body=data, end_of_stream=end)

    async def respond_trailers(self) -> None:
        await self._send(Phase.RESPONSE_TRAILERS, headers=[("grpc-status", b"0")])

    async def answer(self) -> Reply:
        """The next reply of the response direction."""
        waiting = asyncio.ensure_future(self.answers.get())
        await self._or_fail(waiting)
        return waiting.result()

    async def reach(self, *events: asyncio.Event) -> None:
        """Wait for events; a punished reply fails the test here instead of hanging it."""
        for event in events:
            await self._or_fail(asyncio.ensure_future(event.wait()))

    async def _or_fail(self, waiting: asyncio.Future[Any]) -> None:
        tasks = (self._reader, self._upstream)
        await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        while not waiting.done():
            for task in tasks:
                if task.done():
                    waiting.cancel()
                    task.result()
                    raise PunishedError(f"no more response messages: {self!r}")
            await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)

    async def half_close(self) -> None:
        await self._requests.put(None)

    async def close(self) -> grpc.StatusCode:
        """Half-close, wait until the server ends the stream; its status."""
        await self.half_close()
        await self._reader
        assert not self.dropped, "a reply without a known oneof was dropped: the request hangs"
        return await self._stream.code()

    def drop(self) -> None:
        """Reset the stream."""
        self._stream.cancel()
        for task in (self._writer, self._reader, self._upstream):
            task.cancel()

    # -- the gateway -----------------------------------------------------------------------------

    async def _send(self, phase: Phase, **fields: Any) -> None:
        config, self._config = self._config, None
        message = encode_request(phase, protocol_config=config, dialect="agentgateway", **fields)
        await self._requests.put(message)
        self.sent += 1

    async def _write(self) -> None:
        while (message := await self._requests.get()) is not None:
            await self._stream.write(message)
        await self._stream.done_writing()

    async def _read(self) -> None:
        """The dispatcher: one for both directions, so one that is blocked blocks the other."""
        try:
            while (data := await self._stream.read()) is not grpc.aio.EOF:
                await self._dispatch(decode_response(data))
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            if not self._stream.cancelled():
                raise

    async def _dispatch(self, reply: Reply) -> None:
        if self.refused is not None:
            raise PunishedError(f"a reply after the immediate response: {reply}")
        if reply.kind == "none":
            self.dropped += 1
        elif reply.kind == "immediate":
            self._refuse(reply)
        elif reply.kind == "request_headers":
            if self.released.is_set():
                raise PunishedError("a second header reply")
            self._mutate(reply)
            self.released.set()
        elif reply.kind == "request_body":
            await self._request_body(reply)
        elif reply.kind == "request_trailers":
            if not self._trailers_sent:
                raise PunishedError("trailers answered that never came: the body ends here")
            await self._give(b"", True)
        else:
            await self.answers.put(reply)

    def _refuse(self, reply: Reply) -> None:
        if self.released.is_set() and self.mode is DUPLEX:
            raise PunishedError(
                "an immediate response after the header reply truncates the request"
            )
        if not 100 <= reply.status <= 999:
            raise PunishedError(f"status {reply.status} panics the request task")
        (reply.body or b"").decode("utf-8")  # a proto string there
        self.refused = reply
        self.released.set()
        self.finished.set()

    async def _request_body(self, reply: Reply) -> None:
        if not self.released.is_set():
            raise PunishedError("a body before the header reply: the stream blocks for ever")
        if self._buffered is not None:
            self._mutate(reply)
            changed = reply.body is not None
            body = reply.body if reply.body is not None else self._buffered
            told = self.headers_seen.get("content-length")
            if changed and told is not None and int(told) != len(body):
                raise PunishedError(f"invalid body mutation: {told} announced, {len(body)} given")
            await self._give(body, True)
        elif not reply.streamed:
            raise PunishedError(f"not a streamed response: the body is cut here: {reply}")
        elif self._trailers_sent and reply.end_of_stream:
            raise PunishedError("end of stream where trailers are owed")
        else:
            await self._give(reply.body or b"", reply.end_of_stream)

    async def _give(self, data: bytes, end: bool) -> None:
        """Into the one slot before the upstream; waiting here, nothing else is dispatched."""
        if self._chunks.full():
            self.jammed.set()
        await self._chunks.put((data, end))

    def _mutate(self, reply: Reply) -> None:
        for name in reply.remove_headers:
            self.headers_seen.pop(name, None)
        for name, value in reply.set_headers:
            if value:  # both fields empty: the mutation is dropped
                self.headers_seen[name] = value

    async def _pump(self) -> None:
        """The upstream's reading, from the moment that the request is released."""
        await self.released.wait()
        while not self.finished.is_set():
            data, end = await self._chunks.get()
            await self.gate.wait()
            if len(self.body) < 1_000_000:
                self.body += data
            self.size += len(data)
            self.digest.update(data)
            if end:
                self.finished.set()
        data, _ = await self._chunks.get()
        raise PunishedError(f"{len(data)} bytes after the end of the body")
