"""One call as its handler sees it, on a connection without a socket."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any

import hpack
import pytest
from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.protocol import AbstractHandler

from srd.daemon.grpc_connection import ServerProtocol
from srd.daemon.grpc_stream import ProcessStream, StreamClosedError

if TYPE_CHECKING:
    from collections.abc import Coroutine


class FakeTransport(asyncio.Transport):
    def __init__(self, peername: Any) -> None:
        super().__init__({"peername": peername})
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class Keeper(AbstractHandler):
    """Keeps the first stream instead of serving it."""

    def __init__(self) -> None:
        self.call: ProcessStream | None = None

    def accept(self, stream: Any, headers: Any, release_stream: Any) -> None:
        self.call = ProcessStream(stream, headers)

    def cancel(self, stream: Any) -> None:
        pass

    def close(self) -> None:
        pass


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack("!IBI", len(payload) << 8 | kind, flags, stream) + payload


class Line:
    """A connection with one open stream, and its far end."""

    def __init__(self, *, shortcuts: bool = True, window: int = 65_535, peer: Any = None) -> None:
        self.transport = FakeTransport(peer)
        keeper = Keeper()
        self.protocol = ServerProtocol(
            keeper,
            Configuration().__for_server__(),
            max_message_bytes=1000,
            max_concurrent_streams=10,
            shortcuts=shortcuts,
            on_open=lambda _: None,
            on_close=lambda _: None,
        )
        self.protocol.connection_made(self.transport)
        headers = [
            (":method", "POST"),
            (":path", "/x"),
            ("te", "trailers"),
            ("x-a", "1"),
            ("x-a", "2"),
        ]
        self.receive(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + frame(4, 0, 0, struct.pack("!HI", 4, window))
            + frame(1, 4, 1, hpack.Encoder().encode(headers))
        )
        assert keeper.call is not None
        self.call = keeper.call

    def receive(self, data: bytes) -> None:
        self.protocol.data_received(data)

    async def sent(self) -> list[tuple[int, int, bytes]]:
        """Kind, flags and payload of each frame that was sent on the stream."""
        for _ in range(5):
            await asyncio.sleep(0)
        frames, pos, data = [], 0, self.transport.written
        while pos < len(data):
            word, flags, stream = struct.unpack_from("!IBI", data, pos)
            if stream:
                frames.append((word & 0xFF, flags, data[pos + 9 : pos + 9 + (word >> 8)]))
            pos += 9 + (word >> 8)
        return frames


def run(test: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(test, 5))


DATA, HEADERS, RESET = 0, 1, 3

both_ways = pytest.mark.parametrize("shortcuts", [True, False])


def test_metadata_is_what_is_no_pseudo_header_and_the_last_duplicate_wins() -> None:
    async def look() -> None:
        assert Line().call.metadata == {"te": "trailers", "x-a": "2"}

    run(look())


@pytest.mark.parametrize(
    ("peername", "text"),
    [
        (("127.0.0.1", 5), "127.0.0.1:5"),
        (("::1", 5, 0, 0), "[::1]:5"),
        ("/run/x", "unix:/run/x"),
        ("", "unix:"),
        (None, "unix:"),
    ],
)
def test_the_peer_is_named(peername: Any, text: str) -> None:
    async def look() -> None:
        assert Line(peer=peername).call.peer == text

    run(look())


@both_ways
def test_initial_metadata_says_what_compression_is_taken_and_is_sent_once(shortcuts: bool) -> None:
    async def talk() -> None:
        line = Line(shortcuts=shortcuts)
        await line.call.start()
        await line.call.start()
        ((kind, flags, block),) = await line.sent()
        assert (kind, flags) == (HEADERS, 4)
        assert hpack.Decoder().decode(block) == [
            (":status", "200"),
            ("content-type", "application/grpc"),
            ("grpc-accept-encoding", "identity,gzip,deflate"),
        ]

    run(talk())


@both_ways
def test_a_change_of_the_header_table_is_announced_with_the_first_headers(shortcuts: bool) -> None:
    async def talk() -> None:
        line = Line(shortcuts=shortcuts)
        line.receive(frame(4, 0, 0, struct.pack("!HI", 1, 0)))
        await line.call.start()
        ((_, _, block),) = await line.sent()
        assert block[:1] == b"\x20", "size update to 0 (RFC 7541, 6.3)"

    run(talk())


@both_ways
def test_messages_of_two_senders_are_never_mixed(shortcuts: bool) -> None:
    async def talk() -> None:
        line = Line(shortcuts=shortcuts, window=100)
        await line.call.start()
        messages = [b"a" * 250, b"b" * 250, b"c" * 3]
        senders = [asyncio.create_task(line.call.send(message)) for message in messages]
        for _ in range(10):
            await line.sent()
            line.receive(frame(8, 0, 1, struct.pack("!I", 60)))
        await asyncio.gather(*senders)
        data = b"".join(payload for kind, _, payload in await line.sent() if kind == DATA)
        assert data == b"".join(b"\0" + struct.pack("!I", len(m)) + m for m in messages)

    run(talk())


@both_ways
def test_ending_twice_sends_one_status_and_resets_a_peer_that_still_sends(shortcuts: bool) -> None:
    async def talk() -> None:
        line = Line(shortcuts=shortcuts)
        await line.call.start()
        await line.call.end()
        await line.call.end(Status.INTERNAL, "too late")
        frames = await line.sent()
        assert [kind for kind, _, _ in frames] == [HEADERS, HEADERS, RESET]
        decoder = hpack.Decoder()
        assert [decoder.decode(block) for kind, _, block in frames if kind == HEADERS][1] == [
            ("grpc-status", "0")
        ]
        assert frames[1][1] == 5, "END_STREAM and END_HEADERS"
        assert frames[2][2] == bytes(4), "NO_ERROR"
        with pytest.raises(StreamClosedError):
            await line.call.send(b"x")

    run(talk())


@both_ways
def test_an_error_before_the_start_is_one_frame_with_status_and_escaped_message(
    shortcuts: bool,
) -> None:
    async def talk() -> None:
        line = Line(shortcuts=shortcuts)
        line.receive(frame(0, 1, 1, b""))
        await line.call.end(Status.INVALID_ARGUMENT, "caf\u00e9 100%")
        ((_, flags, block),) = await line.sent()
        assert flags == 5
        assert hpack.Decoder().decode(block) == [
            (":status", "200"),
            ("content-type", "application/grpc"),
            ("grpc-status", "3"),
            ("grpc-message", "caf%C3%A9 100%25"),
        ]

    run(talk())


@both_ways
def test_after_a_reset_sending_is_an_error_and_ending_is_nothing(shortcuts: bool) -> None:
    async def talk() -> None:
        line = Line(shortcuts=shortcuts, window=10)
        await line.call.start()
        waiting = asyncio.create_task(line.call.send(b"x" * 100))
        before = await line.sent()
        line.receive(frame(RESET, 0, 1, bytes(4)))
        with pytest.raises(StreamClosedError):
            await waiting
        with pytest.raises(StreamClosedError):
            await line.call.send(b"y")
        await line.call.end()
        assert await line.sent() == before

    run(talk())


@both_ways
def test_a_sender_waits_for_the_socket_and_learns_of_its_loss(shortcuts: bool) -> None:
    async def talk() -> None:
        line = Line(shortcuts=shortcuts)
        await line.call.start()
        line.protocol.pause_writing()
        waiting = asyncio.create_task(line.call.send(b"x"))
        assert [kind for kind, _, _ in await line.sent()] == [HEADERS]
        line.protocol.resume_writing()
        await waiting
        assert [kind for kind, _, _ in await line.sent()] == [HEADERS, DATA]
        line.protocol.pause_writing()
        lost = asyncio.create_task(line.call.send(b"y"))
        await line.sent()
        line.transport.close()
        line.protocol.connection_lost(None)
        with pytest.raises(StreamClosedError):
            await lost

    run(talk())


@both_ways
def test_a_message_is_written_as_far_as_the_window_reaches_and_the_rest_is_kept(
    shortcuts: bool,
) -> None:
    async def talk() -> None:
        line = Line(shortcuts=shortcuts, window=3)
        wakes: list[None] = []
        line.call.listen(lambda: wakes.append(None), lambda size: None)
        assert not line.call.write(b"abcdef")
        assert line.call.unsent == 8, "the prefix of five bytes is cut as well"
        with pytest.raises(RuntimeError):
            line.call.write(b"another")
        for size, rest in ((4, 4), (4, 0)):
            line.receive(frame(8, 0, 1, struct.pack("!I", size)))
            assert wakes.pop() is None
            assert line.call.flush() is not bool(rest)
            assert line.call.unsent == rest
        line.receive(frame(8, 0, 1, struct.pack("!I", 4)))
        assert wakes == [], "nobody waits for room any more"
        data = b"".join(payload for kind, _, payload in await line.sent() if kind == DATA)
        assert data == b"\0\0\0\0\6abcdef"

    run(talk())


@both_ways
def test_an_end_behind_a_cut_message_is_never_ok(shortcuts: bool) -> None:
    async def talk() -> None:
        line = Line(shortcuts=shortcuts, window=3)
        await line.call.start()
        line.call.write(b"abcdef")
        await line.call.end()
        frames = await line.sent()
        decoder = hpack.Decoder()
        trailers = [decoder.decode(block) for kind, _, block in frames if kind == HEADERS][1]
        assert dict(trailers)["grpc-status"] == "13"

    run(talk())


def test_repr_tells_who_and_what_is_held() -> None:
    async def look() -> None:
        line = Line(peer=("10.0.0.1", 7))
        text = repr(line.call)
        assert text == ("<ProcessStream 1 open from 10.0.0.1:7 <MessageBuffer 0 bytes held, open>>")

    run(look())
