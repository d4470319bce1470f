"""Short cuts past h2 for the frames that make up nearly all traffic.

Why this file exists: h2 spends a few microseconds on every rule of HTTP/2 at every frame, and a
body passes in many frames. DATA and WINDOW_UPDATE frames that are beyond doubt are handled here;
whatever is unusual (padding, an exceeded window, a stream in another state, a frame inside a header
block) goes to h2 as it came, which then judges it as if this file did not exist. The windows live
in h2's own objects, so both see the same numbers. This file must know nothing of gRPC.

It reaches into private parts of h2 4.x. `AVAILABLE` tells whether they are where they are expected.
"""

from __future__ import annotations

import logging
import struct
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.stream import H2Stream, StreamInputs, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from srd.daemon.grpc_connection import ServerStream
    from srd.daemon.grpc_transport import CoalescingTransport

log = logging.getLogger(__name__)

_HEADER = struct.Struct("!IBI")  # length << 8 | type, flags, stream
_HEADER_BYTES = 9
_PREFACE_BYTES = 24
_DATA, _HEADERS, _WINDOW_UPDATE = 0, 1, 8
_END_STREAM, _END_HEADERS = 0x1, 0x4
_MAX_WINDOW = 2**31 - 1
_STREAM_BITS = 2**31 - 1
_PINNING = 4  # see _data: how many times its size a payload may keep alive

_OPEN = StreamState.OPEN
_SENDING = (StreamState.OPEN, StreamState.HALF_CLOSED_REMOTE)


def header_block(headers: Sequence[tuple[str, str]]) -> bytes:
    """The headers as literals that are not indexed: the same bytes on every connection.

    Names and values of less than 127 bytes; ":status: 200" by its number in the static table.
    """
    out = b""
    for name, value in headers:
        if (name, value) == (":status", "200"):
            out += b"\x88"
        else:
            raw = name.encode("ascii"), value.encode("ascii")
            out += b"\x00" + b"".join(bytes([len(text)]) + text for text in raw)
    return out


def _available() -> bool:
    """Whether this h2 has the parts that are used here, of the kinds that are expected."""
    connection = H2Connection(H2Configuration(client_side=False))
    stream = H2Stream(1, connection.config, 1, 1)
    try:
        numbers = (
            connection._inbound_flow_control_window_manager.current_window_size,
            connection.outbound_flow_control_window,
            connection.max_inbound_frame_size,
            connection.max_outbound_frame_size,
            stream._inbound_window_manager.current_window_size,
            stream._inbound_window_manager.max_window_size,
            stream.outbound_flow_control_window,
            len(connection.incoming_buffer._headers_buffer),
            len(connection.streams),
            len(connection.encoder.table_size_changes),
        )
        return (
            all(type(number) is int for number in numbers)
            and stream._expected_content_length is None
            and stream.state_machine.state is StreamState.IDLE
            and not stream.state_machine.headers_sent
            and connection.state_machine.state is ConnectionState.IDLE
        )
    except AttributeError:
        return False


AVAILABLE = _available()
"""False with an h2 that looks different inside: everything then goes its plain way."""


class Shortcuts:
    """The short cuts of one connection.

    `feed` hands bytes to h2 and acts on its events before it returns; it gets whole frames, in
    the order of the wire. `received` is told the size of each DATA frame taken here, `room` that
    the window of the connection grew. `streams` are those whose handler lives. Holds one
    incomplete frame.
    """

    def __init__(
        self,
        h2: H2Connection,
        transport: CoalescingTransport,
        streams: Mapping[int, ServerStream],
        feed: Callable[[bytes | memoryview], None],
        *,
        received: Callable[[ServerStream, bytes | memoryview, int], None],
        room: Callable[[], None],
    ) -> None:
        self._h2 = h2
        self._transport = transport
        self._streams = streams
        self._feed = feed
        self._received = received
        self._room = room
        self._rest = b""
        self._start = _PREFACE_BYTES  # where the first frame begins; 0 once that has passed
        self._surrendered = False

    def __repr__(self) -> str:
        return f"<Shortcuts {len(self._rest)} bytes of an incomplete frame>"

    def receive(self, data: bytes) -> None:
        """Bytes from the peer. Errors are those of `feed`."""
        if self._surrendered:
            self._feed(data)
            return
        if self._rest:
            data, self._rest = self._rest + data, b""
        view, end = memoryview(data), len(data)
        passed, pos = 0, self._start
        while pos + _HEADER_BYTES <= end:
            word, flags, stream_id = _HEADER.unpack_from(data, pos)
            kind, stop = word & 0xFF, pos + _HEADER_BYTES + (word >> 8)
            if word >> 8 > self._h2.max_inbound_frame_size:
                # The end of this connection: h2 reads the whole frame and then objects.
                self._surrendered = True
                pos = end
                break
            if stop > end:
                break
            if kind in (_DATA, _WINDOW_UPDATE):
                if passed < pos:
                    self._feed(view[passed:pos])
                    passed = pos
                take = self._data if kind == _DATA else self._window_update
                if take(view[pos:stop], flags, stream_id & _STREAM_BITS, end):
                    passed = stop
            pos = stop
        if passed < pos <= end:
            self._feed(view[passed:pos])
            passed = pos
        if passed:
            self._start = 0
        self._rest = data[passed:]

    def _usable(self) -> bool:
        """Whether frames other than CONTINUATION are in order at all."""
        return (
            self._h2.state_machine.state is not ConnectionState.CLOSED
            and not self._h2.incoming_buffer._headers_buffer
        )

    def _data(self, frame: memoryview, flags: int, stream_id: int, arrived: int) -> bool:
        """Take a DATA frame, or leave it to h2 (False)."""
        stream, h2_stream = self._streams.get(stream_id), self._h2.streams.get(stream_id)
        if (
            stream is None
            or h2_stream is None
            or h2_stream.state_machine.state is not _OPEN
            or h2_stream._expected_content_length is not None
            or flags & ~_END_STREAM
            or not self._usable()
        ):
            return False
        size = len(frame) - _HEADER_BYTES
        connection_window = self._h2._inbound_flow_control_window_manager
        stream_window = h2_stream._inbound_window_manager
        if size > min(connection_window.current_window_size, stream_window.current_window_size):
            return False
        connection_window.current_window_size -= size
        stream_window.current_window_size -= size
        payload = frame[_HEADER_BYTES:]
        if size * _PINNING < arrived:
            # A view keeps all that arrived with it alive: a small payload is copied, so that an
            # unread stream holds at most _PINNING times its window.
            payload = memoryview(bytes(payload))
        self._received(stream, payload, size)
        if flags & _END_STREAM:
            h2_stream.state_machine.process_input(StreamInputs.RECV_END_STREAM)
            stream.__ended__()
        return True

    def _window_update(self, frame: memoryview, flags: int, stream_id: int, arrived: int) -> bool:
        """Take a WINDOW_UPDATE frame, or leave it to h2 (False)."""
        increment = int.from_bytes(frame[_HEADER_BYTES:], "big")
        if len(frame) != _HEADER_BYTES + 4 or not 0 < increment <= _MAX_WINDOW:
            return False
        if not self._usable():
            return False
        if not stream_id:
            window = self._h2.outbound_flow_control_window + increment
            if window > _MAX_WINDOW:
                return False
            self._h2.outbound_flow_control_window = window
            self._room()
            return True
        stream, h2_stream = self._streams.get(stream_id), self._h2.streams.get(stream_id)
        if stream is None or h2_stream is None or h2_stream.state_machine.state not in _SENDING:
            return False
        window = h2_stream.outbound_flow_control_window + increment
        if window > _MAX_WINDOW:
            return False
        h2_stream.outbound_flow_control_window = window
        stream.window_updated.set()
        return True

    def give_back(self, stream_id: int, size: int) -> bool:
        """Write a WINDOW_UPDATE for a stream, or leave it to h2 (False)."""
        h2_stream = self._h2.streams.get(stream_id)
        if (
            h2_stream is None
            or h2_stream.state_machine.state is not _OPEN
            or self._h2.state_machine.state is ConnectionState.CLOSED
        ):
            return False
        window = h2_stream._inbound_window_manager
        if window.current_window_size + size > window.max_window_size:
            return False
        window.current_window_size += size
        header = _HEADER.pack(4 << 8 | _WINDOW_UPDATE, 0, stream_id)
        self._transport.write(header + size.to_bytes(4, "big"))
        return True

    def send(self, stream_id: int, prefix: bytes, data: bytes | memoryview) -> int:
        """Write `prefix` and `data` as DATA frames, as far as the windows reach.

        Returns how many bytes were written, 0 when a window is closed. -1 when the stream is in
        no state to send: let h2 tell why.
        """
        h2, h2_stream = self._h2, self._h2.streams.get(stream_id)
        if (
            h2_stream is None
            or h2_stream.state_machine.state not in _SENDING
            or h2.state_machine.state is ConnectionState.CLOSED
        ):
            return -1
        size = len(prefix) + len(data)
        window = min(h2.outbound_flow_control_window, h2_stream.outbound_flow_control_window)
        if size > window:
            if window <= 0:
                return 0
            size = window
        h2.outbound_flow_control_window -= size
        h2_stream.outbound_flow_control_window -= size
        self._write_frames(stream_id, prefix, data, size)
        return size

    def send_headers(self, stream_id: int, block: bytes, *, end_stream: bool) -> bool:
        """Write a HEADERS frame whose header block neither reads nor changes the dynamic table.

        False when h2 must do it: in a state where headers may not be sent, and while its encoder
        has a change of the table's size to announce (RFC 7541, 4.2).
        """
        h2, h2_stream = self._h2, self._h2.streams.get(stream_id)
        if (
            h2_stream is None
            or h2_stream.state_machine.state not in _SENDING
            or h2.state_machine.state is not ConnectionState.SERVER_OPEN
            or bool(h2_stream.state_machine.headers_sent) is not end_stream
            or h2.encoder.table_size_changes
        ):
            return False
        h2_stream.state_machine.process_input(StreamInputs.SEND_HEADERS)
        if end_stream:
            h2_stream.state_machine.process_input(StreamInputs.SEND_END_STREAM)
        flags = _END_HEADERS | (_END_STREAM if end_stream else 0)
        self._transport.write(_HEADER.pack(len(block) << 8 | _HEADERS, flags, stream_id) + block)
        return True

    def _write_frames(
        self, stream_id: int, prefix: bytes, data: bytes | memoryview, size: int
    ) -> None:
        """The first `size` bytes of `prefix` and `data`, in frames that the peer accepts."""
        largest = self._h2.max_outbound_frame_size
        if size <= largest and size == len(prefix) + len(data):
            self._transport.write_frames([_HEADER.pack(size << 8, 0, stream_id) + prefix, data])
            return
        view, left, pos = memoryview(data), size, 0
        parts: list[bytes | memoryview] = []
        while left:
            length = min(left, largest)
            first, prefix = prefix[:length], prefix[length:]
            end = pos + length - len(first)
            parts += (_HEADER.pack(length << 8, 0, stream_id) + first, view[pos:end])
            pos = end
            left -= length
        self._transport.write_frames(parts)
