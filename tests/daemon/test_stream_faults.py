"""A fault of ours in one stream: a refusal while that is possible, then an error; never a clean
end with other bytes.

The sweep raises MemoryError at each line of the driver and its mailbox in turn, once per
transcript, and judges by what left.
"""

from __future__ import annotations

import asyncio
import contextlib
import linecache
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from types import FrameType
from typing import Any

import pytest
from grpclib.const import Status
from memorystream import MemoryStream
from playbook import PLAIN, label_scores, policy_of

from srd.classify.api import Ask, Scores
from srd.daemon import bell, mailbox, stream
from srd.daemon.service import Service
from srd.daemon.stream import StreamDriver
from srd.exchange.commands import Noted, NoteKind
from srd.exchange.exchange import Exchange
from srd.telemetry.record import ExchangeRecord, NullObserver
from srd.wire.messages import Phase, ProtocolConfig
from srd.wire.peer import encode_request

BODY = b'{"model":"auto","messages":[{"role":"user","content":"A derivative, please"}]}'
ROUTED = BODY.replace(b"auto", b"math-expert")
DEFAULT = BODY.replace(b"auto", b"base-model")
ANSWER = b'{"usage":{"prompt_tokens":3,"completion_tokens":4}}'


def head(mode: int) -> bytes:
    return encode_request(
        Phase.REQUEST_HEADERS,
        headers=[
            (":method", b"POST"),
            (":path", b"/v1/chat/completions"),
            ("content-type", b"application/json"),
        ],
        protocol_config=ProtocolConfig(mode, 4),
    )


def body(data: bytes, *, end: bool = False) -> bytes:
    return encode_request(Phase.REQUEST_BODY, body=data, end_of_stream=end)


RESPONSE = [
    encode_request(
        Phase.RESPONSE_HEADERS,
        headers=[(":status", b"200"), ("content-type", b"application/json")],
    ),
    encode_request(Phase.RESPONSE_BODY, body=ANSWER, end_of_stream=True),
]

TRANSCRIPTS = {
    "full duplex": [head(4), body(BODY[:50]), body(BODY[50:], end=True)],
    "buffered": [head(2), body(BODY, end=True)],
    "streamed": [head(1), body(BODY[:50]), body(BODY[50:], end=True)],
}

POLICY = policy_of(PLAIN)
#: For a classifier that never answers. One that does must not race with a clock.
IMPATIENT = policy_of(PLAIN + "    limits: {classify_timeout_ms: 1}\n")


class Classifier:
    """Answers at once, or a turn later as a thread does, or never."""

    def __init__(self, how: str) -> None:
        self.how = how

    def quick(self, ask: Ask) -> Scores | None:
        return label_scores("math") if self.how == "quick" else None

    def submit(self, ask: Ask) -> Future[Scores]:
        future: Future[Scores] = Future()
        if self.how == "later":
            asyncio.get_running_loop().call_soon(future.set_result, label_scores("math"))
        return future


class Listener(NullObserver):
    def __init__(self) -> None:
        self.notes: list[Noted] = []
        self.records: list[ExchangeRecord] = []

    def noted(self, record: ExchangeRecord, note: Noted) -> None:
        self.notes.append(note)

    def ended(self, record: ExchangeRecord) -> None:
        self.records.append(record)


class Outcome:
    """What a gateway saw of one stream, and the books behind it.

    It takes `window` bytes at once and forty more now and then, sends the upstream's answer when
    it has the whole body, and half-closes when it has all or was refused.
    """

    def __init__(
        self, messages: list[Any], how: str, window: int = 1 << 60, *, answers: bool = True
    ) -> None:
        policy = IMPATIENT if how == "never" else POLICY
        self.service = Service(policy, Classifier(how), Listener())
        self.stream = MemoryStream(*messages)
        self.stream.window = window
        self.answers = answers

    async def serve(self) -> None:
        """As srd.daemon.server does, its own words on a handler that raises included."""
        gateway = asyncio.create_task(self._gateway() if self.answers else asyncio.sleep(0))
        try:
            async with asyncio.timeout(5) as patience:
                await StreamDriver(self.service, self.stream).run()
        except Exception:
            await self.stream.end(Status.INTERNAL, "internal error")
        finally:
            gateway.cancel()
        assert not patience.expired(), "the stream hangs"

    async def _gateway(self) -> None:
        sent, answered = 0, False
        while True:
            await asyncio.sleep(0)
            if self.stream.unsent:
                self.stream.open_window(40)
            if len(self.stream.sent) == sent:
                continue
            sent = len(self.stream.sent)
            last = self.stream.replies[-1]
            whole = last.kind == "request_body" and self.stream.upstream.endswith(b"}]}")
            if last.kind == "immediate" or (last.kind == "response_body" and last.end_of_stream):
                self.stream.put(None)
            elif whole and not answered:
                answered = True
                self.stream.put(*RESPONSE)

    @property
    def clean(self) -> bool:
        return self.stream.ended is None

    @property
    def refused(self) -> int | None:
        kinds = [reply.status for reply in self.stream.replies if reply.kind == "immediate"]
        return kinds[0] if kinds else None

    @property
    def bytes(self) -> tuple[bytes, bytes]:
        answer = [
            reply.body or b"" for reply in self.stream.replies if reply.kind == "response_body"
        ]
        return self.stream.upstream, b"".join(answer)


# Single faults


def breaking(event_name: str, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """The machine raises `error` at its first event of this name."""
    receive = Exchange.receive

    def broken(self: Exchange, event: Any, now: float) -> Any:
        if type(event).__name__ == event_name:
            monkeypatch.setattr(Exchange, "receive", receive)
            raise error
        return receive(self, event, now)

    monkeypatch.setattr(Exchange, "receive", broken)


@pytest.mark.parametrize("error", [MemoryError(), KeyError("x"), RecursionError()], ids=repr)
@pytest.mark.parametrize(
    ("mode", "name"),
    [
        (mode, name)
        for mode in TRANSCRIPTS
        for name in ("Opened", "HeadersArrived", "BodyArrived", "ScoresArrived")
        if (mode, name) != ("streamed", "ScoresArrived")  # a piece has been answered by then
    ],
)
def test_a_fault_before_the_reply_is_a_500_for_the_client_and_told_once(
    mode, name, error, run_async, monkeypatch, caplog
):
    breaking(name, monkeypatch, error)
    outcome = Outcome(TRANSCRIPTS[mode], "later")
    run_async(outcome.serve())
    observer = outcome.service.observer
    assert outcome.refused == 500
    assert outcome.clean
    assert outcome.stream.upstream == b""
    assert outcome.stream.credit == 0
    assert observer.notes == [Noted(NoteKind.FAULT, type(error).__name__)]
    (record,) = observer.records
    assert (record.outcome, record.note) == ("internal", type(error).__name__)
    assert record.refused_status == 500
    assert record.notes == {"fault": type(error).__name__}
    (line,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert line.exc_info[1] is error


@pytest.mark.parametrize(
    ("mode", "name"), [("full duplex", "PeerEnded"), ("streamed", "ScoresArrived")]
)
def test_a_fault_behind_the_reply_ends_the_stream_with_internal(mode, name, run_async, monkeypatch):
    breaking(name, monkeypatch, MemoryError())
    outcome = Outcome(TRANSCRIPTS[mode], "later")
    run_async(outcome.serve())
    assert outcome.refused is None
    assert outcome.stream.ended == (Status.INTERNAL, "internal error")
    assert outcome.service.observer.records[0].outcome == "internal"


def test_a_fault_once_the_upstream_has_answered_is_no_refusal(run_async, monkeypatch):
    messages = [head(4), *RESPONSE, None]
    receive = Exchange.receive

    def broken(self: Exchange, event: Any, now: float) -> Any:
        if getattr(event, "direction", "") == "response":
            raise MemoryError
        return receive(self, event, now)

    monkeypatch.setattr(Exchange, "receive", broken)
    outcome = Outcome(messages, "later")
    run_async(outcome.serve())
    assert outcome.refused is None
    assert outcome.stream.ended[0] is Status.INTERNAL


def test_a_gateway_that_only_observes_is_not_told_of_faults(run_async, monkeypatch):
    breaking("HeadersArrived", monkeypatch, MemoryError())
    observed = encode_request(
        Phase.REQUEST_HEADERS, headers=[(":method", b"POST")], observability_mode=True
    )
    outcome = Outcome([observed, None], "later")
    run_async(outcome.serve())
    assert outcome.stream.sent == []
    assert outcome.stream.ended[0] is Status.INTERNAL


def test_a_refusal_after_a_fault_reads_on_until_the_gateway_is_done(run_async, monkeypatch):
    breaking("BodyArrived", monkeypatch, MemoryError())
    outcome = Outcome([head(4), body(BODY[:10])], "later", answers=False)

    async def test() -> None:
        task = asyncio.create_task(outcome.serve())
        await outcome.stream.replied.wait()
        outcome.stream.waited_on.clear()
        outcome.stream.put(*[body(b"x" * 1000)] * 50)
        await outcome.stream.waited_on.wait()
        assert outcome.stream.credit == 0
        assert not task.done()
        outcome.stream.put(None)
        await task
        assert len(outcome.stream.sent) == 1

    run_async(test())


# The sweep


FILES = frozenset(module.__file__ for module in (stream, mailbox, bell))


@contextlib.contextmanager
def counting() -> Iterator[Counter[tuple[str, int]]]:
    """How often each line of the driver and its mailbox is about to run."""
    visits: Counter[tuple[str, int]] = Counter()

    def trace(frame: FrameType, what: str, _: Any) -> Any:
        if frame.f_code.co_filename not in FILES:
            return None
        if what == "line":
            visits[frame.f_code.co_filename, frame.f_lineno] += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield visits
    finally:
        sys.settrace(before)


@contextlib.contextmanager
def raising_at(file: str, line: int, visit: int) -> Iterator[list[bool]]:
    """MemoryError when that line is about to run for the `visit`-th time."""
    left, raised = [visit], [False]

    def trace(frame: FrameType, what: str, _: Any) -> Any:
        if frame.f_code.co_filename != file:
            return None
        if what == "line" and frame.f_lineno == line:
            left[0] -= 1
            if left[0] == 0:
                raised[0] = True
                raise MemoryError("injected")
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield raised
    finally:
        sys.settrace(before)


def judge(outcome: Outcome, right: set[tuple[bytes, bytes]], where: str) -> str:
    """The rule; names what became of the stream."""
    if outcome.refused is not None:
        assert outcome.refused == 500, where
        assert outcome.stream.upstream == b"", f"{where}: refused behind the reply"
        return "refused"
    if not outcome.clean:
        assert outcome.stream.ended[0] is not Status.OK, where
        return "error status"
    assert outcome.bytes in right, f"{where}: a clean end with other bytes"
    return "right"


async def quietly(outcome: Outcome) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    await outcome.serve()


@pytest.mark.parametrize(
    ("mode", "how", "window"),
    [
        ("full duplex", "later", 1 << 60),
        ("full duplex", "never", 30),
        ("buffered", "quick", 30),
    ],
)
def test_memory_that_runs_out_at_any_line_never_ends_clean_with_other_bytes(
    mode: str, how: str, window: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    messages = TRANSCRIPTS[mode]
    usual = Outcome(messages, how, window)
    with counting() as visits:
        asyncio.run(quietly(usual))
    assert usual.clean
    # The classifier's answer may be lost to the fault, or late: then the default model is right.
    right = {(ROUTED, ANSWER), (DEFAULT, ANSWER)}
    assert usual.bytes in right
    became: Counter[str] = Counter()
    for (file, line), count in sorted(visits.items()):
        if linecache.getline(file, line).strip() == "try:":
            continue  # runs nothing, and its own handler does not cover it
        for visit in sorted({1, count}):
            outcome = Outcome(messages, how, window)
            with raising_at(file, line, visit) as raised:
                asyncio.run(quietly(outcome))
            if raised[0]:
                became[judge(outcome, right, f"{file}:{line} visit {visit}")] += 1
    assert became["refused"] > 50, became
    assert became["error status"] > 50, became
