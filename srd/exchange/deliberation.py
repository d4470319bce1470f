"""How a body becomes a Decision, as early as the rules allow.

Why this file exists: which text is evidence, when to ask the classifier and when to stop waiting
are one question, asked by every body mode and by `srd explain`. It must not know modes, replies,
timers or the clock (`now` is passed in for the memo alone).

Theory of operation. Whatever is decided here is a function of the body's bytes and the classifier's
answers, never of how the body was cut into chunks. So text is looked at only at fixed lengths (the
stages of `Policy.windows`), and the caller feeds the body in pieces that end exactly at the offsets
that matter (`checkpoint`): the evidence budget and the cap on held bytes.

* complete: the body ended within the budget. The last user message decides; all signals answer.
* early: the body is larger. Stage by stage over the first user message, until the verdict is final.
  Scores of a smaller window are kept as long as they are confident, else the window grows.
* forced: budget, cap, timer or pressure. Unknown counts as false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

from srd.body.body import Body
from srd.classify.api import CHARS_PER_TOKEN, Ask, Scores
from srd.decide.decision import Basis, Decision
from srd.decide.engine import Final, Pending
from srd.exchange.facts import RequestFacts
from srd.exchange.policy import Policy
from srd.plugins.errors import Immediate, refusal
from srd.signals.base import Evidence, Reading, Truth
from srd.signals.readings import history_text

Outcome = Decision | Immediate


@dataclass(slots=True)
class _Sight:
    """One look at the evidence: what was read and what the rules make of it."""

    evidence: Evidence
    readings: Mapping[str, Reading]
    verdict: Final | Pending


class Deliberation:
    """Deliberates on one request body. Owned by one exchange; not thread-safe.

    `whole`: the body comes in one message, so nothing is won by deciding before its end.
    `look` after every event that may have changed the evidence; it returns the outcome once there
    is one. `ask` is then the question that must be answered before the next look can help, if any.
    """

    def __init__(
        self, policy: Policy, facts: RequestFacts, body: Body, *, whole: bool = False
    ) -> None:
        self._whole = whole
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
        self._hinted: bool | None = None
        self.ask: Ask | None = None

    def __repr__(self) -> str:
        state = f"forced={self._forced}" if self._forced else f"stage={self._stage}"
        return f"<Deliberation {state} asked={self.ask is not None} failed={self._failed or '-'}>"

    # -- what happened ---------------------------------------------------------------------------

    def checkpoint(self) -> int | None:
        """The next body offset at which evidence is judged: feed no piece across it."""
        early = self._policy.early
        if self._whole:
            return None
        for offset in sorted((early.budget_bytes + 1, early.max_held_bytes)):
            if self._body.bytes_read < offset:
                return offset
        return None

    def at_checkpoint(self) -> None:
        """The body was read up to a checkpoint: budgets may be spent."""
        early, body = self._policy.early, self._body
        if body.bytes_read == early.budget_bytes + 1:
            self._stop_reading()
        if body.bytes_read >= early.max_held_bytes and not self.wants_tail:
            self.force(Basis.BUDGET)

    def force(self, basis: Basis) -> None:
        """Nobody waits for more text any longer; scores already asked for may still come."""
        if self._forced is None:
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
            self._history = scores
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
        """True when only the body's end can decide, and mode T lets the bytes flow meanwhile."""
        return self.needs_whole and self._policy.tail_insertion and not self._body.ended

    # -- looking ---------------------------------------------------------------------------------

    def look(self, now: float) -> Outcome | None:
        """The outcome if it is certain by now, else None."""
        if (explicit := self.explicit()) is not None:
            return explicit
        if self._failed:
            return self._fallback(self._failed)
        if self.ask is not None:
            return None
        if self._forced is not None:
            # What the stages can still conclude is the same decision, however the bytes came.
            if self._limit and not (self._hopeless or self.needs_whole):
                outcome = self._look_early(now)
                if outcome is not None or self.ask is not None:
                    return outcome
            return self._look_forced(self._forced)
        # Before the model's name is known, only the fixed offsets are looked at: whether a late
        # name still counts must not depend on how the bytes were cut.
        known = self._body.model is not None or self._limit is not None or self._body.ended
        if self.early and known:
            outcome = self._look_early(now)
            if outcome is not None or not self._body.ended or self.ask is not None:
                return outcome
        return self._look_complete() if self._body.ended else None

    def explicit(self) -> Outcome | None:
        """The client named a model: no signals, no decision, no plugins (upstream section 0)."""
        seen, router = self._body.model, self._policy.router
        if seen is None or (seen.value is not None and router.is_auto(seen.value)):
            return None
        if seen.value is None:
            return refusal(400, f'"model" at byte {seen.offset} must be a string')
        if not router.is_known(seen.value):
            return refusal(400, f'model "{seen.value[:200]}" is not available')
        return self._stamp(router.explicit(seen.value))

    @property
    def early(self) -> bool:
        """Size alone tells: never whether the body came in one piece or in many."""
        early, facts, body = self._policy.early, self._facts, self._body
        if not early.enabled or facts.compressed or self._whole:
            return False
        size = body.bytes_read if body.ended else max(body.bytes_read, facts.content_length or 0)
        return size > early.budget_bytes

    def _look_early(self, now: float) -> Outcome | None:
        prompt, windows = self._body.prompt, self._policy.windows
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
            if (known := self._recall(text, now)) is not None:
                return known
            sight = self._see_stage(text, last)
            if isinstance(sight.verdict, Final):
                return self._remember(text, self._conclude(sight, Basis.EARLY), now)
            waits = not last and self._was_decided_later(now)
            if not waits and self._wants_scores(sight, text, windows[self._stage]):
                return None
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
                if signal.heads and signal.scope == "window"
            )
        return sight

    def _look_complete(self) -> Outcome | None:
        prompt = self._body.prompt
        if not prompt.has_messages:
            return refusal(400, "the body has no prompt: messages, prompt or input is missing")
        text = prompt.last_user or " ".join(prompt.non_user)
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
        self, text: str, *, settled: bool = False, whole: bool = False, forced: bool = False
    ) -> _Sight:
        body = self._body
        evidence = Evidence(
            text=text,
            settled=settled or whole or forced,
            whole=whole,
            forced=forced,
            scores=self._scores,
            history_scores=self._history,
            prior_user=body.prompt.prior_user if whole else (),
            non_user=body.prompt.non_user,
            facts=body.facts,
            metadata=body.metadata,
            params=body.params,
            headers=self._facts.headers,
        )
        readings = self._policy.signals.read(evidence)
        verdict = self._policy.router.engine.judge(readings, forced=forced)
        return _Sight(evidence, readings, verdict)

    def _wants_scores(self, sight: _Sight, text: str, window: int) -> bool:
        """True when a forward could settle a leaf that blocks; sets `ask`."""
        assert isinstance(sight.verdict, Pending)
        reach = "full" if sight.evidence.whole else "window"
        keys = frozenset(
            key
            for key in sight.verdict.blocking
            if (signal := self._policy.by_key.get(key))
            and (reach == "full" or signal.scope == reach)
        )
        heads = self._policy.heads_of(keys)
        if self._scores is not None and self._scored is not None:
            heads -= self._scored[1]
        if not heads:
            return False
        already = self._scored[1] if self._scores is not None and self._scored else frozenset()
        self.ask = Ask(text=text, heads=heads | already, window=window)
        return True

    def _wants_history(self, sight: _Sight) -> bool:
        """True when a rule with include_history still blocks and there is a history; sets `ask`."""
        heads = self._policy.signals.history_heads
        if self._history is not None or not heads or isinstance(sight.verdict, Final):
            return False
        text = history_text(sight.evidence)
        if not text:
            return False
        self._asks_history = True
        self.ask = Ask(text=text, heads=heads, window=self._policy.windows[-1])
        return True

    def _conclude(self, sight: _Sight, basis: Basis) -> Decision:
        assert isinstance(sight.verdict, Final)
        seen = self._body.model
        decision = self._policy.router.conclude(
            sight.verdict,
            basis=basis,
            requested_model=seen.value if seen else None,
            readings=sight.readings,
            scores=sight.evidence.scores,
            seed=blake2b(sight.evidence.text.encode("utf-8", "replace"), digest_size=8).digest(),
        )
        return self._stamp(decision)

    def _fallback(self, reason: str) -> Decision:
        seen = self._body.model
        return self._stamp(
            self._policy.router.fallback(reason, requested_model=seen.value if seen else None)
        )

    def _stamp(self, decision: Decision) -> Decision:
        body = self._body
        total = body.bytes_read if body.ended else self._facts.content_length
        return replace(decision, bytes_read=body.bytes_read, body_bytes=total, bytes_held=body.held)

    # -- the memo --------------------------------------------------------------------------------

    def _key(self, text: str, *, stage: int | None = None) -> bytes:
        """Equal keys mean equal evidence, so a remembered decision is the one that would be made
        again: configuration, alias, stage, text, and the headers where a signal reads them."""
        seen = self._body.model
        digest = blake2b(digest_size=16)
        parts = [
            str(self._policy.generation),
            (seen.value if seen else None) or "",
            str(self._stage if stage is None else stage),
        ]
        if self._policy.identity_headers:
            parts += [
                f"{k}={v}"
                for k, v in sorted(self._facts.headers.items())
                if k in self._policy.identity_headers
            ]
        for part in parts:
            digest.update(part.encode("utf-8", "replace") + b"\0")
        digest.update(text.encode("utf-8", "replace"))
        return digest.digest()

    def _recall(self, text: str, now: float) -> Decision | None:
        memo = self._policy.memo
        known = None if memo is None else memo.recall(self._key(text), now)
        return None if known is None else self._stamp(replace(known, basis=Basis.MEMO))

    def _remember(self, text: str, decision: Decision, now: float) -> Decision:
        memo = self._policy.memo
        if memo is not None:
            memo.remember(self._key(text), decision, now)
            if self._stage:
                memo.remember(self._hint(), decision, now)
        return decision

    def _hint(self) -> bytes:
        """Says of the first window that a decision was made on a later one."""
        first = self._policy.windows[0] * CHARS_PER_TOKEN
        return b"later " + self._key(self._body.prompt.first_user_prefix(first), stage=0)

    def _was_decided_later(self, now: float) -> bool:
        """True when this beginning is known and its decision lies behind a later window: waiting
        for that costs no time worth a forward."""
        if self._hinted is None:
            memo = self._policy.memo
            self._hinted = memo is not None and memo.recall(self._hint(), now) is not None
        return self._hinted
