"""What stands between one stream's task and everything that happens to it.

Why this file exists: the task must never wait in a send and must see messages, timer expiries and
scores in one order. What comes in, what has to leave, and how many bytes that holds are kept here,
over an interface that says all that is asked of a transport. It must not know HTTP/2, nor what an
exchange makes of a message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from grpclib.exceptions import GRPCError

from srd.daemon.bell import Bell
from srd.daemon.service import Service
from srd.exchange.events import Event, PeerEnded
from srd.wire import codec
from srd.wire.messages import Phase, Request

OUTBOX_BYTES = 256 << 10
"""With more than this on its way out, no further body message is taken."""
AHEAD_BYTES = 256 << 10
AHEAD_MESSAGES = 512
"""Behind a body message that has to wait, so much is looked at for messages of the other
direction."""

_RESPONSE = frozenset({Phase.RESPONSE_HEADERS, Phase.RESPONSE_BODY, Phase.RESPONSE_TRAILERS})
_BODY = frozenset({Phase.REQUEST_BODY, Phase.RESPONSE_BODY})


class MessageStream(Protocol):
    """One gRPC stream as its mailbox needs it. Nothing here waits.

    Bytes of a message are the peer's credit until `release`: what was taken and not released, and
    what was not taken, together never exceed the stream's window, but for one message that is
    waited for with `want`.
    """

    unsent: int
    """Bytes of the last written message that have not left."""

    @property
    def finished(self) -> bool:
        """True once the peer has half-closed and every message was taken."""

    @property
    def unread(self) -> int:
        """Bytes that arrived and were not taken, those of an incomplete message included."""

    def listen(self, wake: Callable[[], None], arrived: Callable[[int], None]) -> None:
        """`wake` at each complete message, at the end, when there is room for what is unsent, and
        when the stream is lost; `arrived` with the size of all that comes. Both on the loop."""

    def take(self) -> tuple[bytes, int] | None:
        """The next message and its credit, None while there is none. GRPCError: see the server."""

    def want(self) -> None:
        """The next message is waited for: let it come although it exceeds the window."""

    def release(self, credit: int) -> None:
        """A message that was taken is dealt with: let the peer send as much again."""

    def write(self, message: bytes) -> bool:
        """Send a message as far as windows and socket reach; False when a rest is kept, for
        `flush`, before which nothing else may be written. StreamClosedError: the peer is gone."""

    def flush(self) -> bool:
        """Send more of the rest; True when nothing of it is left. As `write`."""


class Inbox:
    """Everything that happens to one stream, in the order in which its task shall see it.

    Events of our own (timers, scores, pressure) come before messages. Messages of one direction
    keep their order; a body message that may not be taken yet holds up what is behind it in its
    direction, not the other one. The end comes last. A message is decoded here, its bytes stay
    the stream's credit until it is handed out.
    """

    def __init__(self, stream: MessageStream, bell: Bell) -> None:
        self._stream = stream
        self._bell = bell
        self._events: deque[Event] = deque()
        # Messages that had to wait: arrival number, message, its size, its credit.
        self._request: deque[tuple[int, Request, int, int]] = deque()
        self._response: deque[tuple[int, Request, int, int]] = deque()
        self._waiting = 0
        self._arrivals = 0
        self._last: PeerEnded | Exception | None = None
        self._ended = False
        self._fault: Exception | None = None

    def __repr__(self) -> str:
        waiting = len(self._request) + len(self._response)
        return f"<Inbox {len(self._events)} events, {waiting} messages, {self.size} bytes>"

    @property
    def size(self) -> int:
        """Bytes of messages that were not handed out."""
        return self._waiting + self._stream.unread

    @property
    def urgent(self) -> bool:
        """True while an event of our own, or a fault, is due before everything else."""
        return bool(self._events) or self._fault is not None

    def put(self, event: Event) -> None:
        """An event of our own; wakes the task. Called by timers: a fault is the task's, not the
        loop's, which would only log it while the stream waits for ever."""
        try:
            self._events.append(event)
            self._bell.ring()
        except Exception as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """A fault on the way to this inbox: the next call of `next` raises it."""
        self._fault = error
        self._bell.ring()

    def next(
        self, *, request_body: bool, response_body: bool, end: bool = True
    ) -> Event | Request | None:
        """What is to be dealt with now, None when that is nothing.

        The flags say whether body messages of that direction, and the half-close, may be taken.
        Raises what the stream's messages are worth, in their turn: WireError for one that cannot
        be decoded, GRPCError for one that the transport refuses; and at once a fault of ours.
        """
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault
        if self._events:
            return self._events.popleft()
        if not self._request and not self._response:
            taken = self._pull()
            if taken is None:
                return self._end(end)
            request, size, credit = taken
            phase = request.phase
            if phase not in _BODY or (response_body if phase in _RESPONSE else request_body):
                self._stream.release(credit)
                return request
            self._keep(request, size, credit)
        return self._oldest(request_body, response_body)

    def discard(self) -> bool:
        """Drop all that came; True when the peer has half-closed. GRPCError as in `next`."""
        for queue in (self._request, self._response):
            while queue:
                self._stream.release(queue.popleft()[3])
        self._waiting = 0
        self._events.clear()
        while (taken := self._stream.take()) is not None:
            self._stream.release(taken[1])
        if self._stream.finished:
            return True
        self._stream.want()
        return False

    def _oldest(self, request_body: bool, response_body: bool) -> Request | None:
        """The first message that may be taken; looks ahead while only one direction is held up."""
        requests, responses = self._request, self._response
        while True:
            request = requests and (request_body or requests[0][1].phase not in _BODY)
            response = responses and (response_body or responses[0][1].phase not in _BODY)
            if request or response:
                first = bool(request) and (not response or requests[0][0] < responses[0][0])
                _, message, size, credit = (requests if first else responses).popleft()
                self._waiting -= size
                self._stream.release(credit)
                return message
            if requests and responses:
                return None
            if self._waiting >= AHEAD_BYTES or len(requests or responses) >= AHEAD_MESSAGES:
                return None
            taken = self._pull()
            if taken is None:
                return None
            self._keep(*taken)

    def _keep(self, request: Request, size: int, credit: int) -> None:
        queue = self._response if request.phase in _RESPONSE else self._request
        self._arrivals += 1
        queue.append((self._arrivals, request, size, credit))
        self._waiting += size

    def _pull(self) -> tuple[Request, int, int] | None:
        """The next message of the stream with its size and credit; None when there is none, or
        when what comes now has to wait for its turn in `_last`."""
        if self._last is not None:
            return None
        try:
            taken = self._stream.take()
        except GRPCError as bad:
            self._last = bad
            return None
        if taken is None:
            if self._stream.finished:
                self._last = PeerEnded()
            return None
        message, credit = taken
        try:
            return codec.decode_request(message), len(message), credit
        except codec.WireError as bad:
            self._stream.release(credit)
            self._last = bad
            return None
        except BaseException:
            self._stream.release(credit)
            raise

    def _end(self, allowed: bool) -> Event | None:
        """No message is left here: what comes behind the last one."""
        last = self._last
        if last is None:
            self._stream.want()
            return None
        if not isinstance(last, PeerEnded):
            raise last
        if self._ended or not allowed:
            return None
        self._ended = True
        return last


class Outbox:
    """What has to leave, in the order in which it was put. Bounded by who asks `full` first."""

    def __init__(self, stream: MessageStream, bound: int = OUTBOX_BYTES) -> None:
        self._stream = stream
        self._bound = bound
        self._queue: deque[bytes] = deque()
        self._queued = 0

    def __repr__(self) -> str:
        return f"<Outbox {len(self._queue)} messages, {self.size} bytes>"

    @property
    def size(self) -> int:
        """Bytes that have not left."""
        return self._queued + self._stream.unsent

    @property
    def full(self) -> bool:
        """True while nothing that could be answered at length should be taken."""
        return self._queued + self._stream.unsent > self._bound

    @property
    def empty(self) -> bool:
        """True when all has left."""
        return not self._queue and not self._stream.unsent

    def put(self, message: bytes) -> None:
        """Queue one message. Never waits and never sends."""
        self._queue.append(message)
        self._queued += len(message)

    def flush(self) -> None:
        """Send as far as the peer's windows and the socket reach; the stream wakes us for the
        rest. StreamClosedError when the peer is gone."""
        stream, queue = self._stream, self._queue
        if stream.unsent and not stream.flush():
            return
        while queue:
            message = queue.popleft()
            self._queued -= len(message)
            if not stream.write(message):
                return


class HeldLedger:
    """One stream's share in the bytes that the whole process holds: a single number.

    `settle` says what it is now; between two settlements `arrived` adds what comes by itself.
    Given back by `close`, once: what is told later changes nothing.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._share = 0
        self._closed = False

    def __repr__(self) -> str:
        return f"<HeldLedger {self._share} bytes{', closed' if self._closed else ''}>"

    def settle(self, held: int) -> None:
        """So many bytes are held now."""
        if held != self._share and not self._closed:
            # In one statement: nothing may come between the sum and its part.
            service, old = self._service, self._share
            service.held_bytes, self._share = service.held_bytes + held - old, held

    def arrived(self, size: int) -> None:
        """So many more are held, until the next settlement."""
        self.settle(self._share + size)

    def close(self) -> None:
        """The stream is over and holds nothing."""
        self.settle(0)
        self._closed = True
