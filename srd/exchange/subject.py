"""What is put before the rules at one moment, and what the classifier must be asked about it.

Why this file exists: which text is evidence is a function of the body's bytes and the document
alone; here bytes that were read become that text, the asks about it, and from the answers the one
distribution that domain rules read. It must not know when somebody looks, nor what is decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from srd.body.body import Body
from srd.classify.api import Ask, Scores
from srd.evidence import fold
from srd.evidence.account import NOTHING, Account
from srd.evidence.conversation import (
    Conversation,
    HumanTurn,
    Spoken,
    beginning,
    conversation,
    whole_beginning,
)
from srd.evidence.excerpt import combine, excerpt
from srd.evidence.weigh import cut
from srd.exchange import accounts
from srd.exchange.policy import Policy
from srd.signals.base import Segment

_DOMAIN = "domain"
_DOMAINS = frozenset({_DOMAIN})
_INSPECTING = frozenset({"jailbreak", "pii"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A text with all that is judged beside it.

    `text` is what routing signals read, `asked` what the classifier reads of it, in pieces: the
    first by `window` tokens, the others by TURN_WINDOW. `said` are all human turns, each with its
    texts, where an earlier one may hold; `earlier` is what must be known of them to say which.
    """

    text: str
    raw: str = ""
    window: int
    asked: tuple[str, ...]
    earlier: tuple[tuple[int, str], ...] = ()
    said: tuple[tuple[str, ...], ...] = ()
    segments: tuple[Segment, ...] = ()
    settled: bool = True
    turns: bool = False
    whole: bool = False
    account: Account = NOTHING

    def ask(self, heads: frozenset[str]) -> Ask:
        """The question about it."""
        inspects = bool(heads & _INSPECTING) and bool(self.segments)
        domain = _DOMAIN in heads
        turns = (*self.asked[1:], *(text for _, text in self.earlier)) if domain else ()
        segments = tuple(segment.text for segment in self.segments) if inspects else ()
        return Ask(
            text=self.asked[0], heads=heads, window=self.window, turns=turns, segments=segments
        )

    def read(self, scores: Scores) -> Scores:
        """The scores with the one distribution that its pieces make."""
        if scores.domain is None:
            return scores
        pieces = (scores.domain, *scores.turns[: len(self.asked) - 1])
        return replace(scores, domain=combine(self.asked, pieces))

    def topic(self, scores: Scores, leave: float) -> fold.Topic | None:
        """Whose subject holds; None where no turn names one."""
        if not self.earlier or scores.domain is None:
            return None
        known = scores.turns[len(self.asked) - 1 :]
        said = dict(zip((number for number, _ in self.earlier), known, strict=True))
        return fold.fold([parts[-1] for parts in self.said], said, leave=leave)

    def held(self, topic: fold.Topic | None) -> int | None:
        """The number of an earlier turn that decides; None where the last one does. Where no turn
        names a subject it is the first."""
        if len(self.said) < 2:
            return None
        number = 0 if topic is None else topic.turn
        return None if number == len(self.said) - 1 else number

    def ask_of(self, turn: int) -> Ask:
        """The question that was asked when this turn was the last: so that it is answered alike."""
        asked = excerpt(self.said[turn], self.window).texts
        return Ask(text=asked[0], heads=_DOMAINS, window=self.window, turns=asked[1:])

    def seed(self, turn: int | None) -> str:
        """What a weighted choice rests on: the text whose subject holds."""
        return self.text if turn is None else self.said[turn][-1]


class Witness:
    """Sees one request's body by the document's rules of evidence."""

    def __init__(self, policy: Policy) -> None:
        self._router = policy.document.global_.router
        self._harness = policy.harness
        self._windows = policy.windows
        self._origins = policy.origins
        self._pins = policy.pins

    def __repr__(self) -> str:
        return f"<Witness windows={self._windows}>"

    # -- a beginning

    def begun(self, body: Body) -> tuple[str, bool]:
        """The first human text as far as it is here, and whether it may go on."""
        found = beginning(self._harness, body.prompt.spoken(), more=body.prompt.is_passing)
        return found.text, found.more

    def unfiltered(self, body: Body) -> str:
        """What counts where nothing human came in time."""
        return whole_beginning(body.prompt.spoken()) or " ".join(body.prompt.non_user)

    def stage(self, text: str, number: int, *, more: bool) -> Subject | None:
        """The beginning that stage `number` reads; None while it is not all here."""
        window = self._windows[number]
        end = cut(text, window, more=more)
        if end is None:
            return None
        return self.beginning(text[:end], window)

    def is_last(self, text: str, number: int, *, more: bool) -> bool:
        """True when no later stage would read more."""
        last = number == len(self._windows) - 1
        return last or (not more and cut(text, self._windows[number]) == len(text))

    def beginning(self, text: str, window: int | None = None) -> Subject:
        """A beginning as evidence."""
        window = window or self._windows[-1]
        shown = text[: cut(text, window)]
        account = accounts.begun(len(text), len(text) - len(shown))
        return Subject(text=text, raw=text, window=window, asked=(shown,), account=account)

    def placed(self, account: Account | None, body: Body) -> Account | None:
        """The account as the record has it: where in this body the text stands."""
        return accounts.placed(account, body, self._harness, pins=self._pins)

    # -- all turns

    def complete(self, body: Body, *, whole: bool, at: int | None) -> Subject:
        """All turns are known, or all that count: those in front of place `at`, behind which the
        conversation is bound to a model. `whole`: the body has been read to its end."""
        prompt = body.prompt
        said = conversation(self._harness, prompt.spoken(), before=at)
        last, window, segments = said.last, self._windows[-1], self._segments(body)

        def account(unread: int) -> Account:
            return accounts.of_turns(
                body, said, unread=unread, segments=segments, at=at, pins=self._pins
            )

        if last is None:
            text = " ".join(prompt.non_user)
            asked = excerpt([text], window)
            return Subject(
                text=text, raw=text, window=window, asked=asked.texts,
                segments=segments, turns=True, whole=whole, account=account(asked.unread),
            )  # fmt: skip
        asked = excerpt([part.text for part in last.parts], window)
        holds = len(said.turns) > 1 and self._router.conversation == "hold"
        return Subject(
            text=last.text,
            raw=_raw(prompt.spoken(), last.place),
            window=window,
            asked=asked.texts,
            earlier=_earlier(said) if holds else (),
            said=tuple(_texts(turn) for turn in said.turns) if holds else (),
            segments=segments,
            turns=True,
            whole=whole,
            account=account(asked.unread),
        )

    def _segments(self, body: Body) -> tuple[Segment, ...]:
        """What was said by those whose texts a rule reads, each text by itself."""
        if not self._origins:
            return ()
        return tuple(s for s in body.prompt.segments() if s.origin in self._origins)

    def repeated(self, body: Body) -> Subject:
        """The texts of repeated members, which never leave; the body has been read to its end."""
        text = " ".join(body.prompt.duplicates)
        asked = excerpt(body.prompt.duplicates, self._windows[-1])
        return Subject(
            text=text,
            raw=text,
            window=self._windows[-1],
            asked=asked.texts,
            segments=self._segments(body),
            turns=True,
            whole=True,
        )


def _earlier(said: Conversation) -> tuple[tuple[int, str], ...]:
    texts = [turn.text for turn in said.turns]
    return tuple((n, fold.turn_text(texts[n])) for n in fold.counted(texts))


def _texts(turn: HumanTurn) -> tuple[str, ...]:
    return tuple(part.text for part in turn.parts)


def _raw(messages: Sequence[Spoken], place: int) -> str:
    found = next((m for m in messages if m.place == place), None)
    return " ".join(text.value for text in found.texts) if found else ""


def answer_of(ask: Ask, scores: Scores) -> Mapping[str, float] | None:
    """The distribution of a turn that was asked about by itself."""
    if scores.domain is None:
        return None
    return combine((ask.text, *ask.turns), (scores.domain, *scores.turns))
