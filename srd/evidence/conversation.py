"""Which texts of a conversation are a human's, and where they stand.

Why this file exists: harness blocks are taken out of texts in `human`; what that makes of messages,
and of a conversation whose end is not known, is said here. It must not know JSON, rules or scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from srd.evidence.human import Harness, Skipped, opening, readings

#: Characters of one text, and of a conversation, that are searched for what a human wrote: its
#: first message and the most recent ones. What decides is a few thousand of them.
MOST_TEXT = 131_072
MOST_TEXTS = 524_288
#: User messages, and texts of one of them, that are looked at.
MOST_MESSAGES = 256
MOST_PARTS = 64


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a user message; `start` and `end` are its bytes in the body, `end` -1 while it
    passes."""

    value: str
    start: int = -1
    end: int = -1


@dataclass(frozen=True, slots=True)
class Spoken:
    """A user message with its texts; `place` is its index among the turns."""

    place: int
    texts: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What a human wrote in one text."""

    text: str
    source: Text
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class HumanTurn:
    """A user message in which a human said something: those texts of it, in order, never none."""

    place: int
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """What decides: its last text that is not wholly harness."""
        return self.parts[-1].text


@dataclass(frozen=True, slots=True)
class Conversation:
    """The human's turns in order. `unfiltered`: nothing human was found in any user message, and
    the last one counts with its whole text. `harness`: user messages that are no human's."""

    turns: tuple[HumanTurn, ...] = ()
    unfiltered: bool = False
    harness: int = 0

    @property
    def last(self) -> HumanTurn | None:
        """The turn that decides where no earlier one holds."""
        return self.turns[-1] if self.turns else None


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first human text. `more`: it may go on, or (while it is "") another may come."""

    text: str
    more: bool
    part: Part | None = None


def conversation(
    harness: Harness, messages: Sequence[Spoken], *, before: int | None = None
) -> Conversation:
    """The human's turns of the messages, of those in front of place `before` only if it is given.
    Linear in their texts, of which not much more than `MOST_TEXTS` characters are read."""
    said = _within([m for m in messages if before is None or m.place < before])
    turns = tuple(turn for m in said if (turn := _turn(harness, m)) is not None)
    if turns or not said:
        return Conversation(turns, harness=len(said) - len(turns))
    parts = tuple(Part(text.value, text) for text in said[-1].texts)
    whole = Part(" ".join(p.text for p in parts), _span(said[-1].texts))
    return Conversation((HumanTurn(said[-1].place, (whole,)),), True, len(said) - 1)


def _within(messages: Sequence[Spoken]) -> Sequence[Spoken]:
    """The first message, and of the others the most recent ones, within `MOST_TEXTS`; one of two
    messages at least stays."""
    room = MOST_TEXTS
    for index in range(len(messages) - 1, 0, -1):
        room -= sum(len(text.value) for text in messages[index].texts)
        if room < 0 and index < len(messages) - 1:
            return [messages[0], *messages[index + 1 :]]
    return messages


def _turn(harness: Harness, message: Spoken) -> HumanTurn | None:
    read = readings(harness, [text.value for text in message.texts])
    parts = tuple(
        Part(human.text, text, human.skipped)
        for text, human in zip(message.texts, read, strict=True)
        if human.text
    )
    return HumanTurn(message.place, parts) if parts else None


def _span(texts: Sequence[Text]) -> Text:
    return Text("", texts[0].start, texts[-1].end)


def beginning(harness: Harness, messages: Sequence[Spoken], *, more: bool) -> Beginning:
    """The first human text of the first message that has one. `more`: the last text may go on.

    What it says is a prefix of what it says once more has come, unless a block that is open now is
    never closed.
    """
    for message in messages:
        passing = more and message is messages[-1]
        texts = [text.value for text in message.texts]
        found = opening(harness, texts, more=passing)
        if found is not None:
            index, human = found
            source = message.texts[index]
            grows = passing and index == len(texts) - 1
            return Beginning(human.text, grows, Part(human.text, source, human.skipped))
    return Beginning("", more=True)


def whole_beginning(messages: Sequence[Spoken]) -> str:
    """All of the first message with text, where nothing human came in time."""
    return " ".join(text.value for text in messages[0].texts) if messages else ""
