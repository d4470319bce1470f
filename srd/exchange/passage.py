"""The way of a request's bytes out: which messages came, what leaves in answer, how it ends.

Why this file exists: a request that is committed and one that is not ours flow alike, and the end
of a body must be said once, last, and in the mode's own way. It must not know how a decision is
made; what is edited was settled before (srd.exchange.settlement).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from srd.body.body import Body, Leaving, Unsendable
from srd.decide.decision import Decision
from srd.exchange.commands import Command, Noted, NoteKind, StartTimer
from srd.exchange.errors import ExchangeBug
from srd.exchange.events import BodyArrived, BodyMode, RoomMade, Timer, TimerFired, TrailersArrived
from srd.exchange.facts import RequestFacts
from srd.exchange.modes import Reply, reply_for
from srd.exchange.policy import Policy
from srd.exchange.states import Arrival, State
from srd.plugins.plan import Plan

if TYPE_CHECKING:
    from srd.exchange.table import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What was decided and what carries it out: everything that is told is a rendering of this."""

    decision: Decision
    plan: Plan
    leaving: Leaving


class Passage:
    """A request whose bytes flow. Methods named `on_...` are the table's handlers."""

    half = "request"

    def __init__(self, policy: Policy, mode: BodyMode) -> None:
        self._policy = policy
        self._router = policy.document.global_.router
        self._mode = mode
        self._reply: Reply = reply_for(mode)
        self._body: Body | None = None
        self._told: set[NoteKind] = set()
        self.row: Row | None = None
        self.state = State.WAITING
        self.arrival = Arrival.OPEN
        self.facts = RequestFacts(headers={})
        self.committed: Committed | None = None
        self._renames = False  # not ours, but later models become the first one

    def announced(self, mode: BodyMode) -> None:
        """The first message tells how the body will come; before anything else."""
        self._mode, self._reply = mode, reply_for(mode)

    def __repr__(self) -> str:
        name, mode = type(self).__name__, self._mode.name
        return f"<{name} {self.state.value} mode={mode} held={self.held}>"

    @property
    def held(self) -> int:
        """Bytes of this body that wait here."""
        return 0 if self._body is None else self._body.held

    @property
    def more(self) -> bool:
        """True when bytes that came packed can still leave without another message."""
        return self.state is State.FLOWING and self._body is not None and self._body.more

    # -- handlers ----------------------------------------------------------------------------------

    def on_first_trailers(self, event: TrailersArrived, now: float) -> list[Command]:
        self.arrival = Arrival.TRAILERS
        self._become(State.DONE)
        return self._reply.trailers()

    def on_flowing_body(self, event: BodyArrived, now: float) -> list[Command]:
        """A body message after the commit, or of a request that is not ours."""
        taken = self._take_message(event)
        if taken is None:
            return []
        data = event.data
        out = data if self._body is None else self._flow(self._body, data)
        return [*taken, *self._leave(out, same=out is data)]

    def on_flowing_trailers(self, event: TrailersArrived, now: float) -> list[Command]:
        if self.arrival.told:
            return []
        complete, self.arrival = self.arrival.complete, Arrival.TRAILERS
        ends = self._body is not None and not complete
        return self._leave(self._flow(self._expect_body(), b"") if ends else b"")

    def _flow(self, body: Body, data: bytes) -> bytes:
        """What leaves of the next bytes; all of it, where one answer must carry it."""
        end = self.arrival.complete
        parts = [body.flow(data, end=end)]
        while body.more and not self._reply.in_pieces:
            parts.append(body.flow(b"", end=end))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _rendered(
        self, body: Body, what: Plan, *, plain: bool, clear_route_cache: bool
    ) -> tuple[Leaving, list[Command]]:
        """Commit the body, and say so in headers; where either fails, neither was done."""
        before = body.saved()
        try:
            leaving = self._fitted(body, body.commit(what.rewrite, plain=plain))
            return leaving, self._reply.commit(
                self.facts, what, leaving, clear_route_cache=clear_route_cache
            )
        except BaseException:
            body.restore(before)
            raise

    def _fitted(self, body: Body, leaving: Leaving) -> Leaving:
        """What was committed, as this mode can carry it."""
        if not self._reply.in_pieces:
            leaving = self._gathered(body, leaving)
        if self.arrival is not Arrival.OPEN and not body.ended and self._reply.one_message:
            leaving = replace(leaving, data=leaving.data + body.cut())
        if self.facts.content_length == body.received and not (body.held or body.more):
            leaving = replace(leaving, final=True)  # as announced: no byte is left to come
        return leaving

    def _gathered(self, body: Body, leaving: Leaving) -> Leaving:
        """One answer must carry all of it."""
        if not body.more:
            return leaving
        try:
            rest = self._flow(body, b"")
        except Unsendable as error:  # nothing of it has left: it can still be refused
            raise error.__cause__ or error from None
        return replace(leaving, data=leaving.data + rest, final=self.arrival.complete)

    def on_room(self, event: RoomMade, now: float) -> list[Command]:
        """More of what came packed may leave."""
        body = self._body
        if body is None or not body.more:
            return []
        return self._leave(body.flow(b"", end=self.arrival.complete))

    def on_flowing_timer(self, event: TimerFired, now: float) -> list[Command]:
        """STREAMED: the newest message must be answered, and nothing may stay behind it."""
        body = self._body
        if event.timer is not Timer.MESSAGE or body is None or not self._reply.withholds:
            return []
        return self._reply.release(body.let_go(), end=False)

    # -- messages ----------------------------------------------------------------------------------

    def _take_message(self, event: BodyArrived) -> list[Command] | None:
        """Account for a message; None when the body has ended (Envoy may say so twice, #46237)."""
        if self.arrival.told:
            return None
        self._reply = self._reply.settle_mode(event.end)
        commands = self._reply.message()
        if event.end:
            self.arrival = Arrival.ENDED
        elif self._reply.whole_message:
            self.arrival = Arrival.LAST_MESSAGE
        return commands

    def _leave(self, out: bytes, *, same: bool = False) -> list[Command]:
        """Bytes leave, and with the last of them the end, once. `same`: they are the message."""
        body = self._body
        more = body is not None and body.more
        ended = self.arrival.complete and not more
        trailers = self.arrival in (Arrival.TRAILERS, Arrival.LAST_MESSAGE)
        held = 0 if body is None or ended else body.held
        commands = self._reply.release(out, end=ended, trailers=trailers, held=held, same=same)
        commands += self._told_by(body, ended=ended)
        if not ended:
            return [*commands, *self._withhold()]
        self._forget()
        if self.arrival is Arrival.LAST_MESSAGE:
            return commands
        self._become(State.DONE)
        return [*commands, *self._reply.trailers()] if trailers else commands

    def _forget(self) -> None:
        """The body has left, or will not."""
        self._body = None

    def _withhold(self) -> list[Command]:
        """Nothing leaves yet; where the gateway's clock runs meanwhile, so does ours."""
        if not self._reply.withholds or self.arrival.told:
            return []
        return [StartTimer(Timer.MESSAGE, self._router.message_timeout_ms / 1000)]

    def _told_by(self, body: Body | None, *, ended: bool) -> list[Command]:
        """What the edits met that a reader of the record must know."""
        decided = self.committed
        if body is None or (decided is None and not self._renames):
            return []
        notes, commands = body.notes, []
        named = notes.replaced_model
        # One that came in time was asked for, whatever became of it.
        late = decided is not None and decided.decision.requested_model is None
        if named is not None and late and not self._is_auto(named):
            commands += self._note(NoteKind.LATE_MODEL_NAME, named[:200])
        if notes.duplicates:
            commands += self._note(NoteKind.DUPLICATE_KEY, ",".join(notes.duplicates))
        if ended and notes.unbound:
            commands += self._note(NoteKind.DROPPED_BOUND, ",".join(notes.unbound))
        if ended and notes.system_prompt_missed:
            commands += self._note(NoteKind.SYSTEM_PROMPT_MISSED)
        return commands

    def _is_auto(self, name: str) -> bool:
        return not name.strip() or self._policy.router.is_auto(name.strip())

    def _note(self, kind: NoteKind, detail: str = "") -> list[Command]:
        """Once for each kind."""
        if kind in self._told:
            return []
        self._told.add(kind)
        return [Noted(kind, detail)]

    # -- invariants --------------------------------------------------------------------------------

    def _become(self, state: State) -> None:
        """The table says where the event at hand may lead."""
        if self.row is None or state not in self.row.to:
            raise ExchangeBug(f"{self.state} -> {state} by {self.row}")
        self.state = state

    def _expect_body(self) -> Body:
        if self._body is None:
            raise ExchangeBug(f"no body in {self.state}")
        return self._body
