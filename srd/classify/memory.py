"""Which parts of an ask have been answered before.

Why this file exists: a conversation's next turn brings its earlier texts again, and the same text
is asked about with other heads; each part of an answer is therefore known by itself. It never holds
a text, only keyed digests (cache.py). It must not know encoders.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from srd.classify.api import MOST_CHARS_PER_TOKEN, TURN_WINDOW, Ask, PiiSpan, Scores, SegmentScores
from srd.classify.cache import LruCache, text_key
from srd.classify.encoder import FULL_HEADS, PREFIX_HEADS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The key of a text and the window that read it.
_Place = tuple[bytes, int]
#: Spans that are remembered of one text; with more of them it is read again.
_MOST_SPANS = 256


@dataclass(frozen=True, slots=True)
class _Domain:
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Embedding:
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class _Inspected:
    """jailbreak or pii of one text, by the head's name in the key."""

    risk: float | None = None
    spans: tuple[PiiSpan, ...] | None = None
    unread: int = 0


@dataclass(slots=True)
class Known:
    """What is known of an ask, by the keys of its parts. `rest`: the question that is left, None
    when there is none; each text occurs in it once."""

    prefix: bytes | None
    turns: tuple[bytes, ...]
    texts: tuple[bytes, ...]
    domains: dict[_Place, Mapping[str, float]] = field(default_factory=dict)
    embedding: Sequence[float] | None = None
    inspected: dict[bytes, SegmentScores] = field(default_factory=dict)
    rest: Ask | None = None
    remembered: int = 0  # inspected texts of which nothing is left to ask


class Memory:
    """Answers by part, the least recently used forgotten. Thread-safe."""

    def __init__(self, *, prefixes: int, segments: int) -> None:
        """Remember so many beginnings (domain, embedding) and so many inspected texts."""
        self._domains: LruCache[_Domain] = LruCache(prefixes)
        self._embeddings: LruCache[_Embedding] = LruCache(prefixes)
        self._inspected: LruCache[_Inspected] = LruCache(segments)

    def __repr__(self) -> str:
        return f"<Memory of {self.entries} beginnings and {self.segments} inspected texts>"

    @property
    def entries(self) -> int:
        """Remembered beginnings."""
        return len(self._domains) + len(self._embeddings)

    @property
    def segments(self) -> int:
        """Remembered answers of jailbreak and pii, one for each head and text."""
        return len(self._inspected)

    def look(self, ask: Ask) -> Known:
        """What is known of `ask`; O(its text), for the keys."""
        beginning = ask.text[: ask.window * MOST_CHARS_PER_TOKEN]
        full = ask.heads & FULL_HEADS
        texts = (ask.segments or (ask.text,)) if full else ()
        known = Known(
            prefix=text_key(beginning) if ask.heads & PREFIX_HEADS else None,
            turns=tuple(text_key(turn[: TURN_WINDOW * MOST_CHARS_PER_TOKEN]) for turn in ask.turns),
            texts=tuple(map(text_key, texts)),
        )
        heads = set(self._prefix(ask, known))
        turns = {
            key: turn
            for key, turn in zip(known.turns, ask.turns, strict=True)
            if not self._domain(known, (key, TURN_WINDOW))
        }
        open_texts: dict[bytes, str] = {}
        for key, text in zip(known.texts, texts, strict=True):
            missing = self._segment(known, key, full)
            heads |= missing
            if missing:
                open_texts[key] = text
            else:
                known.remembered += 1
        if heads or turns:
            segments = tuple(open_texts.values()) if ask.segments else ()
            known.rest = replace(
                ask, heads=frozenset(heads), turns=tuple(turns.values()), segments=segments
            )
        return known

    def _prefix(self, ask: Ask, known: Known) -> frozenset[str]:
        """The heads of `text` that are still open."""
        missing = set()
        if known.prefix is None:
            return frozenset()
        place = (known.prefix, ask.window)
        if "domain" in ask.heads and not self._domain(known, place):
            missing.add("domain")
        if "embedding" in ask.heads:
            found = self._embeddings.get(place)
            if found is None:
                missing.add("embedding")
            else:
                known.embedding = found.values
        return frozenset(missing)

    def _domain(self, known: Known, place: _Place) -> bool:
        if place not in known.domains and (found := self._domains.get(place)) is not None:
            known.domains[place] = found.values
        return place in known.domains

    def _segment(self, known: Known, key: bytes, full: frozenset[str]) -> frozenset[str]:
        """The heads of an inspected text that are still open."""
        found = {head: self._inspected.get((key, head)) for head in full}
        missing = frozenset(head for head, entry in found.items() if entry is None)
        jailbreak, pii = found.get("jailbreak"), found.get("pii")
        known.inspected[key] = SegmentScores(
            jailbreak=None if jailbreak is None else jailbreak.risk,
            pii=None if pii is None else pii.spans,
            unread=max((entry.unread for entry in found.values() if entry is not None), default=0),
        )
        return missing

    def learn(self, ask: Ask, known: Known, scores: Scores, final: Sequence[bool]) -> Scores:
        """Remember the answer to `known.rest`, and return the whole answer to `ask`.

        `final`, for each text that was inspected: its answer does not depend on what else was
        asked with it. Any other is not remembered.
        """
        rest = known.rest
        if rest is None:
            return self.whole(ask, known)
        if known.prefix is not None:
            self._learn_prefix(known, rest, scores)
        for turn, values in zip(rest.turns, scores.turns, strict=True):
            place = (text_key(turn[: TURN_WINDOW * MOST_CHARS_PER_TOKEN]), TURN_WINDOW)
            self._domains.put(place, _Domain(values))
            known.domains[place] = values
        for text, found, remembered in zip(
            _texts(rest), _segments(rest, scores), final, strict=True
        ):
            key = text_key(text)
            self._learn_segment(known, key, found, remembered=remembered)
        answer = self.whole(ask, known)
        return replace(answer, stage=scores.stage, tokens=scores.tokens)

    def _learn_prefix(self, known: Known, rest: Ask, scores: Scores) -> None:
        assert known.prefix is not None
        place = (known.prefix, rest.window)
        if scores.domain is not None:
            self._domains.put(place, _Domain(scores.domain))
            known.domains[place] = scores.domain
        if scores.embedding is not None:
            self._embeddings.put(place, _Embedding(scores.embedding))
            known.embedding = scores.embedding

    def _learn_segment(
        self, known: Known, key: bytes, found: SegmentScores, *, remembered: bool
    ) -> None:
        before = known.inspected[key]
        jailbreak = before.jailbreak if found.jailbreak is None else found.jailbreak
        pii = before.pii if found.pii is None else found.pii
        known.inspected[key] = SegmentScores(jailbreak=jailbreak, pii=pii, unread=found.unread)
        if not remembered:
            return
        unread = found.unread
        if found.jailbreak is not None:
            self._inspected.put((key, "jailbreak"), _Inspected(found.jailbreak, None, unread))
        if found.pii is not None and len(found.pii) <= _MOST_SPANS:
            self._inspected.put((key, "pii"), _Inspected(None, found.pii, unread))

    def turns(self, known: Known) -> tuple[Mapping[str, float], ...]:
        """The domain of each turn, all of which are known."""
        return tuple(known.domains[key, TURN_WINDOW] for key in known.turns)

    def whole(self, ask: Ask, known: Known) -> Scores:
        """The answer to `ask` from its parts, all of which are known."""
        found = [known.inspected[key] for key in known.texts]
        alone = found[0] if found and not ask.segments else SegmentScores()
        domain = None
        if "domain" in ask.heads and known.prefix is not None:
            domain = known.domains[known.prefix, ask.window]
        return Scores(
            domain=domain,
            jailbreak=alone.jailbreak,
            pii=alone.pii,
            embedding=known.embedding,
            turns=self.turns(known),
            segments=tuple(found) if ask.segments else (),
            window=ask.window,
            stage="cache",
            truncated=any(segment.unread for segment in found),
        )


def _texts(ask: Ask) -> tuple[str, ...]:
    return (ask.segments or (ask.text,)) if ask.heads & FULL_HEADS else ()


def _segments(ask: Ask, scores: Scores) -> tuple[SegmentScores, ...]:
    if not ask.heads & FULL_HEADS:
        return ()
    if ask.segments:
        return scores.segments
    unread = int(scores.truncated)
    return (SegmentScores(jailbreak=scores.jailbreak, pii=scores.pii, unread=unread),)
