"""What the model of AgentGateway does with the processor for one request: its ExtProc instance.

Why this file exists: this is where its behaviour is particular (which replies are waited for, what
each does, what becomes of those that come too late). Clients, backends and tests are unknown here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from agentgateway_headers import Head, HeaderMap, Said, read
from agentgateway_wire import Channel, Connection, Sender, Stream
from grpclib.const import Status

from srd.wire.messages import BodyMode, Phase, ProtocolConfig
from srd.wire.peer import Reply, encode_request
from srd.wire.primitives import WireError

PROCESS = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
DUPLEX, BUFFERED, NONE = BodyMode.FULL_DUPLEX_STREAMED, BodyMode.BUFFERED, BodyMode.NONE


class PunishedError(AssertionError):
    """The gateway made an error of the request, or something that was said to it is lost."""


class GatewayError(Exception):
    """The gateway answers 500 with this text."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a body, or its trailers. `end`: known to be the last when it is read."""

    data: bytes = b""
    end: bool = False
    trailers: bool = False
    aborted: bool = False


@dataclass(slots=True)
class Answer:
    """What the client gets. `frames` None: no body that anybody waits for."""

    head: Head
    body: bytes = b""
    frames: Channel[Frame] | None = None


@dataclass(frozen=True, kw_only=True)
class Options:
    """`processingOptions` and `failureMode`; a Skip is a False."""

    request_headers: bool = True
    response_headers: bool = True
    request_trailers: bool = True
    response_trailers: bool = True
    allow_mode_override: bool = False
    fail_open: bool = False
    buffer_limit: int = 2 << 20


class Body:
    """A body on its way from a peer: its frames and whether the peer is still there."""

    def __init__(self) -> None:
        self.frames: Channel[Frame] = Channel(4)
        self.known_empty = False
        self._sender = self.frames.sender()
        self._open = True

    async def put(self, frame: Frame) -> None:
        await self._sender.send(frame)

    def finish(self) -> None:
        self._open = False
        self._sender.drop()

    def abort(self) -> None:
        if self._open:
            self.frames.push(Frame(aborted=True))
            self.finish()


class Processing:
    """One request's way through the processor.

    `strays` are replies whose content reaches nobody, `replies` all but pieces of bodies,
    `warnings` what the gateway ignored of them. `cut`: why the backend's body ended, cleanly,
    before the processor had ended it; `refused`: the processor's immediate response. `over`: the
    processor has ended the stream, with `status`. `broken`: a peer lost its connection.
    """

    request: Head

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        mode: BodyMode,
        response_mode: BodyMode,
        options: Options,
    ) -> None:
        self.mode, self.response_mode = mode, response_mode
        self.cut = ""
        self.refused: Reply | None = None
        self.strays: list[str] = []
        self.warnings: list[str] = []
        self.replies: list[Reply] = []
        self.sent = 0
        self.status: Status | None = None
        self.over, self.broken = asyncio.Event(), asyncio.Event()
        self._connect, self._options = connect, options
        duplex = DUPLEX in (mode, response_mode)
        self._send_trailers = options.request_trailers or duplex
        self._send_response_trailers = options.response_trailers or duplex
        self._response_headers = options.response_headers
        self._config: ProtocolConfig | None = ProtocolConfig(mode, response_mode)
        self._upload, self._download = Body(), Body()
        self._had_body = True
        self._skipped = False
        self._original: bytes | None = None  # a buffered body, while it may be restored
        self._stored: Answer | None = None  # an immediate response behind the header reply
        self._failure = asyncio.Event()
        self._why: BaseException | str = ""
        self._requests: Channel[bytes] = Channel(10)
        self._said: Channel[Said] = Channel(10)
        self._for_request: Channel[Said] = Channel(1)
        self._for_response: Channel[Said] = Channel(1)
        self._chunks: Channel[Frame] = Channel(1)
        self._tx = self._requests.sender()  # dropped with the request's own state
        self._tasks: set[asyncio.Task[None]] = set()
        self.jammed = self._chunks.jammed

    # -- the stream ------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, why: BaseException | str) -> None:
        if not self._failure.is_set():
            self._why = why
            self._failure.set()

    async def _open_stream(self) -> None:
        """Writer, reader and dispatcher, which outlive the request."""
        to_dispatcher = self._said.sender()
        to_request, to_response = self._for_request.sender(), self._for_response.sender()
        self._spawn(self._dispatch(to_request, to_response))
        try:
            connection = await self._connect()
            stream = await connection.open(PROCESS)
        except OSError:
            self._requests.drop()
            to_dispatcher.drop()
            self.over.set()
            return
        writer = self._spawn(self._write(stream))
        try:
            while (data := await stream.receive()) is not None:
                try:
                    said = read(data)
                except WireError:
                    self.strays.append("undecodable")
                    stream.reset()
                    break
                if not said.reply.streamed:
                    self.replies.append(said.reply)
                await to_dispatcher.send(said)
        finally:
            self.status = stream.status
            writer.cancel()
            self._requests.drop()
            to_dispatcher.drop()
            self.over.set()

    async def _write(self, stream: Stream) -> None:
        while (message := await self._requests.get()) is not None:
            if not await stream.send(message):
                return
            self.sent += 1
        stream.half_close()

    async def _dispatch(self, to_request: Sender[Said], to_response: Sender[Said]) -> None:
        """One for both directions, so one that is blocked blocks the other."""
        while (said := await self._said.get()) is not None:
            if said.kind == "immediate":
                taken = await to_request.send(said)
                taken = await to_response.send(said) or taken
            elif said.kind == "none":
                taken = False
            else:
                to = to_response if said.kind.startswith("response") else to_request
                taken = await to.send(said)
            if not taken and said.carries_something:
                self.strays.append(said.kind)
        to_request.drop()
        to_response.drop()

    async def _say(self, tx: Sender[bytes], phase: Phase, **fields: Any) -> None:
        config, self._config = self._config, None
        message = encode_request(phase, protocol_config=config, dialect="agentgateway", **fields)
        if not await tx.send(message):
            raise GatewayError("failed to send request")

    # -- the request -----------------------------------------------------------------------------

    async def _mutate_request(self) -> Answer | None:
        """The request phases; an answer of the processor's, or None: call the backend."""
        options, head = self._options, self.request
        chunk, started = self._chunks.sender(), False
        expect = self._had_body and self.mode is not NONE
        awaits_headers = options.request_headers
        duplex_first = self.mode is DUPLEX and self._had_body
        if awaits_headers:
            pairs = head.on_the_wire()
            try:
                fields = {"headers": pairs, "end_of_stream": not self._had_body}
                await self._say(self._tx, Phase.REQUEST_HEADERS, **fields)
            except GatewayError:
                if not options.fail_open:
                    raise
                return self._as_it_came(chunk, skipped=True)
        elif not expect:
            return self._as_it_came(chunk)
        if duplex_first:
            self._stream_request()
            started = True
        elif not awaits_headers:
            await self._send_buffered_request()
            started = True
        while True:
            said = await self._for_request.get()
            if said is None:
                if options.fail_open and not started:
                    return self._as_it_came(chunk, skipped=True)
                raise GatewayError("no more response messages")
            if said.kind == "immediate":
                chunk.drop()
                self._for_request.drop()
                return self._immediate(said)
            if said.kind == "request_headers" and not duplex_first:
                self._override(said.reply)
            expect = self._had_body and self.mode is not NONE
            checked = self.mode is BUFFERED and options.request_headers
            headers_done, end = await self._apply(said, expect, head, chunk, checked=checked)
            if expect and end and said.kind == "request_body" and said.reply.body is None:
                await self._restore(chunk)
            awaits_headers = awaits_headers and not headers_done
            if awaits_headers:
                continue
            if not expect:
                return self._as_it_came(chunk)
            if not started:
                started = True
                if self.mode is BUFFERED:
                    await self._send_buffered_request()
                    continue
                self._stream_request()
            if end:
                chunk.drop()
                self._for_request.drop()
            else:
                self._spawn(self._continue_request(chunk))
            if self.mode is DUPLEX or said.reply.streamed or not options.request_headers:
                head.headers.remove("content-length")
            return None

    def _as_it_came(self, chunk: Sender[Frame], *, skipped: bool = False) -> None:
        self._skipped = skipped
        self._for_request.drop()
        self._spawn(self._forward(chunk))

    async def _forward(self, chunk: Sender[Frame]) -> None:
        while (frame := await self._upload.frames.get()) is not None and not frame.aborted:
            await chunk.send(frame)
        if frame is not None:
            self.broken.set()
        chunk.drop()

    def _immediate(self, said: Said) -> Answer:
        status = said.status & 0xFFFF
        if not 100 <= status <= 999:
            raise PunishedError(f"status {status} panics the request's task")
        head = Head(HeaderMap(), status=status)
        head.mutate(said)
        self.refused = said.reply
        return Answer(head, said.reply.body or b"")

    async def _restore(self, chunk: Sender[Frame]) -> None:
        original, self._original = self._original, None
        if original is not None:
            await chunk.send(Frame(original))

    async def _apply(
        self,
        said: Said,
        expect: bool,
        head: Head | None,
        chunk: Sender[Frame],
        *,
        checked: bool = False,
        request: bool = True,
    ) -> tuple[bool, bool]:
        """What one reply does: whether its phase is done by it, and whether the body is."""
        reply, is_headers = said.reply, said.kind.endswith("headers")
        if said.kind.endswith("trailers"):
            return False, True
        if head is not None and (self._options.request_headers if request else True):
            head.mutate(said)
        elif is_headers:
            self.strays.append("second header reply")
        if reply.body is None or not expect:
            if not expect:
                return is_headers, True
            return (True, True) if not is_headers else (True, False)
        if reply.streamed:
            await chunk.send(Frame(reply.body))
            return is_headers, reply.end_of_stream
        told = head.headers.get("content-length") if checked and head is not None else None
        if told is not None and told != b"%d" % len(reply.body):
            told_text = told.decode("latin-1")
            raise GatewayError(
                f"invalid body mutation: {told_text} announced, {len(reply.body)} given"
            )
        if not reply.cleared:
            await chunk.send(Frame(reply.body))
        return True, True

    def _override(self, reply: Reply, *, response: bool = False) -> None:
        """mode_override of a header reply: header modes by name, body modes as they stand."""
        if reply.mode_override is None:
            return
        if not self._options.allow_mode_override:
            self.warnings.append("mode_override")
            return
        _, header, request_body, response_body, _, _ = reply.mode_override
        if not response:
            self._response_headers = {1: True, 2: False}.get(header, self._response_headers)
            self.mode = _overridden(self.mode, request_body)
        self.response_mode = _overridden(self.response_mode, response_body)

    def _stream_request(self) -> None:
        self._spawn(
            self._stream(
                self._upload, self._tx.clone(), Phase.REQUEST_BODY, trailers=self._send_trailers
            )
        )

    async def _stream(self, body: Body, tx: Sender[bytes], phase: Phase, *, trailers: bool) -> None:
        """A body's task: it sends what comes until its end, or until it cannot read or send."""
        try:
            await self._send_body(body.frames, tx, phase, trailers=trailers)
        except GatewayError:
            pass  # the real one logs it and no more
        finally:
            body.frames.drop()
            tx.drop()

    async def _send_body(
        self, frames: Channel[Frame], tx: Sender[bytes], phase: Phase, *, trailers: bool
    ) -> None:
        ended = False
        ending = Phase(phase + 2)
        while (frame := await frames.get()) is not None:
            if frame.aborted:
                raise GatewayError("failed to buffer body: the client is gone")
            if not frame.trailers:
                ended = ended or frame.end
                await self._say(tx, phase, body=frame.data, end_of_stream=frame.end)
            elif trailers:
                ended = True
                await self._say(tx, ending, headers=[("x-checksum", b"1")])
        if not ended:
            await self._say(tx, phase, end_of_stream=True)

    async def _send_buffered_request(self) -> None:
        await self._send_buffered(self._upload, Phase.REQUEST_BODY, trailers=self._send_trailers)

    async def _send_buffered(self, body: Body, phase: Phase, *, trailers: bool) -> None:
        """The whole body as one frame, the last one unless trailers follow."""
        data, with_trailers = bytearray(), False
        while (frame := await body.frames.get()) is not None:
            if frame.aborted:
                raise GatewayError("failed to buffer body: the peer is gone")
            data += frame.data
            with_trailers = with_trailers or frame.trailers
            if len(data) > self._options.buffer_limit:
                raise GatewayError("failed to buffer body: length limit exceeded")
        self._original = bytes(data)
        again: Channel[Frame] = Channel(2)
        again.push(Frame(self._original, not with_trailers))
        if with_trailers:
            again.push(Frame(trailers=True))
        await self._send_body(again, self._tx, phase, trailers=trailers)

    async def _continue_request(self, chunk: Sender[Frame]) -> None:
        """After the header reply: pieces pass on by themselves until the processor ends them."""
        while (said := await self._for_request.get()) is not None:
            if said.kind == "immediate":
                self._stored = self._immediate(said)
                self.cut = "an immediate response behind the header reply"
                break
            _, end = await self._apply(said, True, None, chunk)
            if end:
                break
        else:
            self.cut = "the processor ended its stream"
        chunk.drop()
        self._for_request.drop()

    # -- the backend's answer --------------------------------------------------------------------

    async def _mutate_response(self, head: Head) -> Answer:
        """The response phases of an answer that a backend gave."""
        source, had_body = self._download.frames, not self._download.known_empty
        expect = had_body and self.response_mode is not NONE
        awaits_headers = self._response_headers and not self._skipped
        if self._skipped or not (awaits_headers or expect):
            return Answer(head, frames=source)
        if awaits_headers:
            fields = {"headers": head.on_the_wire(), "end_of_stream": not had_body}
            await self._say(self._tx, Phase.RESPONSE_HEADERS, **fields)
        out: Channel[Frame] = Channel(1)
        chunk = out.sender()
        duplex_first, sent = self.response_mode is DUPLEX and had_body, False
        if duplex_first:
            self._stream_response()
            sent = True
        elif not awaits_headers:
            await self._send_buffered_response()
            sent = True
        while True:
            said = await self._for_response.get()
            if said is None:
                raise GatewayError("no more response messages")
            if said.kind == "immediate":
                return self._immediate(said)
            if said.kind == "response_headers" and not duplex_first:
                self._override(said.reply, response=True)
            expect = had_body and self.response_mode is not NONE
            checked = self.response_mode is BUFFERED and self._response_headers
            headers_done, end = await self._apply(
                said, expect, head, chunk, checked=checked, request=False
            )
            if expect and end and said.kind == "response_body" and said.reply.body is None:
                await self._restore(chunk)
            awaits_headers = awaits_headers and not headers_done
            if awaits_headers:
                continue
            if not expect:
                return Answer(head, frames=source)
            if not sent and not end:
                sent = True
                if self.response_mode is BUFFERED:
                    await self._send_buffered_response()
                    continue
                self._stream_response()
            if end:
                chunk.drop()
            else:
                replies, self._for_response = self._for_response, Channel(1)
                self._spawn(self._continue_response(replies, chunk))
            if self.response_mode is DUPLEX or said.reply.streamed:
                head.headers.remove("content-length")
            return Answer(head, frames=out)

    def _stream_response(self) -> None:
        trailers = self._send_response_trailers
        self._spawn(
            self._stream(self._download, self._tx.clone(), Phase.RESPONSE_BODY, trailers=trailers)
        )

    async def _send_buffered_response(self) -> None:
        trailers = self._send_response_trailers
        await self._send_buffered(self._download, Phase.RESPONSE_BODY, trailers=trailers)

    async def _continue_response(self, replies: Channel[Said], chunk: Sender[Frame]) -> None:
        while (said := await replies.get()) is not None and said.kind != "immediate":
            _, end = await self._apply(said, True, None, chunk, request=False)
            if end:
                break
        chunk.drop()
        replies.drop()


def _overridden(mode: BodyMode, wanted: int) -> BodyMode:
    """Full duplex is never left, and STREAMED is not known."""
    if mode is DUPLEX or wanted == BodyMode.STREAMED:
        return mode
    return BodyMode(wanted)
