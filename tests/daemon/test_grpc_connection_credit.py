"""Credit: what a stream holds is its own; the connection's window is whole, whatever streams do.

The client is h2's own, in memory: it fails the test on whatever breaks HTTP/2's rules.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from srd.daemon.grpc_connection import ServerProtocol, ServerStream
from srd.daemon.grpc_messages import MessageBuffer
from srd.daemon.grpc_shortcuts import Shortcuts
from srd.daemon.grpc_stream import ProcessStream
from srd.daemon.server import PROCESS, ExtProcServer, ServerOptions

STREAM_WINDOW = 70_000
CONNECTION_WINDOW = 100_000  # less than two streams' windows

both_ways = pytest.mark.parametrize("shortcuts", [True, False])


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = self.aborted = False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class Line:
    """A server's connection and a client's, joined by hand."""

    def __init__(
        self, handler: Callable[[ProcessStream], Awaitable[None]], shortcuts: bool
    ) -> None:
        self.server = ExtProcServer(
            handler,
            ServerOptions(
                stream_window=STREAM_WINDOW,
                connection_window=CONNECTION_WINDOW,
                shortcuts=shortcuts,
            ),
        )
        self.protocol: ServerProtocol = self.server._protocol()
        self.transport = Transport()
        self.protocol.connection_made(self.transport)
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.client.initiate_connection()
        self.client.increment_flow_control_window(1 << 20)
        self.ends: dict[int, str] = {}
        self.got: dict[int, bytes] = {}
        self.reads = True

    async def turn(self) -> None:
        """Bytes go both ways until nothing is left to say."""
        for _ in range(60):
            data = self.client.data_to_send()
            if data and not self.transport.closed:
                self.protocol.data_received(data)
            for _ in range(4):
                await asyncio.sleep(0)
            written, self.transport.written = bytes(self.transport.written), bytearray()
            for event in self.client.receive_data(written):
                self._note(event)
            if not data and not written:
                return

    def _note(self, event: Any) -> None:
        if isinstance(event, h2.events.DataReceived):
            self.got[event.stream_id] = self.got.get(event.stream_id, b"") + event.data
            if self.reads:
                self.client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
            status = dict(event.headers).get("grpc-status")
            if status is not None:
                self.ends[event.stream_id] = status
        elif isinstance(event, h2.events.StreamReset):
            self.ends.setdefault(event.stream_id, "reset")

    def open(self, kind: str = "echo") -> int:
        number = self.client.get_next_available_stream_id()
        self.client.send_headers(
            number,
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", PROCESS),
                (":authority", "x"),
                ("content-type", "application/grpc"),
                ("kind", kind),
            ],
        )
        return number

    async def fill(self, number: int) -> None:
        """Send to the stream until its own window or the connection's is used up."""
        while window := self.client.local_flow_control_window(number):
            self.client.send_data(number, bytes(min(window, 16_384)))
            await self.turn()

    async def send(self, number: int, data: bytes, *, end: bool = False) -> None:
        """Send all of `data`, which the windows must allow sooner or later."""
        while data:
            window = min(self.client.local_flow_control_window(number), 16_384)
            assert window > 0, "the peer may not send"
            self.client.send_data(number, data[:window], end_stream=end and len(data) <= window)
            data = data[window:]
            await self.turn()


def message(data: bytes) -> bytes:
    return struct.pack("!BI", 0, len(data)) + data


async def by_kind(stream: ProcessStream) -> None:
    """Echo, or never read, or leave after the first message."""
    kind = stream.metadata["kind"]
    if kind == "stuck":
        await asyncio.Event().wait()
    while (data := await stream.recv()) is not None:
        await stream.send(data)
        if kind == "once":
            return


@both_ways
def test_streams_that_nobody_reads_hold_up_themselves_alone(run_async, shortcuts):
    async def look() -> None:
        line = Line(by_kind, shortcuts)
        for _ in range(5):
            stuck = line.open("stuck")
            await line.fill(stuck)
            assert line.client.outbound_flow_control_window > CONNECTION_WINDOW // 2
        lively = line.open()
        await line.send(lively, message(b"x" * 300_000), end=True)
        assert line.got[lively] == message(b"x" * 300_000)
        assert line.ends == {lively: "0"}
        line.protocol.connection_lost(None)

    run_async(look())


@both_ways
@pytest.mark.parametrize("how", ["reset by the client", "left by the handler", "half a message"])
def test_a_thousand_streams_that_end_unread_cost_the_connection_nothing(run_async, shortcuts, how):
    async def look() -> None:
        line = Line(by_kind, shortcuts)
        await line.turn()
        for _ in range(1000):
            number = line.open("once" if how == "left by the handler" else "stuck")
            line.client.send_data(number, message(b"x" * 3000) * 3 + b"\0\0\0")
            if how == "reset by the client":
                await line.turn()
                line.client.reset_stream(number)
            elif how == "half a message":
                line.client.end_stream(number)
                line.client.reset_stream(number)
            await line.turn()
        connection = line.protocol.connection
        manager: Any = connection._connection._inbound_flow_control_window_manager
        whole = manager.current_window_size + manager._bytes_processed + connection.owed
        assert whole == CONNECTION_WINDOW
        assert line.client.outbound_flow_control_window == manager.current_window_size
        assert (line.server.live_streams, dict(connection.blocked)) == (0, {})
        line.protocol.connection_lost(None)

    run_async(look())


@both_ways
def test_a_peer_that_does_not_read_blocks_its_stream_until_it_does(run_async, shortcuts):
    async def look() -> None:
        line = Line(by_kind, shortcuts)
        line.reads = False
        first, second = line.open(), line.open()
        await line.send(first, message(b"x" * 60_000))
        await line.send(first, message(b"y" * 20_000))
        assert len(line.got[first]) == 65_535
        (blocked,) = line.protocol.connection.blocked
        assert blocked.number == first
        await line.send(second, message(b"z"), end=True)
        assert line.got[second] == message(b"z")
        line.client.acknowledge_received_data(60_000, first)
        await line.turn()
        assert line.got[first] == message(b"x" * 60_000) + message(b"y" * 20_000)
        assert line.protocol.connection.blocked == {}
        line.protocol.connection_lost(None)

    run_async(look())


@both_ways
def test_who_waits_for_the_socket_goes_on_when_it_takes_more(run_async, shortcuts):
    async def look() -> None:
        line = Line(by_kind, shortcuts)
        number = line.open()
        await line.turn()
        line.protocol.pause_writing()
        await line.send(number, message(b"x"), end=True)
        assert number not in line.got
        line.protocol.resume_writing()
        await line.turn()
        assert (line.got[number], line.ends[number]) == (message(b"x"), "0")
        line.protocol.connection_lost(None)

    run_async(look())


# Faults inside the transport, with a neighbour half-way through a body


def once(monkeypatch: Any, owner: Any, name: str, when: Callable[..., bool]) -> None:
    """The method raises MemoryError at its first call for which `when` holds."""
    method = getattr(owner, name)

    def broken(self: Any, *arguments: Any, **named: Any) -> Any:
        if when(self, *arguments):
            monkeypatch.setattr(owner, name, method)
            raise MemoryError("injected")
        return method(self, *arguments, **named)

    monkeypatch.setattr(owner, name, broken)


@both_ways
@pytest.mark.parametrize("where", ["a chunk in", "a message in", "a message out", "the end"])
def test_a_fault_in_one_streams_transport_is_that_streams_error_and_no_others(
    run_async, shortcuts, where, monkeypatch
):
    async def look() -> None:
        line = Line(by_kind, shortcuts)
        neighbour, struck = line.open(), line.open()
        body = message(b"n" * 120_000)
        await line.send(neighbour, body[:50_000])
        connection = line.protocol.connection
        stream: Any = line.protocol.processor.streams[struck]
        mine = {
            "a chunk in": (MessageBuffer, "add", lambda self, *_: self is stream.buffer),
            "a message in": (MessageBuffer, "_cut", lambda self, *_: self is stream.buffer),
            "a message out": (type(connection), "_send_some", lambda self, s, *_: s is stream),
            "the end": (ProcessStream, "_end", lambda self, *_: self._stream is stream),
        }
        once(monkeypatch, *mine[where])
        await line.send(struck, message(b"s" * 1000), end=True)
        assert line.ends[struck] in ("13", "reset")
        await line.send(neighbour, body[50_000:], end=True)
        assert line.got[neighbour] == body
        assert line.ends[neighbour] == "0"
        line.protocol.connection_lost(None)

    run_async(look())


def test_frames_that_were_written_by_half_lose_the_connection_not_bytes(run_async, monkeypatch):
    async def look() -> None:
        line = Line(by_kind, True)
        neighbour, struck = line.open(), line.open()
        await line.send(neighbour, message(b"n" * 50_000)[:20_000])
        monkeypatch.setattr(
            line.transport, "write", lambda data: (_ for _ in ()).throw(MemoryError("injected"))
        )
        await line.send(struck, message(b"s" * 1000))
        assert line.transport.aborted
        line.protocol.connection_lost(None)

    asyncio.run(_ignoring_the_loop(look))


async def _ignoring_the_loop(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    await test()


def test_a_frame_that_cannot_be_built_is_not_begun(run_async, monkeypatch):
    async def look() -> None:
        line = Line(by_kind, True)
        neighbour, struck = line.open(), line.open()
        body = message(b"n" * 50_000)
        await line.send(neighbour, body[:20_000])
        once(monkeypatch, Shortcuts, "_write_frames", lambda self, number, *_: number == struck)
        await line.send(struck, message(b"s" * 1000))
        assert line.ends[struck] == "13"
        assert struck not in line.got
        await line.send(neighbour, body[20_000:], end=True)
        assert line.got[neighbour] == body
        line.protocol.connection_lost(None)

    run_async(look())


def test_a_wake_up_that_fails_is_its_streams_fault(run_async):
    async def look() -> None:
        line = Line(by_kind, True)
        number = line.open("stuck")
        await line.turn()
        stream = line.protocol.processor.streams[number]
        assert isinstance(stream, ServerStream)

        def broken() -> None:
            stream.on_room = lambda: None
            raise MemoryError("injected")

        stream.on_room = broken
        line.protocol.connection.blocked[stream] = None
        line.protocol.resume_writing()
        with pytest.raises(MemoryError):
            stream.buffer.take()
        assert not line.transport.closed
        line.protocol.connection_lost(None)

    run_async(look())
