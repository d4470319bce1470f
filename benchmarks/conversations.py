"""Whether a conversation keeps its subject, and whether it is let go when the subject changes.

    PYTHONPATH=. python benchmarks/conversations.py [--half dev|test] [--data DATA] [--write]

Prints, for `last_message` (every turn decided anew) and for several values of `leave`, the share of
conversations on one subject with ONE decision at all of their turns (kept), of those that change it
whose last topic is the new one (followed), and of all whose last label is right (last). A decision
is the label of at least .5, or none. The sets:

* written: `benchmarks/conversations/{dev,test}.txt`, whole conversations by hand;
* mixed: questions of one label with asides between them (`phrases.txt`), a change with or without
  a lead-in, greetings in front;
* asked: two to four questions of one label, hardly an aside: every turn has a subject.

The questions of the last two are held back from training: ours, and with `--data` (the folder with
`domain_en.jsonl.gz` and the others; models/README.md) public ones, without which the split is not
known and only the written set is measured. Then: conversations of 60 turns (looked at every sixth),
and what of a long turn is to be scored. The figures of srd/evidence/fold.py were chosen on `dev`;
`--write` puts the tables into benchmarks/results/conversations.md.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from srd.classify.api import TURN_WINDOW, WINDOWS, Ask
from srd.classify.factory import open_classifier
from srd.evidence.fold import best, counted, fold, turn_text

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "models"))
DOMAIN = frozenset({"domain"})
LEAVES = (0.4, 0.5, 0.6, 0.7, 0.85, 0.95)
REGISTERS = ("chat", "polite", "agent", "terse", "emotional")
#: Texts beyond this are essays; no conversation is made of them.
LONGEST = 2000
Score = dict[str, float]
Rule = Callable[[Sequence[str]], Score]


@dataclass
class Conversation:
    labels: list[str]
    turns: list[str]
    changed: int | None = None  # the turn that changes the subject
    greeted: bool = False


class Judge:
    """The shipped classifier, each text and window once."""

    def __init__(self) -> None:
        self.classifier = open_classifier(heads=DOMAIN)
        self.known: dict[tuple[str, int], Score] = {}

    def __call__(self, text: str, window: int) -> Score:
        key = (text, window)
        if key not in self.known:
            ask = Ask(text=text, heads=DOMAIN, window=window)
            scores = self.classifier.quick(ask) or self.classifier.submit(ask).result()
            if scores.domain is None:
                raise RuntimeError("no domain head")
            self.known[key] = dict(scores.domain)
        return self.known[key]

    def last_message(self, turns: Sequence[str]) -> Score:
        return self(turns[-1], WINDOWS[-1])

    def held(self, leave: float) -> Rule:
        """The fold; the turn that holds is read as it was when it was the last one."""

        def rule(turns: Sequence[str]) -> Score:
            scores = {i: self(turn_text(turns[i]), TURN_WINDOW) for i in counted(turns)}
            topic = fold(turns, scores, leave=leave)
            return self(turns[topic.turn if topic else 0], WINDOWS[-1])

        return rule


def sections(path: Path) -> Iterator[tuple[str, list[str]]]:
    """(heading, lines) of a file of `[heading]` sections; a blank line ends one."""
    heading, lines = "", list[str]()
    for line in [*path.read_text().splitlines(), "["]:
        if line.startswith("["):
            if lines:
                yield heading, lines
            heading, lines = line.strip("[]"), []
        elif line and not line.startswith("#"):
            lines.append(line)


def written(half: str) -> list[Conversation]:
    found = []
    for heading, lines in sections(HERE / "conversations" / f"{half}.txt"):
        changed = next((i for i, line in enumerate(lines) if line.startswith("> ")), None)
        turns = [line.removeprefix("> ") for line in lines]
        found.append(Conversation(heading.split(" > "), turns, changed))
    return found


class Maker:
    """Conversations of questions that the model was not trained on."""

    def __init__(self, half: str, source: str, questions: dict[str, list[str]]) -> None:
        self.rng = random.Random(f"{half} {source}")
        self.questions = questions
        self.labels = sorted(questions)
        self.phrases: dict[str, list[str]] = {}
        for heading, lines in sections(HERE / "conversations" / "phrases.txt"):
            owner, kind = heading.split()
            if owner == half:
                self.phrases[kind] = lines

    def aside(self) -> str:
        return self.rng.choice(self.phrases[self.rng.choice(REGISTERS)])

    def ask(self, label: str) -> str:
        return self.rng.choice(self.questions[label])

    def other_than(self, label: str) -> str:
        return self.rng.choice([name for name in self.labels if name != label])

    def block(self, label: str, count: int) -> list[str]:
        turns = []
        for _ in range(count):
            turns += [
                self.ask(label),
                *(self.aside() for _ in range(self.rng.choice((0, 1, 1, 2)))),
            ]
        return turns

    def mixed(self, number: int) -> Conversation:
        label, changes = self.labels[number % len(self.labels)], number // len(self.labels) % 2 == 1
        greeted = self.rng.random() < 0.12
        turns = [self.rng.choice(self.phrases["greeting"])] if greeted else []
        turns += self.block(label, self.rng.choice((1, 2) if changes else (1, 2, 3)))
        if not changes:
            turns += [self.aside()] if len(turns) < 2 else []
            return Conversation([label], turns, None, greeted)
        new = self.other_than(label)
        rest = self.block(new, 1)
        if self.rng.random() < 0.5:
            rest[0] = f"{self.rng.choice(self.phrases['lead-in'])} {rest[0]}"
        return Conversation([label, new], turns + rest, len(turns), greeted)

    def asked(self, number: int) -> Conversation:
        label, changes = self.labels[number % len(self.labels)], number // len(self.labels) % 2 == 1
        turns = [self.ask(label) for _ in range(self.rng.choice((2, 3, 4)))]
        if self.rng.random() < 0.4:
            turns.insert(self.rng.randrange(1, len(turns) + 1), self.aside())
        if not changes:
            return Conversation([label], turns)
        new, turns = self.other_than(label), turns[: self.rng.choice((1, 2))]
        rest = [self.ask(new) for _ in range(1 + (self.rng.random() < 0.4))]
        return Conversation([label, new], turns + rest, len(turns))

    def long(self, number: int, length: int = 60) -> Conversation:
        """One subject throughout, or another one from the sixth turn or a few later on."""
        label, changes = self.labels[number % len(self.labels)], number // len(self.labels) % 2 == 1
        turns = self.block(label, 3 if changes else length)
        changed, labels = None, [label]
        if changes:
            labels.append(self.other_than(label))
            changed = len(turns)
            turns += self.block(labels[1], length)
        return Conversation(labels, turns[:length], changed)


def held_back(data: Path, half: str) -> dict[str, dict[str, list[str]]]:
    """Source to label to English questions of the split `half` that training made."""
    from srd_train.data import load_domain, part, split

    found: dict[str, dict[str, list[str]]] = {"own": {}, "public": {}}
    for row in part(split(load_domain(data)), half):
        if row.lang == "English" and len(row.text) <= LONGEST and row.domain is not None:
            source = "own" if row.source.startswith("own") else "public"
            found[source].setdefault(row.domain, []).append(row.text)
    return found


def decision(score: Score) -> str | None:
    label, confidence = best(score)
    return label if confidence >= 0.5 else None


def measured(conversations: Sequence[Conversation], rule: Rule, step: int = 1) -> str:
    """Kept, followed and last in per cent; the decision is looked at every `step` turns."""
    counts: dict[str, list[bool]] = defaultdict(list)
    for one in conversations:
        scores = [rule(one.turns[:k]) for k in range(len(one.turns), 0, -step)][::-1]
        right = best(scores[-1])[0] == one.labels[-1]
        counts["last"].append(right)
        if one.changed is not None:
            counts["followed"].append(right)
        elif not one.greeted:
            counts["kept"].append(len({decision(score) for score in scores}) == 1)
    return " / ".join(percent(counts[name]) for name in ("kept", "followed", "last"))


def percent(values: Sequence[bool]) -> str:
    return f"{100 * sum(values) / len(values):.1f}" if values else "-"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"## {title}", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows), ""])


def by_leave(
    judge: Judge, sets: dict[str, list[Conversation]], leaves: Sequence[float], step: int = 1
) -> str:
    rules = {"last_message": judge.last_message} | {f"leave {v:g}": judge.held(v) for v in leaves}
    rows = [
        [name, *(measured(conversations, rule, step) for conversations in sets.values())]
        for name, rule in rules.items()
    ]
    sizes = [f"{name} ({len(conversations)})" for name, conversations in sets.items()]
    return table("kept / followed / last, per cent", ["", *sizes], rows)


def by_part(judge: Judge, half: str, questions: dict[str, list[str]]) -> str:
    """Labels at the smallest window by what of a long turn is read, in characters of its ends."""
    rng = random.Random(half)
    pool = [(text, label) for label, texts in sorted(questions.items()) for text in texts]
    paste = (HERE / "rig.py").read_text() + (HERE.parent / "DESIGN.md").read_text()

    def pasted() -> str:
        start = rng.randrange(len(paste) - 2000)
        return paste[start : start + 2000]

    short = rng.sample([pair for pair in pool if len(pair[0]) < 160], 120)
    sets = {
        "long questions": rng.sample([pair for pair in pool if len(pair[0]) > 400], 120),
        "pasted, then asked": [(f"{pasted()}\n\n{text}", label) for text, label in short],
        "asked, then pasted": [(f"{text}\n\n{pasted()}", label) for text, label in short],
    }
    ways: dict[str, Callable[[str], str]] = {
        "beginning": lambda text: text[:255],
        "end": lambda text: text[-255:],
        "halves": lambda text: text if len(text) < 255 else f"{text[:127]} {text[-127:]}",
        "turn_text": turn_text,
    }
    rows = []
    for name, way in ways.items():
        row = [name]
        for pairs in sets.values():
            scores = [(judge(way(text), TURN_WINDOW), text, label) for text, label in pairs]
            right = percent([best(score)[0] == label for score, _, label in scores])
            whole = [decision(judge(text, WINDOWS[-1])) for _, text, _ in scores]
            pairs_of = zip(scores, whole, strict=True)
            same = percent([decision(one[0]) == full for one, full in pairs_of])
            row.append(f"{right} ({same})")
        rows.append(row)
    return table("right label (same decision as the whole turn), per cent", ["", *sets], rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--half", choices=("dev", "test"), default="test")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    judge, sets = Judge(), {"written": written(options.half)}
    parts: list[str] = []
    if options.data is not None:
        held = held_back(options.data, options.half)
        for source, questions in held.items():
            maker = Maker(options.half, source, questions)
            sets[f"mixed, {source}"] = [maker.mixed(number) for number in range(280)]
            sets[f"asked, {source}"] = [maker.asked(number) for number in range(280)]
        makers = {source: Maker(options.half, source, held[source]) for source in held}
        long = {
            f"60 turns, {source}": [maker.long(number) for number in range(56)]
            for source, maker in makers.items()
        }
        parts = [by_leave(judge, sets, LEAVES), by_leave(judge, long, (0.5, 0.85), 6)]
        everything = {label: held["own"][label] + held["public"][label] for label in held["own"]}
        parts.append(by_part(judge, options.half, everything))
    else:
        parts = [by_leave(judge, sets, LEAVES)]
    text = "\n".join(parts)
    print(text)
    if options.write:
        (HERE / "results" / "conversations.md").write_text(
            f"# Conversations, {options.half} half, model {judge.classifier.version}\n\n{text}"
        )


if __name__ == "__main__":
    main()
