"""A beginning, judged in stages of growing windows until a verdict is final.

Why this file exists: how much of the first human text is worth a forward, and what is remembered of
it, is one job (`Policy.windows`, `Memory`). It must not know when a body is judged early.
"""

from __future__ import annotations

from srd.decide.decision import Basis, Decision
from srd.decide.engine import Final
from srd.exchange.hearing import Hearing
from srd.exchange.memory import Memory
from srd.exchange.policy import Policy
from srd.exchange.subject import Subject, Witness


class Stages:
    """The early looks at one body. `through`: no stage concluded anything; only the end can."""

    def __init__(self, policy: Policy, witness: Witness, hearing: Hearing, memory: Memory) -> None:
        self._policy = policy
        self._witness = witness
        self._hearing = hearing
        self._memory = memory
        self._stage = 0
        self._skipped: int | None = None  # the first stage whose forward was left out
        self._cold = False  # none is left out any more
        self.through = False

    def __repr__(self) -> str:
        return f"<Stages at {self._stage}{', through' if self.through else ''}>"

    def look(self, text: str, *, more: bool, requested: str | None, now: float) -> Decision | None:
        """The Decision of the beginning `text`; None while a stage waits for text (`more` may come)
        or for scores, or all are through."""
        hearing, memory, witness = self._hearing, self._memory, self._witness
        while not self.through:
            subject = witness.stage(text, self._stage, more=more)
            if subject is None:
                return None
            last = witness.is_last(text, self._stage, more=more)
            key = memory.key(self._stage, subject.text, last=last, beside=self._beside(subject))
            if (known := memory.recall(key, now)) is not None:
                return known
            sight = hearing.see_stage(subject, last=last)
            final = isinstance(sight.verdict, Final)
            if not (final or last or self._cold) and memory.was_passed(key, now):
                self._skipped = self._stage if self._skipped is None else self._skipped
            elif self._skipped is not None:
                # Known so far, and here it goes another way: all that was left out is made up for.
                self._stage, self._skipped, self._cold = self._skipped, None, True
                continue
            elif final:
                decision = hearing.conclude(sight, Basis.EARLY, requested)
                return memory.remember(key, decision, now)
            elif hearing.wants_scores(sight):
                return None
            memory.passes(key)
            self.through = last
            self._stage += not last
        return None

    def _beside(self, subject: Subject) -> str:
        """What is known beside the text, as far as a rule reads it before the end."""
        return repr(self._hearing.beside(subject)) if self._policy.reads_beside else ""
