"""The request half of an exchange: holds the header reply until the decision, then lets flow.

Rule 1: whether the upstream may see a byte is decided here and nowhere else.
Rule 2: nothing here awaits, reads a clock or raises after the header reply.

How each body mode answers is in srd.exchange.modes; what the decision is, in
srd.exchange.deliberation. This file owns the order of things and the one state variable.
"""

from __future__ import annotations

import enum
from dataclasses import replace

from srd.body.body import Api, Body, BodyError
from srd.body.inflate import InflateError, InflateLimit, Inflater
from srd.body.rewrite import NO_REWRITE
from srd.decide.decision import Basis, Decision
from srd.exchange.commands import (
    AskClassifier,
    Command,
    Decided,
    DropAsk,
    Refuse,
    StartTimer,
    StopTimers,
)
from srd.exchange.deliberation import Deliberation, Outcome
from srd.exchange.errors import GatewayProtocolError
from srd.exchange.events import BodyMode, Headers, Timer
from srd.exchange.facts import RequestFacts, is_model_list, read_headers
from srd.exchange.modes import Reply, reply_for
from srd.exchange.policy import Policy
from srd.plugins.errors import Immediate, refusal
from srd.plugins.model_list import model_list
from srd.plugins.plan import Plan, plan

MAX_INFLATE_RATIO = 200


class State(enum.Enum):
    """Where the request is. Only `RequestHalf._become` changes it."""

    WAITING = "waiting"  # nothing has arrived
    HOLDING = "holding"  # ours, undecided: nothing of the body has left
    TAIL = "tail"  # mode T: bytes leave, the decision waits for the end
    FLOWING = "flowing"  # decided, or not ours: every byte leaves
    DONE = "done"  # end of stream answered; later messages are ignored (Envoy #46237)
    CLOSED = "closed"  # refused, or the peer is gone: nothing is answered any more


_NEXT: dict[State, frozenset[State]] = {
    State.WAITING: frozenset({State.HOLDING, State.FLOWING, State.DONE, State.CLOSED}),
    State.HOLDING: frozenset({State.TAIL, State.FLOWING, State.DONE, State.CLOSED}),
    State.TAIL: frozenset({State.FLOWING, State.DONE, State.CLOSED}),
    State.FLOWING: frozenset({State.DONE, State.CLOSED}),
    State.DONE: frozenset({State.DONE, State.CLOSED}),
    State.CLOSED: frozenset({State.CLOSED}),
}


class RequestHalf:
    """One request. Methods are events; each returns the commands it causes, in order."""

    def __init__(self, policy: Policy, mode: BodyMode) -> None:
        self._policy = policy
        self._mode = mode
        self._state = State.WAITING
        self._reply: Reply = reply_for(mode)
        self._body: Body | None = None
        self._inflater: Inflater | None = None
        self._deliberation: Deliberation | None = None
        self._ask_id = 0
        self._asked = False
        self._eos = False  # the gateway said that the body ended; later messages are ignored
        self._trailers_due = False  # the body was ended by trailers, which want an answer
        self._trailers_follow = False  # BUFFERED: the one message came, trailers come after it
        self._budget_runs = False
        self._rest: tuple[bytes, bool] | None = None  # of the message being read, with its end
        self._wire_bytes = 0
        self.facts = RequestFacts(headers={})
        self._parked: Decision | None = None  # decided, but the model's name must pass first
        self.decision: Decision | None = None
        self.note = ""
        self.refused = False

    def __repr__(self) -> str:
        return f"<RequestHalf {self._state.value} mode={self._mode.name} held={self.held}>"

    @property
    def state(self) -> State:
        return self._state

    @property
    def held(self) -> int:
        """Bytes of this body that wait here; never more than max_held_bytes and one message."""
        return 0 if self._body is None else self._body.held

    @property
    def full(self) -> bool:
        """True when reading on would hold more than the cap: the driver pauses reading."""
        cap = self._policy.early.max_held_bytes
        return self._state is State.HOLDING and self._asked and self.held >= cap

    @property
    def owes(self) -> bool:
        """True when the whole body is here and its answer is not out."""
        return self._eos and self._state in (State.HOLDING, State.TAIL)

    # -- events ----------------------------------------------------------------------------------

    def headers(self, headers: Headers, end: bool, now: float) -> list[Command]:
        if self._state is State.HOLDING:
            raise GatewayProtocolError("request_headers after request_headers or request_body")
        if self._state is not State.WAITING:
            return []
        self.facts = facts = read_headers(headers)
        if (immediate := self._refuse_early(end, now)) is not None:
            return self._refuse(immediate)
        if end or not self._can_route():
            self._become(State.DONE if end else State.FLOWING)
            return self._reply.headers_untouched(facts)
        return [*self._hold(), *self._reply.headers_held(facts)]

    def body(self, data: bytes, end: bool, now: float) -> list[Command]:
        if self._eos or self._state in (State.DONE, State.CLOSED):
            return []
        started: list[Command] = []
        if self._state is State.WAITING:
            self._body_came_first()
            started = self._hold()
        self._reply = self._reply.settle_mode(end)
        self._reply.message()
        self._eos = end
        last = end or self._reply.whole_message
        self._trailers_follow = self._reply.one_message and not end
        if self._state is State.FLOWING:
            return [*started, *self._flow(data, last)]
        return [*started, *self._gather(data, last, now)]

    def trailers(self, now: float) -> list[Command]:
        if self._eos or self._state in (State.DONE, State.CLOSED):
            return []
        self._eos = self._trailers_due = True
        if self._state is State.WAITING or self._trailers_follow:
            return self._answer_trailers()
        if self._state is State.FLOWING:
            return self._flow(b"", True)
        return self._gather(b"", True, now)

    def _answer_trailers(self) -> list[Command]:
        """Nothing of the body is owed any more, or (undecided) they wait behind it."""
        if self._state in (State.HOLDING, State.TAIL):
            return []
        self._become(State.DONE)
        return self._reply.trailers()

    def scores(self, ask_id: int, now: float, answer: object) -> list[Command]:
        """`answer` is Scores, or a str: the reason why there are none."""
        if self._deliberation is None or ask_id != self._ask_id or not self._asked:
            return []
        self._asked = False
        if isinstance(answer, str):
            self._deliberation.failed(answer)
        else:
            self._deliberation.scores(answer)  # type: ignore[arg-type]
        return self._consider(now)

    def timer(self, timer: Timer, now: float) -> list[Command]:
        if self._state not in (State.HOLDING, State.TAIL) or self._deliberation is None:
            return []
        if not self._reply.may_speak:
            return []
        if timer in (Timer.DEADLINE, Timer.IDLE):
            if self._state is State.HOLDING and not self._deliberation.knows_something:
                return self._refuse(refusal(408, "the request body did not arrive in time"))
            self._deliberation.give_up(Basis.TIMEOUT)
        elif timer is Timer.BUDGET:
            if self._deliberation.needs_whole:
                return []  # what only the end can tell is not given up for half a second
            self._deliberation.give_up(Basis.BUDGET)
        elif self._asked:
            self._deliberation.failed("classifier_timeout")
        return self._consider(now)

    def pressure(self, now: float) -> list[Command]:
        """The process holds too much: decide with what is known."""
        if self._state is not State.HOLDING or self._deliberation is None or not self.held:
            return []
        if not self._reply.may_speak:
            return []
        self._deliberation.force(Basis.BUDGET)
        return self._consider(now)

    def close(self) -> list[Command]:
        """The peer is gone: free everything."""
        dropped: list[Command] = [DropAsk(self._ask_id)] if self._asked else []
        self._asked = False
        self._body = self._deliberation = self._inflater = None
        self._become(State.CLOSED)
        return dropped

    # -- before the decision ---------------------------------------------------------------------

    def _refuse_early(self, end: bool, now: float) -> Immediate | None:
        facts, router = self.facts, self._policy.document.global_.router
        streamed = router.streamed_body
        if router.include_config_models_in_list and is_model_list(facts) and not facts.upgrade:
            return model_list(self._policy.document, now=now)
        if facts.api is None or facts.upgrade or self._skipped():
            return None
        if facts.method in {"GET", "PUT", "PATCH", "DELETE"}:
            return refusal(405, f"method {facts.method} is not allowed here")
        too_long = (
            facts.content_length is not None and facts.content_length > streamed.max_bytes > 0
        )
        if too_long and not end:
            return refusal(413, f"the body is larger than {streamed.max_bytes} bytes")
        return None

    def _skipped(self) -> bool:
        return self.facts.skip and self._policy.document.global_.router.skip_processing.enabled

    def _can_route(self) -> bool:
        if not self.facts.ours or self._skipped() or not self._reply.can_route:
            return False
        return not self.facts.compressed or self._reply.can_inflate

    def _body_came_first(self) -> None:
        """Header mode Skip: path and type are unknown, so a body that cannot be read is passed on
        untouched instead of refused."""
        if self._mode is BodyMode.UNKNOWN:
            raise GatewayProtocolError("request_body came first and no mode was announced")
        self._reply.no_headers()

    def _hold(self) -> list[Command]:
        router = self._policy.document.global_.router
        self._become(State.HOLDING)
        api = self.facts.api
        self._body = Body(api or Api.CHAT)
        if self.facts.compressed:
            self._inflater = Inflater(
                self.facts.encoding,
                max_output=self._policy.early.max_held_bytes,
                max_ratio=MAX_INFLATE_RATIO,
            )
        self._deliberation = Deliberation(
            self._policy, self.facts, self._body, whole=self._reply.whole_message
        )
        timers: list[Command] = []
        if router.streamed_body.timeout_sec:
            timers.append(StartTimer(Timer.DEADLINE, float(router.streamed_body.timeout_sec)))
        if router.limits.idle_timeout_sec:
            timers.append(StartTimer(Timer.IDLE, float(router.limits.idle_timeout_sec)))
        return timers

    def _gather(self, data: bytes, end: bool, now: float) -> list[Command]:
        """A body message while undecided (or in mode T)."""
        self._wire_bytes += len(data)
        if self._state is State.HOLDING and (over := self._over_cap()) is not None:
            return self._refuse(over)
        try:
            return self._read(self._inflate(data, end), end, now)
        except InflateLimit as limit:
            return self._refuse(refusal(413, str(limit)))
        except InflateError as bad:
            return self._refuse(refusal(400, str(bad)))
        except BodyError as bad:
            return self._unreadable(bad, end)

    def _read(self, data: bytes, end: bool, now: float) -> list[Command]:
        """Feed in pieces that end at the offsets where evidence is judged, and look at each: what
        is decided there must not depend on what happened to come in the same message."""
        body, deliberation = self._body, self._deliberation
        assert body is not None
        assert deliberation is not None
        commands: list[Command] = []
        start, last = 0, False
        while not last and self._state in (State.HOLDING, State.TAIL):
            mark = deliberation.checkpoint()
            stop = len(data) if mark is None else min(len(data), start + mark - body.bytes_read)
            last = stop == len(data)
            out = body.feed(data[start:stop], end=end and last)
            if self._state is State.TAIL:  # these leave before whatever the look decides
                commands += self._reply.release(out, end=False)
            if body.bytes_read == mark:
                deliberation.at_checkpoint()
            self._rest = None if last else (data[stop:], end)
            commands += self._consider(now)
            start = stop
        self._rest = None
        if self._state is State.HOLDING:
            commands += self._reply.gathered(end)
            idle = self._policy.document.global_.router.limits.idle_timeout_sec
            if data and not end and idle:
                commands.append(StartTimer(Timer.IDLE, float(idle)))
        return commands

    def _take_rest(self, body: Body) -> bytes:
        """The rest of the message in hand, fed behind a commit: from there nothing raises."""
        rest, self._rest = self._rest, None
        return b"" if rest is None else body.feed(rest[0], end=rest[1])

    def _over_cap(self) -> Immediate | None:
        cap = self._policy.document.global_.router.streamed_body.max_bytes
        if cap and self._wire_bytes > cap:
            return refusal(413, f"the body is larger than {cap} bytes")
        return None

    def _inflate(self, data: bytes, end: bool) -> bytes:
        if self._inflater is None:
            return data
        out = self._inflater.feed(data)
        return out + self._inflater.finish() if end else out

    def _unreadable(self, bad: BodyError, end: bool) -> list[Command]:
        """The client's JSON is broken: refused while nothing has left, passed on otherwise."""
        if self._state is State.HOLDING and self.facts.api is not None and self._reply.can_refuse:
            return self._refuse(
                refusal(400, f"malformed JSON body: {bad.problem} at byte {bad.offset}")
            )
        self.note = "unreadable"
        return self._let_pass(end)

    def _let_pass(self, end: bool) -> list[Command]:
        assert self._body is not None
        held = self._body.passthrough() + self._take_rest(self._body)
        self._become(State.FLOWING)
        return [StopTimers(), *self._reply.unrouted(self.facts), *self._emit(held, end)]

    def _consider(self, now: float) -> list[Command]:
        """Look at the evidence; act on the outcome, or ask what must be asked."""
        body, deliberation = self._body, self._deliberation
        if self._state not in (State.HOLDING, State.TAIL) or body is None or deliberation is None:
            return []
        try:
            outcome = self._parked_outcome() if self._parked else deliberation.look(now)
            if outcome is None and self._reply.must_decide(body.ended):
                deliberation.force(Basis.BUDGET)
                outcome = deliberation.look(now)
        except Exception as bug:
            outcome = self._after_bug(bug)
        if outcome is not None:
            return self._settle(outcome, now)
        if deliberation.ask is not None and not self._asked:
            self._ask_id, self._asked = self._ask_id + 1, True
            limits = self._policy.document.global_.router.limits
            waiting = StartTimer(Timer.CLASSIFY, limits.classify_timeout_ms / 1000)
            return [AskClassifier(self._ask_id, deliberation.ask), waiting]
        if deliberation.wants_tail and self._state is State.HOLDING and self._reply.can_tail:
            return self._enter_tail()
        if deliberation.early and not self._budget_runs:
            self._budget_runs = True
            return [StartTimer(Timer.BUDGET, self._policy.early.budget_ms / 1000)]
        return []

    def _after_bug(self, bug: Exception) -> Outcome:
        seen = self._body.model if self._body else None
        self.note = f"bug: {type(bug).__name__}"
        return self._policy.router.fallback(
            "internal", requested_model=seen.value if seen else None
        )

    # -- the decision ----------------------------------------------------------------------------

    def _settle(self, outcome: Outcome, now: float) -> list[Command]:
        if isinstance(outcome, Immediate):
            if self._state is State.TAIL or not self._reply.can_refuse:
                assert self._body is not None
                return self._let_pass(self._body.ended)
            return self._refuse(outcome)
        try:
            what = plan(
                outcome,
                self._policy.document,
                requested_model=outcome.requested_model,
                params=self._body.params if self._body else {},
                api=self.facts.api,
                now=now,
                accepts_sse=self.facts.accepts_sse,
            )
            if what.system_prompt_injected:
                outcome = replace(outcome, system_prompt_injected=True)
        except Exception as bug:
            self.note = f"bug: {type(bug).__name__}"
            what = Plan(rewrite=NO_REWRITE)
        if self._must_wait_for_model(what):
            self._parked = outcome
            return []
        return self._carry_out(outcome, what)

    def _must_wait_for_model(self, what: Plan) -> bool:
        """An explicit name behind the prompt means hands off. Until it is known, nothing leaves
        that a system prompt was put into; other edits can still be left out when it comes."""
        body, deliberation = self._body, self._deliberation
        if self._policy.early.assume_auto or what.rewrite.system_prompt is None:
            return False
        if body is None or body.model is not None or body.ended or deliberation is None:
            return False
        return self._state is State.HOLDING and not deliberation.forced

    def _parked_outcome(self) -> Outcome | None:
        """The decision that waits for the model's name, once that is known or nobody waits."""
        body, deliberation = self._body, self._deliberation
        assert body is not None
        assert deliberation is not None
        if (explicit := deliberation.explicit()) is not None:
            return explicit
        known = body.model is not None or body.ended or deliberation.forced
        return self._parked if known else None

    def _carry_out(self, decision: Decision, what: Plan) -> list[Command]:
        body, dropped = self._body, [DropAsk(self._ask_id)] if self._asked else []
        assert body is not None
        self._asked = False
        if what.immediate is not None and self._state is State.HOLDING and self._reply.can_refuse:
            self.decision = decision
            return [*dropped, Decided(decision), *self._refuse(what.immediate)]
        tail = self._state is State.TAIL
        if tail:
            out = body.settle_tail(what.rewrite)
        elif what.rewrite == NO_REWRITE:
            out = body.passthrough()
        else:
            out = body.commit(what.rewrite)
        out += self._take_rest(body)
        partial = self._reply.must_decide(body.ended)
        if partial:  # the rest passes the gateway by itself: what splices still hold leaves now
            out += body.feed(b"", end=True)
        self.decision = decision
        self._become(State.FLOWING)
        commands: list[Command] = [*dropped, StopTimers(), Decided(decision)]
        if not tail:
            commands += self._reply.decided(
                self.facts,
                what,
                clear_route_cache=self._policy.document.global_.router.clear_route_cache,
                length_delta=0 if what.rewrite == NO_REWRITE else body.length_delta,
                length=len(out) if body.ended else None,
            )
        unchanged = what.rewrite == NO_REWRITE and self._inflater is None
        if partial:
            self._body = None
            commands += self._reply.release(out, end=False, unchanged=unchanged)
            return [*commands, *self._answer_trailers()] if self._trailers_due else commands
        return [*commands, *self._emit(out, body.ended, unchanged=unchanged)]

    def _enter_tail(self) -> list[Command]:
        assert self._body is not None
        out = self._body.commit_tail(self._policy.router.tail_rewrite())
        self._become(State.TAIL)
        commands = self._reply.headers_for_tail(self.facts)
        return [*commands, *self._reply.release(out, end=False)]

    # -- after the decision ----------------------------------------------------------------------

    def _flow(self, data: bytes, end: bool) -> list[Command]:
        """Nothing in here may fail: Body.feed never raises once committed."""
        self._wire_bytes += len(data)
        if self._body is None:
            return self._emit(data, end, unchanged=True)
        return self._emit(self._body.feed(data, end=end), end, arrived=data)

    def _emit(
        self, out: bytes, end: bool, *, unchanged: bool = False, arrived: bytes | None = None
    ) -> list[Command]:
        same = unchanged or (arrived is not None and out == arrived)
        trailers = self._trailers_due or self._trailers_follow
        commands = self._reply.release(out, end=end and not trailers, unchanged=same)
        if not end:
            return commands
        self._body = None
        if self._trailers_follow and not self._trailers_due:
            return commands
        self._become(State.DONE)
        return [*commands, *self._reply.trailers()] if self._trailers_due else commands

    def _refuse(self, immediate: Immediate) -> list[Command]:
        dropped: list[Command] = [DropAsk(self._ask_id)] if self._asked else []
        self._asked = False
        self._body = self._deliberation = None
        self.refused = True
        self._become(State.CLOSED)
        return [*dropped, StopTimers(), Refuse(immediate)]

    def _become(self, state: State) -> None:
        assert state in _NEXT[self._state], f"{self._state} -> {state}"
        self._state = state
