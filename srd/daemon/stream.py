"""Drives one Exchange over one gRPC stream: decode, feed, carry out, encode.

Why this file exists: everything that has time in it (awaiting, timers, threads, clocks) around the
pure machine, and nothing else. What to answer is decided in the exchange; here only where there is
none to ask: too many streams, or a fault of ours.

One task does it all: it takes what is next from the inbox, feeds it, and puts the answers in the
outbox, in the order in which the machine gave them. It waits in one place only, for something to
come or for room; while the outbox is full no body message is taken, so back pressure passes
through. A fault of ours is told to the client as a refusal while that is still possible, and is
the end of the stream with an error otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import NamedTuple, Protocol

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from srd.classify.api import Ask, ClassifierUnavailable, Scores
from srd.daemon.bell import Bell
from srd.daemon.grpc_stream import StreamClosedError
from srd.daemon.mailbox import HeldLedger, Inbox, MessageStream, Outbox
from srd.daemon.service import Service
from srd.daemon.translate import encode, event_of, opening
from srd.exchange import Exchange, Policy
from srd.exchange.commands import (
    AskClassifier,
    Command,
    Decided,
    DropAsk,
    Noted,
    NoteKind,
    Observed,
    Refuse,
    ReplyBody,
    ReplyChunk,
    ReplyHeaders,
    ReplyTrailers,
    StartTimer,
    StopTimers,
)
from srd.exchange.errors import GatewayProtocolError
from srd.exchange.events import (
    BodyMode,
    Event,
    HeadersArrived,
    Opened,
    PeerEnded,
    Pressure,
    RoomMade,
    ScoresArrived,
    ScoresFailed,
    Timer,
    TimerFired,
)
from srd.plugins.errors import refusal
from srd.telemetry.record import ClassifierRun, ExchangeRecord
from srd.wire import codec
from srd.wire.messages import Phase, Request

log = logging.getLogger("srd.stream")


#: So many events in a row, then the other streams have their turn.
_TURN = 32
_INTERNAL = Refuse(refusal(500, "internal error"))
_INTERNAL_MESSAGE = encode(_INTERNAL)
_ROOM_MADE = RoomMade()
#: Modes in which the header reply binds nothing: the body's answer is still to come.
_BODY_ANSWERS = frozenset(BodyMode) - {BodyMode.NONE, BodyMode.FULL_DUPLEX_STREAMED}
#: Ends with a status of their own; every other error is a fault of ours.
_NAMED = (GatewayProtocolError, codec.WireError, GRPCError, StreamClosedError)


class ProcessStream(MessageStream, Protocol):
    """One gRPC Process stream, as srd.daemon.server hands it over."""

    @property
    def metadata(self) -> Mapping[str, str]: ...
    async def end(self, status: Status = ..., message: str = ...) -> None: ...


class _Asked(NamedTuple):
    """The question whose answer is awaited."""

    ask_id: int
    run: ClassifierRun
    future: Future[Scores] | None  # None: the answer is in the inbox already


class StreamDriver:
    """One stream's driver; `run` returns when the stream is over, however it ended."""

    def __init__(
        self,
        service: Service,
        stream: ProcessStream,
        machine: Callable[[Policy], Exchange] = Exchange,
    ) -> None:
        self._service = service
        self._stream = stream
        self._machine = machine  # makes the exchange where a fault can still be told to the client
        self._exchange: Exchange
        self._loop = asyncio.get_running_loop()
        self._bell = Bell()
        self._inbox = Inbox(stream, self._bell)
        self._outbox = Outbox(stream)
        self._ledger = HeldLedger(service)
        self._timers: dict[Timer, tuple[TimerFired, asyncio.TimerHandle]] = {}
        self._asked: _Asked | None = None
        self._opened: Opened | None = None
        self._binding = True  # whether the header reply is the last word on the request
        self._refusable = True
        self._reading_on = False  # the client has its answer from us: nothing is said any more
        self._half_closed = False
        self._closed = False
        self.record = ExchangeRecord(
            opened_at=time.perf_counter(),
            opened_unix_ns=time.time_ns(),
            metadata=stream.metadata,
        )

    def __repr__(self) -> str:
        exchange = getattr(self, "_exchange", None)
        return f"<StreamDriver {exchange!r} {self._inbox!r} {self._outbox!r}>"

    async def run(self) -> None:
        """Serve the stream to its end. Cancellation (RST) is a normal end."""
        record = self.record
        try:
            self._service.streams[id(self)] = self
            self._stream.listen(self._bell.ring, self._ledger.arrived)
            await self._serve()
            record.outcome = self._outcome()
        except asyncio.CancelledError:
            record.outcome = self._outcome()
            raise
        except StreamClosedError:
            record.outcome = self._outcome()
        except GatewayProtocolError as bad:
            record.outcome, record.note = "protocol_error", bad.problem
            await self._stream.end(Status[bad.status], bad.problem)
        except codec.WireError as bad:
            record.outcome, record.note = "undecodable", str(bad)
            await self._stream.end(Status.INVALID_ARGUMENT, f"undecodable message: {bad}")
        except GRPCError as bad:
            # The transport's own verdict on a message, such as too large: the server sends it.
            record.outcome, record.note = "undecodable", bad.message or bad.status.name
            raise
        except Exception as bug:
            await self._stream.end(Status.INTERNAL, "internal error")
            self._blame(bug)
        finally:
            self._finish()

    async def _serve(self) -> None:
        service = self._service
        try:
            self._exchange = self._machine(service.policy)
            with self._guarded():
                service.observer.opened(self.record)
            await self._converse()
        except _NAMED:
            raise
        except Exception as bug:
            if not self._refusable:
                raise
            self._blame(bug)
            self._drop_ask()
            self._stop_timers()
            self._refuse(_INTERNAL)
        while self._reading_on:
            self._outbox.flush()
            if self._inbox.discard() and self._outbox.empty:
                return
            self._ledger.settle(self._inbox.size + self._outbox.size)
            await self._bell.wait()

    def _blame(self, bug: Exception) -> None:
        """A fault of ours: in the record, the log and the metrics."""
        record = self.record
        name = type(bug).__name__
        record.outcome, record.note = "internal", name
        record.notes.setdefault(NoteKind.FAULT.value, name)
        log.error("exchange failed: %s", name, exc_info=bug)
        with self._guarded():
            self._service.observer.noted(record, Noted(NoteKind.FAULT, name))

    def _finish(self) -> None:
        service, record = self._service, self.record
        try:
            self._close()
        except Exception as bug:
            # Nothing can be said any more, and what was said before is not in doubt.
            self._blame(bug)
        finally:
            self._ledger.close()
            service.streams.pop(id(self), None)
            self._drop_ask()
            self._stop_timers()
            record.ended_at = time.perf_counter()
            with self._guarded():
                service.observer.ended(record)

    def _close(self) -> None:
        """Nothing comes any more: what is left to tell of the exchange goes into the record."""
        if not self._closed and hasattr(self, "_exchange"):
            self._closed = True
            for command in self._exchange.receive(PeerEnded(reset=True), time.time()):
                if isinstance(command, Observed):
                    self.record.observed = command

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """What watches a request must not touch it: an observer's failure is counted, no more."""
        try:
            yield
        except Exception:
            self._service.observer_failures += 1
            log.debug("an observer failed", exc_info=True)

    def _outcome(self) -> str:
        record = self.record
        if record.outcome != "open":
            return record.outcome
        if record.refused_status:
            return "refused"
        return "ok" if record.replied_at else "aborted"

    # -- the one loop ----------------------------------------------------------------------------

    async def _converse(self) -> None:
        """Deal with what comes until the gateway has half-closed and has all that it is owed, or
        until nothing more is to be said."""
        dealt = 0
        while not self._reading_on:
            happened = self._next()
            if happened is None:
                if self._over:
                    self._close()
                    return
                await self._bell.wait()
                if not self._outbox.empty:
                    self._outbox.flush()
                    self._settle()
            else:
                self._deal_with(happened)
                self._press(happened)
                dealt += 1
                if dealt % _TURN == 0:
                    await asyncio.sleep(0)

    def _next(self) -> Event | Request | None:
        exchange, inbox, more = self._exchange, self._inbox, self._exchange.more
        room = not self._outbox.full
        if more and room and not inbox.urgent:
            return _ROOM_MADE
        takes = room and not more and not exchange.full
        return inbox.next(request_body=takes, response_body=room, end=not more)

    @property
    def _over(self) -> bool:
        """True when the gateway has half-closed and has got all that it is owed."""
        owes = self._exchange.owes
        return self._half_closed and not owes and self._outbox.empty

    def _settle(self) -> None:
        """One number for all that is held on behalf of this stream."""
        self._ledger.settle(self._exchange.held + self._inbox.size + self._outbox.size)

    def _press(self, happened: Event | Request) -> None:
        """Settle; when all streams together hold too much, whoever still waits shall decide."""
        self._settle()
        service, exchange = self._service, self._exchange
        if not exchange.held or exchange.committed or isinstance(happened, Pressure):
            return
        if service.under_pressure:
            service.pressure_events += 1
            self._inbox.put(Pressure())

    def _deal_with(self, happened: Event | Request) -> None:
        if isinstance(happened, Request):
            self._read(happened)
        elif isinstance(happened, TimerFired):
            running = self._timers.get(happened.timer)
            if running is not None and running[0] is happened:  # neither stopped nor restarted
                del self._timers[happened.timer]
                self._feed(happened)
        elif isinstance(happened, (ScoresArrived, ScoresFailed)):
            if self._asked is not None and self._asked.ask_id == happened.ask_id:
                self._asked = None
                self._feed(happened)
        else:
            self._half_closed = self._half_closed or isinstance(happened, PeerEnded)
            self._feed(happened)

    def _read(self, request: Request) -> None:
        """A message of the gateway."""
        self._service.progress += 1
        if self._opened is None:
            if self._service.overfull:
                self._service.refused_streams += 1
                busy = refusal(503, "too many requests in flight", retry_after=1)
                self._refuse(Refuse(busy))
                return
            self._open(request)
        self._note(request)
        event = event_of(request)
        if event is not None:
            self._feed(event)

    def _open(self, request: Request) -> None:
        event = opening(request)
        self._opened = event
        self._refusable = not event.observability
        self.record.request_mode = event.request_mode.name.lower()
        self.record.response_mode = event.response_mode.name.lower()
        self._feed(event)

    def _note(self, request: Request) -> None:
        """Keep the times and sizes that the renderings tell."""
        now, record = time.perf_counter(), self.record
        if request.phase is Phase.REQUEST_BODY:
            record.bytes_in += len(request.body)
            record.first_byte_at = record.first_byte_at or now
            record.evidence_at = record.evidence_at if record.decision else now
            record.body_ended_at = now if request.end_of_stream else 0.0
        elif request.phase is Phase.RESPONSE_BODY:
            record.response_first_byte_at = record.response_first_byte_at or now
        elif request.phase is Phase.REQUEST_HEADERS:
            record.headers_at = now
            mode = self._opened.request_mode if self._opened is not None else BodyMode.NONE
            self._binding = request.end_of_stream or mode not in _BODY_ANSWERS
        elif request.phase is Phase.RESPONSE_HEADERS:
            record.response_headers_at = now
            self._refusable = False  # an upstream has answered
        elif request.phase is Phase.REQUEST_TRAILERS:
            record.body_ended_at = now

    def _feed(self, event: Event) -> None:
        """Feed one event, carry out what it causes, in order, and send what can be sent."""
        exchange, outbox = self._exchange, self._outbox
        commands = exchange.receive(event, time.time())
        if isinstance(event, HeadersArrived) and event.direction == "request":
            self.record.facts = exchange.request.facts
        for command in commands:
            self._carry_out(command)
            if outbox.full:
                outbox.flush()
        outbox.flush()

    # -- carrying out ----------------------------------------------------------------------------

    def _carry_out(self, command: Command) -> None:
        match command:
            case AskClassifier(ask_id, ask):
                self._ask(ask_id, ask)
            case DropAsk():
                self._drop_ask()
            case StartTimer(timer, seconds):
                self._start_timer(timer, seconds)
            case StopTimers():
                self._stop_timers()
            case Decided(decision):
                self.record.decision, self.record.decided_at = decision, time.perf_counter()
                with self._guarded():
                    self._service.observer.decided(self.record)
            case Noted(kind, detail, error):
                self.record.notes.setdefault(kind.value, detail)
                if error is not None:
                    log.error("exchange failed: %s", detail, exc_info=error)
                with self._guarded():
                    self._service.observer.noted(self.record, command)
            case Observed():
                self.record.observed = command
            case _:
                self._reply(command)

    def _reply(self, command: Command) -> None:
        record = self.record
        extra: tuple[tuple[str, bytes], ...] = ()
        binds = False
        match command:
            case ReplyChunk("request", data):
                binds = True
                record.bytes_out += len(data)
            case ReplyBody("request", body):
                binds = True
                record.replied_at = record.replied_at or time.perf_counter()
                record.bytes_out += len(body or b"")
            case ReplyHeaders("request"):
                binds = self._binding or command.mode_override is not None
                record.replied_at = record.replied_at or time.perf_counter()
                with self._guarded():
                    extra = self._service.observer.headers(record)
            case ReplyTrailers("request"):
                binds = True
            case Refuse(immediate):
                binds = True
                record.refused_status = immediate.status
        message = encode(command, extra)
        if message is not None:
            if binds:
                self._refusable = False  # from before it can leave
            self._outbox.put(message)

    def _refuse(self, command: Refuse) -> None:
        """Answer the client ourselves, then read on until the gateway is done."""
        message = _INTERNAL_MESSAGE if command is _INTERNAL else encode(command)
        self._refusable = False
        if message is not None:
            self._outbox.put(message)
        self.record.refused_status = command.immediate.status
        self._reading_on = True

    # -- the classifier --------------------------------------------------------------------------

    def _ask(self, ask_id: int, ask: Ask) -> None:
        run = ClassifierRun(ask.window, tuple(sorted(ask.heads)), time.perf_counter())
        self.record.runs.append(run)
        self._drop_ask()
        classifier = self._service.classifier
        event: Event | None = None
        future: Future[Scores] | None = None
        if classifier is None:
            event = ScoresFailed(ask_id, "no_classifier")
        else:
            try:
                quick = classifier.quick(ask)
                if quick is not None:
                    event = ScoresArrived(ask_id, quick)
                else:
                    future = classifier.submit(ask)
            except Exception:
                log.exception("the classifier's front door failed")
                event = ScoresFailed(ask_id, "classifier_error")
        self._asked = _Asked(ask_id, run, future)
        if event is not None:
            _close_run(run, event)
            self._inbox.put(event)
        elif future is not None:
            loop = self._loop
            future.add_done_callback(lambda future: loop.call_soon_threadsafe(self._scored, future))

    def _scored(self, future: Future[Scores]) -> None:
        """An answer arrived, on the loop."""
        asked = self._asked
        if asked is None or asked.future is not future or future.cancelled():
            return
        try:
            error = future.exception()
            event: Event
            if error is None:
                event = ScoresArrived(asked.ask_id, future.result())
            else:
                # A name of ours: what a library said might quote the prompt.
                known = isinstance(error, ClassifierUnavailable)
                reason = "classifier_unavailable" if known else "classifier_error"
                event = ScoresFailed(asked.ask_id, reason)
            _close_run(asked.run, event)
        except Exception as bug:
            self._inbox.fail(bug)
        else:
            self._inbox.put(event)

    def _drop_ask(self) -> None:
        asked, self._asked = self._asked, None
        if asked is not None and asked.future is not None:
            asked.future.cancel()

    # -- time ------------------------------------------------------------------------------------

    def _start_timer(self, timer: Timer, seconds: float) -> None:
        if (running := self._timers.pop(timer, None)) is not None:
            running[1].cancel()
        fired = TimerFired(timer)
        self._timers[timer] = (fired, self._loop.call_later(seconds, self._inbox.put, fired))

    def _stop_timers(self) -> None:
        for _, handle in self._timers.values():
            handle.cancel()
        self._timers.clear()


def _close_run(run: ClassifierRun, event: Event) -> None:
    run.ended_at = time.perf_counter()
    if isinstance(event, ScoresArrived):
        run.stage, run.tokens = event.scores.stage, event.scores.tokens
    elif isinstance(event, ScoresFailed):
        run.failure = event.reason


def handler_for(service: Service) -> Callable[[ProcessStream], Awaitable[None]]:
    """The handler that srd.daemon.server calls once per stream."""

    async def handle(stream: ProcessStream) -> None:
        await StreamDriver(service, stream).run()

    return handle
