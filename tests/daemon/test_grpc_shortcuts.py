"""The short cuts change nothing that a peer can see.

The same bytes from a client go to two connections, one with short cuts and one without. What both
send, frame by frame and stream by stream, what their handlers receive, and what h2 thinks of the
windows must be equal; for ordinary exchanges as for broken ones.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from typing import Any

import hpack
import pytest
from grpclib.config import Configuration
from grpclib.protocol import AbstractHandler
from h2.errors import ErrorCodes
from h2.stream import StreamState
from hypothesis import given, settings
from hypothesis import strategies as st

from srd.daemon import grpc_shortcuts
from srd.daemon.grpc_connection import ServerProtocol
from srd.daemon.grpc_stream import GRPCError, ProcessStream, StreamClosedError

STREAM_WINDOW = 70_000
CONNECTION_WINDOW = 150_000
LIMIT = 300_000

# A connection without a socket


class FakeTransport(asyncio.Transport):
    """Keeps what is written; asyncio's flow control is not part of the comparison."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed, "written after closing"
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class Echo(AbstractHandler):
    """Streams whose path says what they do: echo, ignore what comes, or answer and leave."""

    def __init__(self) -> None:
        self.received: dict[int, list[bytes]] = {}
        self.ends: dict[int, str] = {}
        self.tasks: dict[Any, asyncio.Task[None]] = {}

    def accept(self, stream: Any, headers: Any, release_stream: Any) -> None:
        call = ProcessStream(stream, headers)
        task = asyncio.get_running_loop().create_task(
            self._serve(call, stream.number, dict(headers)[":path"])
        )
        self.tasks[stream] = task
        task.add_done_callback(lambda _: release_stream())

    def cancel(self, stream: Any) -> None:
        self.tasks[stream].cancel()

    def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()

    async def _serve(self, call: ProcessStream, number: int, path: str) -> None:
        messages = self.received.setdefault(number, [])
        try:
            await call.start()
            if path == "/ignore":
                await asyncio.Event().wait()
            while (message := await call.recv()) is not None:
                messages.append(message)
                await call.send(message)
                if path == "/once":
                    break
            await call.end()
            self.ends[number] = "ok"
        except GRPCError as error:
            self.ends[number] = error.status.name
            await call.end(error.status)
        except StreamClosedError:
            self.ends[number] = "closed"
        except asyncio.CancelledError:
            self.ends[number] = "cancelled"
            raise


@dataclass
class Seen:
    """What a peer and the handlers saw of one connection."""

    received: dict[int, list[bytes]]
    ends: dict[int, str]
    data: dict[int, bytes] = field(default_factory=dict)
    frames: dict[int, list[Any]] = field(default_factory=dict)
    credit: dict[int, int] = field(default_factory=dict, compare=False)
    away: list[tuple[int, int]] = field(default_factory=list)
    closed: bool = False
    windows: dict[int, Any] = field(default_factory=dict)
    inbound: dict[int, Any] = field(default_factory=dict)


def read_frames(written: bytes, seen: Seen) -> None:
    """Everything sent: bodies joined (frames may be cut differently), the rest in order."""
    decoder, pos = hpack.Decoder(), 0
    while pos < len(written):
        word, flags, stream = struct.unpack_from("!IBI", written, pos)
        payload = bytes(written[pos + 9 : pos + 9 + (word >> 8)])
        pos += 9 + (word >> 8)
        kind = word & 0xFF
        if kind == 0:
            seen.data[stream] = seen.data.get(stream, b"") + payload
            assert not flags
        elif kind == 8:
            seen.credit[stream] = seen.credit.get(stream, 0) + int.from_bytes(payload, "big")
        elif kind == 7:
            seen.away.append(struct.unpack_from("!II", payload))
        else:
            content = decoder.decode(payload) if kind == 1 else payload
            seen.frames.setdefault(stream, []).append((kind, flags, content))
    assert pos == len(written), "a frame was cut"


async def settle() -> None:
    """Let every task and callback run until nothing happens any more."""
    loop: Any = asyncio.get_running_loop()
    for _ in range(2000):
        await asyncio.sleep(0)
        if not loop._ready:
            break


def connection(*, shortcuts: bool) -> tuple[ServerProtocol, Echo, FakeTransport]:
    handler, transport = Echo(), FakeTransport()
    config = Configuration(
        http2_connection_window_size=CONNECTION_WINDOW, http2_stream_window_size=STREAM_WINDOW
    ).__for_server__()
    protocol = ServerProtocol(
        handler,
        config,
        max_message_bytes=LIMIT,
        max_concurrent_streams=100,
        shortcuts=shortcuts,
        on_open=lambda _: None,
        on_close=lambda _: None,
    )
    protocol.connection_made(transport)
    assert (protocol.connection.shortcuts is not None) == shortcuts
    return protocol, handler, transport


async def converse(pieces: list[bytes], *, shortcuts: bool) -> Seen:
    protocol, handler, transport = connection(shortcuts=shortcuts)
    h2_connection: Any = protocol.connection._connection
    for piece in pieces:
        if transport.closed:
            break
        protocol.data_received(piece)
        await settle()
    seen = Seen(handler.received, dict(handler.ends), closed=transport.closed)
    read_frames(transport.written, seen)
    if not transport.closed:
        seen.windows = {
            number: (stream.state_machine.state, stream.outbound_flow_control_window)
            for number, stream in h2_connection.streams.items()
            if stream.open
        }
        seen.windows[0] = h2_connection.outbound_flow_control_window
        managers = {
            number: stream._inbound_window_manager
            for number, stream in h2_connection.streams.items()
            if stream.state_machine.state is StreamState.OPEN
        }
        managers[0] = h2_connection._inbound_flow_control_window_manager
        # When messages are read decides how much credit is given at once and how much is kept
        # for later. What was received, and what of it was or will be given back, cannot differ.
        owed: dict[int, int] = {0: protocol.connection.owed}
        owed |= {stream.number: stream.owed for stream in handler.tasks}
        seen.inbound = {
            number: (
                manager.current_window_size - seen.credit.get(number, 0),
                manager.current_window_size + manager._bytes_processed + owed.get(number, 0),
            )
            for number, manager in managers.items()
        }
    protocol.connection_lost(None)
    tasks = list(handler.tasks.values())
    if tasks:
        await asyncio.wait(tasks)
    return seen


def compare(pieces: list[bytes]) -> Seen:
    """Both connections saw and sent the same; returns it."""

    async def both() -> tuple[Seen, Seen]:
        return await converse(pieces, shortcuts=True), await converse(pieces, shortcuts=False)

    short, plain = asyncio.run(both())
    if any(code == ErrorCodes.FLOW_CONTROL_ERROR for _, code in plain.away):
        # A client that sends more than it was allowed, to a stream that is being read: with the
        # short cuts the reader has made room before the next frame is looked at, and the
        # connection lives on, or ends by a later frame's fault.
        return short
    assert short.closed == plain.closed
    if not short.closed:
        assert short == plain
    elif short.away and plain.away:
        # At an error of the connection h2 forgets what came before it in the same read, and
        # after the peer's GOAWAY it objects to what came with it: so much differs, for nobody.
        assert short.away == plain.away
    return short


# A client that writes frames


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack("!IBI", len(payload) << 8 | kind, flags, stream) + payload


class Client:
    """Bytes of a client; its headers come from hpack, its frames may be wrong."""

    def __init__(self) -> None:
        self.encoder = hpack.Encoder()

    def hello(self, **settings: int) -> bytes:
        values = b"".join(
            struct.pack("!HI", {"window": 4, "frame": 5}[name], value)
            for name, value in settings.items()
        )
        return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, values) + frame(4, 1, 0)

    def headers(self, stream: int, path: str = "/echo", *extra: tuple[str, str]) -> bytes:
        return frame(1, 4, stream, self.block(path, *extra))

    def block(self, path: str, *extra: tuple[str, str]) -> bytes:
        return self.encoder.encode(
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", path),
                (":authority", "x"),
                ("content-type", "application/grpc"),
                *extra,
            ]
        )


def message(size: int) -> bytes:
    return struct.pack("!BI", 0, size) + bytes(i * 7 & 0xFF for i in range(size))


def data_frames(stream: int, data: bytes, size: int = 16_384, *, end: bool = False) -> bytes:
    cuts = range(0, len(data), size)
    out = b"".join(frame(0, 0, stream, data[cut : cut + size]) for cut in cuts)
    return out + (frame(0, 1, stream) if end else b"")


# Ordinary exchanges


def test_the_installed_h2_has_the_parts_that_the_short_cuts_need() -> None:
    assert grpc_shortcuts.AVAILABLE


def test_messages_are_echoed_with_and_without_short_cuts() -> None:
    client = Client()
    pieces = [
        client.hello() + client.headers(1) + data_frames(1, message(10)),
        data_frames(1, message(30_000), end=True) + client.headers(3),
        data_frames(3, message(0) + message(1), 3, end=True),
    ]
    seen = compare(pieces)
    assert seen.data == {1: message(10) + message(30_000), 3: message(0) + message(1)}
    assert seen.ends == {1: "ok", 3: "ok"}


def test_data_that_ends_the_stream_is_taken_with_its_end() -> None:
    client = Client()
    seen = compare([client.hello() + client.headers(1) + frame(0, 1, 1, message(5))])
    assert seen.ends == {1: "ok"}
    assert seen.data == {1: message(5)}


def test_windows_of_the_client_are_kept_and_opened_again() -> None:
    client = Client()
    start = client.hello(window=1000) + client.headers(1) + client.headers(3)
    pieces = [
        start,
        data_frames(1, message(3000)),  # 3,005 bytes to echo, 1,000 may leave
        frame(8, 0, 1, struct.pack("!I", 1500)),
        data_frames(3, message(100)),  # a neighbour is not held up
        frame(4, 0, 0, struct.pack("!HI", 4, 1200)),  # SETTINGS raise the window by 200
        frame(8, 0, 1, struct.pack("!I", 10_000)),
    ]
    lengths = [len(compare(pieces[:n]).data.get(1, b"")) for n in range(2, 7)]
    assert lengths == [1000, 2500, 2500, 2700, 3005]


def test_the_connections_window_holds_up_every_stream_until_it_opens() -> None:
    client = Client()
    start = client.hello(window=1_000_000) + client.headers(1) + client.headers(3)
    pieces = [
        start,
        data_frames(1, message(60_000)),
        data_frames(3, message(60_000)),  # 65,535 in all may leave
        frame(8, 0, 0, struct.pack("!I", 100_000)),
    ]
    held, released = compare(pieces[:-1]), compare(pieces)
    assert sum(map(len, held.data.values())) == 65_535
    assert sum(map(len, released.data.values())) == 120_010


def test_an_unread_stream_is_given_no_credit_and_a_read_one_is() -> None:
    client = Client()
    pieces = [client.hello() + client.headers(1, "/ignore") + client.headers(3)]
    pieces += [data_frames(1, bytes(16_000)) for _ in range(4)]
    pieces += [data_frames(3, message(16_000)) for _ in range(4)]
    seen = compare(pieces)
    assert 1 not in seen.credit
    assert seen.credit[3] > 0


@pytest.mark.parametrize("cut", [1, 2, 5, 9, 10, 23, 24, 25, 33])
def test_frames_cut_anywhere_are_put_together(cut: int) -> None:
    client = Client()
    whole = client.hello() + client.headers(1) + data_frames(1, message(300), 100, end=True)
    seen = compare([whole[at : at + cut] for at in range(0, len(whole), cut)])
    assert seen.data == {1: message(300)}
    assert seen.ends == {1: "ok"}


@pytest.mark.parametrize(("size", "copied"), [(100, True), (16_000, False)])
def test_a_small_unread_payload_does_not_keep_the_whole_read_alive(size: int, copied: bool) -> None:
    async def look() -> None:
        protocol, handler, _ = connection(shortcuts=True)
        client = Client()
        protocol.data_received(client.hello() + client.headers(1, "/ignore"))
        await settle()
        read = data_frames(1, bytes(size)) + frame(0xEE, 0, 0, bytes(16_000)) * 2
        protocol.data_received(read)
        (chunk,) = next(iter(handler.tasks)).buffer._chunks
        assert (chunk.obj is not read) == copied
        protocol.connection_lost(None)

    asyncio.run(look())


# What belongs to h2


BROKEN: dict[str, bytes] = {
    "padded data": frame(0, 8, 1, b"\x03" + message(4) + b"\0\0\0"),
    "padding longer than the frame": frame(0, 8, 1, b"\xff" + message(4)),
    "data on stream 0": frame(0, 0, 0, b"x"),
    "data on a stream that never was": frame(0, 0, 99, b"x"),
    "data on an even stream": frame(0, 0, 2, b"x"),
    "a frame that is too long": frame(0, 0, 1, bytes(16_385)) + frame(0, 0, 1, b"x"),
    "the reserved bit set": frame(0, 0, 1 | 1 << 31, message(3)),
    "flags that mean nothing": frame(0, 0xF6, 1, message(3)),
    "empty data": frame(0, 0, 1) * 3,
    "data over the window": b"".join(frame(0, 0, 1, bytes(16_384)) for _ in range(5)),
    "a window update of nothing": frame(8, 0, 1, bytes(4)),
    "a window update of nothing for all": frame(8, 0, 0, bytes(4)),
    "a window update over the top": frame(8, 0, 1, struct.pack("!I", 2**31 - 1)),
    "a window update over the top for all": frame(8, 0, 0, struct.pack("!I", 2**31 - 1)),
    "a window update with the reserved bit": frame(8, 0, 1, struct.pack("!I", 2**31 | 5)),
    "a window update that is too short": frame(8, 0, 1, b"\0\0\5"),
    "a window update that is too long": frame(8, 0, 1, b"\0\0\0\5\0"),
    "a window update for no stream": frame(8, 0, 99, struct.pack("!I", 5)),
    "data inside a header block": frame(1, 0, 5, b"") + frame(0, 0, 1, message(3)),
    "a window update inside a header block": frame(1, 0, 5, b"") + frame(8, 0, 1, b"\0\0\0\5"),
    "a reset": frame(3, 0, 1, bytes(4)) + frame(0, 0, 1, message(3)),
    "data after the end": frame(0, 1, 1) + frame(0, 0, 1, b"x"),
    "an angry goaway": frame(7, 0, 0, struct.pack("!II", 0, 1)) + frame(0, 0, 1, message(3)),
    "a polite goaway": frame(7, 0, 0, bytes(8)) + frame(0, 0, 1, message(3)),
    "a ping": frame(6, 0, 0, b"12345678"),
    "an unknown frame": frame(0xEE, 0xFF, 1, b"whatever"),
    "continuation alone": frame(9, 4, 1, b""),
    "a push promise": frame(5, 4, 1, bytes(4)),
}


FATAL = {
    "padding longer than the frame",
    "data on stream 0",
    "data on a stream that never was",
    "data on an even stream",
    "a frame that is too long",
    "data over the window",
    "a window update of nothing",
    "a window update of nothing for all",
    "a window update over the top for all",
    "a window update with the reserved bit",
    "a window update that is too short",
    "a window update that is too long",
    "a window update for no stream",
    "data inside a header block",
    "a window update inside a header block",
    "an angry goaway",
    "continuation alone",
    "a push promise",
}
"""What ends the connection; the rest concerns one stream or nothing."""


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_unusual_is_judged_by_h2(name: str) -> None:
    client = Client()
    start = client.hello() + client.headers(1, "/ignore" if "over the window" in name else "/echo")
    compare([start + BROKEN[name]])
    seen = compare([start, BROKEN[name]])
    assert seen.closed == (name in FATAL)
    compare([start + data_frames(1, message(20)), BROKEN[name] + data_frames(1, message(5))])
    whole = start + BROKEN[name] + client.headers(3) + data_frames(3, message(7), end=True)
    compare([whole[at : at + 50] for at in range(0, len(whole), 50)])


def test_a_declared_content_length_is_checked_by_h2() -> None:
    client = Client()
    headers = client.headers(1, "/echo", ("content-length", "3"))
    seen = compare([client.hello() + headers + data_frames(1, message(5))])
    assert seen.closed


def test_a_wrong_preface_ends_the_connection() -> None:
    assert compare([b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"]).closed


def test_data_for_a_stream_that_was_answered_early_is_credited_and_dropped() -> None:
    client = Client()
    pieces = [
        client.hello() + client.headers(1, "/once") + data_frames(1, message(3)),
        data_frames(1, message(50_000)),
        client.headers(3) + data_frames(3, message(4), end=True),
    ]
    seen = compare(pieces)
    assert seen.received == {1: [message(3)[5:]], 3: [message(4)[5:]]}


# Anything


steps = st.one_of(
    st.tuples(st.just("open"), st.sampled_from(["/echo", "/once", "/ignore"])),
    st.tuples(
        st.just("data"),
        st.integers(0, 5),
        st.sampled_from([0, 1, 200, 5000, 16_379, 40_000]),
        st.sampled_from([1000, 16_384]),
        st.booleans(),
    ),
    st.tuples(st.just("credit"), st.integers(-1, 5), st.sampled_from([1, 1000, 65_535])),
    st.tuples(st.just("reset"), st.integers(0, 5)),
    st.tuples(st.just("broken"), st.sampled_from(sorted(BROKEN))),
)
"""What a client that is mostly sane does next; streams by the order of their opening."""


def conversation(window: int, plan: list[tuple[Any, ...]]) -> bytes:
    client, opened = Client(), 1
    out = [client.hello(window=window), client.headers(1)]
    for name, *details in plan:
        if name == "open":
            out.append(client.headers(opened * 2 + 1, details[0]))
            opened += 1
        elif name == "broken":
            out.append(BROKEN[details[0]])
        else:
            number = details[0] % opened * 2 + 1 if details[0] >= 0 else 0
            if name == "data":
                _, size, step, end = details
                out.append(data_frames(number, message(size), step, end=end))
            elif name == "credit":
                out.append(frame(8, 0, number, struct.pack("!I", details[1])))
            else:
                out.append(frame(3, 0, number, bytes(4)))
    return b"".join(out)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([1, 100, 5000, 65_535, 1_000_000]),
    st.lists(steps, max_size=14),
    st.lists(st.floats(0, 1), max_size=6),
)
def test_any_conversation_goes_the_same_way(
    window: int, plan: list[tuple[Any, ...]], cuts: list[float]
) -> None:
    whole = conversation(window, plan)
    places = sorted(int(cut * len(whole)) for cut in cuts)
    pieces = zip([0, *places], [*places, len(whole)], strict=True)
    compare([whole[start:stop] for start, stop in pieces if start < stop])
