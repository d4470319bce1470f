"""One HTTP exchange as a state machine: events in, commands out.

Why this file exists: it joins the request half and the response half under the one table of legal
events (srd.exchange.table), so that the driver has a single thing to drive. It must not know how
either half works.

>>> commands = exchange.receive(event, now)   # `now`: Unix seconds, for ids and the memo

A pair of state and event that the table does not list raises: GatewayProtocolError, or ExchangeBug
for an event of our own. A fault of ours before anything was decided becomes a refusal here; after
that it is raised, and the stream must end with an error. In observability mode, where a gateway
only shows what passes, it says nothing at all.
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
    TrailersArrived,
)
from srd.exchange.policy import Policy
from srd.exchange.request import RequestHalf
from srd.exchange.response import ResponseHalf
from srd.exchange.states import State
from srd.exchange.table import row_of

_UNDECIDED = frozenset({State.WAITING, State.HOLDING, State.ANSWERING})


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
        """True while the driver should take no body message: it could break the cap."""
        return self.request.full

    @property
    def more(self) -> bool:
        """True while bytes that came packed can leave without another message: give RoomMade as
        soon as there is room, and take no body message before."""
        return self.request.more

    @property
    def owes(self) -> bool:
        """True while a body that ended is still unanswered: a half-close does not end it."""
        return self.request.owes

    @property
    def committed(self) -> bool:
        """True once body bytes may have left: from then on nothing may fail unseen."""
        return self.request.state in (State.FLOWING, State.TAIL)

    def receive(self, event: Event, now: float) -> list[Command]:
        """What `event` causes, in order. Raises GatewayProtocolError for an illegal event."""
        if self._closed or self._silent:
            return []
        undecided = self.request.state in _UNDECIDED and not isinstance(event, PeerEnded)
        try:
            return self._dispatch(event, now)
        except GatewayProtocolError:
            raise
        except Exception as fault:
            half = self.request
            abandoned = half.state is State.CLOSED and not half.refused
            if not undecided or abandoned:
                raise
            return half.give_up(fault)  # whatever was done for this event, nobody has seen it

    def _dispatch(self, event: Event, now: float) -> list[Command]:
        match event:
            case Opened():
                return self._open(event)
            case PeerEnded():
                return self._end(event, now)
            case HeadersArrived("response") | BodyArrived("response") | TrailersArrived("response"):
                return self._to_response(event, now)
            case _:
                return self._to_request(event, now)

    def _open(self, event: Opened) -> list[Command]:
        if self._opened:
            raise GatewayProtocolError("the stream was opened twice")
        self._opened, self._silent = True, event.observability
        self.request.announced(event.request_mode)
        self.response.announced(event.response_mode, event.request_mode)
        return []

    def _to_request(self, event: Event, now: float) -> list[Command]:
        half = self.request
        row = half.row = row_of(half.half, half.state, event)
        return [] if row.handle is None else row.handle(half, event, now)

    def _to_response(self, event: Event, now: float) -> list[Command]:
        if self.request.refused:
            return []  # answered by ourselves: read on, say nothing more
        half = self.response
        abandoned: list[Command] = []
        if isinstance(event, HeadersArrived):
            # An upstream that answers before the upload ended abandons the request side.
            if self.request.state in (State.HOLDING, State.ANSWERING):
                abandoned = self.request.abandon()
            half.told(self.request.facts, self.decision, debug=self.request.debug)
        row = half.row = row_of(half.half, half.state, event)
        return abandoned if row.handle is None else [*abandoned, *row.handle(half, event, now)]

    def _end(self, event: PeerEnded, now: float) -> list[Command]:
        if self.owes and not event.reset:
            return []
        self._closed = True
        return [*self.request.abandon(), *self.response.close()]
