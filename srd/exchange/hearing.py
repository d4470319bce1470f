"""One request before the rules: what they see at one moment, and what they must still be told.

Why this file exists: a subject becomes evidence, evidence a verdict, and an open verdict a question
to the classifier; which answer belongs to which text, and how many questions one body is worth, is
kept here. It must not know when anybody looks, nor what becomes of a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

from srd.body.body import Body, Known
from srd.classify.api import Ask, Scores
from srd.decide.decision import Basis, Decision
from srd.decide.engine import Final, Pending, Verdict
from srd.evidence.fold import Topic
from srd.exchange.accounts import told
from srd.exchange.errors import ExchangeBug
from srd.exchange.facts import RequestFacts
from srd.exchange.policy import Policy
from srd.exchange.subject import Subject, answer_of
from srd.signals.base import Evidence, Reach, Reading, Truth
from srd.signals.reader import Reader
from srd.signals.readings import is_open

#: No body is worth more questions than this; what is unknown then counts as its leaf says.
MOST_ASKS = 8

_DOMAIN = "domain"


@dataclass(slots=True)
class Sight:
    """One look at a subject: what was read and what the rules make of it. `held` is the earlier
    turn that decides the subject, `topic` what the turns said of it."""

    subject: Subject
    evidence: Evidence
    readings: Mapping[str, Reading]
    verdict: Verdict
    topic: Topic | None = None
    held: int | None = None


class Hearing:
    """The evidence of one body and the classifier's answers. Owned by one deliberation.

    `ask` is the question that is out, None while none is. `past` is what was known beside the texts
    where the evidence budget ended.
    """

    def __init__(self, policy: Policy, facts: RequestFacts, body: Body) -> None:
        self._policy = policy
        self._facts = facts
        self._body = body
        self._reader = Reader(policy.signals)
        self._scores: Scores | None = None
        self._scored: tuple[tuple[str, ...], frozenset[str]] | None = None  # of _scores
        self._held: Mapping[str, float] | None = None  # the distribution of the turn that holds
        self._asks_held = False
        self._confident = False
        self._asks = 0
        self.past: Known | None = None
        self.ask: Ask | None = None

    def __repr__(self) -> str:
        state = "an ask is out" if self.ask is not None else "no ask is out"
        return f"<Hearing {self._asks} asks, {state}>"

    # -- answers

    def take(self, scores: Scores) -> None:
        """The classifier answered `ask`."""
        if self.ask is None:
            return
        if self._asks_held:
            self._held, self._asks_held = answer_of(self.ask, scores), False
        else:
            self._scored = (_asked(self.ask), self.ask.heads)
            self._scores = scores
        self.ask = None

    def turn_to(self, subject: Subject, *, keep_confident: bool = False) -> None:
        """Answers to another text are forgotten; or stay while they are confident."""
        if self._is_answered(subject) or (keep_confident and self._confident):
            return
        self._scores = self._scored = None

    def _is_answered(self, subject: Subject) -> bool:
        return self._scored is None or self._scored[0] == _asked(subject.ask(self._scored[1]))

    # -- looking

    def see(self, subject: Subject, *, forced: bool = False, blocking: bool = False) -> Sight:
        """What the rules make of it now. `blocking`: only decisions that block count."""
        beside = self.beside(subject)
        scores, topic, held = self._scores, None, None
        if scores is not None and self._is_answered(subject):
            topic = subject.topic(scores, self._policy.leave)
            held = subject.held(topic) if scores.domain is not None else None
            scores = subject.read(scores) if held is None else replace(scores, domain=self._held)
        evidence = Evidence(
            text=subject.text,
            raw=subject.raw,
            segments=subject.segments,
            settled=subject.settled,
            turns=subject.turns,
            whole=subject.whole,
            forced=forced,
            scores=scores,
            facts=beside.facts,
            metadata=beside.metadata,
            params=beside.params,
            headers=self._facts.headers,
        )
        readings = self._reader.read(evidence)
        engine = self._policy.router.engine
        judge = engine.judge_blocking if blocking else engine.judge
        return Sight(subject, evidence, readings, judge(readings, forced=forced), topic, held)

    def see_stage(self, subject: Subject, *, last: bool) -> Sight:
        """One stage of a beginning. Scores of a smaller window count while they are confident;
        never stale ones that are not."""
        subject = replace(subject, settled=last)
        self.turn_to(subject, keep_confident=True)
        sight = self.see(subject)
        if self._scores is not None and not self._confident:
            unsettled = self._policy.signals.read(replace(sight.evidence, settled=False))
            self._confident = all(
                unsettled[key].value is not Truth.UNKNOWN
                for key, signal in self._policy.by_key.items()
                if signal.heads and signal.reach is Reach.WINDOW
            )
        return sight

    def beside(self, subject: Subject) -> Known:
        """What rules may read beside the text: as it stood at an offset that the bytes alone tell.
        Only where nobody waits any longer it is what happens to be here."""
        body = self._body
        if subject.whole:
            return body.known()
        known = body.known_at_turns if subject.turns else self.past
        return known or body.known()

    # -- asking

    def wants_scores(self, sight: Sight) -> bool:
        """True when a forward could settle a leaf that is open; sets `ask`."""
        if not isinstance(sight.verdict, Pending):
            raise ExchangeBug("only a pending verdict waits for scores")
        if self._asks >= MOST_ASKS:
            return False
        self.ask = self._question(sight)
        self._asks += self.ask is not None
        return self.ask is not None

    def _question(self, sight: Sight) -> Ask | None:
        if not isinstance(sight.verdict, Pending):
            return None
        keys = frozenset(
            key
            for key in sight.verdict.blocking
            if (signal := self._policy.by_key.get(key)) and is_open(signal.reach, sight.evidence)
        )
        heads = self._policy.heads_of(keys)
        if sight.held is not None and self._held is None and _DOMAIN in heads:
            self._asks_held = True
            return sight.subject.ask_of(sight.held)
        known = self._scored is not None and self._scores is not None
        already = self._scored[1] if known and self._scored is not None else frozenset()
        if not heads - already:
            return None
        return sight.subject.ask(heads | already)

    # -- concluding

    def conclude(self, sight: Sight, basis: Basis, requested: str | None) -> Decision:
        """The Decision of a final verdict."""
        if not isinstance(sight.verdict, Final):
            raise ExchangeBug("a verdict that is pending concludes nothing")
        seed = sight.subject.seed(sight.held)
        decision = self._policy.router.conclude(
            sight.verdict,
            basis=basis,
            requested_model=requested,
            readings=sight.readings,
            scores=sight.evidence.scores,
            seed=blake2b(seed.encode("utf-8", "replace"), digest_size=8).digest(),
        )
        return replace(decision, account=told(sight.subject.account, sight.topic, sight.held))


def _asked(ask: Ask) -> tuple[str, ...]:
    """What a classifier's answer is the answer to, beside the heads."""
    return (ask.text, *ask.turns, "\0", *ask.segments)
