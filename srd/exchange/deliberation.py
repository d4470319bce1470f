"""How a body becomes a Decision, as early as the rules allow.

Why this file exists: which text is evidence, when to ask the classifier and when to stop waiting
are one question, asked by every body mode and by `srd explain`. It must not know modes, replies,
timers or the clock (`now` is passed in for the memo alone).

Theory of operation. Whatever is decided here is a function of the body's bytes and the classifier's
answers, never of how the body was cut into chunks, packed, or which mode carries it. So text is
looked at only at fixed lengths (the stages of `Policy.windows`), and the caller reads the body in
steps that end exactly at the offsets that matter (`checkpoint`): the evidence budget, the end of
where a model's name counts, and the cap on held bytes.

The rule for a late name stands in `name_counts` and `_name_settled`, and nowhere else: a model name
counts if its value ends within the first `EarlyDecision.name_bytes` of the inflated body, and no
outcome leaves before that offset, the name, or the end of the body has passed. Timers and memory
pressure alone shorten it, and then the basis says so.

* complete: the body ended within the budget. The last user message decides; all signals answer.
* early: the body is larger. Stage by stage over the first user message, until the verdict is final.
  Scores of a smaller window are kept as long as they are confident, else the window grows.
* forced: cap, timer or pressure. Unknown counts as false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

from srd.body.body import Body
from srd.body.prompt import ModelSeen
from srd.body.shapes import Api
from srd.classify.api import CHARS_PER_TOKEN, Ask, Scores, SegmentScores
from srd.decide.decision import Basis, Decision
from srd.decide.engine import Final, Pending
from srd.exchange import refusals
from srd.exchange.errors import ExchangeBug
from srd.exchange.facts import RequestFacts
from srd.exchange.memory import Memory
from srd.exchange.policy import Policy
from srd.plugins.errors import Immediate
from srd.signals.base import Evidence, Origin, Reach, Reading, Segment, Truth

Outcome = Decision | Immediate


@dataclass(slots=True)
class _Sight:
    """One look at the evidence: what was read and what the rules make of it."""

    evidence: Evidence
    readings: Mapping[str, Reading]
    verdict: Final | Pending


class Deliberation:
    """Deliberates on one request body. Owned by one exchange; not thread-safe.

    `whole`: the body comes in one message and `parity` is off: it is decided on all of it, as
    upstream does. `kept`: it comes in one message, so reading on holds nothing more.
    `look` after every event that may have changed the evidence; it returns the outcome once there
    is one. `ask` is then the question that must be answered before the next look can help, if any.
    """

    def __init__(
        self,
        policy: Policy,
        facts: RequestFacts,
        body: Body,
        *,
        whole: bool = False,
        kept: bool = False,
    ) -> None:
        self._whole = whole
        self._kept = kept
        self._policy = policy
        self._facts = facts
        self._body = body
        self._stage = 0
        self._limit: int | None = None  # characters of first-user text visible to early stages
        self._scores: Scores | None = None
        self._scored: tuple[str, frozenset[str]] | None = None  # text and heads of _scores
        self._confident = False
        self._failed = ""
        self._hopeless = False
        self._forced: Basis | None = None
        self._text = ""  # what was there when the decision was forced
        self.needs_whole = False
        self._history: Scores | None = None
        self._asks_history = False
        self._duplicates: Scores | None = None
        self._asks_duplicates = False
        self._memory = Memory(policy, facts)
        self._skipped: int | None = None  # the first stage whose forward was left out
        self._cold = False  # none is left out any more
        self._settled: Outcome | None = None  # what waits until a late name would have passed
        self._awaits_end = False  # ... and until the body's end is announced
        self._outcome: Outcome | None = None
        self.ask: Ask | None = None

    def __repr__(self) -> str:
        state = f"forced={self._forced}" if self._forced else f"stage={self._stage}"
        return f"<Deliberation {state} asked={self.ask is not None} failed={self._failed or '-'}>"

    # -- what happened ---------------------------------------------------------------------------

    def checkpoint(self) -> int | None:
        """The next offset of the inflated body at which evidence is judged: read no further."""
        early = self._policy.early
        marks = {early.name_bytes}
        if not self._whole:
            marks |= {early.budget_bytes + 1, early.max_held_bytes}
        ahead = [offset for offset in marks if offset > self._body.bytes_read]
        return min(ahead, default=None)

    def at_checkpoint(self) -> None:
        """The body was read up to a checkpoint: budgets may be spent."""
        early, body = self._policy.early, self._body
        if self._whole:
            return
        if body.bytes_read == early.budget_bytes + 1:
            self._stop_reading()
        spared = self.wants_tail or (self._kept and self._policy.blocks)
        if body.bytes_read >= early.max_held_bytes and not spared:
            self.force(Basis.BUDGET)

    def force(self, basis: Basis) -> None:
        """Nobody waits for more text any longer; scores already asked for may still come."""
        if self._forced is not None:
            return
        if self._settled is not None and not self._name_settled:
            # It would have waited for a name: that it did not is time's doing, and says so.
            self._settled = _on_basis(self._settled, basis)
        self._forced = basis
        self._stop_reading()
        self._text = self._reach()

    def _stop_reading(self) -> None:
        """No stage sees more of the first user message than is here now, if anything is."""
        if self.early and self._limit is None:
            self._limit = self._body.prompt.first_user_chars or None

    def _reach(self) -> str:
        """All the text that a forced decision may rest on."""
        prompt, reach = self._body.prompt, self._policy.windows[-1] * CHARS_PER_TOKEN
        return prompt.first_user_prefix(reach) or " ".join(prompt.non_user)[:reach]

    def give_up(self, basis: Basis) -> None:
        """Nobody waits for scores either."""
        self.force(basis)
        self._hopeless, self.ask = True, None

    def scores(self, scores: Scores) -> None:
        """The classifier answered `ask`."""
        if self.ask is None:
            return
        if self._asks_history:
            self._history, self._asks_history = scores, False
        elif self._asks_duplicates:
            self._duplicates, self._asks_duplicates = scores, False
        else:
            self._scored = (self.ask.text, self.ask.heads)
            self._scores = scores
        self.ask = None

    def failed(self, reason: str) -> None:
        """The classifier cannot answer."""
        self._failed, self.ask = reason or "classifier", None

    @property
    def forced(self) -> bool:
        """True once nobody waits for more of the body."""
        return self._forced is not None

    @property
    def knows_something(self) -> bool:
        """True when a forced decision would rest on more than the headers."""
        prompt = self._body.prompt
        return bool(prompt.first_user_chars or prompt.non_user or self._body.model)

    @property
    def wants_tail(self) -> bool:
        """True when only the body's end can decide, and mode T lets the bytes flow meanwhile: not
        before a name that counts, which may have to be refused, can come no more."""
        waits = self.needs_whole and self._name_settled and not self._body.ended
        return waits and self._policy.tail_insertion

    # -- looking ---------------------------------------------------------------------------------

    def look(self, now: float) -> Outcome | None:
        """The outcome if it is certain by now, else None. Once there is one it stays, whatever is
        read on for."""
        if self._outcome is None:
            self._outcome = self._look(now)
        return self._outcome

    def _look(self, now: float) -> Outcome | None:
        if (named := self.explicit()) is not None:
            return named
        if self._awaits_end and self.early:
            self._settled, self._awaits_end = None, False  # blanks behind it made the body large
        if self._settled is None:
            self._settled = self._judge(now)
        settled, forced = self._settled, self._forced is not None
        if settled is None or not (forced or self._name_settled):
            return None
        if self._awaits_end and not (forced or self._body.ended):
            return None
        return self._stamp(settled) if isinstance(settled, Decision) else settled

    def _judge(self, now: float) -> Outcome | None:
        """The outcome for a body that is routed, whatever name may still come."""
        if self._failed:
            return self._policy.router.fallback(self._failed)
        if self.ask is not None:
            return None
        if self._forced is not None:
            # What the stages can still conclude is the same decision, however the bytes came.
            if self._limit and not (self._hopeless or self.needs_whole):
                outcome = self._look_early(now)
                if outcome is not None or self.ask is not None:
                    return outcome
            if self._closed and not (self.early or self._hopeless):
                return self._look_complete()
            return self._look_forced(self._forced)
        if self.early:
            # Stages that are through are not judged again: the whole body's scores would seem stale
            # to them, as theirs to it, and each would ask anew for ever.
            outcome = None if self.needs_whole else self._look_early(now)
            if outcome is not None or not self._body.ended or self.ask is not None:
                return outcome
        if not self._closed:
            return None
        # What may follow is blank or an error: the classifier need not wait for it, the reply must.
        self._awaits_end = not self._body.ended
        return self._look_complete()

    @property
    def _closed(self) -> bool:
        """True when the whole document is here, its end announced or not."""
        return self._body.ended or self._body.closed

    def name_counts(self, seen: ModelSeen) -> bool:
        """True when this name came early enough to decide, as a function of its offset alone."""
        return seen.end <= self._policy.early.name_bytes

    @property
    def _name_settled(self) -> bool:
        """True when no name that counts can still come."""
        body = self._body
        return (
            body.model is not None
            or self._closed
            or body.bytes_read >= self._policy.early.name_bytes
        )

    def explicit(self) -> Outcome | None:
        """The client named a model: no signals, no decision, no plugins, as upstream."""
        seen, router = self._body.model, self._policy.router
        if seen is None or not self.name_counts(seen):
            return None
        if seen.value is None:
            return refusals.no_text(seen.offset)
        if seen.value == "" or router.is_auto(seen.value):
            return None
        unknown = not router.is_known(seen.value)
        if unknown and self._policy.document.global_.router.unknown_models == "refuse":
            return refusals.unavailable(seen.value, router.names)
        return self._stamp(router.explicit(seen.value))

    @property
    def _requested(self) -> str | None:
        """The name that the client asked to be routed by, if it counts."""
        seen = self._body.model
        return seen.value or None if seen is not None and self.name_counts(seen) else None

    @property
    def early(self) -> bool:
        """Size alone tells: never whether the body came in one piece or many, packed or plain."""
        early, facts, body = self._policy.early, self._facts, self._body
        if not early.enabled or self._whole:
            return False
        announced = 0 if facts.coding else facts.content_length or 0
        size = body.bytes_read if body.ended else max(body.bytes_read, announced)
        return size > early.budget_bytes

    def _look_early(self, now: float) -> Outcome | None:
        prompt, windows, memory = self._body.prompt, self._policy.windows, self._memory
        size, ended = prompt.first_user_chars, prompt.first_user_done
        if self._limit is not None:
            size, ended = min(size, self._limit), True
        if not size and self._body.ended:
            return None
        while True:
            chars = windows[self._stage] * CHARS_PER_TOKEN
            if size < chars and not ended:
                return None
            last = (ended and size <= chars) or self._stage == len(windows) - 1
            text = prompt.first_user_prefix(min(size, chars))
            key = memory.key(self._stage, text, last=last)
            if (known := memory.recall(key, now)) is not None:
                return known
            sight = self._see_stage(text, last)
            final = isinstance(sight.verdict, Final)
            if not (final or last or self._cold) and memory.was_passed(key, now):
                self._skipped = self._stage if self._skipped is None else self._skipped
            elif self._skipped is not None:
                # Known so far, and here it goes another way: all that was left out is made up for.
                self._stage, self._skipped, self._cold = self._skipped, None, True
                continue
            elif final:
                return memory.remember(key, self._conclude(sight, Basis.EARLY), now)
            elif self._wants_scores(sight, text, windows[self._stage]):
                return None
            memory.passes(key)
            if last:
                self.needs_whole = True
                return None
            self._stage += 1

    def _see_stage(self, text: str, settled: bool) -> _Sight:
        """Scores of a smaller window count while they are confident; never stale ones that are
        not."""
        fresh = self._scored is not None and self._scored[0] == text
        if not fresh and self._scores is not None and not self._confident:
            self._scores = None
        sight = self._see(text, settled=settled)
        if self._scores is not None and not self._confident:
            unsettled = self._policy.signals.read(replace(sight.evidence, settled=False))
            self._confident = all(
                unsettled[key].value is not Truth.UNKNOWN
                for key, signal in self._policy.by_key.items()
                if signal.heads and signal.reach is Reach.WINDOW
            )
        return sight

    def _look_complete(self) -> Outcome | None:
        prompt = self._body.prompt
        if (refused := self._without_turns()) is not None:
            return refused
        text = prompt.last_user or " ".join(prompt.non_user)
        if (blocked := self._look_duplicates()) is not None or self.ask is not None:
            return blocked
        if self._scored is not None and self._scored[0] != text:
            self._scores = self._scored = None
        sight = self._see(text, settled=True, whole=True)
        if isinstance(sight.verdict, Final):
            return self._conclude(sight, Basis.COMPLETE)
        if text and self._wants_scores(sight, text, self._policy.windows[-1]):
            return None
        if self._wants_history(sight):
            return None
        return self._conclude(self._see(text, whole=True, forced=True), Basis.COMPLETE)

    def _without_turns(self) -> Immediate | None:
        """What a body gets that has no turns: nothing where its API knows something else instead,
        which nobody here can read."""
        body = self._body
        if body.prompt.has_messages:
            return None
        if not body.stands_in:
            return refusals.no_prompt()
        if self._policy.blocks and body.api is Api.COMPLETIONS:
            return refusals.hidden_prompt()
        return None

    def _look_duplicates(self) -> Decision | None:
        """The first of duplicate texts is what the backend reads, and decides; but a rule that
        blocks judges the others too. Sets `ask` when that takes scores."""
        texts = self._body.prompt.duplicates
        if not texts or not self._policy.blocks:
            return None
        text = " ".join(texts)
        sight = self._see(text, settled=True, whole=True, apart=True)
        if isinstance(sight.verdict, Pending):
            window = self._policy.windows[-1]
            if self._duplicates is None and self._wants_scores(sight, text, window, apart=True):
                self._asks_duplicates = True
                return None
            sight = self._see(text, whole=True, forced=True, apart=True)
        decision = self._conclude(sight, Basis.COMPLETE)
        return decision if self._policy.answers(decision) else None

    def _look_forced(self, basis: Basis) -> Outcome | None:
        """Unknown counts as false; but what the classifier can still say of the text is worth one
        forward, unless even that is given up."""
        text = self._text
        if self._hopeless:
            return self._conclude(self._see(text, forced=True), basis)
        if self._scored is not None and self._scored[0] != text and not self._confident:
            self._scores = None
        sight = self._see(text, settled=True)
        if isinstance(sight.verdict, Final):
            return self._conclude(sight, basis)
        if text and self._wants_scores(sight, text, self._policy.windows[-1]):
            return None
        return self._conclude(self._see(text, forced=True), basis)

    # -- parts -----------------------------------------------------------------------------------

    def _see(
        self,
        text: str,
        *,
        settled: bool = False,
        whole: bool = False,
        forced: bool = False,
        apart: bool = False,
    ) -> _Sight:
        """`apart`: the text is that of duplicates, which have scores of their own."""
        body = self._body
        segments, scores = self._heard(text, self._duplicates if apart else self._scores, whole)
        evidence = Evidence(
            text=text,
            segments=segments,
            settled=settled or whole or forced,
            whole=whole,
            forced=forced,
            scores=scores,
            facts=body.facts,
            metadata=body.metadata,
            params=body.params,
            headers=self._facts.headers,
        )
        readings = self._policy.signals.read(evidence)
        verdict = self._policy.router.engine.judge(readings, forced=forced)
        return _Sight(evidence, readings, verdict)

    def _heard(
        self, text: str, scores: Scores | None, whole: bool
    ) -> tuple[tuple[Segment, ...], Scores | None]:
        """The text and, once the body has ended, all else that was said, each with its scores."""
        history = self._said_before() if whole else ""
        segments = [Segment(Origin.LAST, text)]
        scored = [_of_segment(scores)]
        if history:
            segments.append(Segment(Origin.HISTORY, history))
            scored.append(_of_segment(self._history))
        if scores is None and self._history is None:
            return tuple(segments), None
        return tuple(segments), replace(scores or Scores(), segments=tuple(scored))

    def _said_before(self) -> str:
        prompt = self._body.prompt
        return "\n".join(part for part in (*prompt.non_user, *prompt.prior_user) if part.strip())

    def _wants_scores(self, sight: _Sight, text: str, window: int, *, apart: bool = False) -> bool:
        """True when a forward could settle a leaf that blocks; sets `ask`."""
        if not isinstance(sight.verdict, Pending):
            raise ExchangeBug("a final verdict waits for no scores")
        whole = sight.evidence.whole
        keys = frozenset(
            key
            for key in sight.verdict.blocking
            if (signal := self._policy.by_key.get(key)) and (whole or signal.reach is Reach.WINDOW)
        )
        known = self._scored if self._scores is not None and not apart else None
        already = known[1] if known is not None else frozenset()
        heads = self._policy.heads_of(keys) - already
        if not heads:
            return False
        self.ask = Ask(text=text, heads=heads | already, window=window)
        return True

    def _wants_history(self, sight: _Sight) -> bool:
        """True when a rule with include_history still blocks and there is a history; sets `ask`."""
        signals = self._policy.by_key.values()
        readers = (s for s in signals if Origin.HISTORY in getattr(s, "origins", ()))
        heads = frozenset(head for signal in readers for head in signal.heads)
        if self._history is not None or not heads or isinstance(sight.verdict, Final):
            return False
        text = self._said_before()
        if not text:
            return False
        self._asks_history = True
        self.ask = Ask(text=text, heads=heads, window=self._policy.windows[-1])
        return True

    def _conclude(self, sight: _Sight, basis: Basis) -> Decision:
        if not isinstance(sight.verdict, Final):
            raise ExchangeBug("a verdict that is pending concludes nothing")
        return self._policy.router.conclude(
            sight.verdict,
            basis=basis,
            requested_model=self._requested,
            readings=sight.readings,
            scores=sight.evidence.scores,
            seed=blake2b(sight.evidence.text.encode("utf-8", "replace"), digest_size=8).digest(),
        )

    def fallback(self, reason: str) -> Decision:
        """The default model, because a fault of ours made a decision impossible."""
        return self._stamp(self._policy.router.fallback(reason))

    def _stamp(self, decision: Decision) -> Decision:
        body = self._body
        plain = None if self._facts.coding else self._facts.content_length
        return replace(
            decision,
            requested_model=self._requested,
            bytes_read=body.bytes_read,
            body_bytes=body.bytes_read if body.ended else plain,
            bytes_held=body.held,
        )


def _on_basis(outcome: Outcome, basis: Basis) -> Outcome:
    return replace(outcome, basis=basis) if isinstance(outcome, Decision) else outcome


def _of_segment(scores: Scores | None) -> SegmentScores:
    if scores is None:
        return SegmentScores()
    return SegmentScores(jailbreak=scores.jailbreak, pii=scores.pii)
