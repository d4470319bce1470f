"""What the evidence rule does to accuracy: whole requests of clients against the bare question.

    PYTHONPATH=. python benchmarks/evidence_accuracy.py [--each 2] [--half test|dev]
        [--only NAME ...] [--show] [--write]

Questions are rows of models/data/domain_own.jsonl.gz that no training sees (`split` test or dev),
the same number of each label, and one in another language for each; conversations are
benchmarks/conversations/{dev,test}.txt. Every client of tests/clients sends each question: as its
first turn, as the first of four turns of which the others name no subject, in a tool loop, and with
so much around it that the turns exceed the budget. The embedded document and the shipped classifier
decide, in full duplex, a third of them in BUFFERED and a third packed in odd pieces as well; memory
is off. `--show` prints every miss, `--write` puts the tables into docs/evidence.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]

from clients.shapes import SMALL, Client, Coding, Sent, Sizes, packed  # noqa: E402
from clients.table import CLIENTS, client  # noqa: E402
from clients.uncommon import UNCOMMON  # noqa: E402
from conversations import Conversation, percent, written  # noqa: E402
from product.play import Request, play  # noqa: E402

from srd.classify.api import Ask, Scores  # noqa: E402
from srd.classify.factory import open_classifier  # noqa: E402
from srd.config.load import load_default  # noqa: E402
from srd.decide.decision import Basis, Decision  # noqa: E402
from srd.exchange.policy import build_policy  # noqa: E402

DOCS = HERE.parent / "docs/evidence.md"
BEGIN, END = "<!-- accuracy: begin -->", "<!-- accuracy: end -->"
BARE = client("openai node")
#: Around the question stand more than 64 KB of turns.
LARGE = replace(SMALL, notes=70_000, files=70_000, context=70_000, answer=24_000, result=24_000)
CODINGS: tuple[Coding, ...] = ("gzip", "zstd", "br")
#: What follows a question in its fourth turn: nothing in them names a subject.
ASIDES = ("thanks", "can you make it shorter?", "ok, go on")
#: Clients for whole conversations: every API and every way of marking a turn.
TALKING = (
    *("claude code", "claude code, strings", "codex", "codex, ide", "cline", "roo", "aider"),
    *("continue", "opencode", "cursor", "openai responses", "anthropic python", "open webui rag"),
    *("reminders around, parts", "cline, string", "codex, older", "copilot", "rag, question last"),
)
Question = tuple[str, str]


def questions(half: str, each: int) -> list[Question]:
    """(text, label): `each` of every label in English, and one in another language."""
    data = gzip.decompress((HERE.parent / "models/data/domain_own.jsonl.gz").read_bytes())
    by_label: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for row in map(json.loads, data.splitlines()):
        if row.get("split") == half and 20 <= len(row["text"]) <= 1500:
            by_label[row["domain"], "lang" in row].append(row["text"])
    rng = random.Random(half)
    return [
        (text, label)
        for (label, foreign), texts in sorted(by_label.items())
        for text in rng.sample(sorted(texts), min(len(texts), 1 if foreign else each))
    ]


@dataclass
class Bench:
    """The shipped classifier behind the embedded document; each question is put to it once."""

    known: dict[Ask, Scores] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.classifier = open_classifier(heads=frozenset({"domain"}))
        self.policy = replace(build_policy(load_default().document, self.classifier), memo=None)

    def answer(self, ask: Ask) -> Scores:
        if ask not in self.known:
            quick = self.classifier.quick(ask)
            self.known[ask] = quick or self.classifier.submit(ask).result()
        return self.known[ask]

    def decide(self, sent: Sent, mode: str = "duplex", chunk: int = 16_384) -> Decision:
        body = sent.body
        pieces = [body[at : at + chunk] for at in range(0, len(body), chunk)]
        headers = (*sent.headers, ("content-length", str(len(body))))
        run = play(
            self.policy,
            Request(
                mode=mode,
                dialect="envoy",
                path=sent.path,
                headers=tuple((name, value.encode()) for name, value in headers),
                pieces=[body] if mode == "buffered" else pieces,
                scorer=self.answer,
            ),
        )
        if run.error is not None:
            raise run.error
        return run.decided[0].decision

    def everywhere(self, sent: Sent, number: int) -> Decision:
        """The decision in full duplex; raises if another mode, or packing, says otherwise."""
        found = self.decide(sent)
        others = [self.decide(sent, "buffered")] if number % 3 == 0 else []
        if number % 3 == 1 and "content-encoding" not in dict(sent.headers):
            others.append(self.decide(packed(sent, CODINGS[number % 3]), chunk=1009))
        for other in others:
            if (other.model, other.name, other.basis) != (found.model, found.name, found.basis):
                raise RuntimeError(f"{found} here, {other} in another mode")
        return found


@dataclass
class Cell:
    """What one client's requests of one kind came to."""

    right: list[bool] = field(default_factory=list)
    bare: list[bool] = field(default_factory=list)
    same: list[bool] = field(default_factory=list)
    bases: Counter[str] = field(default_factory=Counter)
    read: int = 0
    total: int = 0

    def add(self, label: str, bare: Decision, found: Decision, sent: Sent) -> bool:
        self.right.append(found.label == label)
        self.bare.append(bare.label == label)
        self.same.append((found.model, found.name) == (bare.model, bare.name))
        self.bases[str(found.basis)] += 1
        self.read += found.bytes_read
        self.total += len(sent.plain)
        return self.same[-1]

    def row(self) -> list[str]:
        bases = ", ".join(f"{name} {count}" for name, count in sorted(self.bases.items()))
        share = f"{100 * self.read / self.total:.0f}"
        return [percent(self.right), percent(self.bare), percent(self.same), bases, share]


def requests(each: Client, number: int, text: str) -> Iterator[tuple[str, Sent]]:
    """(kind, request) of one question; memory of a model's own is left out, as it would pin."""
    sizes = SMALL if number % 3 else Sizes(picture=300_000)
    yield "first", each.request(text, sizes=sizes, seed=number)
    if not (each.helper or each.pasted):
        turns = (text, *ASIDES)
        yield "fourth", each.request(*turns, sizes=SMALL, seed=number, sealed=False)
    if each.agent:
        yield "loop", each.request(text, sizes=sizes, loop=3, seed=number)
    if each.agent and not each.pasted:  # of a long first message an early look sees the beginning
        yield "large", each.request(text, sizes=LARGE, loop=3, seed=number)


def accuracy(bench: Bench, chosen: Sequence[Client], asked: list[Question], show: bool) -> str:
    bare = {text: bench.decide(BARE.request(text)) for text, _ in asked}
    rows, sums = [], defaultdict(Cell)
    for each in chosen:
        cells: dict[str, Cell] = defaultdict(Cell)
        for number, (text, label) in enumerate(asked):
            for kind, sent in requests(each, number, text):
                found = bench.everywhere(sent, number)
                group = "agents" if each.agent and not each.pasted else "programs"
                group = "with pasted text" if each.pasted else group
                sums[group, kind].add(label, bare[text], found, sent)
                if not cells[kind].add(label, bare[text], found, sent) and show:
                    print(f"MISS {each} {kind}: {text[:80]!r} {bare[text]} {found}")
        rows += [[each.name, kind, *cell.row()] for kind, cell in cells.items()]
        print(f"{each.name}: " + "; ".join(f"{k} {' | '.join(c.row())}" for k, c in cells.items()))
    rows = [[f"**all {g}**", kind, *cell.row()] for (g, kind), cell in sums.items()] + rows
    return table(
        ["client", "turn", "right", "bare question", "same decision", "basis", "read, % of body"],
        rows,
    )


def held(bench: Bench, each: Client, talks: Sequence[Conversation]) -> list[str]:
    """Kept, followed and last, as benchmarks/conversations.py counts them, by the domain's label:
    a keyword rule of the document is no subject."""
    kept, followed, last, early = [], [], [], 0
    for number, talk in enumerate(talks):
        labels = []
        for count in range(1, len(talk.turns) + 1):
            turns = talk.turns[:count]
            found = bench.decide(each.request(*turns, sizes=SMALL, seed=number, sealed=False))
            early += found.basis is not Basis.COMPLETE
            if found.label is not None:
                labels.append(found.label if found.label_confidence >= 0.5 else "")
        right = labels[-1] == talk.labels[-1]
        last.append(right)
        (kept if talk.changed is None else followed).append(
            len(set(labels)) == 1 if talk.changed is None else right
        )
    return [each.name, percent(kept), percent(followed), percent(last), str(early)]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--half", choices=("dev", "test"), default="test")
    parser.add_argument("--each", type=int, default=2, help="English questions of each label")
    parser.add_argument("--only", nargs="*", help="clients by name")
    parser.add_argument("--show", action="store_true", help="every miss")
    parser.add_argument("--write", action="store_true", help="into docs/evidence.md")
    options = parser.parse_args()
    bench, asked = Bench(), questions(options.half, options.each)
    every = (*CLIENTS, *UNCOMMON)
    chosen = [c for c in every if not options.only or c.name in options.only]
    first = accuracy(bench, chosen, asked, options.show)
    talking = [c for c in chosen if c.name in TALKING]
    talks = written(options.half)
    second = table(
        ["client", "kept", "followed", "last right", "past the budget"],
        [held(bench, each, talks) for each in talking],
    )
    version = bench.classifier.version
    text = (
        f"`python benchmarks/evidence_accuracy.py --half {options.half} --each {options.each} "
        f"--write`: {len(asked)} questions that no training saw, model {version}, per cent.\n\n"
        f"{first}\n\nConversations ({len(talks)}, benchmarks/conversations/{options.half}.txt), "
        f"through whole bodies:\n\n{second}\n"
    )
    print(text)
    if options.write:
        page = DOCS.read_text()
        before, _, rest = page.partition(BEGIN)
        after = rest.partition(END)[2]
        DOCS.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


if __name__ == "__main__":
    main()
