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
evaluated refuses the request (`_last_word`, `_without_scores`).

No outcome leaves before the offset behind which no model name counts, the name, or the end of the
body has passed (srd.exchange.naming). Timers and memory pressure alone shorten it, and then the
basis says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from srd.body.body import Body
from srd.body.rewrite import EVERYWHERE
from srd.classify.api import Ask, Scores
from srd.decide.decision import Basis, Decision
from srd.decide.engine import Final, Pending, Unanswered
from srd.exchange import refusals
from srd.exchange.facts import RequestFacts
from srd.exchange.hearing import Hearing, Sight
from srd.exchange.memory import Memory
from srd.exchange.naming import Naming
from srd.exchange.policy import Policy
from srd.exchange.stages import Stages
from srd.exchange.subject import Subject, Witness
from srd.plugins.errors import Immediate

Outcome = Decision | Immediate


class Deliberation:
    """Deliberates on one request body. Owned by one exchange; not thread-safe.

    `whole`: the body comes in one message and `parity` is off: it is decided on all of it, as
    upstream does. `kept`: it comes in one message, so reading on holds nothing more.
    `look` after every event that may have changed the evidence; it returns the outcome once there
    is one. `ask` is then the question that must be answered before the next look can help, if any.
    `unanswered` are the leaves for want of which it would have been refused, where rules that block
    only observe; `would_refuse` is that refusal, or another one that is only observed.
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
        self._witness = witness = Witness(policy)
        self._hearing = hearing = Hearing(policy, facts, body)
        self._stages = Stages(policy, witness, hearing, Memory(policy, facts))
        self._naming = Naming(policy, body)
        self._frozen: str | None = None  # the human text that later stages do not exceed
        self._unbind = 0  # what `unbind` is where the budget decides
        self._pinned: int | None = None  # the place from which on the conversation is bound
        self._complete: Subject | None = None
        self._knows_repeated = False  # what rules that block say of repeated members
        self._failed = ""
        self._hopeless = False
        self._too_much = False
        self._forced: Basis | None = None
        self._came_whole = False  # the document was all here when the decision was forced
        self._text = ""  # what was there when the decision was forced
        self._settled: Outcome | None = None  # what waits until a late name would have passed
        self._awaits_end = False  # ... and until the body's end is announced
        self._outcome: Outcome | None = None
        self.unanswered: frozenset[str] = frozenset()
        self.would_refuse: Immediate | None = None

    def __repr__(self) -> str:
        state = f"forced={self._forced}" if self._forced else repr(self._stages)
        return f"<Deliberation {state} {self._hearing!r} failed={self._failed or '-'}>"

    @property
    def ask(self) -> Ask | None:
        """The question that is out."""
        return self._hearing.ask

    @property
    def needs_whole(self) -> bool:
        """True when no beginning can tell, only the end."""
        return self._stages.through

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
        most = self._most
        if self._too_much and not self._policy.enforces:
            return None
        if self._whole or self._kept or self._forced is not None:
            return most if self._policy.must_see else None
        return most

    @property
    def _most(self) -> int:
        """The first inflated byte that is not held any more."""
        return self._policy.document.global_.router.limits.max_request_bytes_held + 1

    def at_checkpoint(self) -> None:
        """The body was read up to a checkpoint: budgets may be spent."""
        early, body = self._policy.early, self._body
        if self.most_bytes is not None and body.bytes_read >= self.most_bytes:
            self._too_much = self._policy.must_see
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
        return self._policy.must_see or (self._kept and self._policy.blocks)

    def _pass_budget(self) -> None:
        """From here on only what is here now counts, and the first human text if none is."""
        body = self._body
        self._hearing.past = body.known()
        self._unbind = body.bytes_read if body.prompt.bound is not None else 0
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
        self._came_whole = self._closed
        self._forced = basis
        if self.early:
            self._freeze()
        self._text = self._frozen or self._witness.begun(self._body)[0]
        self._text = self._text or self._witness.unfiltered(self._body)

    def give_up(self, basis: Basis) -> None:
        """Nobody waits for scores either."""
        self.force(basis)
        self._hopeless, self._hearing.ask = True, None

    def scores(self, scores: Scores) -> None:
        """The classifier answered `ask`."""
        self._hearing.take(scores)

    def failed(self, reason: str) -> None:
        """The classifier cannot answer."""
        self._failed, self._hearing.ask = reason or "classifier", None

    @property
    def decided(self) -> bool:
        """True once there is an outcome: what blocks has had its say."""
        return self._outcome is not None

    @property
    def forced(self) -> bool:
        """True once nobody waits for more of the body."""
        return self._forced is not None

    def unbind(self, decision: Decision) -> int:
        """Where turns begin in front of this offset, it need not have been the model of `decision`
        that made what only its maker can read. Since the last human turn, or since the budget
        passed, every decision on this conversation has been this one."""
        prompt = self._body.prompt
        if not self._policy.unbinds or decision.basis is Basis.EXPLICIT:
            return 0
        if decision.basis in (Basis.EARLY, Basis.MEMO):
            return self._unbind
        if prompt.bound is None and prompt.turns_end >= 0:
            return 0
        account = decision.account if decision.basis is Basis.COMPLETE else None
        starts = [text.start for text in account.texts] if account is not None else []
        return min(starts, default=EVERYWHERE)

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
        named = self._naming.explicit()
        if isinstance(named, Decision):
            if not self._policy.inspects_named:
                return self._stamp(named)
        elif named is not None:
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
        if self._too_much:
            refused = self._refused(refusals.too_much_held(self._most))
            if refused is not None:
                return refused
        if self._failed:
            # What reads no scores and blocks is judged at the end, whenever the failure was told.
            waits = self._policy.blocks and self._forced is None and not self._closed
            return None if waits else self._without_scores()
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
        if self._closed and not (self._rests_on_beginning or self._hopeless):
            return self._look_complete()
        return self._look_forced(basis)

    @property
    def _rests_on_beginning(self) -> bool:
        """True when what came after the evidence budget changes nothing, whether it is here or
        not."""
        return self.early and not self._policy.blocks

    @property
    def _closed(self) -> bool:
        """True when the whole document is here, its end announced or not. What comes behind the
        moment at which nobody waited any longer does not count: it may have come with what counts,
        or long after it."""
        if self._forced is not None:
            return self._came_whole
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

    @property
    def _name_settled(self) -> bool:
        return self._closed or self._naming.settled

    @property
    def early(self) -> bool:
        """True when the evidence budget has passed before the turns were all here. The bytes alone
        tell: never what was announced, nor whether they came in one piece or many."""
        early = self._policy.early
        if not early.enabled or self._whole or self._pinned is not None:
            return False
        end = self._body.prompt.turns_end
        return (self._hearing.past is not None or self._body.counted > early.budget_bytes) and not (
            0 <= end <= early.budget_bytes
        )

    @property
    def params(self) -> Mapping[str, object]:
        """The small top-level members as far as a plan may know them: all at the body's end, else
        those within the evidence budget, so far."""
        if self._closed:
            return self._body.params
        known = self._hearing.past or self._body.known_at_turns
        return self._body.params if known is None else known.params

    @property
    def params_settled(self) -> bool:
        """True when `params` cannot change any more."""
        return self._closed or self._hearing.past is not None or self._forced is not None

    # -- early

    def _look_early(self, now: float) -> Outcome | None:
        text, more = self._witness.begun(self._body)
        if self._frozen is not None:
            text, more = self._frozen, False
        if not text:
            return None
        return self._stages.look(text, more=more, requested=self._naming.requested, now=now)

    # -- complete

    def _look_complete(self) -> Outcome | None:
        if self._closed and (refused := self._without_turns()) is not None:
            return refused
        if (blocked := self._look_repeated()) is not None or self.ask is not None:
            return blocked
        subject = self._all_turns()
        self._hearing.turn_to(subject)
        sight = self._see(subject)
        if isinstance(sight.verdict, Final):
            return self._conclude(sight, Basis.COMPLETE)
        if self._hearing.wants_scores(sight):
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
        self._hearing.turn_to(subject)
        sight = self._see(subject, blocking=True)
        if isinstance(sight.verdict, Pending):
            if self._hearing.wants_scores(sight):
                return None
            sight = self._see(subject, forced=True, blocking=True)
        self._knows_repeated = True
        if isinstance(sight.verdict, Unanswered):
            return self._unanswered(sight.verdict)
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

    def _without_turns(self) -> Immediate | None:
        """What a body gets whose prompt is not here, or is in a form that nobody here can read."""
        prompt = self._body.prompt
        if prompt.hidden and self._policy.must_see:
            refused = self._refused(refusals.hidden_prompt())
            if refused is not None:
                return refused
        if prompt.has_messages or self._body.stands_in:
            return None
        return refusals.no_prompt()

    # -- forced, and without scores

    def _look_forced(self, basis: Basis) -> Outcome | None:
        """What is unknown counts as its leaf says; but what the classifier can still say of the
        text is worth one forward, unless even that is given up."""
        subject = self._what_there_is()
        if self._policy.enforces and not self._closed:
            blocked = self._see(subject, forced=True, blocking=True)
            if isinstance(blocked.verdict, Unanswered):  # it must see what will not be seen
                return self._unanswered(blocked.verdict)
        if not self._hopeless:
            self._hearing.turn_to(subject, keep_confident=True)
            sight = self._see(subject)
            if isinstance(sight.verdict, Final):
                # Scores of all turns may have been on their way when the waiting ended.
                return self._conclude(sight, Basis.COMPLETE if subject.turns else basis)
            if subject.text and self._hearing.wants_scores(sight):
                return None
        return self._last_word(subject, basis)

    def _what_there_is(self) -> Subject:
        """The evidence when nobody waits any longer."""
        known = self._closed or self._body.prompt.turns_end >= 0
        if known and not self._rests_on_beginning:
            return self._all_turns()
        return self._witness.beginning(self._text)

    def _last_word(self, subject: Subject, basis: Basis) -> Outcome:
        """The verdict with what is unknown counted as its leaf says, or the refusal."""
        sight = self._see(subject, forced=True)
        if isinstance(sight.verdict, Unanswered):
            if (refused := self._unanswered(sight.verdict)) is not None:
                return refused
            sight.verdict = sight.verdict.otherwise
        return self._conclude(sight, basis)

    def _without_scores(self) -> Outcome:
        """The classifier failed: the default model, unless a rule that blocks says something."""
        fallback = self._named() or self._policy.router.fallback(self._failed)
        subject = self._what_there_is()
        for blocking in (True, False):  # a leaf that routes may refuse too, where it says so
            sight = self._see(subject, forced=True, blocking=blocking)
            if isinstance(sight.verdict, Unanswered):
                if (refused := self._unanswered(sight.verdict)) is not None:
                    return refused
            elif blocking and isinstance(sight.verdict, Final) and sight.verdict.rule is not None:
                return self._conclude(sight, Basis.FALLBACK)
        return fallback

    def _unanswered(self, verdict: Unanswered) -> Immediate | None:
        if not self._policy.enforces:
            self.unanswered = verdict.blocking
        return self._refused(refusals.policy_unanswered(leaves=verdict.blocking))

    def _refused(self, refusal: Immediate) -> Immediate | None:
        """The refusal; where rules that block only observe it is kept, and the request passes."""
        if self._policy.enforces:
            return refusal
        self.would_refuse = self.would_refuse or refusal
        return None

    # -- parts -----------------------------------------------------------------------------------

    def _named(self) -> Decision | None:
        """The client's own choice, which only the rules that block may still undo."""
        named = self._naming.explicit() if self._policy.inspects_named else None
        return named if isinstance(named, Decision) else None

    def _see(self, subject: Subject, *, forced: bool = False, blocking: bool = False) -> Sight:
        blocking = blocking or self._named() is not None
        return self._hearing.see(subject, forced=forced, blocking=blocking)

    def _conclude(self, sight: Sight, basis: Basis) -> Decision:
        named = self._named()
        if named is not None and isinstance(sight.verdict, Final) and sight.verdict.rule is None:
            return named
        return self._hearing.conclude(sight, basis, self._naming.requested)

    def fallback(self, reason: str) -> Decision:
        """The default model, because a fault of ours made a decision impossible."""
        return self._stamp(self._policy.router.fallback(reason))

    def _stamp(self, decision: Decision) -> Decision:
        body = self._body
        plain = None if self._facts.coding else self._facts.content_length
        return replace(
            decision,
            requested_model=self._naming.requested,
            bytes_read=body.bytes_read,
            body_bytes=body.bytes_read if body.ended else plain,
            bytes_held=body.held,
            account=self._witness.placed(decision.account, body),
        )


def _on_basis(outcome: Outcome, basis: Basis) -> Outcome:
    return replace(outcome, basis=basis) if isinstance(outcome, Decision) else outcome
