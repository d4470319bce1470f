"""The model of AgentGateway does what the real one was seen to do, kind or not."""

from __future__ import annotations

import asyncio
import contextlib

import grpc.aio
import pytest
from agentgateway import (
    BUFFERED,
    DUPLEX,
    NONE,
    PROCESS,
    AgentGateway,
    Call,
    PunishedError,
    run,
)
from agentgateway_headers import Head, HeaderMap, forwarded, read
from agentgateway_wire import CONNECTION_WINDOW, STREAM_WINDOW, Channel
from grpclib.const import Status

from srd.wire.primitives import WireError, delimited, number_field


def common(content: bytes) -> bytes:
    return delimited(1, content)


def streamed(data: bytes, *, end: bool = False) -> bytes:
    piece = (delimited(1, data) if data else b"") + number_field(2, end)
    return delimited(3, common(delimited(3, delimited(3, piece))))


def header(name: str, value: bytes, *, raw: bool = True, append: int | None = None) -> bytes:
    """One entry of set_headers; `append` an append_action."""
    option = delimited(1, delimited(1, name.encode()) + delimited(3 if raw else 2, value))
    return delimited(1, option + (number_field(3, append) if append else b""))


def mutating(*changes: bytes, kind: int = 1) -> bytes:
    return delimited(kind, common(delimited(2, b"".join(changes))))


HEADERS = delimited(1, common(b""))
CHUNK, LAST = streamed(b"data"), streamed(b"", end=True)
UNCHANGED = delimited(3, b"")
WHOLE = delimited(3, common(delimited(3, delimited(1, b"other"))))
TRAILERS = delimited(5, b"")
REFUSAL = delimited(7, delimited(1, number_field(1, 413)) + delimited(3, b"no"))
NO_STATUS = delimited(7, delimited(3, b"no"))
STATUS_ZERO = delimited(7, delimited(1, b"") + delimited(3, b"no"))
NOT_UTF8 = delimited(7, delimited(1, number_field(1, 413)) + delimited(3, b"\xff"))
UNKNOWN = delimited(11, b"")
RESPONSE_HEADERS = delimited(2, common(b""))


class Processor:
    """Says `replies` to the first message of each stream. `ends`: and then ends it."""

    def __init__(self, *replies: bytes, ends: bool = False) -> None:
        self.replies, self.ends = replies, ends
        self.messages: list[bytes] = []
        self.came: asyncio.Queue[None] = asyncio.Queue()  # an item for every stream
        self.half_closed = asyncio.Event()
        self.hold = asyncio.Event()  # cleared: the half-close is not answered
        self.hold.set()

    async def process(self, requests, context):
        self.messages.append(await anext(aiter(requests)))
        self.came.put_nowait(None)
        for reply in self.replies:
            yield reply
        if self.ends:
            return
        async for message in requests:
            self.messages.append(message)
        self.half_closed.set()
        await self.hold.wait()


@contextlib.asynccontextmanager
async def serving(processor: Processor):
    server = grpc.aio.server()
    handler = grpc.stream_stream_rpc_method_handler(processor.process)
    service, _, method = PROCESS[1:].partition("/")
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with AgentGateway(f"127.0.0.1:{port}") as gateway:
            yield gateway
    finally:
        await server.stop(None)


async def begun(gateway: AgentGateway, *modes, **options) -> Call:
    """A request with a small body."""
    call = gateway.open(*modes, **options)
    await call.headers(extra={"content-length": "2"})
    await call.frame(b"{}")
    return call


async def through(*replies: bytes, mode=DUPLEX, **options) -> Call:
    """A request through a processor that says `replies`, to the end of its stream."""
    processor = Processor(*replies)
    async with serving(processor) as gateway:
        call = await begun(gateway, mode, response_headers=False, **options)
        await call.reach(call.finished)
        await call.close()
    assert processor.half_closed.is_set()
    return call


# -- request bodies ------------------------------------------------------------------------------


@run
async def test_a_proper_answer_passes():
    call = await through(HEADERS, CHUNK, LAST)
    assert call.body == b"data"
    assert call.status is Status.OK
    assert "content-length" not in call.request.headers


@pytest.mark.parametrize(
    ("replies", "body"),
    [
        ((HEADERS, CHUNK, UNCHANGED), b"data"),
        ((HEADERS, CHUNK, TRAILERS), b"data"),
        ((HEADERS, WHOLE), b"other"),
        ((HEADERS, CHUNK, HEADERS, LAST), b"data"),
        ((HEADERS, LAST, TRAILERS), b""),
        ((CHUNK, HEADERS, LAST), b"data"),
    ],
    ids=["no mutation", "trailers unasked", "whole body", "headers twice", "late", "body first"],
)
@run
async def test_what_silently_ends_or_changes_a_full_duplex_body(replies, body):
    async with serving(Processor(*replies)) as gateway:
        call = await begun(gateway, response_headers=False)
        await call.reach(call.finished)
        await call.respond(end=True)
        await call.leave()
        assert call.body == body
        assert not call.cut


@pytest.mark.parametrize(
    ("mode", "replies"),
    [
        (DUPLEX, (HEADERS, LAST, CHUNK)),
        (DUPLEX, (HEADERS, CHUNK, REFUSAL)),
        (DUPLEX, (STATUS_ZERO,)),
        (DUPLEX, (NOT_UTF8,)),
        (DUPLEX, (HEADERS, LAST, UNKNOWN)),
        (BUFFERED, (HEADERS, WHOLE)),
    ],
    ids=[
        "a piece behind the end",
        "refusal behind the header reply",
        "status 0",
        "not UTF-8",
        "unknown oneof",
        "another length than announced",
    ],
)
@run
async def test_what_loses_a_request_or_a_reply_fails_the_test(mode, replies):
    with pytest.raises(PunishedError):
        await through(*replies, mode=mode)


@run
async def test_two_pieces_before_the_header_reply_hang_the_request():
    async with serving(Processor(CHUNK, CHUNK, HEADERS)) as gateway:
        call = await begun(gateway)
        await call.reach(call.jammed)
        assert not call.released.is_set()


@run
async def test_an_immediate_response_without_a_status_is_a_200():
    call = await through(NO_STATUS)
    assert call.answer.head.status == 200
    assert call.answer.body == b"" == call.body


@run
async def test_a_refusal_behind_the_header_reply_cuts_the_body_and_comes_after_the_backend():
    async with serving(Processor(HEADERS, CHUNK, REFUSAL)) as gateway:
        call = await begun(gateway, response_headers=False)
        await call.reach(call.finished)
        assert call.body == b"data"
        assert call.cut
        assert not call.answered.is_set()
        await call.respond(200)
        await call.reach(call.answered)
        assert call.answer.head.status == 413


@pytest.mark.parametrize("response_headers", [True, False])
@run
async def test_a_stream_that_ends_early_cuts_the_body_cleanly(response_headers):
    async with serving(Processor(HEADERS, CHUNK, ends=True)) as gateway:
        call = await begun(gateway, response_headers=response_headers)
        await call.reach(call.finished, call.over)
        assert call.body == b"data"
        assert call.cut
        await call.respond(200)
        await call.reach(call.answered)
        assert call.answer.head.status == (500 if response_headers else 200)


@pytest.mark.parametrize(
    ("fail_open", "end", "status"),
    [(False, True, 500), (True, True, 200), (True, False, 500)],
    ids=["closed", "open, no body", "open, a body"],
)
@run
async def test_fail_open_is_for_requests_without_a_body(fail_open, end, status):
    async with serving(Processor(ends=True)) as gateway:
        call = gateway.open(fail_open=fail_open)
        await call.headers(end=end)
        if status == 200:
            await call.reach(call.released)
            await call.respond(end=True)
        await call.reach(call.answered)
        assert call.answer.head.status == status


# -- what the processor gets ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("framing", "sent"),
    [({}, [(b"{}", False), (b"", True)]), ({"content-length": "2"}, [(b"{}", True)])],
    ids=["chunked", "content-length"],
)
@run
async def test_the_end_rides_on_the_last_data_where_a_length_tells_it(framing, sent):
    processor = Processor(HEADERS, LAST)
    async with serving(processor) as gateway:
        call = gateway.open(response_headers=False)
        await call.headers(extra=framing)
        await call.frame(b"{}", end=True)
        await call.reach(call.finished)
        await call.close()
    assert processor.messages[1:] == [body_message(*message) for message in sent]


def body_message(data: bytes, end: bool) -> bytes:
    return delimited(4, (delimited(1, data) if data else b"") + number_field(2, end))


@pytest.mark.parametrize("send", [True, False], ids=["send", "skip"])
@run
async def test_a_buffered_body_with_trailers_comes_in_two_messages(send):
    processor = Processor(HEADERS, UNCHANGED)
    async with serving(processor) as gateway:
        call = gateway.open(BUFFERED, request_trailers=send, response_headers=False)
        await call.headers()
        await call.frame(b"{}")
        await call.trailers()
        await call.reach(call.finished)
        await call.close()
    body, ending = processor.messages[1:]
    assert body == body_message(b"{}", False)
    assert ending.startswith(b"\x32") if send else ending == body_message(b"", True)
    assert call.body == b"{}"


@run
async def test_a_buffered_body_over_the_limit_is_a_500():
    async with serving(Processor(HEADERS)) as gateway:
        call = gateway.open(BUFFERED, buffer_limit=10)
        await call.headers()
        await call.frame(b"x" * 11, end=True)
        await call.reach(call.answered)
        assert call.answer.head.status == 500
        assert b"failed to buffer body" in call.answer.body


@run
async def test_a_stream_ends_with_a_half_close_and_its_reader_stays():
    processor = Processor(HEADERS, LAST)
    processor.hold.clear()
    async with serving(processor) as gateway:
        call = await begun(gateway, response_headers=False)
        await call.reach(call.finished)
        await call.respond(end=True)
        await call.reach(call.answered)
        await processor.half_closed.wait()
        assert not call.over.is_set()
        processor.hold.set()
        await call.leave()
        assert call.status is Status.OK


@pytest.mark.parametrize(
    ("client", "mode", "told"),
    [("http1", DUPLEX, False), ("http2", DUPLEX, True), ("http1", BUFFERED, True)],
)
@run
async def test_of_an_aborted_upload_the_processor_sees_a_half_close_or_nothing(client, mode, told):
    processor = Processor(HEADERS)
    async with serving(processor) as gateway:
        call = gateway.open(mode, client=client)
        await call.headers(extra={"content-length": "100"})
        await call.frame(b"{}")
        if mode is DUPLEX:
            await call.reach(call.released)
        call.abort()
        if told:
            await processor.half_closed.wait()
        else:
            other = await begun(gateway, NONE)  # as good a wait as any
            await other.reach(other.released)
            assert not processor.half_closed.is_set()
            call.time_out()
            await processor.half_closed.wait()
    assert not any(message == body_message(b"", True) for message in processor.messages)


# -- the response --------------------------------------------------------------------------------


def piece_of_response(data: bytes, *, end: bool = False) -> bytes:
    return b"\x22" + streamed(data, end=end)[1:]


@run
async def test_a_full_duplex_answer_is_what_the_processor_says():
    replies = (RESPONSE_HEADERS, piece_of_response(b"new"), piece_of_response(b"", end=True))
    async with serving(Processor(HEADERS, LAST, *replies)) as gateway:
        call = await begun(gateway, DUPLEX, DUPLEX)
        await call.respond()
        await call.respond_frame(b"old", end=True)
        assert await call.chunk() == b"new"
        assert await call.chunk() is None
        assert await call.close() is Status.OK


@run
async def test_a_buffered_answer_over_the_limit_is_a_500():
    async with serving(Processor(HEADERS, LAST, RESPONSE_HEADERS)) as gateway:
        call = await begun(gateway, DUPLEX, BUFFERED, buffer_limit=10)
        await call.reach(call.released)
        await call.respond()
        await call.respond_frame(b"x" * 11, end=True)
        await call.reach(call.answered)
        assert call.answer.head.status == 500


@pytest.mark.parametrize(
    ("allowed", "wanted", "became"),
    [(True, NONE, NONE), (True, 1, BUFFERED), (False, NONE, BUFFERED), (True, DUPLEX, DUPLEX)],
    ids=["none", "streamed is ignored", "not allowed", "full duplex"],
)
@run
async def test_a_mode_override_counts_where_it_is_allowed(allowed, wanted, became):
    override = RESPONSE_HEADERS + delimited(9, number_field(4, int(wanted)))
    answers = {
        NONE: (),
        BUFFERED: (b"\x22" + UNCHANGED[1:],),
        DUPLEX: (piece_of_response(b"old", end=True),),
    }
    async with serving(Processor(HEADERS, LAST, override, *answers[became])) as gateway:
        call = await begun(gateway, DUPLEX, BUFFERED, allow_mode_override=allowed)
        await call.respond()
        await call.respond_frame(b"old", end=True)
        assert await call.chunk() == b"old"
        assert call.response_mode is became
        assert await call.close() is Status.OK


# -- what blocks what ----------------------------------------------------------------------------


@run
async def test_a_backend_that_does_not_read_blocks_the_responses_too():
    async with serving(Processor(HEADERS, *[CHUNK] * 6, RESPONSE_HEADERS)) as gateway:
        call = await begun(gateway)
        call.gate.clear()
        await call.reach(call.released)
        await call.respond(end=True)
        await call.reach(call.jammed)
        await call._for_request.jammed.wait()
        assert not call.answered.is_set()
        call.gate.set()
        await call.reach(call.answered)


@run
async def test_replies_wait_in_twelve_slots_and_in_three_hands():
    """Ten, one and one slots; the reader, the dispatcher and the body's task hold one each; the
    backend's hand has the first."""
    async with serving(Processor(HEADERS, *[streamed(b"x" * 40_000)] * 400)) as gateway:
        call = await begun(gateway)
        call.gate.clear()
        await call.reach(call.released, call.jammed)
        await call._said.jammed.wait()
        queues = (call._said, call._for_request, call._chunks)
        assert [len(queue._items) for queue in queues] == [10, 1, 1]


@run
async def test_three_backends_that_do_not_read_block_the_whole_connection():
    """Each stream's window is 2 MiB, the connection's 5 MiB: nothing is left for anybody else."""
    assert 2 * STREAM_WINDOW < CONNECTION_WINDOW < 3 * STREAM_WINDOW
    processor = Processor(HEADERS, *[streamed(b"x" * 60_000)] * 60)
    async with serving(processor) as gateway:
        stuck: list[Call] = []
        while len(stuck) < 3:
            call = await begun(gateway)
            call.gate.clear()
            stuck.append(call)
            await call.reach(call.released, call.jammed)
        connection = await gateway.connection()
        await connection.exhausted.wait()
        call = await begun(gateway)
        for _ in range(4):
            await processor.came.get()
        assert connection.window == 0
        assert not call.released.is_set()
        for other in stuck:
            other.gate.set()
        await call.reach(call.released)


@run
async def test_a_channel_tells_its_senders_that_nobody_receives():
    channel: Channel[int] = Channel(1)
    sender = channel.sender()
    assert await sender.send(1)
    waiting = asyncio.create_task(sender.send(2))
    await channel.jammed.wait()
    channel.drop()
    assert not await waiting
    sender.drop()
    assert await channel.get() is None


# -- heads ---------------------------------------------------------------------------------------


def head(*pairs: tuple[str, bytes]) -> Head:
    return Head(HeaderMap(pairs), b"POST", b"http", b"a.example", b"/v1")


def test_a_header_map_removes_and_overwrites_all_values():
    one = head(("x", b"1"), ("y", b"1"), ("x", b"2"), ("y", b"2"))
    one.mutate(read(mutating(header("X", b"3"), delimited(2, b"Y"))))
    assert one.headers.pairs() == [("x", b"3")]


def test_value_counts_where_there_is_no_raw_value_and_actions_are_obeyed():
    one = head(("x", b"1"))
    one.mutate(read(mutating(header("x", b"2", append=1), header("y", b"3", raw=False))))
    one.mutate(read(mutating(header("z", b"4", append=3), header("x", b"5", append=3))))
    assert one.headers.pairs() == [("x", b"5"), ("y", b"3")]


def test_pseudo_headers_and_host_change_the_request_line():
    one = head()
    changes = {":method": b"PUT", ":scheme": b"https", ":path": b"/v2", "host": b"b.example"}
    one.mutate(read(mutating(*(header(name, value) for name, value in changes.items()))))
    assert (one.method, one.scheme, one.path, one.authority) == tuple(changes.values())
    assert not one.headers.pairs()
    answer = Head(HeaderMap(), status=200)
    answer.mutate(read(mutating(header(":status", b"404"), kind=2)))
    assert answer.status == 404


@pytest.mark.parametrize(
    "change",
    [("a b", b"1"), ("x", b"a\r\nb"), ("x", b""), (":path", b"v2"), (":status", b"200")],
)
def test_an_invalid_header_is_dropped_with_a_warning(change):
    one = head(("x", b"1"))
    one.mutate(read(mutating(header(*change))))
    assert one == Head(one.headers, b"POST", b"http", b"a.example", b"/v1", warnings=[change[0]])
    assert one.headers.pairs() == [("x", b"1")]


def test_pseudo_headers_come_last():
    names = [name for name, _ in head(("a", b"1")).on_the_wire()]
    assert names == ["a", ":method", ":scheme", ":authority", ":path"]


def test_what_is_meant_for_one_hop_is_stripped():
    hop = [("Connection", b"X-Mine"), ("X-Mine", b"1"), ("TE", b"gzip"), ("Trailer", b"x")]
    hop += [("Transfer-Encoding", b"chunked"), ("Upgrade", b"h2c"), ("Keep-Alive", b"1")]
    assert forwarded([*hop, ("x", b"1")]).pairs() == [("x", b"1")]


def test_an_upgrade_that_connection_names_is_put_back():
    kept = forwarded([("connection", b"keep-alive, Upgrade"), ("upgrade", b"h2c")])
    assert kept.pairs() == [("connection", b"upgrade"), ("upgrade", b"h2c")]


def test_a_body_that_is_no_text_is_no_message():
    with pytest.raises(WireError):
        read(NOT_UTF8)
