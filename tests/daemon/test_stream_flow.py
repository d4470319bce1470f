"""The driver's one loop: what it takes when, what it never waits for, and what cannot be stale."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

import pytest
from memorystream import MemoryStream
from playbook import PLAIN, label_scores, policy_of

from srd.daemon.service import Service
from srd.daemon.stream import StreamDriver
from srd.exchange.commands import AskClassifier, Command, ReplyChunk, StartTimer, StopTimers
from srd.exchange.events import (
    BodyArrived,
    Event,
    HeadersArrived,
    PeerEnded,
    Pressure,
    RoomMade,
    ScoresArrived,
    Timer,
    TimerFired,
)
from srd.wire.messages import Phase, ProtocolConfig
from srd.wire.peer import encode_request

HEADERS = encode_request(
    Phase.REQUEST_HEADERS, headers=[(":method", b"POST")], protocol_config=ProtocolConfig(4, 4)
)
RESPONSE = encode_request(Phase.RESPONSE_HEADERS, headers=[(":status", b"200")])


def body(data: bytes, *, end: bool = False) -> bytes:
    return encode_request(Phase.REQUEST_BODY, body=data, end_of_stream=end)


class Machine:
    """An exchange of the test's making: `answers` maps events to commands."""

    def __init__(self, answers: Callable[[Event], list[Command]] = lambda event: []) -> None:
        self.answers = answers
        self.seen: list[Event] = []
        self.full = self.more = self.owes = self.committed = False
        self.held = 0
        self.request = self

    facts = None

    def receive(self, event: Event, now: float) -> list[Command]:
        self.seen.append(event)
        return self.answers(event)

    @property
    def bodies(self) -> list[bytes]:
        return [e.data for e in self.seen if isinstance(e, BodyArrived)]


class Classifier:
    """`instantly` is the answer of `quick`; else the test sets the future."""

    def __init__(self, instantly: Any = None) -> None:
        self.instantly = instantly
        self.future: Future[Any] = Future()

    def quick(self, ask: Any) -> Any:
        return self.instantly

    def submit(self, ask: Any) -> Future[Any]:
        return self.future


@pytest.fixture
def start(run_async: Any) -> Callable[..., None]:
    """Run `script(stream, machine, driver, task)` beside a driver; the books end at zero."""

    def begin(
        script: Callable[..., Coroutine[Any, Any, None]],
        machine: Machine,
        *messages: bytes | None,
        classifier: Any = None,
        limits: str = "",
    ) -> None:
        async def test() -> None:
            service = Service(policy_of(PLAIN + f"    limits: {{{limits}}}\n"), classifier)
            stream = MemoryStream(*messages)
            driver = StreamDriver(service, stream, lambda policy: machine)  # type: ignore[arg-type]
            task = asyncio.create_task(driver.run())
            await script(stream, machine, driver, task)
            await task
            assert (service.open_streams, service.held_bytes, service.streams) == (0, 0, {})

        run_async(test())

    return begin


def echo(event: Event) -> list[Command]:
    if isinstance(event, BodyArrived):
        return [ReplyChunk(event.direction, event.data, event.end)]
    return []


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_peer_that_does_not_read_stops_the_reading_of_bodies_and_of_nothing_else(start):
    piece = body(b"x" * 60_000)

    async def script(stream, machine, driver, task):
        await settle()
        taken = len(machine.bodies)
        assert 5 <= taken < 9, "a bounded number"
        assert driver._outbox.full
        assert driver._service.held_bytes >= 9 * 60_000 - 100, "what waits is counted, once"
        stream.put(RESPONSE)
        await settle()
        assert machine.seen[-1].direction == "response", "headers behind bodies are taken"
        assert len(machine.bodies) == taken
        stream.open_window(1 << 40)
        await settle()
        assert len(machine.bodies) == 9
        assert stream.upstream == b"x" * 9 * 60_000
        stream.put(None)

    async def stall(stream, machine, driver, task):
        stream.window = 100
        stream.put(HEADERS, *[piece] * 9)
        await script(stream, machine, driver, task)

    start(stall, Machine(echo))


def test_the_end_waits_until_everything_has_left(start):
    async def script(stream, machine, driver, task):
        stream.window = 10
        stream.put(HEADERS, body(b"x" * 1000, end=True), None)
        await settle()
        assert PeerEnded() in machine.seen
        assert not task.done()
        stream.open_window(2000)
        await task
        assert stream.upstream == b"x" * 1000
        assert machine.seen[-1] == PeerEnded(reset=True)

    start(script, Machine(echo))


def test_a_gateway_that_is_lost_while_it_does_not_read_ends_the_stream(start, caplog):
    async def script(stream, machine, driver, task):
        stream.window = 10
        stream.put(HEADERS, body(b"x" * 1000))
        await settle()
        stream.lose()
        await task
        assert stream.ended is None

    start(script, Machine(echo))
    assert not caplog.records


def test_no_body_of_the_request_is_taken_while_the_machine_is_full(start):
    async def script(stream, machine, driver, task):
        machine.full = True
        stream.put(HEADERS, body(b"1"), RESPONSE)
        stream.put(encode_request(Phase.RESPONSE_BODY, body=b"r"))
        await settle()
        assert machine.bodies == [b"r"]
        machine.full = False
        driver._inbox.put(Pressure())
        await settle()
        assert machine.bodies == [b"r", b"1"]
        stream.put(None)

    start(script, Machine())


def test_what_is_left_inside_a_coded_body_comes_out_before_the_next_message(start):
    machine = Machine()

    def answers(event: Event) -> list[Command]:
        if isinstance(event, BodyArrived):
            machine.more = True
        if isinstance(event, RoomMade):
            machine.more = sum(isinstance(e, RoomMade) for e in machine.seen) % 3 > 0
            return [ReplyChunk("request", b"o" * 100_000)]
        return echo(event) if isinstance(event, BodyArrived) else []

    async def script(stream, machine, driver, task):
        stream.window = 150_000
        stream.put(HEADERS, body(b"1"), body(b"2"), None)
        await settle()
        rooms = [type(event).__name__ for event in machine.seen[2:]]
        assert rooms == ["BodyArrived", *["RoomMade"] * 3, "BodyArrived", *["RoomMade"] * 2]
        assert driver._outbox.full, "the sixth piece has to wait for room"
        stream.open_window(1 << 40)
        await task
        assert stream.upstream == b"1" + b"o" * 300_000 + b"2" + b"o" * 300_000

    machine.answers = answers
    start(script, machine)


def test_a_timer_that_was_stopped_or_restarted_behind_its_expiry_says_nothing(start):
    idle, classify = Timer.IDLE, Timer.CLASSIFY

    def answers(event: Event) -> list[Command]:
        if isinstance(event, HeadersArrived):
            return [StartTimer(idle, 0.0), StartTimer(classify, 0.0)]
        if isinstance(event, TimerFired) and event.timer is idle:
            return [StopTimers(), StartTimer(classify, 3600.0)]
        return []

    async def script(stream, machine, driver, task):
        await settle()
        await asyncio.sleep(0.01)
        await settle()
        fired = [event.timer for event in machine.seen if isinstance(event, TimerFired)]
        assert fired == [idle], "both had run out, the first stopped the second"
        stream.put(None)

    start(script, Machine(answers), HEADERS)


def test_an_answer_to_a_question_that_was_replaced_says_nothing(start):
    ask = AskClassifier(1, _ask())

    def answers(event: Event) -> list[Command]:
        if isinstance(event, HeadersArrived):
            return [ask, AskClassifier(2, _ask())]
        return []

    async def script(stream, machine, driver, task):
        await settle()
        answered = [event.ask_id for event in machine.seen if isinstance(event, ScoresArrived)]
        assert answered == [2]
        stream.put(None)

    start(script, Machine(answers), HEADERS, classifier=Classifier(label_scores("math")))


def _ask() -> Any:
    from srd.classify.api import Ask

    return Ask(text="x", heads=frozenset({"domain"}), window=64)


def test_an_answer_at_once_is_dealt_with_behind_the_commands_of_its_question(start):
    def answers(event: Event) -> list[Command]:
        if isinstance(event, HeadersArrived):
            return [AskClassifier(1, _ask()), ReplyChunk("request", b"first")]
        if isinstance(event, ScoresArrived):
            return [ReplyChunk("request", b", second")]
        return []

    async def script(stream, machine, driver, task):
        await task
        assert stream.upstream == b"first, second"

    start(script, Machine(answers), HEADERS, None, classifier=Classifier(label_scores("math")))


def test_scores_and_timers_are_seen_before_messages_that_wait(start):
    def answers(event: Event) -> list[Command]:
        return [AskClassifier(1, _ask())] if isinstance(event, HeadersArrived) else []

    async def script(stream, machine, driver, task):
        await task
        names = [type(event).__name__ for event in machine.seen]
        assert names[2:5] == ["ScoresArrived", "BodyArrived", "PeerEnded"]

    classifier = Classifier(label_scores("math"))
    start(script, Machine(answers), HEADERS, body(b"1"), None, classifier=classifier)


def test_a_stream_with_much_to_do_lets_the_others_have_their_turn(start):
    async def script(stream, machine, driver, task):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert 0 < len(machine.bodies) < 100
        await task
        assert len(machine.bodies) == 100

    start(script, Machine(echo), HEADERS, *[body(b"1")] * 100, None)


def test_an_incomplete_message_counts_as_held_until_the_stream_is_over(start):
    async def script(stream, machine, driver, task):
        await settle()
        before = driver._service.held_bytes
        stream.begin(5000)
        assert driver._service.held_bytes == before + 5000
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        stream.begin(5000)
        assert driver._service.held_bytes == 0
        driver._bell.ring()

    async def outer(stream, machine, driver, task):
        await script(stream, machine, driver, task)

    with pytest.raises(asyncio.CancelledError):
        start(outer, Machine(), HEADERS)


def test_pressure_is_told_to_a_machine_that_holds_and_is_not_committed(start):
    def holding(event: Event) -> list[Command]:
        machine.held = 100 if isinstance(event, BodyArrived) else machine.held
        return []

    machine = Machine(holding)

    async def script(stream, machine, driver, task):
        await settle()
        assert machine.seen[-1] == Pressure()
        assert driver._service.pressure_events == 1
        machine.committed = True
        stream.put(body(b"2"))
        await settle()
        assert driver._service.pressure_events == 1
        stream.put(None)

    start(script, machine, HEADERS, body(b"1"), limits="max_held_bytes_total: 50")
