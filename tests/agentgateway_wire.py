"""What lies beneath the model of AgentGateway: hyper's HTTP/2 client and tokio's bounded channels.

Why this file exists: all requests of all clients share one connection to the processor, and its
windows decide who blocks whom. A gRPC library would choose other windows. Neither ExtProc nor
`srd` is known here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Generic, Self, TypeVar

from grpclib.const import Status
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

#: hyper's defaults for a client, which AgentGateway does not change.
STREAM_WINDOW = 2 << 20
CONNECTION_WINDOW = 5 << 20

T = TypeVar("T")


class Channel(Generic[T]):
    """At most `room` items between counted senders and one receiver that may be dropped."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._items: deque[T] = deque()
        self._senders = 0
        self._dropped = False
        self._changed = asyncio.Event()
        self.jammed = asyncio.Event()  # a sender had to wait once

    def sender(self) -> Sender[T]:
        self._senders += 1
        return Sender(self)

    async def get(self) -> T | None:
        """The next item; None when none is left and every sender was dropped."""
        while not self._items:
            if not self._senders:
                return None
            await self._change()
        item = self._items.popleft()
        self._wake()
        return item

    def drop(self) -> None:
        """Nobody receives any more."""
        self._dropped = True
        self._items.clear()
        self._wake()

    def push(self, item: T) -> None:
        """Put an item whether or not there is room."""
        self._items.append(item)
        self._wake()

    async def _put(self, item: T) -> bool:
        while len(self._items) >= self._room and not self._dropped:
            self.jammed.set()
            await self._change()
        if not self._dropped:
            self.push(item)
        return not self._dropped

    async def _change(self) -> None:
        await self._changed.wait()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _release(self) -> None:
        self._senders -= 1
        self._wake()


class Sender(Generic[T]):
    """One of a channel's senders."""

    def __init__(self, channel: Channel[T]) -> None:
        self._channel = channel
        self._live = True

    def clone(self) -> Sender[T]:
        return self._channel.sender()

    async def send(self, item: T) -> bool:
        """Wait for room; False when nobody receives."""
        return await self._channel._put(item)

    def drop(self) -> None:
        if self._live:
            self._live = False
            self._channel._release()


class Connection(asyncio.Protocol):
    """The one connection to the processor."""

    def __init__(self) -> None:
        config = H2Configuration(client_side=True, header_encoding="utf-8")
        self._h2 = H2Connection(config)
        self._h2.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                SettingCodes.ENABLE_PUSH: 0,
            },
        )
        self._transport: asyncio.Transport
        self._streams: dict[int, Stream] = {}
        self._writable = True
        self.window = CONNECTION_WINDOW
        self.owed = 0
        self.lost = asyncio.Event()
        self.exhausted = asyncio.Event()  # the server may send nothing more for anybody, for once
        self._greeted = asyncio.Event()
        self._slots = asyncio.Event()

    @classmethod
    async def to(cls, address: str) -> Self:
        """OSError when nobody listens."""
        host, _, port = address.rpartition(":")
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(cls, host, int(port))
        await connection._greeted.wait()
        return connection

    async def open(self, path: str) -> Stream:
        """A stream for a gRPC call; waits while the server allows no more of them."""
        while (
            self._h2.open_outbound_streams >= self._h2.remote_settings.max_concurrent_streams
            and not self.lost.is_set()
        ):
            self._slots.clear()
            await self._slots.wait()
        if self.lost.is_set():
            raise ConnectionError("the connection is lost")
        number = self._h2.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":path", path)]
        headers += [(":authority", "processor"), ("te", "trailers")]
        self._h2.send_headers(number, [*headers, ("content-type", "application/grpc")])
        stream = self._streams[number] = Stream(self, number)
        self.flush()
        return stream

    def abort(self) -> None:
        """The gateway's process dies."""
        self._transport.abort()

    # -- asyncio's side --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW - 65_535)
        self.flush()

    def data_received(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            if isinstance(event, RemoteSettingsChanged):
                self._greeted.set()
            if isinstance(event, (WindowUpdated, RemoteSettingsChanged)):
                self._room()
                continue
            stream = self._streams.get(getattr(event, "stream_id", 0))
            if stream is not None:
                stream.happened(event)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        self._greeted.set()
        self._slots.set()
        for stream in list(self._streams.values()):
            stream.end()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._room()

    def _room(self) -> None:
        self._slots.set()
        for stream in self._streams.values():
            stream.room.set()

    # -- the streams' side -----------------------------------------------------------------------

    def flush(self) -> None:
        if not self.lost.is_set():
            self._transport.write(self._h2.data_to_send())

    def send_some(self, number: int, data: memoryview) -> int:
        """Send what the windows and the socket take; how much."""
        if not self._writable:
            return 0
        room = self._h2.local_flow_control_window(number)
        room = min(room, self._h2.max_outbound_frame_size, len(data))
        if room > 0:
            self._h2.send_data(number, bytes(data[:room]))
            self.flush()
        return max(room, 0)

    def end_stream(self, number: int) -> None:
        with contextlib.suppress(ProtocolError):
            self._h2.end_stream(number)
            self.flush()

    def reset_stream(self, number: int) -> None:
        with contextlib.suppress(ProtocolError):
            self._h2.reset_stream(number, ErrorCodes.CANCEL)
            self.flush()

    def gone(self, number: int) -> None:
        self._streams.pop(number, None)
        self._slots.set()

    def give_back(self, owner: Connection | Stream, size: int, number: int | None) -> None:
        """As the h2 crate does: once half of what the window is now was read."""
        owner.owed += size
        if 2 * owner.owed < owner.window or self.lost.is_set():
            return
        with contextlib.suppress(ProtocolError):  # the stream is over
            self._h2.increment_flow_control_window(owner.owed, number)
            self.flush()
        owner.window += owner.owed
        owner.owed = 0


class Stream:
    """One gRPC call. `status` is None until the server has ended it properly."""

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self._number = number
        self._frames: deque[bytes] = deque()
        self._read = bytearray()
        self._came = asyncio.Event()
        self._ended = False
        self.room = asyncio.Event()
        self.window = STREAM_WINDOW
        self.owed = 0
        self.status: Status | None = None

    @property
    def unread(self) -> int:
        """Bytes that arrived and that nobody has read."""
        return sum(map(len, self._frames))

    async def send(self, message: bytes) -> bool:
        """Send one message as the windows allow; False when the server has ended the stream."""
        left = memoryview(b"\0" + len(message).to_bytes(4, "big") + message)
        while left:
            if self._ended:
                return False
            self.room.clear()
            sent = self._connection.send_some(self._number, left)
            left = left[sent:]
            if not sent:
                await self.room.wait()
        return True

    def half_close(self) -> None:
        if not self._ended:
            self._connection.end_stream(self._number)

    def reset(self) -> None:
        """Nobody reads any more."""
        self._connection.reset_stream(self._number)
        unread, self._frames = self.unread, deque()
        self._connection.give_back(self._connection, unread, None)
        self.end()

    async def receive(self) -> bytes | None:
        """The next message; None at the stream's end. A frame's window is free when it is taken."""
        while True:
            size = int.from_bytes(self._read[1:5], "big") + 5
            if len(self._read) >= 5 and len(self._read) >= size:
                if self._read[0]:
                    raise AssertionError("a compressed message that nobody asked for")
                message = bytes(self._read[5:size])
                del self._read[:size]
                return message
            while not self._frames:
                if self._ended:
                    return None
                self._came.clear()
                await self._came.wait()
            frame = self._frames.popleft()
            self._read += frame
            self._connection.give_back(self._connection, len(frame), None)
            if not self._ended:
                self._connection.give_back(self, len(frame), self._number)

    def happened(self, event: object) -> None:
        if isinstance(event, DataReceived):
            self._frames.append(event.data)
            self.window -= event.flow_controlled_length
            self._connection.window -= event.flow_controlled_length
            if not self._connection.window:
                self._connection.exhausted.set()
            self._came.set()
        elif isinstance(event, (ResponseReceived, TrailersReceived)):
            told = dict(event.headers).get("grpc-status")
            self.status = self.status if told is None else Status(int(told))
        elif isinstance(event, (StreamEnded, StreamReset)):
            self.end()

    def end(self) -> None:
        self._ended = True
        self._connection.gone(self._number)
        self._came.set()
        self.room.set()
