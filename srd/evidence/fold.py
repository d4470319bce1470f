"""The subject of a conversation: what its turns say, in order, folded into one topic.

Why this file exists: a conversation carries all of its earlier turns, so that it can stay on its
model without a store. This file knows texts and scores of labels; it must not know how a body
spells a turn, what scores one, or what a topic leads to.

The topic starts with the first turn that names a subject. A later turn takes it over only if its
best label is another one, with at least `leave`, and if that is no doubtful case: the fewer words
of the turn may name a subject, the surer the score must be, and so where it begins with "and" or
"but"; `other` is what every aside looks like
and must be surer than a subject; and the turn must hardly speak for the topic that holds. The
figures were chosen on the `dev` conversations of benchmarks/conversations.py.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from srd.evidence.excerpt import labelled
from srd.evidence.talk import goes_on, subject_words, without_opening

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: At most so many turns of a conversation are scored.
MOST_TURNS = 32
#: A turn of fewer characters is not scored: "yes", "commit it".
SHORTEST = 12
#: The label of everything that is no subject (MMLU-Pro's name, and upstream's).
OTHER = "other"

#: The least confidence by the number of words that may name a subject; more words need `leave`.
_THIN = {1: 0.95, 2: 0.85}
#: The least for a turn that begins as one that goes on with a subject ("but then ...").
_GOING_ON = 0.99
#: How many times as probable as the topic that holds the new one must be, in the turn's own score.
_CLEARLY = 25
#: The same where `other` holds: a greeting, or small talk, before the subject.
_CLEARLY_NOT_OTHER = 8
#: Characters of a long turn that its score reads: a third from its beginning, the rest from its
#: end. They fill about 62 word pieces of English.
_HEAD, _TAIL = 85, 170


@dataclass(frozen=True, slots=True)
class Topic:
    """What a conversation is about. `turn` is the index of the human turn whose subject holds.

    `label` and `confidence` are what that turn's score says; `said` is (turn, best label,
    confidence) of every scored turn in order, for explanations.
    """

    turn: int
    label: str
    confidence: float
    said: tuple[tuple[int, str, float], ...] = ()


def counted(turns: Sequence[str], upto: int | None = None) -> tuple[int, ...]:
    """The indices of the human turns whose score `fold` wants: at most `MOST_TURNS`, ascending.

    Short turns and turns without any word that may name a subject are not scored. Of more than
    `MOST_TURNS` others the first and the latest count. `upto` is `fold`'s.
    """
    end = len(turns) if upto is None else min(upto + 1, len(turns))
    latest: list[int] = []
    turns = [asked(turn) for turn in turns[:end]]
    first = next((index for index in range(end) if _names_subject(turns[index])), None)
    if first is None:
        return ()
    for index in range(end - 1, first, -1):
        if len(latest) == MOST_TURNS - 1:
            break
        if _names_subject(turns[index]):
            latest.append(index)
    return (first, *reversed(latest))


def fold(
    turns: Sequence[str],
    scores: Mapping[int, Mapping[str, float]],
    *,
    leave: float,
    upto: int | None = None,
) -> Topic | None:
    """The topic after the last of `turns`; None if no turn names one: the first turn decides then.

    `scores` maps the indices of `counted` to probabilities of labels; a turn without a score says
    nothing. `upto`: the index of the first turn whose answer only the model that made it can
    read (signed thinking, encrypted reasoning, a thought signature); later turns do not count, so
    that the conversation stays with that model. Deterministic; with at most `MOST_TURNS` turns
    that name a subject, the topic at a turn does not depend on later ones.
    """
    topic: tuple[int, str, float] | None = None
    said: list[tuple[int, str, float]] = []
    for index in counted(turns, upto):
        score = scores.get(index)
        if not score:
            continue
        label, confidence = best(score)
        said.append((index, label, confidence))
        if topic is None or _leaves(score, topic[1], asked(turns[index]), leave):
            topic = said[-1]
    return Topic(*topic, said=tuple(said)) if topic is not None else None


def asked(turn: str) -> str:
    """A turn as it was said: of what retrieval wrote around a question, the question."""
    return labelled(turn) or turn


def turn_text(text: str) -> str:
    """What of a turn is scored for the fold: its ends, without sentences that open it only; of a
    question behind a label that question.

    A third from the beginning, two thirds from the end: the question stands behind what was
    pasted more often than before it.
    """
    text = without_opening(asked(text))
    if len(text) <= _HEAD + _TAIL:
        return text
    head, tail = text[:_HEAD], text[-_TAIL:]
    return f"{head[: head.rfind(' ') + 1 or None]} {tail[tail.find(' ') + 1 :]}"


def told(topic: Topic) -> str:
    """One short line: "held since turn 1: math .97; turn 5 said other .41". Turns count from 1."""
    line = f"held since turn {topic.turn + 1}: {topic.label} {share(topic.confidence)}"
    later = topic.said[bisect.bisect_right(topic.said, topic.turn, key=lambda entry: entry[0]) :]
    if not later:
        return line
    turn, label, confidence = later[-1]
    return f"{line}; turn {turn + 1} said {label} {share(confidence)}"


def best(score: Mapping[str, float]) -> tuple[str, float]:
    """The most probable label, of equals the first by name, and its probability."""
    highest = max(score.values())
    return min(label for label, share in score.items() if share == highest), highest


def _leaves(score: Mapping[str, float], held: str, turn: str, leave: float) -> bool:
    label, confidence = best(score)
    if label == held:
        return False
    least = max(leave, _THIN.get(subject_words(turn), 0.0))
    if label == OTHER:
        least += (1.0 - least) / 2
    if goes_on(turn) and held != OTHER:
        least = max(least, _GOING_ON)
    times = _CLEARLY_NOT_OTHER if held == OTHER else _CLEARLY
    return confidence >= least and confidence >= times * score.get(held, 0.0)


def _names_subject(turn: str) -> bool:
    return len(turn) >= SHORTEST and subject_words(turn) > 0


def share(value: float) -> str:
    """A confidence as it is told: ".97", "1.00"."""
    return f"{value:.2f}".removeprefix("0")
