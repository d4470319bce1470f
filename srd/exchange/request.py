"""The request half of an exchange: holds the header reply until the decision, then lets flow.

Rule 1: whether the upstream may see a byte is decided here and nowhere else.
Rule 2: what was decided is committed once, with the edits that carry it out, and never changes.
Rule 3: nothing here awaits, reads a clock or looks into bytes.

How each body mode answers is in srd.exchange.modes; what the decision is, in
srd.exchange.deliberation; which event is legal when, in srd.exchange.table. Before the commit a
fault of ours becomes the fallback, or a refusal where even that fails. After it every exception
leaves this file, and the driver ends the stream where all can see it.
"""

from __future__ import annotations

from srd.body.body import Api, Body
from srd.body.inflate import Caps, InflateError, InflateLimit
from srd.body.scanner import BodyError
from srd.decide.decision import Basis
from srd.exchange import refusals
from srd.exchange.commands import (
    AskClassifier,
    Command,
    NoteKind,
    StartTimer,
)
from srd.exchange.deliberation import Deliberation
from srd.exchange.errors import GatewayProtocolError
from srd.exchange.events import (
    BodyArrived,
    BodyMode,
    HeadersArrived,
    Pressure,
    ScoresArrived,
    ScoresFailed,
    Timer,
    TimerFired,
    TrailersArrived,
)
from srd.exchange.facts import read_headers, wants_debug
from srd.exchange.gate import Gate, admit
from srd.exchange.named import NameLook, Passes, shape_of
from srd.exchange.policy import Policy
from srd.exchange.prefix import Prefix, look_ahead
from srd.exchange.settlement import UNSETTLED, Settlement
from srd.exchange.states import Arrival, State
from srd.plugins.errors import Immediate
from srd.signals.base import Origin


class RequestHalf(Settlement):
    """One request from its headers to its end."""

    def __init__(self, policy: Policy, mode: BodyMode) -> None:
        super().__init__(policy, mode)
        self._budget_runs = False
        self.debug = False  # the client may be told what matched

    @property
    def full(self) -> bool:
        """True when reading on would hold more than the cap: the driver takes no body message."""
        cap = self._policy.early.max_held_bytes
        if self._policy.must_see:
            cap = self._router.limits.max_request_bytes_held
        return self.state is State.HOLDING and self._asked > 0 and self.held >= cap

    @property
    def owes(self) -> bool:
        """True when the whole body is here and its answer is not out."""
        return self.more or (self.state in UNSETTLED and self.arrival.told)

    # -- headers ---------------------------------------------------------------------------------

    def on_headers(self, event: HeadersArrived, now: float) -> list[Command]:
        skip_allowed = self._router.skip_processing.enabled
        self.facts = facts = read_headers(
            event.headers, skip_allowed=skip_allowed, distrusted=self._policy.distrusted
        )
        self.debug = wants_debug(facts, self._router.debug_header, event.source_address)
        routes = self._reply.can_route
        verdict = admit(facts, self._policy, end=event.end, mode_routes=routes, now=now)
        if verdict.refusal is not None:
            return self._refuse(verdict.refusal)
        noted: list[Command] = []
        if verdict.would_refuse is not None:
            noted += self._observed(verdict.would_refuse)
        if verdict.unread:
            noted += self._note(NoteKind.UNREAD, verdict.unread)
        if event.end or verdict.gate is Gate.PASS:
            self._become(State.DONE if event.end else State.FLOWING)
            return [*noted, *self._reply.pass_headers(facts)]
        return [*noted, *self._hold(verdict.gate), *self._reply.hold_headers(facts)]

    def _hold(self, gate: Gate) -> list[Command]:
        reply, facts = self._reply, self.facts
        self._become(State.HOLDING)
        self._body = body = self._fresh_body(named=gate is Gate.NAMED)
        if gate is Gate.NAMED:
            self._names = NameLook(self._policy, facts, body)
        self._deliberation = Deliberation(
            self._policy,
            facts,
            body,
            whole=reply.whole_message and not self._policy.early.parity,
            kept=reply.whole_message,
        )
        timers: list[Command] = []
        if self._router.streamed_body.timeout_sec:
            deadline = float(self._router.streamed_body.timeout_sec)
            timers.append(StartTimer(Timer.DEADLINE, deadline))
        return [*timers, *self._idle_timer()]

    def _fresh_body(self, *, named: bool) -> Body:
        limits, facts = self._router.limits, self.facts
        caps = Caps(max_bytes=limits.max_inflated_bytes, max_ratio=limits.max_inflate_ratio)
        shape = shape_of(facts) if named else None
        return Body(
            facts.api or Api.CHAT,
            coding=facts.coding,
            caps=caps,
            shape=shape,
            max_text_bytes=self._policy.most_text,
            tools=Origin.TOOLS in self._policy.origins,
            guarded=self._policy.blocks,
        )

    def _idle_timer(self) -> list[Command]:
        idle = self._router.limits.idle_timeout_sec
        return [StartTimer(Timer.IDLE, float(idle))] if idle else []

    # -- the body --------------------------------------------------------------------------------

    def on_first_body(self, event: BodyArrived, now: float) -> list[Command]:
        """Header mode Skip: path and type are unknown, so a body that cannot be read passes."""
        if self._mode is BodyMode.UNKNOWN:
            raise GatewayProtocolError("request_body came first and no mode was announced")
        self._reply.no_headers()
        if not self._reply.can_route:
            self._become(State.FLOWING)
            return self.on_flowing_body(event, now)
        return [*self._hold(Gate.ROUTE), *self.on_held_body(event, now)]

    def on_held_body(self, event: BodyArrived, now: float) -> list[Command]:
        """A body message while undecided."""
        complete = self.arrival.complete
        taken = self._take_message(event)
        if taken is None or complete:  # a second message only says that no trailers come
            return taken or []
        data, body = event.data, self._expect_body()
        if self._reply.one_message and not self._reply.whole_message and not event.end:
            return [*taken, *self._prefix(body, data, now)]
        if 0 < self._router.streamed_body.max_bytes < body.received + len(data):
            refused = refusals.too_large(self._router.streamed_body.max_bytes)
            return [*taken, *self._refuse(refused)]
        body.receive(data, end=self.arrival.complete)
        if not body.received and self.arrival.complete:
            return [*taken, *self._pass_by("")]  # empty: as where the headers said so
        gathered = self._read_on(now)
        if self.state is State.HOLDING and data and not self.arrival.complete:
            gathered += self._idle_timer()
        return [*taken, *gathered]

    def _read_on(self, now: float) -> list[Command]:
        """Read in steps that end at the offsets where evidence is judged, and look at each: what
        is decided there must not depend on what happened to come in the same message."""
        body, deliberation = self._expect_body(), self._expect_deliberation()
        marks: NameLook | Deliberation = self._names or deliberation
        commands: list[Command] = []
        while self.state in (State.HOLDING, State.ANSWERING):
            mark = marks.checkpoint() if self.state is State.HOLDING else None
            most = marks.most_bytes if self.state is State.HOLDING else None
            try:
                body.read(mark, most=most)
            except (BodyError, InflateError, InflateLimit) as bad:
                return [*commands, *self._unreadable(bad, now)]
            except Exception as fault:
                return [*commands, *self._fall_back(fault, now)]
            reached = (mark is not None and body.counted >= mark) or (
                most is not None and body.bytes_read >= most
            )
            if reached and self._names is None:
                deliberation.at_checkpoint()
            commands += self._consider(now)
            if body.drained and not reached:
                break
        if self.state in (State.HOLDING, State.ANSWERING):
            commands += self._withhold()
        return commands

    def _prefix(self, body: Body, data: bytes, now: float) -> list[Command]:
        """BUFFERED_PARTIAL: this is all that is seen, and the rest passes the gateway by itself.
        What cannot be routed by a prefix leaves untouched and unclaimed."""
        self.arrival = Arrival.LAST_MESSAGE
        ahead = self._fresh_body(named=self._names is not None)
        try:
            seen = look_ahead(ahead, data, packed=bool(self.facts.coding))
        except BodyError as bad:
            if self._names is None:
                return self._unreadable(bad, now)
            seen = Prefix.BLIND
        body.receive(data, end=seen is Prefix.WHOLE)  # if so, trailers follow
        if seen is Prefix.BLIND and self._names is None:
            return self._unroutable()
        commands = self._read_on(now)
        if self.state is State.HOLDING and seen is not Prefix.WHOLE:
            self._expect_deliberation().force(Basis.BUDGET)
            commands += self._consider(now)
        return commands

    def _unroutable(self) -> list[Command]:
        noted: list[Command] = []
        if self._policy.must_see:
            if self._policy.enforces:
                return self._refuse(refusals.only_a_part())
            noted += self._observed(refusals.only_a_part())
        noted += self._note(NoteKind.PARTIAL_UNROUTABLE)
        return [*noted, *self._pass_by("")]

    def on_tail_body(self, event: BodyArrived, now: float) -> list[Command]:
        """Mode T: what may leave leaves, whatever the look decides."""
        taken = self._take_message(event)
        if taken is None:
            return []
        body = self._expect_body()
        out = body.flow(event.data, end=self.arrival.complete)
        released = self._reply.release(out, end=False)
        return [*taken, *released, *self._consider(now)]

    # -- trailers and the end ---------------------------------------------------------------------

    def on_held_trailers(self, event: TrailersArrived, now: float) -> list[Command]:
        """They end the body, or come behind one that is complete; their answer comes last."""
        if self.arrival.told:
            return []
        complete, self.arrival = self.arrival.complete, Arrival.TRAILERS
        if complete:
            return []
        body = self._expect_body()
        body.receive(b"", end=True)
        return self._pass_by("") if not body.received else self._read_on(now)

    def on_tail_trailers(self, event: TrailersArrived, now: float) -> list[Command]:
        if self.arrival.told:
            return []
        self.arrival = Arrival.TRAILERS
        body = self._expect_body()
        released = self._reply.release(body.flow(b"", end=True), end=False)
        return [*released, *self._consider(now)]

    # -- answers, timers, pressure ----------------------------------------------------------------

    def on_scores(self, event: ScoresArrived | ScoresFailed, now: float) -> list[Command]:
        if event.ask_id != self._asked:
            return []
        self._asked = -self._asked
        deliberation = self._expect_deliberation()
        if isinstance(event, ScoresFailed):
            deliberation.failed(event.reason)
        else:
            deliberation.scores(event.scores)
        return self._consider(now)

    def on_timer(self, event: TimerFired, now: float) -> list[Command]:
        """Before the decision: wait no longer."""
        deliberation = self._expect_deliberation()
        if not self._reply.may_speak:
            return []
        if event.timer in (Timer.DEADLINE, Timer.IDLE):
            if self.state is State.HOLDING and not deliberation.knows_something:
                return self._refuse(refusals.too_late())
            deliberation.give_up(Basis.TIMEOUT)
        elif event.timer is Timer.MESSAGE:
            if self._policy.blocks and self._more_is_announced:
                return self._reply.clear()
            deliberation.give_up(Basis.TIMEOUT)
            decided = self._consider(now)
            if self.state is not State.FLOWING:
                return decided
            return [*decided, *self.on_flowing_timer(event, now)]  # it cannot wait once more
        elif event.timer is Timer.BUDGET:
            if deliberation.needs_whole or self._policy.blocks:
                return []  # what only the end can tell is not given up for half a second
            deliberation.give_up(Basis.BUDGET)
        elif self._asked > 0:
            deliberation.failed("classifier_timeout")
        return self._consider(now)

    @property
    def _more_is_announced(self) -> bool:
        """True when the client has said that more bytes come than have."""
        length, body = self.facts.content_length, self._body
        return length is not None and body is not None and body.received < length

    def on_answer_timer(self, event: TimerFired, now: float) -> list[Command]:
        """The answer is ours, and the body has not said how it wants it: not as a stream."""
        if event.timer not in (Timer.DEADLINE, Timer.IDLE, Timer.MESSAGE):
            return []
        return self._guarded_settle(self._promised, now, waited=True)

    def on_pressure(self, event: Pressure, now: float) -> list[Command]:
        """The process holds too much: decide with what is known."""
        if not self.held or not self._reply.may_speak:
            return []
        self._expect_deliberation().force(Basis.PRESSURE)
        return self._consider(now)

    # -- from evidence to an outcome --------------------------------------------------------------

    def _consider(self, now: float) -> list[Command]:
        """Look at the evidence; act on the outcome, or ask what must be asked."""
        deliberation = self._expect_deliberation()
        if self._names is not None:
            return self._pass_named(self._names.look(over=deliberation.forced))
        try:
            outcome = self._promised or deliberation.look(now)
        except Exception as fault:
            return self._fall_back(fault, now)
        if outcome is not None:
            return self._guarded_settle(outcome, now)
        if deliberation.ask is not None and self._asked <= 0:
            self._asked = 1 - self._asked
            waiting = StartTimer(Timer.CLASSIFY, self._router.limits.classify_timeout_ms / 1000)
            return [AskClassifier(self._asked, deliberation.ask), waiting]
        can_tail = self._reply.can_tail and not self.facts.coding and not self.arrival.complete
        if deliberation.wants_tail and self.state is State.HOLDING and can_tail:
            return self._enter_tail()
        if deliberation.early and not self._budget_runs:
            self._budget_runs = True
            return [StartTimer(Timer.BUDGET, self._policy.early.budget_ms / 1000)]
        return []

    def _pass_named(self, found: Passes | Immediate | None) -> list[Command]:
        """A path that is not routed, but whose body may name a model."""
        if found is None:
            return []
        if isinstance(found, Immediate):
            return self._refuse(found)
        body = self._expect_body()
        noted = [] if found.would_refuse is None else self._observed(found.would_refuse)
        half = self.arrival is Arrival.LAST_MESSAGE and not (body.ended or body.whole)
        keep = None if half and self.facts.coding else found.model  # half a packed body stays so
        return [*noted, *self._pass_by(found.unread, keep)]

    def _unreadable(self, bad: Exception, now: float) -> list[Command]:
        """The client's body is broken: refused while nothing has left, passed on otherwise. One
        whose type never said JSON may be no JSON, unless a rule must see it."""
        if self.state is State.ANSWERING:
            return self._guarded_settle(self._promised, now, waited=True)
        if self._names is not None:
            return self._pass_named(self._names.look(broken=True))
        if self.facts.api is None:
            return self._pass_by("unreadable")
        if self.facts.json or isinstance(bad, InflateLimit):
            return self._refuse(refusals.unreadable(bad))
        if not self._policy.must_see:
            return self._pass_by("content_type")
        refused = refusals.not_readable("content_type")
        if self._policy.enforces:
            return self._refuse(refused)
        return [*self._observed(refused), *self._pass_by("content_type")]
