"""What of a user's texts a human wrote.

Why this file exists: agents, IDEs and RAG programs send their own words in the user's name, and a
request must be routed as the human's question would be. For routing only: rules that block read
the text as it came (docs/evidence.md). It must not know JSON, roles or what the text is for.

Everything is linear in the text, whatever it holds: tags are found in one pass, matched with one
stack for each name, and walked once.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from srd.config.globals import EvidenceRules
from srd.evidence.templates import (
    FENCE,
    HARNESS_BLOCKS,
    MAYBE_RESULT,
    RESULT,
    TALKS,
    TEMPLATES,
    WRAPPERS,
    Span,
    Template,
    last_said,
    quoted,
)

__all__ = ["Harness", "Human", "Skipped", "Turn", "deciding", "opening", "readings", "turns"]

_WRAPPERS = frozenset(WRAPPERS)
_CALLED = "Called the "
_FENCES = "```"
_WORD = re.compile(r"\S")


@dataclass(frozen=True, slots=True)
class Skipped:
    """Characters [start, end) of a text that no human wrote, and why."""

    start: int
    end: int
    why: str


@dataclass(frozen=True, slots=True)
class Human:
    """What of one text a human wrote: "" when it is wholly harness."""

    text: str
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """A user message that a human had part in: its index, and its texts' readings in order."""

    message: int
    texts: tuple[Human, ...]

    @property
    def human(self) -> str:
        """The text that decides: the last one that is not wholly harness."""
        return next((each.text for each in reversed(self.texts) if each.text), "")


@dataclass(slots=True)
class _Tag:
    start: int
    end: int
    name: str
    closing: bool
    until: int = -1  # of an opening tag: where its block ends
    balanced: bool = True  # not so: it ends at the next closing tag, for want of its own


class _Kept:
    """The human's pieces of a text, put together, and what lies between them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces: list[str] = []
        self.skipped: list[Skipped] = []
        self.gap = False

    def keep(self, start: int, end: int) -> None:
        piece = self.text[start:end]
        if not self.pieces:
            if not piece or piece.isspace():
                return
            piece = piece.lstrip() if self.skipped else piece
        elif piece and self.gap and not piece[0].isspace() and not self.pieces[-1][-1].isspace():
            self.pieces.append("\n")  # what stood apart stays apart
        if piece:
            self.pieces.append(piece)
            self.gap = False

    def skip(self, start: int, end: int, why: str) -> None:
        if end > start:
            self.skipped.append(Skipped(start, end, why))
            self.gap = True

    def done(self, *, more: bool) -> Human:
        text = "".join(self.pieces)
        if text.isspace():
            text = ""
        if more or self.skipped:
            text = text.rstrip()
        return Human(text, tuple(self.skipped))


@dataclass(frozen=True, slots=True)
class Harness:
    """The compiled rules. Immutable; `read` is linear in the text, whatever it holds."""

    tags: re.Pattern[str]
    blocks: frozenset[str]
    names: tuple[str, ...]
    literals: tuple[str, ...]
    tails: tuple[str, ...]
    tail: re.Pattern[str]
    templates: tuple[tuple[str, Template], ...]
    begins: re.Pattern[str]  # any literal or template, to be quick where there is none
    longest: int
    fences: bool

    @classmethod
    def of(cls, rules: EvidenceRules) -> Self:
        """The rules of a document; lists that it does not write are the defaults."""
        entries = HARNESS_BLOCKS if rules.harness_blocks is None else rules.harness_blocks
        written = TEMPLATES if rules.templates is None else rules.templates
        entries = tuple(entry for entry in entries if entry.strip())
        blocks = frozenset(entry[1:-1] for entry in entries if _is_block(entry))
        others = [
            each if each[0] == "\n" else each.lstrip()
            for each in entries
            if not _is_block(each) and each != _FENCES
        ]
        names = sorted({*blocks, *WRAPPERS, *TALKS}, key=lambda name: (-len(name), name))
        tail = [entry for entry in others if entry[0] == "\n"]
        compiled = [Template.of(each) for each in written]
        starts = [(start, each) for each in compiled for start in each.starts]
        literals = _longest(each for each in others if each[0] != "\n")
        begins = [*literals, *(start for start, _ in starts)]
        return cls(
            tags=re.compile("<(/?)(" + "|".join(map(re.escape, names)) + r")(?:\s[^<>]*+)?/?>"),
            blocks=blocks,
            names=tuple(names),
            literals=literals,
            tails=_longest(tail),
            tail=re.compile("|".join(map(re.escape, tail)) if tail else "(?!)"),
            templates=tuple(sorted(starts, key=lambda pair: -len(pair[0]))),
            begins=re.compile("|".join(map(re.escape, begins)) if begins else "(?!)"),
            longest=max(map(len, begins), default=0),
            fences=_FENCES in entries,
        )

    def read(self, text: str, *, more: bool = False) -> Human:
        """What of `text` a human wrote; `more`: the text may go on.

        With `more`, what may still turn out to be no human's is left out: the answer is the
        beginning of the answer for every continuation. Never raises.
        """
        walk = _Walk(self, text, more=more)
        walk.run(walk.limit())
        return walk.kept.done(more=more)

    def result(self, text: str) -> Human:
        """What of a tool's result, sent as text, a human wrote: words of his that it passes on."""
        walk = _Walk(self, text, more=False)
        walk.quote(0, quoted(text, 0), "tool result")
        return walk.kept.done(more=False)


def readings(harness: Harness, texts: Sequence[str], *, more: bool = False) -> tuple[Human, ...]:
    """The texts of one user message, each as read; `more`: the last of them may go on.

    Differs from reading each by itself in one thing: behind a text that only announces a tool's
    result, the next text is that result.
    """
    read: list[Human] = []
    announced = False
    for at, text in enumerate(texts):
        unfinished = more and at == len(texts) - 1
        if announced:
            read.append(Human("") if unfinished else harness.result(text))
            announced = False
            continue
        read.append(harness.read(text, more=unfinished))
        found = RESULT.match(text.strip())
        announced = found is not None and found.end() == len(text.strip())
    return tuple(read)


def deciding(harness: Harness, texts: Sequence[str]) -> tuple[int, Human] | None:
    """The last text of a user message that is not wholly harness, and its index."""
    read = readings(harness, texts)
    return next(((at, read[at]) for at in reversed(range(len(read))) if read[at].text), None)


def opening(
    harness: Harness, texts: Sequence[str], *, more: bool = False
) -> tuple[int, Human] | None:
    """The first text of a user message that is not wholly harness, and its index."""
    read = readings(harness, texts, more=more)
    return next(((at, human) for at, human in enumerate(read) if human.text), None)


def turns(harness: Harness, messages: Sequence[Sequence[str]]) -> tuple[Turn, ...]:
    """The user messages of a conversation that a human had part in, in order.

    `messages` are the texts of each user message, without those of tool results. The last turn
    decides. If no human is left anywhere, the last message that has text counts as it came; empty
    if there is none.
    """
    read = (Turn(at, readings(harness, texts)) for at, texts in enumerate(messages))
    human = tuple(turn for turn in read if turn.human)
    if human:
        return human
    for at in reversed(range(len(messages))):
        if any(not _blank(text) for text in messages[at]):
            return (Turn(at, tuple(Human("" if _blank(text) else text) for text in messages[at])),)
    return ()


def _blank(text: str) -> bool:
    return not text or text.isspace()


def _is_block(entry: str) -> bool:
    return len(entry) > 2 and entry[0] == "<" and entry[-1] == ">" and "\n" not in entry


def _is_notice(entry: str) -> bool:
    return entry[0] == "[" and entry[-1] == "]"


def _longest(entries: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(entries, key=lambda entry: -len(entry)))


class _Walk:
    """One reading of one text. `at`: up to there the text is kept or skipped; `floor`: where the
    last skipped piece ended; `lead`: nothing human has come yet."""

    def __init__(self, harness: Harness, text: str, *, more: bool) -> None:
        self.harness = harness
        self.text = text
        self.more = more
        self.kept = _Kept(text)
        self.opened: dict[str, int] = {}
        self.at = self.floor = self.silent = 0
        self.lead = True

    def limit(self) -> int:
        """Where the text ends; with `more`, in front of what may become a tag or a tail."""
        text = self.text
        end = len(text)
        if not self.more:
            return end
        for tail in self.harness.tails:
            for size in range(1, len(tail)):
                if text.endswith(tail[:size]):
                    end = min(end, len(text) - size)
        at = text.rfind("<")
        if at < 0 or text.find(">", at) >= 0:
            return end
        for name in self.harness.names:
            for tag in ("<" + name, "</" + name):
                after = text[at + len(tag) : at + len(tag) + 1]
                if text.startswith(tag, at):
                    if not after or after == "/" or after.isspace():
                        return min(end, at)
                elif len(text) - at < len(tag) and tag.startswith(text[at:]):
                    return min(end, at)
        return end

    def run(self, end: int) -> None:
        """Keep what is human from `at` to `end`."""
        for tag in _tags(self.harness, self.text, self.at, end):
            if tag.start < self.at:
                continue
            if self.lead and not self._begin(tag.start, tag):
                return
            if tag.start < self.at:
                continue
            if not (self._plain(tag.start, end) and self._tag(tag)):
                return
        if not self.lead or self._begin(end, None):
            self._plain(end, end)

    def quote(self, start: int, span: Span | None, why: str) -> None:
        """Of what begins at `start` only `span` is human."""
        end = len(self.text)
        if span is None or span.start == span.end:
            self._skip(start, end, why)
            return
        self._skip(start, span.start, why)
        self.lead = False
        self.run(span.end)
        self._skip(span.end, end, why)

    def _skip(self, start: int, end: int, why: str) -> None:
        self.kept.skip(start, end, why)
        self.at = self.floor = end

    def _begin(self, stop: int, tag: _Tag | None) -> bool:
        """Whether the text goes on by itself: its first human words would stand before `stop`."""
        while True:
            found = _WORD.search(self.text, self.at, stop)
            start = stop if found is None else found.start()
            fence = self._fence(start)
            if fence < 0:
                return False
            if fence > start:
                self._skip(start, fence, _FENCES)
                if self.at >= stop:
                    return True
                continue
            claim = self._claim(start)
            if claim is None:
                self.lead = start == stop
                return True
            if claim == "":
                return False  # it may become one
            if not _is_notice(claim):
                return self._after(start, claim, tag)
            self._skip(start, start + len(claim), claim)
            if self.at >= stop:
                return True

    def _fence(self, start: int) -> int:
        """Where an attached file ends that begins at `start`: there if none does; -1: not yet."""
        text = self.text
        if not self.harness.fences or not text.startswith("`", start):
            return start
        opened = FENCE.match(text, start)
        if opened is None:
            return -1 if self.more and text.find("\n", start) < 0 else start
        closed = re.compile(rf"(?m)^{opened[1]}`*+[ \t]*+(?:\n|\Z)").search(text, opened.end())
        if closed is None or (self.more and not closed[0].endswith("\n")):
            return -1 if self.more else start
        return closed.end()

    def _claim(self, start: int) -> str | None:
        """The literal that claims the text from `start` on; "" if it is settled, or may be one."""
        text = self.text
        if self.harness.begins.match(text, start) is not None:
            for literal in self.harness.literals:
                if text.startswith(literal, start):
                    return literal
            for literal, template in self.harness.templates:
                if text.startswith(literal, start):
                    if self.more:
                        return ""
                    span = template.quote(text, start)
                    if span is not None:
                        self.quote(start, span, template.name)
                        return ""
        found = RESULT.match(text, start)
        if found is not None:
            if not self.more:
                self.quote(start, quoted(text, found.end()), "tool result")
            return ""
        return "" if self.more and self._unsettled(start) else None

    def _unsettled(self, start: int) -> bool:
        """Whether what comes may still make a literal, a template or a result of this beginning."""
        text = self.text
        size = len(text) - start
        if size < self.harness.longest:
            begun = text[start:]
            starts = (*self.harness.literals, *(literal for literal, _ in self.harness.templates))
            if any(size < len(each) and each.startswith(begun) for each in starts):
                return True
        begun = text[start : start + len(_CALLED)]
        if _CALLED.startswith(begun) and text.find("\n", start) < 0:
            return True
        return MAYBE_RESULT.match(text, start) is not None

    def _after(self, start: int, literal: str, tag: _Tag | None) -> bool:
        """A literal claims the text, but where its line leads to a block: then to that block."""
        if tag is not None and tag.name in self.harness.blocks and tag.until >= 0:
            line = self.text.find("\n", start, tag.start)
            near = line < 0 or not self.text[line : tag.start].strip()
            if near and (tag.balanced or not self.more):
                self._skip(start, tag.start, literal)
                return True
        if not self.more:
            self._skip(start, len(self.text), literal)
        return False

    def _plain(self, stop: int, end: int) -> bool:
        """Keep the text up to `stop`; False where a tail ends it."""
        found = self.harness.tail.search(self.text, self.at, stop)
        if found is None:
            self.kept.keep(self.at, stop)
            self.at = max(self.at, stop)
            return True
        self.kept.keep(self.at, found.start())
        self._skip(found.start(), end, found[0].strip())
        return False

    def _tag(self, tag: _Tag) -> bool:
        """Deal with a tag at `at`; what is not skipped is text. False: nothing more is human."""
        if tag.name in self.harness.blocks:
            return self._block(tag)
        if tag.name in _WRAPPERS:
            if tag.closing and self.opened.get(tag.name, 0):
                self.opened[tag.name] -= 1
                self._skip(tag.start, tag.end, f"</{tag.name}>")
            elif not tag.closing and self._fresh(tag.start):
                self.opened[tag.name] = self.opened.get(tag.name, 0) + 1
                self._skip(tag.start, tag.end, f"<{tag.name}>")
            else:
                self.lead = False
            return True
        return self._talk(tag)

    def _talk(self, tag: _Tag) -> bool:
        if not tag.closing and not tag.balanced and self.more:
            return False
        self.lead = False
        if tag.closing or not tag.balanced or tag.start < self.silent:
            return True
        said = last_said(self.text, tag.end, tag.until)
        if said is None:
            self.silent = tag.until  # nor does anybody speak in a part of it
            return True
        self._skip(tag.start, said.start, f"<{tag.name}>")
        self.kept.keep(said.start, said.end)
        self._skip(said.end, tag.until, f"<{tag.name}>")
        return True

    def _block(self, tag: _Tag) -> bool:
        if tag.closing or (not tag.balanced and not self.more and not self._fallback(tag)):
            self.lead = False
            return True
        if not tag.balanced and self.more:
            return False
        self._skip(tag.start, tag.until, f"<{tag.name}>")
        return True

    def _fallback(self, tag: _Tag) -> bool:
        """A block without an end of its own is one where its tag begins a line and another's ends
        it: project notes that speak of the tag. In a line it is a human speaking of it."""
        return tag.until >= 0 and self._fresh(tag.start)

    def _fresh(self, start: int) -> bool:
        """Whether a tag begins a line, or stands behind what was skipped."""
        while start > self.floor and self.text[start - 1] in " \t":
            start -= 1
        return start == self.floor or self.text[start - 1] == "\n"


def _tags(harness: Harness, text: str, start: int, end: int) -> list[_Tag]:
    """The tags between two offsets, each opening one with the end of its block.

    A tag behind a backtick is spoken of, and is none.
    """
    tags: list[_Tag] = []
    opened: dict[str, list[_Tag]] = {}
    for found in harness.tags.finditer(text, start, end):
        if found.start() and text[found.start() - 1] == "`":
            continue
        closing, name = found.groups()
        tag = _Tag(found.start(), found.end(), name, closing != "")
        if name not in _WRAPPERS or name in harness.blocks:
            waiting = opened.setdefault(name, [])
            if not tag.closing and text[tag.end - 2] == "/":
                tag.until = tag.end
            elif not tag.closing:
                waiting.append(tag)
            elif waiting:
                waiting.pop().until = tag.end
        tags.append(tag)
    nearest: dict[str, int] = {}
    for tag in reversed(tags):
        if tag.closing:
            nearest[tag.name] = tag.end
        elif tag.until < 0:
            tag.until = nearest.get(tag.name, -1)
            tag.balanced = False
    return tags
