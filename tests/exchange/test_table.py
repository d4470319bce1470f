"""The table of transitions: every pair is a row or an error of its own class, and rows are kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playbook import CONFIG, PLAIN, Playbook, body, headers, policy_of, pressure

from srd.classify.api import Scores
from srd.exchange.errors import ExchangeBug, GatewayProtocolError
from srd.exchange.events import (
    BodyArrived,
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
    TrailersArrived,
)
from srd.exchange.exchange import Exchange
from srd.exchange.passage import Passage
from srd.exchange.request import RequestHalf
from srd.exchange.response import ResponseHalf
from srd.exchange.states import State
from srd.exchange.table import IGNORED, TABLE, Row, row_of

BLOCKING = policy_of(
    PLAIN.replace(
        "modelRefs: [{model: base-model, lora_name: general-expert, use_reasoning: true}]",
        'plugins: [{type: fast_response, configuration: {message: "No."}}]\n      blocking: false',
    )
)
TAIL = policy_of(
    CONFIG.replace("early_decision: {", "early_decision: {tail_insertion: true, ").replace(
        "{name: thinking, ", "{name: thinking, scope: full, "
    )
)
LARGE = b'{"model":"auto","messages":[{"role":"user","content":"' + b"the derivative? " * 200
MESSAGES = (HeadersArrived, BodyArrived, TrailersArrived)
OURS = (ScoresArrived, ScoresFailed, TimerFired, Pressure, RoomMade)
#: What the gateway may not say in a state, whatever srd makes of the rest.
FORBIDDEN = {
    ("request", state, HeadersArrived)
    for state in (State.HOLDING, State.ANSWERING, State.TAIL, State.FLOWING)
} | {("response", state, HeadersArrived) for state in (State.FLOWING, State.DONE)}
RESPONSE_STATES = (State.WAITING, State.FLOWING, State.DONE, State.CLOSED)


def sample(half: str, kind: type[Event]) -> Event:
    """One event of this kind."""
    made: dict[type, Event] = {
        HeadersArrived: HeadersArrived(half, headers().headers, False),  # type: ignore[arg-type]
        BodyArrived: BodyArrived(half, b"x", False),  # type: ignore[arg-type]
        TrailersArrived: TrailersArrived(half),  # type: ignore[arg-type]
        ScoresArrived: ScoresArrived(99, Scores()),
        ScoresFailed: ScoresFailed(99, "late"),
        TimerFired: TimerFired(Timer.BUDGET),
        Pressure: Pressure(),
        RoomMade: RoomMade(),
    }
    return made[kind]


def started(policy=BLOCKING, *sent) -> Exchange:
    play = Playbook(policy)
    for one in sent:
        play >> one
        play.take()
    return play.exchange


def opened() -> Exchange:
    exchange = Exchange(BLOCKING)
    exchange.receive(Opened(BodyMode.FULL_DUPLEX_STREAMED, BodyMode.FULL_DUPLEX_STREAMED), 0.0)
    return exchange


IN_STATE: dict[State, Callable[[], Exchange]] = {
    State.WAITING: opened,
    State.HOLDING: lambda: started(BLOCKING, headers(), body(LARGE[:100])),
    State.ANSWERING: lambda: started(BLOCKING, headers(), body(LARGE[:80] + b" think"), pressure()),
    State.TAIL: lambda: started(TAIL, headers(), body(LARGE)),
    State.FLOWING: lambda: started(BLOCKING, headers("/upload")),
    State.DONE: lambda: started(BLOCKING, headers("/upload", end=True)),
    State.CLOSED: lambda: started(BLOCKING, headers(), body(b"no json")),
}


@pytest.mark.parametrize("kind", [*MESSAGES, *OURS])
@pytest.mark.parametrize("state", State)
def test_a_request_is_taken_by_its_row_or_refused_by_name(state, kind):
    exchange = IN_STATE[state]()
    half = exchange.request
    assert half.state is state
    key = ("request", state, kind)
    if key in FORBIDDEN:
        with pytest.raises(GatewayProtocolError, match=f"{kind.__name__} of the request"):
            exchange.receive(sample("request", kind), 1.0)
        assert half.state is state
        return
    commands = exchange.receive(sample("request", kind), 1.0)
    row = TABLE[key]
    if row.handle is None:
        assert commands == []
        assert half.state is state
    assert half.state is state or half.state in row.to


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("state", RESPONSE_STATES)
def test_a_response_is_taken_by_its_row_or_refused_by_name(state, kind):
    exchange = opened()
    half = exchange.response
    fields = ((":status", b"200"), ("content-type", b"application/json"))
    if state is not State.WAITING:
        exchange.receive(HeadersArrived("response", fields, state is State.DONE), 1.0)
    if state is State.CLOSED:
        half.close()
    assert half.state is state
    key = ("response", state, kind)
    if key in FORBIDDEN:
        with pytest.raises(GatewayProtocolError, match=f"{kind.__name__} of the response"):
            exchange.receive(sample("response", kind), 1.0)
        return
    exchange.receive(sample("response", kind), 1.0)
    assert half.state is state or half.state in TABLE[key].to


def test_a_pair_that_is_no_row_says_whose_fault_it_is():
    """A message is the gateway's doing; an event of our own, sent to the wrong half, is ours."""
    for half in ("request", "response"):
        for state in State:
            for kind in (*MESSAGES, *OURS):
                event, row = sample(half, kind), TABLE.get((half, state, kind))
                if row is not None:
                    assert row_of(half, state, event) is row
                    continue
                error = GatewayProtocolError if kind in MESSAGES else ExchangeBug
                with pytest.raises(error, match=f"{kind.__name__} of the {half} while"):
                    row_of(half, state, event)
    listed = {key for key in FORBIDDEN if key in TABLE}
    assert listed == set()


def test_what_is_of_our_own_making_may_come_late_in_every_state():
    for state in State:
        for kind in OURS:
            assert ("request", state, kind) in TABLE


def test_opening_and_ending_are_legal_in_every_state_and_no_rows():
    assert {kind for _, _, kind in TABLE} == {*MESSAGES, *OURS}
    for state, make in IN_STATE.items():
        exchange = make()
        exchange.receive(PeerEnded(reset=True), 1.0)
        assert exchange.request.state is State.CLOSED, state
        assert exchange.held == 0
        assert exchange.receive(sample("request", BodyArrived), 1.0) == []


def test_every_handler_has_a_row_and_every_row_a_handler_of_its_half():
    rows: dict[str, set[object]] = {"request": set(), "response": set()}
    for (half, _, _), row in TABLE.items():
        if row.handle is not None:
            rows[half].add(row.handle)
        else:
            assert row is IGNORED or row == IGNORED
    for half, owner in (("request", RequestHalf), ("response", ResponseHalf)):
        written = {getattr(owner, name) for name in dir(owner) if name.startswith("on_")}
        assert rows[half] == written


def test_a_state_without_a_way_out_is_an_end():
    """CLOSED leads nowhere; DONE nowhere either; every other state can reach an end."""
    ways: dict[tuple[str, State], set[State]] = {}
    for (half, state, _), row in TABLE.items():
        ways.setdefault((half, state), set()).update(row.to)
    for half in ("request", "response"):
        assert not ways[(half, State.DONE)]
        assert not ways[(half, State.CLOSED)]
    for (half, state), found in ways.items():
        if state in (State.DONE, State.CLOSED):
            continue
        reached = {state}
        while more := set().union(*(ways.get((half, one), set()) for one in reached)) - reached:
            reached |= more
        assert reached & {State.DONE, State.CLOSED}, (half, state, found)


def test_a_handler_that_leads_where_its_row_does_not_is_a_bug(monkeypatch):
    """Nothing is answered then: before the commit it is the fault of ours that a 500 tells of."""
    key = ("request", State.WAITING, HeadersArrived)
    narrow = {**TABLE, key: Row(TABLE[key].handle, frozenset({State.FLOWING}))}
    monkeypatch.setattr("srd.exchange.table.TABLE", narrow)
    play = Playbook(BLOCKING)
    play >> headers()
    (reply,) = play.take()
    assert reply.status == 500
    (note,) = play.made.notes
    assert isinstance(note.error, ExchangeBug)


def test_a_step_without_a_row_is_a_bug():
    half = Passage(BLOCKING, BodyMode.FULL_DUPLEX_STREAMED)
    with pytest.raises(ExchangeBug):
        half.on_first_trailers(TrailersArrived("request"), 0.0)


def test_a_first_message_may_lead_anywhere_that_a_held_one_may():
    """Without a header phase everything may come in one message: the end, a decision, mode T."""
    for policy, sent, state in (
        (BLOCKING, body(LARGE[:100]), State.HOLDING),
        (TAIL, body(LARGE), State.TAIL),
        (BLOCKING, body(b"a=1"), State.FLOWING),
        (BLOCKING, body(b"a=1", end=True), State.DONE),
        (BLOCKING, body(b'{"model":"nobody"'), State.CLOSED),
    ):
        play = Playbook(policy, skip_headers=True)
        play >> sent
        assert play.exchange.request.state is state
        assert not [note for note in play.made.notes if note.error]
