"""The driver on a stream of our own making: every way to end, limits, observers; books at zero."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from memorystream import MemoryStream
from playbook import PLAIN, label_scores, policy_of

from srd.classify.api import Ask, Scores
from srd.daemon.service import Service
from srd.daemon.stream import StreamDriver
from srd.exchange import Policy
from srd.wire.messages import Phase, ProtocolConfig
from srd.wire.peer import encode_request

DUPLEX = ProtocolConfig(4, 0)
MATH = b'{"model":"auto","messages":[{"role":"user","content":"A derivative, please"}]}'
ROUTED = MATH.replace(b"auto", b"math-expert")
DEFAULT = MATH.replace(b"auto", b"base-model")
HEADERS = (
    (":method", b"POST"),
    (":path", b"/v1/chat/completions"),
    ("content-type", b"application/json"),
)


def headers(config: ProtocolConfig = DUPLEX) -> bytes:
    return encode_request(Phase.REQUEST_HEADERS, headers=HEADERS, protocol_config=config)


def body(data: bytes, *, end: bool = False) -> bytes:
    return encode_request(Phase.REQUEST_BODY, body=data, end_of_stream=end)


class FakeClassifier:
    """`answer` is what every ask gets: Scores, an exception in the future, or None for silence."""

    labels = ("math", "law", "other")

    def __init__(self, answer: Scores | Exception | None) -> None:
        self.answer = answer
        self.futures: list[Future[Scores]] = []
        self.asked = asyncio.Event()

    def quick(self, ask: Ask) -> Scores | None:
        return None

    def submit(self, ask: Ask) -> Future[Scores]:
        future: Future[Scores] = Future()
        self.futures.append(future)
        self.asked.set()
        if isinstance(self.answer, Scores):
            future.set_result(self.answer)
        elif self.answer is not None:
            future.set_exception(self.answer)
        return future

    def embed(self, texts: object) -> list[list[float]]:
        return []

    def close(self) -> None: ...


class Broken(FakeClassifier):
    """A front door that raises, which the contract forbids."""

    def quick(self, ask: Ask) -> Scores | None:
        raise RuntimeError("broken")


def policy(limits: str = "") -> Policy:
    return policy_of(PLAIN + f"    limits: {{{limits}}}\n")


def service_with(classifier: FakeClassifier | None, limits: str = "") -> Service:
    return Service(policy(limits), classifier)


MATHS = label_scores("math")


async def drive(service: Service, stream: MemoryStream) -> StreamDriver:
    driver = StreamDriver(service, stream)
    async with asyncio.timeout(20):
        await driver.run()
    return driver


@pytest.fixture
def run(caplog: pytest.LogCaptureFixture) -> Callable[..., None]:
    """Run a coroutine with a service; afterwards the books are at zero."""

    def runner(play: Callable[[Service], object], service: Service) -> None:
        with caplog.at_level(logging.DEBUG):
            asyncio.run(play(service))
        assert (service.open_streams, service.held_bytes, service.streams) == (0, 0, {})

    return runner


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_messages_go_in_and_answers_come_out(run, caplog):
    async def play(service):
        stream = MemoryStream(headers(), body(MATH[:40]), body(MATH[40:], end=True), None)
        driver = await drive(service, stream)
        assert stream.replies[0].kind == "request_headers"
        assert stream.replies[0].header("x-selected-model") == b"math-expert"
        assert stream.upstream == ROUTED
        assert stream.replies[-1].end_of_stream
        assert (driver.record.outcome, driver.record.bytes_in) == ("ok", len(MATH))
        assert driver.record.bytes_out == len(ROUTED)
        assert stream.ended is None

    run(play, service_with(FakeClassifier(MATHS)))
    assert errors(caplog) == []


def test_009_a_stream_without_messages_ends_quietly(run, caplog):
    async def play(service):
        stream = MemoryStream(None)
        await drive(service, stream)
        assert (stream.replies, stream.ended) == ([], None)

    run(play, service_with(None))
    assert errors(caplog) == []


def test_077_an_unknown_body_mode_is_unimplemented(run):
    async def play(service):
        stream = MemoryStream(headers(ProtocolConfig(5, 0)))
        driver = await drive(service, stream)
        assert stream.ended[0] is Status.UNIMPLEMENTED
        assert stream.replies == []
        assert driver.record.outcome == "protocol_error"

    run(play, service_with(None))


def test_094_a_message_over_the_limit_keeps_the_transports_status(run, caplog):
    async def play(service):
        stream = MemoryStream(headers(), GRPCError(Status.RESOURCE_EXHAUSTED, "too large"))
        with pytest.raises(GRPCError) as caught:
            await drive(service, stream)
        assert caught.value.status is Status.RESOURCE_EXHAUSTED
        assert stream.ended is None

    run(play, service_with(None))
    assert errors(caplog) == []


def test_one_stream_over_the_limit_is_a_503_that_says_when_to_come_back(run):
    async def play(service):
        first, second = MemoryStream(headers()), MemoryStream(headers(), body(MATH, end=True), None)
        held = asyncio.create_task(drive(service, first))
        await first.waited_on.wait()
        driver = await drive(service, second)
        (refusal,) = second.replies
        assert (refusal.kind, refusal.status) == ("immediate", 503)
        assert refusal.header("retry-after") == b"1"
        assert driver.record.outcome == "refused"
        assert service.refused_streams == 1
        first.put(body(MATH, end=True), None)
        await held
        assert first.upstream == ROUTED

    run(play, service_with(FakeClassifier(MATHS), "max_streams: 1"))


def test_as_many_streams_as_the_limit_says_are_served(run):
    async def play(service):
        streams = [MemoryStream(headers()) for _ in range(3)]
        tasks = [asyncio.create_task(drive(service, stream)) for stream in streams]
        for stream in streams:
            await stream.waited_on.wait()
        assert service.open_streams == 3
        for stream in streams:
            stream.put(body(MATH, end=True), None)
        await asyncio.gather(*tasks)
        assert [stream.upstream for stream in streams] == [ROUTED] * 3

    run(play, service_with(FakeClassifier(MATHS), "max_streams: 3"))


@pytest.mark.parametrize(
    "classifier", [FakeClassifier(RuntimeError("no")), Broken(None), None], ids=repr
)
def test_087_a_classifier_that_raises_means_the_default_model(run, classifier):
    async def play(service):
        stream = MemoryStream(headers(), body(MATH, end=True), None)
        driver = await drive(service, stream)
        assert stream.upstream == DEFAULT
        assert driver.record.decision.basis == "fallback"
        assert [bool(run.failure) for run in driver.record.runs] == [True]

    run(play, service_with(classifier))


def test_088_a_classifier_that_hangs_means_the_default_model_and_is_told(run):
    async def play(service):
        stream = MemoryStream(headers(), body(MATH, end=True), None)
        driver = await drive(service, stream)
        assert stream.upstream == DEFAULT
        assert driver.record.decision.basis == "fallback"
        (future,) = service.classifier.futures
        assert future.cancelled()

    run(play, service_with(FakeClassifier(None), "classify_timeout_ms: 1"))


def test_090_a_reset_while_scores_are_out_frees_everything(run, caplog):
    async def play(service):
        classifier = service.classifier
        task = asyncio.create_task(drive(service, MemoryStream(headers(), body(MATH, end=True))))
        await classifier.asked.wait()
        await asyncio.sleep(0)
        assert service.held_bytes > 0
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert classifier.futures[0].cancelled()

    run(play, service_with(FakeClassifier(None)))
    assert errors(caplog) == []


def test_091_also_when_the_answer_was_due_to_a_timer(run, caplog):
    async def play(service):
        stream = MemoryStream(headers(), body(MATH, end=True))
        stream.gone = True
        task = asyncio.create_task(drive(service, stream))
        await stream.replied.wait()
        await task
        assert stream.ended is None

    run(play, service_with(FakeClassifier(None), "classify_timeout_ms: 1"))
    assert errors(caplog) == []


class Grumbler:
    """An observer that raises wherever it is told something."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        def fail(*arguments: object) -> object:
            raise RuntimeError(name)

        return fail


def test_an_observer_that_raises_does_not_touch_the_request(run):
    async def play(service):
        service.observer = Grumbler()
        stream = MemoryStream(headers(), body(MATH, end=True), None)
        driver = await drive(service, stream)
        assert stream.upstream == ROUTED
        assert driver.record.outcome == "ok"
        assert service.observer_failures == 5  # opened, decided, noted, headers, ended

    run(play, service_with(FakeClassifier(MATHS)))


def test_held_bytes_over_the_process_limit_are_shed_by_deciding(run):
    async def play(service):
        stream = MemoryStream(headers(), body(MATH[:60]))
        task = asyncio.create_task(drive(service, stream))
        await stream.replied.wait()
        assert service.pressure_events == 1
        stream.put(body(MATH[60:], end=True), None)
        await task
        assert stream.upstream in (ROUTED, DEFAULT)

    run(play, service_with(FakeClassifier(MATHS), "max_held_bytes_total: 50"))
