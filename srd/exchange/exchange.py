"""One HTTP exchange as a state machine: events in, commands out.

Why this file exists: it joins the request half and the response half under one table of legal
events, so that the driver has a single thing to drive. It must not know how either half works.

>>> commands = exchange.receive(event, now)   # `now`: Unix seconds, for ids and the memo

Every event is legal or raises GatewayProtocolError; a closed exchange answers nothing. In
observability mode (protocol reference 1.7.6) it says nothing at all.
"""

from __future__ import annotations

from srd.decide.decision import Decision
from srd.exchange.commands import Command
from srd.exchange.errors import GatewayProtocolError
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
    TimerFired,
    TrailersArrived,
)
from srd.exchange.policy import Policy
from srd.exchange.request import RequestHalf, State
from srd.exchange.response import ResponseHalf


class Exchange:
    """One gRPC stream's exchange. Not thread-safe; owned by one driver."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.request = RequestHalf(policy, BodyMode.UNKNOWN)
        self.response = ResponseHalf(BodyMode.UNKNOWN, BodyMode.UNKNOWN)
        self._opened = False
        self._silent = False
        self._closed = False

    def __repr__(self) -> str:
        return f"<Exchange {self.request!r} {self.response!r} {self.decision or 'undecided'}>"

    @property
    def decision(self) -> Decision | None:
        """What was decided, once it was."""
        return self.request.decision

    @property
    def held(self) -> int:
        """Body bytes held now, for the process-wide account."""
        return self.request.held

    @property
    def full(self) -> bool:
        """True while the driver should not read on: the next message could break the cap."""
        return self.request.full

    @property
    def owes(self) -> bool:
        """True while a body that ended is still unanswered: a half-close does not end it."""
        return self.request.owes

    @property
    def committed(self) -> bool:
        """True once body bytes may have left: from then on nothing may fail."""
        return self.request.state in (State.FLOWING, State.TAIL)

    def receive(self, event: Event, now: float) -> list[Command]:
        """What `event` causes, in order. Raises GatewayProtocolError for an illegal event."""
        if self._closed:
            return []
        if self._silent:
            return []
        return self._dispatch(event, now)

    def _dispatch(self, event: Event, now: float) -> list[Command]:
        if self.request.refused and not isinstance(event, PeerEnded):
            return []  # answered by ourselves: read on, say nothing more
        match event:
            case BodyArrived("request", data, end):
                return self.request.body(data, end, now)
            case BodyArrived(_, data, end):
                return self.response.body(data, end)
            case HeadersArrived("request", headers, end):
                return self.request.headers(headers, end, now)
            case HeadersArrived(_, headers, end):
                return self._response_headers(event)
            case TrailersArrived("request"):
                return self.request.trailers(now)
            case TrailersArrived():
                return self.response.trailers()
            case ScoresArrived(ask_id, scores):
                return self.request.scores(ask_id, now, scores)
            case ScoresFailed(ask_id, reason):
                return self.request.scores(ask_id, now, reason)
            case TimerFired(timer):
                return self.request.timer(timer, now)
            case Pressure():
                return self.request.pressure(now)
            case RoomMade():
                return []
            case Opened():
                return self._open(event)
            case PeerEnded(reset):
                if self.owes and not reset:
                    return []
                self._closed = True
                return [*self.request.close(), *self.response.close()]

    def _open(self, event: Opened) -> list[Command]:
        if self._opened:
            raise GatewayProtocolError("the stream was opened twice")
        self._opened, self._silent = True, event.observability
        self.request = RequestHalf(self.policy, event.request_mode)
        self.response = ResponseHalf(event.response_mode, event.request_mode)
        return []

    def _response_headers(self, event: HeadersArrived) -> list[Command]:
        """An upstream that answers before the upload ended abandons the request side."""
        abandoned = self.request.close() if self.request.state is State.HOLDING else []
        facts, decision = self.request.facts, self.request.decision
        return [*abandoned, *self.response.headers(event.headers, event.end, facts, decision)]
