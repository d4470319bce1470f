"""The one table of transitions: (half, state, event) -> what handles it and where it may lead.

Why this file exists: whether an event is legal is answered here, in every build, for both halves
alike. A pair that is not listed is an error, and its class says who made it: the gateway where the
event is a message, srd where it is one of our own. It must not know what a handler does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from srd.exchange.commands import Command
from srd.exchange.errors import ExchangeBug, GatewayProtocolError
from srd.exchange.events import (
    BodyArrived,
    Event,
    HeadersArrived,
    Pressure,
    RoomMade,
    ScoresArrived,
    ScoresFailed,
    TimerFired,
    TrailersArrived,
)
from srd.exchange.request import RequestHalf
from srd.exchange.response import ResponseHalf
from srd.exchange.states import State

Handler = Callable[[Any, Any, float], list[Command]]
Key = tuple[str, State, type[Event]]


@dataclass(frozen=True, slots=True)
class Row:
    """`handle` None: the event is legal and means nothing here. `to`: states it may lead to,
    besides staying."""

    handle: Handler | None = None
    to: frozenset[State] = frozenset()


IGNORED = Row()
_W, _H, _A, _T, _F, _D, _C = State
_MESSAGES = (HeadersArrived, BodyArrived, TrailersArrived)
_OURS = (ScoresArrived, ScoresFailed, TimerFired, Pressure, RoomMade)


def _to(handle: Handler, *states: State) -> Row:
    return Row(handle, frozenset(states))


def _request() -> dict[Key, Row]:
    half, out = RequestHalf, (_F, _D, _C)
    rows: dict[tuple[State, type[Event]], Row] = {
        (_W, HeadersArrived): _to(half.on_headers, _H, *out),
        (_W, BodyArrived): _to(half.on_first_body, _H, _A, _T, *out),
        (_W, TrailersArrived): _to(half.on_first_trailers, _D),
        (_H, BodyArrived): _to(half.on_held_body, _A, _T, *out),
        (_H, TrailersArrived): _to(half.on_held_trailers, _A, *out),
        (_H, ScoresArrived): _to(half.on_scores, _A, _T, *out),
        (_H, ScoresFailed): _to(half.on_scores, _A, _T, *out),
        (_H, TimerFired): _to(half.on_timer, _A, _T, *out),
        (_H, Pressure): _to(half.on_pressure, _A, _T, *out),
        (_A, BodyArrived): _to(half.on_held_body, _C),
        (_A, TrailersArrived): _to(half.on_held_trailers, _C),
        (_A, TimerFired): _to(half.on_answer_timer, _C),
        (_T, BodyArrived): _to(half.on_tail_body, _F, _D),
        (_T, TrailersArrived): _to(half.on_tail_trailers, _F, _D),
        (_T, ScoresArrived): _to(half.on_scores, _F, _D),
        (_T, ScoresFailed): _to(half.on_scores, _F, _D),
        (_T, TimerFired): _to(half.on_timer, _F, _D),
        (_F, BodyArrived): _to(half.on_flowing_body, _D),
        (_F, TrailersArrived): _to(half.on_flowing_trailers, _D),
        (_F, TimerFired): _to(half.on_flowing_timer),
        (_F, RoomMade): _to(half.on_room, _D),
    }
    # Ours may always come late: a timer, a score or an offer of room has no order with messages.
    late = {(state, event): IGNORED for state in State for event in _OURS}
    # After the end the gateway may repeat itself (Envoy #46237).
    after = {(state, event): IGNORED for state in (_D, _C) for event in _MESSAGES}
    return {("request", *key): row for key, row in (late | after | rows).items()}


def _response() -> dict[Key, Row]:
    half = ResponseHalf
    rows: dict[tuple[State, type[Event]], Row] = {
        # The gateway does not announce whether it sends headers: any message may be the first.
        (_W, HeadersArrived): _to(half.on_headers, _F, _D),
        (_W, BodyArrived): _to(half.on_body, _F, _D),
        (_W, TrailersArrived): _to(half.on_trailers, _D),
        (_F, BodyArrived): _to(half.on_body, _D),
        (_F, TrailersArrived): _to(half.on_trailers, _D),
        # Behind the end may come what Envoy is known to send twice, the last piece of a body.
        (_D, BodyArrived): IGNORED,
        (_D, TrailersArrived): IGNORED,
    }
    closed = {(_C, event): IGNORED for event in _MESSAGES}
    return {("response", *key): row for key, row in (rows | closed).items()}


TABLE: Mapping[Key, Row] = _request() | _response()


def row_of(half: str, state: State, event: Event) -> Row:
    """The row of an event; GatewayProtocolError or ExchangeBug where there is none."""
    row = TABLE.get((half, state, type(event)))
    if row is not None:
        return row
    what = f"{type(event).__name__} of the {half} while {state.value}"
    if isinstance(event, _MESSAGES):
        raise GatewayProtocolError(what)
    raise ExchangeBug(what)
