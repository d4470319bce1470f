"""Inbox, outbox and ledger over a stream in memory: order, bounds and accounts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import given
from hypothesis import strategies as st
from memorystream import MemoryStream

from srd.daemon import mailbox
from srd.daemon.bell import Bell
from srd.daemon.mailbox import HeldLedger, Inbox, Outbox
from srd.exchange.events import PeerEnded, Pressure, Timer, TimerFired
from srd.wire.codec import WireError
from srd.wire.messages import Phase, Request
from srd.wire.peer import encode_request

HEADS = {Phase.REQUEST_HEADERS, Phase.RESPONSE_HEADERS}
BODIES = {Phase.REQUEST_BODY, Phase.RESPONSE_BODY}
REQUEST = {Phase.REQUEST_HEADERS, Phase.REQUEST_BODY, Phase.REQUEST_TRAILERS}
UNDECODABLE = b"\x12\xff\xff\xff\xff\x0f"


def message(phase: Phase, mark: int = 0) -> bytes:
    if phase in BODIES:
        return encode_request(phase, body=b"%d" % mark)
    return encode_request(phase, headers=[("mark", b"%d" % mark)])


def mark(request: Request) -> int:
    return int(request.body or request.headers[0][1])


def body(number: int, direction: str = "request") -> bytes:
    return message(Phase.REQUEST_BODY if direction == "request" else Phase.RESPONSE_BODY, number)


def inbox_of(*messages: Any) -> tuple[Inbox, MemoryStream]:
    stream = MemoryStream(*messages)
    return Inbox(stream, Bell()), stream


def every(inbox: Inbox, *, request_body: bool = True, response_body: bool = True) -> list[Any]:
    """All that may be taken now."""
    out = []
    while (item := inbox.next(request_body=request_body, response_body=response_body)) is not None:
        out.append(item)
    return out


# The inbox


def test_events_of_our_own_come_before_messages_and_in_their_own_order() -> None:
    inbox, _ = inbox_of(body(1))
    fired = TimerFired(Timer.IDLE)
    inbox.put(fired)
    inbox.put(Pressure())
    assert inbox.urgent
    first, second, third = every(inbox)
    assert first is fired
    assert second == Pressure()
    assert mark(third) == 1
    assert not inbox.urgent


def test_a_body_that_may_not_be_taken_holds_up_its_own_direction_and_no_other() -> None:
    inbox, _ = inbox_of(
        body(1),
        message(Phase.REQUEST_TRAILERS, 2),
        message(Phase.RESPONSE_HEADERS, 3),
        body(4, "response"),
        None,
    )
    assert [mark(r) for r in every(inbox, request_body=False)] == [3, 4]
    *requests, end = every(inbox)
    assert [mark(r) for r in requests] == [1, 2]
    assert end == PeerEnded()
    assert every(inbox) == []


def test_headers_and_trailers_are_taken_while_no_body_is() -> None:
    inbox, _ = inbox_of(message(Phase.REQUEST_HEADERS, 1), message(Phase.RESPONSE_HEADERS, 2))
    assert [mark(r) for r in every(inbox, request_body=False, response_body=False)] == [1, 2]


def test_bytes_are_the_peers_credit_and_counted_until_they_are_handed_out() -> None:
    inbox, stream = inbox_of(body(1), body(2), message(Phase.RESPONSE_HEADERS, 3))
    whole = inbox.size
    assert whole == stream.unread > 0
    (taken,) = every(inbox, request_body=False)
    assert mark(taken) == 3
    assert stream.unread == 0
    assert stream.credit == inbox.size == len(body(1)) + len(body(2))
    every(inbox)
    assert stream.credit == inbox.size == 0
    stream.begin(1000)
    assert inbox.size == 1000, "an incomplete message is held too"


def test_the_transport_is_waited_for_only_when_nothing_is_left_here() -> None:
    inbox, stream = inbox_of(body(1))
    assert every(inbox, request_body=False) == []
    assert not stream.waited_on.is_set(), "more of this direction cannot be taken"
    every(inbox)
    assert stream.waited_on.is_set()


@pytest.mark.parametrize("what", ["messages", "bytes"])
def test_the_look_ahead_is_bounded(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(body(1))
    if what == "bytes":
        monkeypatch.setattr(mailbox, "AHEAD_BYTES", 10 * size)
    else:
        monkeypatch.setattr(mailbox, "AHEAD_MESSAGES", 10)
    inbox, stream = inbox_of(*[body(1)] * 30)
    assert every(inbox, request_body=False) == []
    assert stream.credit == 10 * size
    assert len(every(inbox)) == 30


def test_what_cannot_be_decoded_ends_the_messages_behind_those_before_it() -> None:
    inbox, _ = inbox_of(body(1), UNDECODABLE, body(2))
    assert every(inbox, request_body=False) == []
    first = inbox.next(request_body=True, response_body=True)
    assert isinstance(first, Request)
    for _ in range(2):
        with pytest.raises(WireError):
            inbox.next(request_body=True, response_body=True)


def test_what_the_transport_refuses_comes_in_its_turn() -> None:
    inbox, _ = inbox_of(body(1), GRPCError(Status.RESOURCE_EXHAUSTED, "too large"))
    assert every(inbox, request_body=False) == []
    assert isinstance(inbox.next(request_body=True, response_body=True), Request)
    with pytest.raises(GRPCError):
        inbox.next(request_body=True, response_body=True)


def test_a_fault_on_the_way_is_raised_before_everything_else_and_once() -> None:
    inbox, _ = inbox_of(body(1))
    inbox.put(Pressure())
    inbox.fail(MemoryError())
    assert inbox.urgent
    with pytest.raises(MemoryError):
        inbox.next(request_body=True, response_body=True)
    assert len(every(inbox)) == 2


def test_discarding_gives_all_credit_back_and_tells_the_end() -> None:
    inbox, stream = inbox_of(body(1), UNDECODABLE, body(2))
    every(inbox, request_body=False)
    inbox.put(Pressure())
    assert not inbox.discard()
    assert stream.waited_on.is_set()
    assert (stream.credit, inbox.size, inbox.urgent) == (0, 0, False)
    stream.put(body(3), None)
    assert inbox.discard()
    assert stream.credit == 0


@given(
    st.lists(st.sampled_from([p for p in Phase if p is not Phase.NONE]), max_size=30),
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 5)), max_size=20),
)
def test_whatever_is_held_up_when_no_direction_changes_its_order(
    phases: list[Phase], turns: list[tuple[bool, bool, int]]
) -> None:
    inbox, stream = inbox_of(*(message(p, n) for n, p in enumerate(phases)), None)
    out: list[Any] = []
    for request_body, response_body, count in turns:
        for _ in range(count):
            item = inbox.next(request_body=request_body, response_body=response_body)
            if item is None:
                break
            if isinstance(item, Request):
                assert item.phase not in BODIES or (
                    request_body if item.phase in REQUEST else response_body
                )
            out.append(item)
    out += every(inbox)
    assert out.pop() == PeerEnded()
    for direction in (True, False):
        got = [mark(r) for r in out if (r.phase in REQUEST) is direction]
        assert got == [n for n, p in enumerate(phases) if (p in REQUEST) is direction]
    assert stream.credit == 0


# The outbox


def test_messages_leave_in_order_as_far_as_the_peer_takes_them() -> None:
    stream = MemoryStream()
    stream.window = 5
    outbox = Outbox(stream, bound=6)
    for text in (b"one", b"two", b"three"):
        outbox.put(text)
    assert stream.sent == [], "putting sends nothing"
    outbox.flush()
    assert stream.sent == [b"one"]
    assert (outbox.size, outbox.full, outbox.empty) == (6, False, False)
    outbox.put(b"x")
    assert outbox.full
    stream.open_window(100)
    outbox.flush()
    assert stream.sent == [b"one", b"two", b"three", b"x"]
    assert (outbox.size, outbox.full, outbox.empty) == (0, False, True)


# The ledger


def test_shares_add_up_and_are_given_back_once() -> None:
    service: Any = SimpleNamespace(held_bytes=0)
    first, second = HeldLedger(service), HeldLedger(service)
    first.settle(100)
    second.settle(20)
    second.arrived(5)
    first.settle(60)
    assert service.held_bytes == 85
    second.close()
    second.close()
    second.arrived(1000)
    second.settle(7)
    assert service.held_bytes == 60
    first.close()
    assert service.held_bytes == 0
    assert repr(first) == "<HeldLedger 0 bytes, closed>"
