"""Drives one Exchange over one gRPC stream: decode, feed, carry out, encode.

Why this file exists: everything that has time in it (awaiting, timers, threads, clocks) around the
pure machine, and nothing else. What to answer is never decided here.

One coroutine reads; timers and the classifier's answers run as short tasks of their own. A lock
keeps the commands of one event together, so replies leave in the order the machine gave them.
While a reply waits for the gateway's window nothing more is read: back pressure passes through.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Protocol

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from srd.classify.api import Ask, ClassifierUnavailable, Scores
from srd.daemon.grpc_stream import StreamClosedError
from srd.daemon.service import Service
from srd.daemon.translate import encode, event_of, opening
from srd.exchange import Exchange
from srd.exchange.commands import (
    AskClassifier,
    Command,
    Decided,
    DropAsk,
    Noted,
    Observed,
    Refuse,
    ReplyBody,
    ReplyChunk,
    ReplyHeaders,
    StartTimer,
    StopTimers,
)
from srd.exchange.errors import GatewayProtocolError
from srd.exchange.events import (
    Event,
    HeadersArrived,
    PeerEnded,
    Pressure,
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


class ProcessStream(Protocol):
    """One gRPC Process stream, as srd.daemon.server hands it over."""

    @property
    def metadata(self) -> Mapping[str, str]: ...
    async def recv(self) -> bytes | None: ...
    async def send(self, message: bytes) -> None: ...
    async def end(self, status: Status = ..., message: str = ...) -> None: ...


class StreamDriver:
    """One stream's driver; `run` returns when the stream is over, however it ended."""

    def __init__(self, service: Service, stream: ProcessStream) -> None:
        self._service = service
        self._stream = stream
        self._exchange = Exchange(service.policy)
        self._loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()
        self._moved = asyncio.Event()
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: Future[Scores] | None = None
        self._context = contextvars.copy_context()
        self._held = 0
        self._first = True
        self.record = ExchangeRecord(
            opened_at=time.perf_counter(),
            opened_unix_ns=time.time_ns(),
            metadata=stream.metadata,
        )

    def __repr__(self) -> str:
        return f"<StreamDriver {self._exchange!r}>"

    async def run(self) -> None:
        """Serve the stream to its end. Cancellation (RST) is a normal end."""
        service, record = self._service, self.record
        service.open_streams += 1
        service.streams[id(self)] = self
        with self._guarded():
            service.observer.opened(record)
        self._context = contextvars.copy_context()
        try:
            await self._converse()
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
            record.outcome, record.note = "internal", type(bug).__name__
            log.exception("exchange failed")
            await self._stream.end(Status.INTERNAL, "internal error")
        finally:
            self._finish()

    def _finish(self) -> None:
        service, record = self._service, self.record
        try:
            for command in self._exchange.receive(PeerEnded(reset=True), time.time()):
                if isinstance(command, Observed):
                    record.observed = command
        finally:
            self._drop_ask()
            self._stop_timers()
            for task in self._tasks:
                task.cancel()
            self._account()
            service.open_streams -= 1
            service.streams.pop(id(self), None)
            record.ended_at = time.perf_counter()
            with self._guarded():
                service.observer.ended(record)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """What watches a request must not touch it: an observer's failure is counted, no more."""
        try:
            yield
        except Exception:
            self._service.observer_failures += 1
            log.debug("an observer failed", exc_info=True)

    async def _converse(self) -> None:
        exchange, stream = self._exchange, self._stream
        while True:
            while exchange.full:
                self._moved.clear()
                await self._moved.wait()
            data = await stream.recv()
            if data is None:
                break
            self._service.progress += 1
            request = codec.decode_request(data)
            if self._first:
                self._first = False
                if self._service.overfull:
                    await self._turn_away()
                    return
                await self._open(request)
            self._note(request)
            event = event_of(request)
            if event is not None:
                await self._handle(event)
        await self._handle(PeerEnded())
        while exchange.owes:
            self._moved.clear()
            await self._moved.wait()
        self.record.outcome = self._outcome()

    def _outcome(self) -> str:
        record = self.record
        if record.refused_status:
            return "refused"
        return "ok" if record.replied_at else "aborted"

    async def _turn_away(self) -> None:
        """Too many streams: a clean 503, then read until the gateway is done."""
        self._service.refused_streams += 1
        await self._carry_out(Refuse(refusal(503, "too many requests in flight", retry_after=1)))
        while await self._stream.recv() is not None:
            pass
        self.record.outcome = "refused"

    async def _open(self, request: Request) -> None:
        event = opening(request)
        self.record.request_mode = event.request_mode.name.lower()
        self.record.response_mode = event.response_mode.name.lower()
        await self._handle(event)

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
        elif request.phase is Phase.RESPONSE_HEADERS:
            record.response_headers_at = now
        elif request.phase is Phase.REQUEST_TRAILERS:
            record.body_ended_at = now

    async def _handle(self, event: Event) -> None:
        """Feed one event and carry out what it causes."""
        async with self._lock:
            commands = self._exchange.receive(event, time.time())
            if isinstance(event, HeadersArrived) and event.direction == "request":
                self.record.facts = self._exchange.request.facts
            for command in commands:
                await self._carry_out(command)
            self._account()
            if self._service.under_pressure and self._held:
                self._service.pressure_events += 1
                for command in self._exchange.receive(Pressure(), time.time()):
                    await self._carry_out(command)
                self._account()
        self._moved.set()

    def _account(self) -> None:
        """The process-wide sum of held bytes; this driver owns its own share of it."""
        held = self._exchange.held
        self._service.held_bytes += held - self._held
        self._held = held

    # -- carrying out ----------------------------------------------------------------------------

    async def _carry_out(self, command: Command) -> None:
        match command:
            case AskClassifier(ask_id, ask):
                await self._ask(ask_id, ask)
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
                await self._reply(command)

    async def _reply(self, command: Command) -> None:
        record = self.record
        extra: tuple[tuple[str, bytes], ...] = ()
        match command:
            case ReplyChunk("request", data):
                record.bytes_out += len(data)
            case ReplyBody("request", body):
                record.replied_at = record.replied_at or time.perf_counter()
                record.bytes_out += len(body or b"")
            case ReplyHeaders("request"):
                record.replied_at = record.replied_at or time.perf_counter()
                with self._guarded():
                    extra = self._service.observer.headers(record)
            case Refuse(immediate):
                record.refused_status = immediate.status
        message = encode(command, extra)
        if message is not None:
            await self._stream.send(message)

    # -- the classifier --------------------------------------------------------------------------

    async def _ask(self, ask_id: int, ask: Ask) -> None:
        run = ClassifierRun(ask.window, tuple(sorted(ask.heads)), time.perf_counter())
        self.record.runs.append(run)
        classifier = self._service.classifier
        event: Event | None = None
        if classifier is None:
            event = ScoresFailed(ask_id, "no_classifier")
        else:
            try:
                quick = classifier.quick(ask)
                if quick is not None:
                    event = ScoresArrived(ask_id, quick)
                else:
                    self._asked = classifier.submit(ask)
            except Exception:
                log.exception("the classifier's front door failed")
                event = ScoresFailed(ask_id, "classifier_error")
        if event is not None:
            _close_run(run, event)
            for command in self._exchange.receive(event, time.time()):
                await self._carry_out(command)
        elif self._asked is not None:
            loop = self._loop
            self._asked.add_done_callback(
                lambda future: loop.call_soon_threadsafe(self._scored, ask_id, run, future)
            )

    def _scored(self, ask_id: int, run: ClassifierRun, future: Future[Scores]) -> None:
        if future.cancelled() or future is not self._asked:
            return
        self._asked = None
        error = future.exception()
        event: Event
        if error is None:
            event = ScoresArrived(ask_id, future.result())
        else:
            # A name of ours: what a library said might quote the prompt.
            known = isinstance(error, ClassifierUnavailable)
            reason = "classifier_unavailable" if known else "classifier_error"
            event = ScoresFailed(ask_id, reason)
        _close_run(run, event)
        self._inject(event)

    def _drop_ask(self) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.cancel()

    # -- time ------------------------------------------------------------------------------------

    def _start_timer(self, timer: Timer, seconds: float) -> None:
        if (running := self._timers.pop(timer, None)) is not None:
            running.cancel()
        self._timers[timer] = self._loop.call_later(seconds, self._inject, TimerFired(timer))

    def _stop_timers(self) -> None:
        for handle in self._timers.values():
            handle.cancel()
        self._timers.clear()

    def _inject(self, event: Event) -> None:
        """An event that did not come from the stream, handled by a task of its own."""
        # In the stream's own context: ids on log lines are the exchange's.
        task = self._loop.create_task(self._handle_guarded(event), context=self._context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle_guarded(self, event: Event) -> None:
        try:
            await self._handle(event)
        except StreamClosedError:
            pass  # the gateway left between the event and its answer; recv() tells the reader
        except Exception:
            log.exception("event %r failed", event)
            self.record.outcome = "internal"
            await self._stream.end(Status.INTERNAL, "internal error")
        finally:
            self._moved.set()


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
