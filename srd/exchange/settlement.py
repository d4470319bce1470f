"""What a request came to, carried out once: a plan committed, an answer of ours, or a refusal.

Why this file exists: between an outcome and the first byte that leaves everything may fail, and
nothing may be half done; that passage stands here, whoever reached the outcome. It must not know
when a body is looked at (srd.exchange.request), nor what its bytes do afterwards
(srd.exchange.passage).
"""

from __future__ import annotations

from dataclasses import replace

from srd.body.body import Api, Body, Leaving
from srd.body.inflate import InflateError, InflateLimit
from srd.body.rewrite import EVERYWHERE, Rewrite
from srd.decide.decision import Decision
from srd.exchange import refusals
from srd.exchange.commands import (
    Command,
    Decided,
    DropAsk,
    Noted,
    NoteKind,
    Refuse,
    StopTimers,
)
from srd.exchange.deliberation import Deliberation, Outcome
from srd.exchange.errors import ExchangeBug
from srd.exchange.events import (
    BodyMode,
)
from srd.exchange.named import NameLook
from srd.exchange.passage import Committed, Passage
from srd.exchange.policy import Policy
from srd.exchange.states import State
from srd.plugins.errors import Immediate, refusal
from srd.plugins.plan import Looked, Plan, plan

UNSETTLED = (State.HOLDING, State.ANSWERING, State.TAIL)


class Settlement(Passage):
    """A request that may still be settled."""

    def __init__(self, policy: Policy, mode: BodyMode) -> None:
        super().__init__(policy, mode)
        self._deliberation: Deliberation | None = None
        self._asked = 0  # the number of the ask that is out; negative or 0: none is
        self._names: NameLook | None = None  # it is not routed: all that is looked at
        self._promised: Outcome | None = None  # the answer that waits for `stream`
        self.refused = False

    @property
    def decision(self) -> Decision | None:
        """What was decided, once it was."""
        return None if self.committed is None else self.committed.decision

    def give_up(self, fault: Exception) -> list[Command]:
        """A fault of ours with nothing told and nothing gone: a refusal, seen by all."""
        noted = Noted(NoteKind.FAULT, type(fault).__name__, fault)
        dropped = self._drop_ask()
        self._forget()
        self.committed = None
        self.refused, self.state = True, State.CLOSED
        return [noted, *dropped, StopTimers(), Refuse(self._named(refusal(500, "internal error")))]

    def abandon(self) -> list[Command]:
        """Nobody waits for this request any more."""
        dropped = self._drop_ask()
        self._forget()
        self.state = State.CLOSED
        return dropped

    # -- the commit -------------------------------------------------------------------------------

    def _guarded_settle(
        self, outcome: Outcome | None, now: float, *, waited: bool = False
    ) -> list[Command]:
        """Settle an outcome; a fault on the way is a fallback, never swallowed."""
        try:
            if outcome is None:
                raise ExchangeBug(f"nothing was promised in {self.state}")
            return self._settle(outcome, now, waited=waited)
        except (InflateError, InflateLimit) as bad:  # behind what had to be read to decide
            return self._refuse(refusals.unreadable(bad))
        except Exception as fault:
            return self._fall_back(fault, now)

    def _fall_back(self, fault: Exception, now: float) -> list[Command]:
        """The default model, or a refusal where not even that can be carried out."""
        if self.state not in UNSETTLED or self._names is not None:
            raise fault  # where nothing is routed, the default model is no help
        noted: list[Command] = [Noted(NoteKind.FAULT, type(fault).__name__, fault)]
        unanswered = self._policy.refuses and not self._expect_deliberation().decided
        if unanswered and self.state is State.HOLDING:
            return [*noted, *self._refuse(refusals.policy_unanswered())]
        try:
            fallback = self._expect_deliberation().fallback("internal")
            return [*noted, *self._settle(fallback, now)]
        except Exception as second:
            if self.state not in (State.HOLDING, State.ANSWERING):
                raise fault from second
            noted.append(Noted(NoteKind.FAULT, type(second).__name__, second))
            return [*noted, *self._refuse(refusal(500, "internal error"))]

    def _settle(self, outcome: Outcome, now: float, *, waited: bool = False) -> list[Command]:
        body = self._expect_body()
        if isinstance(outcome, Immediate):
            if self.state is not State.TAIL:
                return self._refuse(outcome)
            outcome = self._expect_deliberation().fallback("late_refusal")
        stream = body.params.get("stream")
        if self._policy.answers(outcome) and self.state is not State.TAIL:
            known = "stream" in body.params or body.ended or body.closed or waited
            if not known:
                return self._await_stream(body, outcome)
        deliberation = self._expect_deliberation()
        params = Looked(deliberation.params)
        what = plan(
            outcome,
            self._policy.document,
            params=params,
            api=self.facts.api,
            now=now,
            stream=stream if isinstance(stream, bool) else None,
        )
        if params.missed and not (deliberation.params_settled or waited):
            return []  # it may still come, and the plan would be another one
        if what.immediate is not None:
            if self.state is State.TAIL:
                raise ExchangeBug("there is no model, and the headers are out")
            done = self._answer(outcome, what)
        else:
            done = self._commit(what.stamped(outcome), what)
        observed = deliberation.would_refuse
        return done if observed is None else [*self._observed(observed), *done]

    def _await_stream(self, body: Body, outcome: Outcome) -> list[Command]:
        """Nothing will be forwarded, so nothing is held: the body is read for one member more, and
        whatever else comes changes nothing."""
        if self.state is not State.ANSWERING:
            self._become(State.ANSWERING)
            self._promised = outcome
            body.discard()
        return []

    def _answer(self, decision: Decision, what: Plan) -> list[Command]:
        if what.immediate is None:
            raise ExchangeBug("an answer without a response")
        nothing = Leaving(b"", packed=True, edited=False, final=True)
        self.committed = Committed(decision=decision, plan=what, leaving=nothing)
        return [Decided(decision), *self._refuse(what.immediate)]

    def _commit(self, decision: Decision, what: Plan) -> list[Command]:
        """From here on everything that leaves is what was decided. Every statement that may fail
        comes before the first that changes anything."""
        body = self._expect_body()
        headers: list[Command] = []
        if self.state is State.TAIL:
            out = body.settle_tail(what.rewrite)
            leaving = self._fitted(body, Leaving(out, True, True, body.ended))
        else:
            what = _unbinding(what, self._expect_deliberation().unbind(decision))
            plain = self._router.compressed == "inflate" or self._reply.always_plain
            clear = self._router.clear_route_cache
            leaving, headers = self._rendered(body, what, plain=plain, clear_route_cache=clear)
        missed = [Noted(NoteKind.NOT_CARRIED_OUT, text) for text in what.not_carried_out]
        self._become(State.FLOWING)
        self.committed = Committed(decision=decision, plan=what, leaving=leaving)
        return [
            *self._drop_ask(),
            StopTimers(),
            Decided(decision),
            *missed,
            *headers,
            *self._leave(leaving.data),
        ]

    def _enter_tail(self) -> list[Command]:
        body = self._expect_body()
        what = Plan(rewrite=self._policy.router.tail_rewrite())
        if self._policy.unbinds:  # whose it is, only the end would tell
            what = _unbinding(what, EVERYWHERE)
        out = body.commit_tail(what.rewrite)
        self._become(State.TAIL)
        commands = self._reply.tail_headers(self.facts)
        return [*commands, *self._reply.release(out, end=False)]

    # -- without a decision -----------------------------------------------------------------------

    def _pass_by(self, why: str, keep: str | None = None) -> list[Command]:
        """It is not routed after all: as it came, and unclaimed; but every model becomes `keep`."""
        body, facts = self._expect_body(), self.facts
        noted = self._note(NoteKind.UNREAD, why) if why else []
        plain = self._reply.always_plain and bool(facts.coding) and body.received > 0
        if not plain and keep is None:
            out, headers = body.passthrough(), self._reply.pass_headers(facts)
        else:
            what, clear = Plan(rewrite=Rewrite(model=keep)), bool(facts.spoofed)
            try:
                leaving, headers = self._rendered(body, what, plain=plain, clear_route_cache=clear)
            except (InflateError, InflateLimit) as bad:
                return self._refuse(refusals.unreadable(bad))
            out, self._renames = leaving.data, keep is not None
        self._become(State.FLOWING)
        return [*self._drop_ask(), *noted, StopTimers(), *headers, *self._leave(out)]

    def _refuse(self, immediate: Immediate) -> list[Command]:
        dropped = self._drop_ask()
        if immediate.reason:
            dropped += self._note(NoteKind.REFUSED, immediate.reason)
        self._forget()
        self.refused = True
        self._become(State.CLOSED)
        return [*dropped, StopTimers(), Refuse(self._named(immediate))]

    def _observed(self, immediate: Immediate) -> list[Command]:
        """A refusal that is only told: rules that block are observed."""
        return self._note(NoteKind.WOULD_REFUSE, immediate.reason)

    def _named(self, immediate: Immediate) -> Immediate:
        """A refusal that says which request it is for, as its API has it."""
        asked = self.facts.headers.get("x-request-id", "")
        return immediate.of_request(asked, anthropic=self.facts.api is Api.ANTHROPIC)

    def _drop_ask(self) -> list[Command]:
        if self._asked <= 0:
            return []
        asked, self._asked = self._asked, -self._asked
        return [DropAsk(asked)]

    def _forget(self) -> None:
        super()._forget()
        self._deliberation = None

    def _expect_deliberation(self) -> Deliberation:
        if self._deliberation is None:
            raise ExchangeBug(f"nothing to deliberate in {self.state}")
        return self._deliberation


def _unbinding(what: Plan, unbind: int) -> Plan:
    return replace(what, rewrite=replace(what.rewrite, unbind=unbind)) if unbind else what
