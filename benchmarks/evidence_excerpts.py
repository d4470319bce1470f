"""Whether a long message is decided as the question in it: measured on the shipped classifier.

    PYTHONPATH=. python benchmarks/evidence_excerpts.py [--half dev|test] [--each 4]
        [--questions FILE] [--kinds ...] [--sizes ...] [--front] [--long] [--show]

Questions are rows of models/data/domain_own.jsonl.gz (English, the same number of each label), or
of a file of lines {"text", "label"}. Around each stands 2, 8 or 60 KB of a log, code, JSON, or
prose made of rows of other labels; in front, behind, or as another text part. For each arrangement:
how often the label is the bare question's and how often the right one, by `excerpt` and `combine`
and by the first 512 tokens; and the encoder's forwards. Rows of dev and test never meet.
`--long` asks what reading a text apart costs where it fits and is one question throughout.

Measured with `--half test --each 3 --sizes "2 KB" "8 KB"` (42 questions; bare: right .952), "as
bare" for 2 KB / 8 KB:

    pasted   in front      in front, \\n  behind        behind, fenced  first part    last part
    log      1.00 / .98    .95 / .90     1.00 / .95    1.00 / .95      .98 / .95     1.00 / .98
    code     1.00 / 1.00   .98 / 1.00    1.00 / .93    1.00 / .93      1.00 / .93    1.00 / .98
    JSON     1.00 / 1.00   1.00 / 1.00   1.00 / 1.00   1.00 / 1.00     1.00 / 1.00   1.00 / 1.00
    prose    .81 / .93     .57 / .81     .74 / .90     .74 / .90       .76 / .83     .86 / .95

The first 512 tokens (`--each 4 --front`, 2 KB of log, 56 questions): .11 in front, .07 behind. A
message costs 1.0 to 1.7 forwards, one with prose as another part 2.4. `--long` over 2,762 long
single questions: 57 are read apart, of which 52 stay right and 56 were.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from srd.classify.api import Ask
from srd.classify.factory import open_classifier
from srd.evidence.excerpt import combine, excerpt, lean
from srd.evidence.weigh import cut

ROOT = Path(__file__).parents[1]
OWN = ROOT / "models/data/domain_own.jsonl.gz"
WINDOW = 512
SENTENCE = re.compile(r"(?<=[.?!:])\s+")
KINDS = ("log", "code", "json", "prose")
SIZES = {"2 KB": 2_000, "8 KB": 8_000, "60 KB": 60_000}


def rows(path: Path, half: str) -> list[tuple[str, str]]:
    """(text, label) of one half, by a hash of the group or text."""
    packed = path.read_bytes()
    found = []
    for line in (gzip.decompress(packed) if path.suffix == ".gz" else packed).splitlines():
        row = json.loads(line)
        odd = zlib.crc32(row.get("group", row["text"]).encode()) & 1
        if not row.get("lang") and odd == (half == "test"):
            found.append((row["text"], row.get("label") or row["domain"]))
    return found


def log(rng: random.Random, size: int) -> str:
    names = ("kernel", "nginx", "billing", "auth", "scheduler", "ingest")
    acts = ("connection reset by peer", "retrying in 4 s", "cache miss for key", "request done",
            "worker started", "timeout while reading", "user session expired")  # fmt: skip
    form = rng.randrange(3)
    lines = []
    while sum(map(len, lines)) < size:
        at = f"2026-03-{rng.randrange(1, 29):02} {rng.randrange(24):02}:{rng.randrange(60):02}:07"
        level, name, act = (
            rng.choice(("INFO", "WARN", "ERROR")),
            rng.choice(names),
            rng.choice(acts),
        )
        lines.append(
            (
                f"{at} {level} [{name}] {act} id={rng.getrandbits(32):08x}",
                f"Mar {rng.randrange(1, 29)} 11:02:{rng.randrange(60):02} host {name}[77]: {act}",
                f'{name} - - "GET /v1/{name}/{rng.randrange(999)} HTTP/1.1" 200 512 "{act}"',
            )[form]
        )
    return "\n".join(lines)


def code(rng: random.Random, size: int) -> str:
    files = sorted((ROOT / "srd").rglob("*.py")) + sorted((ROOT / "tests").rglob("*.py"))
    text = ""
    while len(text) < size:
        source = rng.choice(files).read_text()
        start = source.find("\n", rng.randrange(max(1, len(source) - 1500))) + 1
        text += source[start : start + size] + "\n"
    return text[:size]


def data(rng: random.Random, size: int) -> str:
    indent = rng.choice((None, 2))
    items: list[object] = []
    while len(json.dumps(items)) < size:
        items.append(
            {
                "id": rng.getrandbits(40),
                "name": rng.choice(("Ann", "Bo", "Cy", "Di")),
                "tags": rng.sample(("red", "new", "paid", "open"), 2),
                "score": round(rng.random(), 4),
            }
        )
    return json.dumps(items, indent=indent)[:size]


def prose(rng: random.Random, size: int, others: Sequence[str]) -> str:
    """Statements of one other label, in paragraphs."""
    text = ""
    while len(text) < size:
        text += rng.choice(others).strip() + rng.choice((" ", " ", "\n\n"))
    return text[:size].strip()


class Measure:
    def __init__(self) -> None:
        self.classifier = open_classifier(None, heads=frozenset({"domain"}), first_stage=False)
        self.forwards = 0

    def score(self, text: str, window: int) -> Mapping[str, float]:
        self.forwards += 1
        ask = Ask(text=text, heads=frozenset({"domain"}), window=window)
        found = self.classifier.submit(ask).result().domain
        if found is None:
            raise RuntimeError("the classifier has no domain head")
        return found

    def by_excerpt(self, parts: Sequence[str]) -> str:
        read = excerpt(parts, WINDOW)
        scores = [
            self.score(text, WINDOW if index == 0 else 64) for index, text in enumerate(read.texts)
        ]
        return best(combine(read.texts, scores))

    def by_front(self, parts: Sequence[str]) -> str:
        text = "\n".join(parts)
        return best(self.score(text[: cut(text, WINDOW)], WINDOW))


def best(score: Mapping[str, float]) -> str:
    return max(sorted(score), key=lambda label: score[label])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=("dev", "test"), default="dev")
    parser.add_argument("--each", type=int, default=4, help="questions of each label")
    parser.add_argument("--questions", type=Path, default=OWN)
    parser.add_argument("--front", action="store_true", help="also the first 512 tokens")
    parser.add_argument("--sizes", nargs="*", default=["2 KB"], choices=list(SIZES))
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument(
        "--long", action="store_true", help="long rows alone: what reading apart costs"
    )
    parser.add_argument("--show", action="store_true", help="show every miss")
    chosen = parser.parse_args()
    rng = random.Random(11)
    table: dict[str, list[str]] = defaultdict(list)
    for text, label in rows(chosen.questions, chosen.half):
        table[label].append(text)
    table = {label: texts for label, texts in table.items() if len(texts) > 99}
    asked = [
        (text, label)
        for label in sorted(table)
        for text in rng.sample(sorted(t for t in table[label] if 30 <= len(t) <= 300), chosen.each)
    ]
    if chosen.long:
        alone(Measure(), rows(chosen.questions, chosen.half), rng)
        return
    statements = {
        label: [
            sentence
            for text in texts
            for sentence in SENTENCE.split(text)
            if len(sentence) > 60 and sentence.endswith(".") and lean(sentence) == 0
        ]
        for label, texts in table.items()
    }
    measure = Measure()
    bare = {text: best(measure.score(text, WINDOW)) for text, _ in asked}
    right = sum(bare[text] == label for text, label in asked)
    print(f"bare: right {right / len(asked):.3f} of {len(asked)}")
    for kind in chosen.kinds:
        for size in chosen.sizes:
            arrangements(measure, chosen, rng, kind, size, asked, bare, statements)


def alone(measure: Measure, found: list[tuple[str, str]], rng: random.Random) -> None:
    """Rows that fit in the window and that `excerpt` reads apart, against reading all of them."""
    found = [row for row in found if cut(row[0], 64) != len(row[0]) == cut(row[0], WINDOW)]
    apart = [row for row in found if excerpt([row[0]], WINDOW).texts != (row[0],)]
    some = rng.sample(apart, min(len(apart), 200))
    whole = sum(best(measure.score(text, WINDOW)) == label for text, label in some)
    split = sum(measure.by_excerpt([text]) == label for text, label in some)
    print(f"{len(found)} long rows that fit, {len(apart)} read apart; of {len(some)}: "
          f"right {whole} whole, {split} apart")  # fmt: skip


def arrangements(measure, chosen, rng, kind, size, asked, bare, statements) -> None:  # type: ignore[no-untyped-def]
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for text, label in asked:
        other = rng.choice([name for name in statements if name not in (label, bare[text])])
        if kind == "prose":
            pasted = prose(rng, SIZES[size], statements[other])
        else:
            pasted = {"log": log, "code": code, "json": data}[kind](rng, SIZES[size])
        for name, parts in {
            "in front": [f"{text}\n\n{pasted}"],
            "in front, one line break": [f"{text}\n{pasted}"],
            "behind": [f"{pasted}\n\n{text}"],
            "behind, fenced": [f"```\n{pasted}\n```\n{text}"],
            "first part": [text, pasted],
            "last part": [pasted, text],
        }.items():
            before = measure.forwards
            answer = measure.by_excerpt(parts)
            row = counts[name]
            row[4] += measure.forwards - before
            row[0] += answer == bare[text]
            row[1] += answer == label
            if chosen.show and answer != bare[text]:
                print("   MISS", name, bare[text], answer, excerpt(parts, WINDOW).texts)
            if chosen.front:
                front = measure.by_front(parts)
                row[2] += front == bare[text]
                row[3] += front == label
    total = len(asked)
    for name, row in counts.items():
        plain = f"; first 512: {row[2] / total:.3f}, {row[3] / total:.3f}" if chosen.front else ""
        print(
            f"{kind:6} {size:6} {name:26} as bare {row[0] / total:.3f}, right {row[1] / total:.3f}"
            f"{plain}; {row[4] / total:.2f} forwards"
        )


if __name__ == "__main__":
    main()
