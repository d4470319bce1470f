"""How a body becomes a Decision, as early as the rules allow.

Why this file exists: when to look at the evidence, when to ask the classifier and when to stop
waiting are one question, asked by every body mode and by `srd explain`. It must not know modes,
replies, timers or the clock (`now` is passed in for the memo alone), nor which text is evidence
(srd.exchange.subject).

Theory of operation. Whatever is decided here is a function of the body's bytes and the classifier's
answers, never of how the body was cut into chunks, packed, or which mode carries it. So the caller
reads the body in steps that end exactly at the offsets that matter (`checkpoint`): the evidence
budget, the end of where a model's name counts, and the cap on held bytes. All of them count bytes
without those of attachments.

* complete: the turns have closed within the budget, whatever follows them. The last human turn
  decides, or the one whose subject holds. Rules over what may still follow wait for the end.
* early: the budget has passed first. Stage by stage over the first human text, until the verdict is
  final. Scores of a smaller window are kept as long as they are confident, else the window grows.
* forced: cap, timer or pressure. What is unknown counts as its leaf says.

Where a rule blocks nothing is decided early: the body is held whole, and what could not be
evaluated refuses the request (`_unanswered`).

The rule for a late name stands in `name_counts` and `_name_settled`, and nowhere else: a model name
counts if its value ends within the first `EarlyDecision.name_bytes` that are counted, and no
outcome leaves before that offset, the name, or the end of the body has passed. Timers and memory
pressure alone shorten it, and then the basis says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

from srd.body.body import Body, Known
from srd.body.prompt import ModelSeen
from srd.classify.api import Ask, Scores
from srd.decide.decision import Basis, Decision
from srd.decide.engine import Engine, Final, Pending, Unanswered, Verdict
from srd.evidence.fold import Topic
from srd.exchange import refusals
from srd.exchange.errors import ExchangeBug
from srd.exchange.facts import RequestFacts
from srd.exchange.memory import Memory
from srd.exchange.policy import Policy
from srd.exchange.subject import Subject, Witness, answer_of, told
from srd.plugins.errors import Immediate
from srd.signals.base import Evidence, Reach, Reading, Truth
from srd.signals.reader import Reader
from srd.signals.readings import is_open

Outcome = Decision | Immediate

#: No body is worth more questions than this; what is unknown then counts as its leaf says.
MOST_ASKS = 8


@dataclass(slots=True)
class _Sight:
    """One look at a subject: what was read and what the rules make of it."""

    subject: Subject
    evidence: Evidence
    readings: Mapping[str, Reading]
    verdict: Verdict
    topic: Topic | None = None
    held: int | None = None  # the earlier turn that decides the subject


class Deliberation:
    """Deliberates on one request body. Owned by one exchange; not thread-safe.

    `whole`: the body comes in one message and `parity` is off: it is decided on all of it, as
    upstream does. `kept`: it comes in one message, so reading on holds nothing more.
    `look` after every event that may have changed the evidence; it returns the outcome once there
    is one. `ask` is then the question that must be answered before the next look can help, if any.
    `unanswered` names what a rule that blocks would have refused, where it only observes.
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
        self._witness = Witness(policy)
        self._stage = 0
        self._past: Known | None = None  # what was known at the budget
        self._frozen: str | None = None  # the human text that later stages do not exceed
        self._pinned: int | None = None  # the place from which on the conversation is bound
        self._complete: Subject | None = None
        self._scores: Scores | None = None
        self._scored: tuple[tuple[str, ...], frozenset[str]] | None = None  # of _scores
        self._held: Mapping[str, float] | None = None  # the distribution of the turn that holds
        self._asks_held = False
        self._confident = False
        self._knows_repeated = False  # what rules that block say of repeated members
        self._failed = ""
        self._hopeless = False
        self._too_much = False
        self._forced: Basis | None = None
        self._text = ""  # what was there when the decision was forced
        self.needs_whole = False
        self._memory = Memory(policy, facts)
        self._reader = Reader(policy.signals)
        self._skipped: int | None = None  # the first stage whose forward was left out
        self._cold = False  # none is left out any more
        self._settled: Outcome | None = None  # what waits until a late name would have passed
        self._awaits_end = False  # ... and until the body's end is announced
        self._outcome: Outcome | None = None
        self._asks = 0
        self.ask: Ask | None = None
        self.unanswered: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        state = f"forced={self._forced}" if self._forced else f"stage={self._stage}"
        return f"<Deliberation {state} asks={self._asks} failed={self._failed or '-'}>"

    # -- what happened ---------------------------------------------------------------------------

    def checkpoint(self) -> int | None:
        """The counted offset at which evidence is judged next: read no further."""
        early = self._policy.early
        marks = {early.name_bytes}
        if not self._whole:
            marks |= {early.budget_bytes + 1, early.max_held_bytes}
        ahead = [offset for offset in marks if offset > self._body.counted]
        return min(ahead, default=None)

    @property
    def most_bytes(self) -> int | None:
        """Inflated bytes after which it is judged as well, attachments and all; None: never."""
        most = self._policy.document.global_.router.limits.max_request_bytes_held
        if self._whole or self._kept or self._forced is not None:
            return most + 1 if self._policy.refuses else None
        return most + 1

    def at_checkpoint(self) -> None:
        """The body was read up to a checkpoint: budgets may be spent."""
        early, body = self._policy.early, self._body
        if self.most_bytes is not None and body.bytes_read >= self.most_bytes:
            self._too_much = self._policy.refuses
            self.force(Basis.BUDGET)
        if self._whole:
            return
        if body.counted == early.budget_bytes + 1:
            self._pass_budget()
        if body.counted >= early.max_held_bytes and not (self.wants_tail or self._is_spared):
            self.force(Basis.BUDGET)

    @property
    def _is_spared(self) -> bool:
        """True where holding more than `max_held_bytes` is what was asked for."""
        return self._policy.refuses or (self._kept and self._policy.blocks)

    def _pass_budget(self) -> None:
        """From here on only what is here now counts, and the first human text if none is."""
        body = self._body
        self._past = body.known()
        if body.prompt.bound is not None and self._policy.pins:
            self._pinned = body.prompt.bound.place
        elif body.prompt.turns_end < 0:
            text, more = self._witness.begun(body)
            if not more:  # else a few bytes of a question would stand for it: a window bounds it
                self._frozen = self._frozen or text or None

    def _freeze(self) -> None:
        """No stage sees more of the first human text than is here now, if anything is."""
        if self._frozen is None:
            self._frozen = self._witness.begun(self._body)[0] or None

    def force(self, basis: Basis) -> None:
        """Nobody waits for more text any longer; scores already asked for may still come."""
        if self._forced is not None:
            return
        if self._settled is not None and not self._name_settled:
            # It would have waited for a name: that it did not is time's doing, and says so.
            self._settled = _on_basis(self._settled, basis)
        self._forced = basis
        if self.early:
            self._freeze()
        self._text = self._frozen or self._witness.begun(self._body)[0]
        self._text = self._text or self._witness.unfiltered(self._body)

    def give_up(self, basis: Basis) -> None:
        """Nobody waits for scores either."""
        self.force(basis)
        self._hopeless, self.ask = True, None

    def scores(self, scores: Scores) -> None:
        """The classifier answered `ask`."""
        if self.ask is None:
            return
        if self._asks_held:
            self._held, self._asks_held = answer_of(self.ask, scores), False
        else:
            self._scored = (_asked(self.ask), self.ask.heads)
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
        return bool(prompt.in_turn or prompt.non_user or self._body.model)

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
        if (named := self.explicit()) is not None and not self._inspects(named):
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

    def _inspects(self, named: Outcome) -> bool:
        """True when even a request that names its model waits for the rules that block."""
        return isinstance(named, Decision) and self._policy.inspects_named

    def _judge(self, now: float) -> Outcome | None:
        """The outcome for a body that is routed, whatever name may still come."""
        if self._too_much:
            return refusals.too_much_held(self.most_bytes or 0)
        if self._failed:
            return self._without_scores()
        if self.ask is not None:
            return None
        if self._forced is not None:
            return self._judge_forced(self._forced, now)
        if self.early and not self._policy.blocks:
            # Stages that are through are not judged again.
            outcome = None if self.needs_whole else self._look_early(now)
            if outcome is not None or self.ask is not None or not self._closed:
                return outcome
        if not self._knows_turns:
            return None
        # What may follow is blank or an error: the classifier need not wait for it, the reply must.
        self._awaits_end = self._closed and not self._body.ended
        return self._look_complete()

    def _judge_forced(self, basis: Basis, now: float) -> Outcome | None:
        # What the stages can still conclude is the same decision, however the bytes came.
        if self._frozen and self.early and not (self._hopeless or self.needs_whole):
            outcome = None if self._policy.blocks else self._look_early(now)
            if outcome is not None or self.ask is not None:
                return outcome
        if self._closed and not (self.early or self._hopeless):
            return self._look_complete()
        return self._look_forced(basis)

    @property
    def _closed(self) -> bool:
        """True when the whole document is here, its end announced or not."""
        return self._body.ended or self._body.closed

    @property
    def _knows_turns(self) -> bool:
        """True when the turns that count are all here."""
        if self._closed:
            return True
        early = self.early and not (self.needs_whole or self._policy.blocks)
        if self._whole or early:
            return False
        return self._body.prompt.turns_end >= 0 or self._pinned is not None

    def name_counts(self, seen: ModelSeen) -> bool:
        """True when this name came early enough to decide, as a function of its offset alone."""
        return seen.counted <= self._policy.early.name_bytes

    @property
    def _name_settled(self) -> bool:
        """True when no name that counts can still come."""
        body = self._body
        return (
            body.model is not None or self._closed or body.counted >= self._policy.early.name_bytes
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
        """True when the evidence budget has passed before the turns were all here. The bytes alone
        tell: never what was announced, nor whether they came in one piece or many."""
        early = self._policy.early
        if not early.enabled or self._whole or self._pinned is not None:
            return False
        end = self._body.prompt.turns_end
        return (self._past is not None or self._body.counted > early.budget_bytes) and not (
            0 <= end <= early.budget_bytes
        )

    @property
    def params(self) -> Mapping[str, object]:
        """The small top-level members as far as a plan may know them: all at the body's end, else
        those within the evidence budget, so far."""
        if self._closed:
            return self._body.params
        known = self._past or self._body.known_at_turns
        return self._body.params if known is None else known.params

    @property
    def params_settled(self) -> bool:
        """True when `params` cannot change any more."""
        return self._closed or self._past is not None or self._forced is not None

    # -- early

    def _look_early(self, now: float) -> Outcome | None:
        text, more = self._witness.begun(self._body)
        if self._frozen is not None:
            text, more = self._frozen, False
        if not text:
            return None
        memory, witness = self._memory, self._witness
        while True:
            subject = witness.stage(text, self._stage, more=more)
            if subject is None:
                return None
            last = witness.is_last(text, self._stage, more=more)
            key = memory.key(
                self._stage, subject.text, last=last, beside=self._noted_beside(subject)
            )
            if (known := memory.recall(key, now)) is not None:
                return known
            sight = self._see_stage(subject, last)
            final = isinstance(sight.verdict, Final)
            if not (final or last or self._cold) and memory.was_passed(key, now):
                self._skipped = self._stage if self._skipped is None else self._skipped
            elif self._skipped is not None:
                # Known so far, and here it goes another way: all that was left out is made up for.
                self._stage, self._skipped, self._cold = self._skipped, None, True
                continue
            elif final:
                return memory.remember(key, self._conclude(sight, Basis.EARLY), now)
            elif self._wants_scores(sight):
                return None
            memory.passes(key)
            if last:
                self.needs_whole = True
                return None
            self._stage += 1

    def _beside(self, subject: Subject) -> Known:
        """What rules may read beside the text: as it stood at an offset that the bytes alone tell.
        Only where nobody waits any longer it is what happens to be here."""
        body = self._body
        if subject.whole:
            return body.known()
        known = body.known_at_turns if subject.turns else self._past
        return known or body.known()

    def _noted_beside(self, subject: Subject) -> str:
        """That, as far as a rule reads it before the end."""
        return repr(self._beside(subject)) if self._policy.reads_beside else ""

    def _see_stage(self, subject: Subject, last: bool) -> _Sight:
        """Scores of a smaller window count while they are confident; never stale ones that are
        not."""
        subject = replace(subject, settled=last)
        fresh = self._scored is not None and self._answered(subject)
        if not fresh and self._scores is not None and not self._confident:
            self._scores = None
        sight = self._see(subject)
        if self._scores is not None and not self._confident:
            unsettled = self._policy.signals.read(replace(sight.evidence, settled=False))
            self._confident = all(
                unsettled[key].value is not Truth.UNKNOWN
                for key, signal in self._policy.by_key.items()
                if signal.heads and signal.reach is Reach.WINDOW
            )
        return sight

    # -- complete

    def _look_complete(self) -> Outcome | None:
        if self._closed and (refused := self._without_turns()) is not None:
            return refused
        if (blocked := self._look_repeated()) is not None or self.ask is not None:
            return blocked
        subject = self._all_turns()
        if not self._answered(subject):
            self._scores = self._scored = None
        sight = self._see(subject)
        if isinstance(sight.verdict, Final):
            return self._conclude(sight, Basis.COMPLETE)
        if self._wants_scores(sight):
            return None
        if not self._closed:
            return None
        return self._last_word(subject, Basis.COMPLETE)

    def _look_repeated(self) -> Outcome | None:
        """The first of duplicate texts is what the backend reads, and decides; but a rule that
        blocks judges the others too. Sets `ask` when that takes scores."""
        texts = self._body.prompt.duplicates
        if not (texts and self._closed and self._policy.blocks) or self._knows_repeated:
            return None
        subject = self._witness.repeated(self._body)
        if not self._answered(subject):
            self._scores = self._scored = None
        sight = self._see(subject, blocking=True)
        if isinstance(sight.verdict, Pending):
            if self._wants_scores(sight):
                return None
            sight = self._see(subject, forced=True, blocking=True)
        self._knows_repeated = True
        blocks = isinstance(sight.verdict, Final) and sight.verdict.rule is not None
        return self._conclude(sight, Basis.COMPLETE) if blocks else None

    def _all_turns(self) -> Subject:
        """The complete evidence; made once before the end, and once at it."""
        made = self._complete
        if made is None or made.whole != self._closed:
            made = self._witness.complete(self._body, whole=self._closed, at=self._binding)
            self._complete = made
        return made

    @property
    def _binding(self) -> int | None:
        """The place from which on turns do not count, because what was answered there binds."""
        if self._pinned is not None:
            return self._pinned
        bound = self._body.prompt.bound
        return bound.place if bound is not None and self._policy.pins else None

    def _answered(self, subject: Subject) -> bool:
        return self._scored is None or self._scored[0] == _asked(subject.ask(self._scored[1]))

    def _without_turns(self) -> Immediate | None:
        """What a body gets whose prompt is not here, or is in a form that nobody here can read."""
        prompt = self._body.prompt
        if prompt.hidden and self._policy.refuses:
            return refusals.hidden_prompt()
        if prompt.has_messages or self._body.stands_in:
            return None
        return refusals.no_prompt()

    # -- forced, and without scores

    def _look_forced(self, basis: Basis) -> Outcome | None:
        """What is unknown counts as its leaf says; but what the classifier can still say of the
        text is worth one forward, unless even that is given up."""
        subject = self._what_there_is()
        if not self._hopeless:
            if not self._answered(subject) and not self._confident:
                self._scores = self._scored = None
            sight = self._see(subject)
            if isinstance(sight.verdict, Final):
                return self._conclude(sight, basis)
            if subject.text and self._wants_scores(sight):
                return None
        return self._last_word(subject, basis)

    def _what_there_is(self) -> Subject:
        """The evidence when nobody waits any longer."""
        if self._closed or (self._body.prompt.turns_end >= 0 and not self.early):
            return self._all_turns()
        return self._witness.beginning(self._text)

    def _last_word(self, subject: Subject, basis: Basis) -> Outcome:
        """The verdict with what is unknown counted as its leaf says, or the refusal."""
        sight = self._see(subject, forced=True)
        if isinstance(sight.verdict, Unanswered):
            if self._policy.enforces:
                return refusals.policy_unanswered()
            self.unanswered = sight.verdict.blocking
            sight.verdict = sight.verdict.otherwise
        return self._conclude(sight, basis)

    def _without_scores(self) -> Outcome:
        """The classifier failed: the default model, unless a rule that blocks says something."""
        fallback = self._named() or self._policy.router.fallback(self._failed)
        if not self._policy.blocks:
            return fallback
        sight = self._see(self._what_there_is(), forced=True, blocking=True)
        if isinstance(sight.verdict, Unanswered):
            if self._policy.enforces:
                return refusals.policy_unanswered()
            self.unanswered = sight.verdict.blocking
            return fallback
        if isinstance(sight.verdict, Final) and sight.verdict.rule is not None:
            return self._conclude(sight, Basis.FALLBACK)
        return fallback

    # -- parts -----------------------------------------------------------------------------------

    @property
    def _engine(self) -> Engine:
        return self._policy.router.engine

    def _named(self) -> Decision | None:
        """The client's own choice, which only the rules that block may still undo."""
        named = self.explicit() if self._policy.inspects_named else None
        return named if isinstance(named, Decision) else None

    def _see(self, subject: Subject, *, forced: bool = False, blocking: bool = False) -> _Sight:
        """`blocking`: only decisions that block count."""
        beside = self._beside(subject)
        scores, topic, held = self._scores, None, None
        if scores is not None and self._answered(subject):
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
        if blocking or self._named() is not None:
            verdict = self._engine.judge_blocking(readings, forced=forced)
        else:
            verdict = self._engine.judge(readings, forced=forced)
        return _Sight(subject, evidence, readings, verdict, topic, held)

    def _wants_scores(self, sight: _Sight) -> bool:
        """True when a forward could settle a leaf that is open; sets `ask`."""
        if not isinstance(sight.verdict, Pending):
            raise ExchangeBug("only a pending verdict waits for scores")
        subject = sight.subject
        keys = frozenset(
            key
            for key in sight.verdict.blocking
            if (signal := self._policy.by_key.get(key)) and is_open(signal.reach, sight.evidence)
        )
        known = self._scored is not None and self._scores is not None
        already = self._scored[1] if known and self._scored is not None else frozenset()
        heads = self._policy.heads_of(keys)
        if self._asks >= MOST_ASKS:
            return False
        if sight.held is not None and self._held is None and "domain" in heads:
            self._asks_held = True
            self.ask = subject.ask_of(sight.held)
            self._asks += 1
            return True
        heads -= already
        if not heads:
            return False
        self.ask = subject.ask(heads | already)
        self._asks += 1
        return True

    def _conclude(self, sight: _Sight, basis: Basis) -> Decision:
        if not isinstance(sight.verdict, Final):
            raise ExchangeBug("a verdict that is pending concludes nothing")
        named = self._named()
        if named is not None and sight.verdict.rule is None:
            return named
        seed = sight.subject.seed(sight.held)
        decision = self._policy.router.conclude(
            sight.verdict,
            basis=basis,
            requested_model=self._requested,
            readings=sight.readings,
            scores=sight.evidence.scores,
            seed=blake2b(seed.encode("utf-8", "replace"), digest_size=8).digest(),
        )
        return replace(decision, account=told(sight.subject.account, sight.topic))

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


def _asked(ask: Ask) -> tuple[str, ...]:
    """What a classifier's answer is the answer to, beside the heads."""
    return (ask.text, *ask.turns, "\0", *ask.segments)


def _on_basis(outcome: Outcome, basis: Basis) -> Outcome:
    return replace(outcome, basis=basis) if isinstance(outcome, Decision) else outcome
