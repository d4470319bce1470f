"""Writes models/data/domain_own.jsonl.gz from the seeds: topics times frames, and whole prompts.

Why this file exists: public question sets hold exam questions; people write to a chat assistant.
The seeds were written by hand, topic by topic, and this file only combines them. A topic belongs
to one split with all of its prompts, and the held-back whole prompts are never trained on.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from .common import DOMAINS, OWN_DATA, SEED, unit, write_jsonl_gz

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS = OWN_DATA / "seeds"
PER_TOPIC = 3


#: Whole prompts by hand, for training; the held-back ones go to dev and test.
WHOLE = (
    "prompts.txt",
    "chat_a.txt",
    "chat_b.txt",
    "chat_c.txt",
    "chat_d.txt",
    "chat_e.txt",
    "chat_long.txt",
)
HELD = ("prompts_held.txt", "chat_held.txt")


def sections(*names: str) -> dict[str, list[str]]:
    """Read seed files: `# heading` lines, then one item per line, `\\n` for a line break in it."""
    result: dict[str, list[str]] = {}
    for name in names:
        heading = ""
        for line in (SEEDS / name).read_text(encoding="utf-8").splitlines():
            if line.startswith("# ") and len(line) < 40:
                heading = line[2:].strip()
            elif line.strip():
                result.setdefault(heading, []).append(line.strip().replace("\\n", "\n"))
    return result


def held_split(text: str) -> str:
    """Return where a held-back text belongs: two fifths decide, the rest is reported."""
    return "dev" if unit(text) < 0.4 else "test"


def topics() -> dict[str, list[str]]:
    """Return the topics of each domain."""
    return {
        k: [t.strip() for line in v for t in line.split(";") if t.strip()]
        for k, v in sections("topics.txt").items()
    }


def dress(core: str, frames: dict[str, list[str]], rng: random.Random) -> str:
    """Put an opener or a closer around a core sentence, now and then; vary the case."""
    text = core
    if rng.random() < 0.3:
        text = f"{rng.choice(frames['opener'])} {text}"
    if rng.random() < 0.4:
        text = f"{text} {rng.choice(frames['closer'])}"
    return text.lower() if rng.random() < 0.15 else text


def from_topics(rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield prompts made of a topic and a frame."""
    frames = sections("frames.txt")
    for domain, names in topics().items():
        cores = frames["other"] if domain == "other" else frames["core"]
        for name in names:
            for core in rng.sample(cores, PER_TOPIC):
                partner = rng.choice([other for other in names if other != name])
                text = dress(core.format(t=name, u=partner), frames, rng)
                yield {
                    "text": text,
                    "domain": domain,
                    "group": f"topic:{name}",
                    "source": "own-topic",
                }


def whole(
    names: tuple[str, ...], split: str | None = None, source: str = "own-prompt"
) -> Iterator[dict[str, Any]]:
    """Yield hand-written prompts, all in `split` or, for None, held back."""
    for domain, prompts in sections(*names).items():
        for prompt in prompts:
            row: dict[str, Any] = {"text": prompt, "domain": domain, "source": source}
            row["split"] = split or held_split(prompt)
            yield row


def foreign() -> Iterator[dict[str, Any]]:
    """Yield prompts in other languages, one file each; a fifth is held back by the split's hash."""
    for path in sorted(SEEDS.glob("lang_*.txt")):
        language = path.stem.removeprefix("lang_").capitalize()
        for row in whole((path.name,), source="own-foreign"):
            yield row | {"lang": language, "split": _foreign_split(row["text"])}


def _foreign_split(text: str) -> str:
    return "train" if unit(text[::-1]) < 0.8 else held_split(text)


def run() -> int:
    """Write the file and return the number of rows."""
    rng = random.Random(SEED)
    rows = [
        *from_topics(rng),
        *whole(WHOLE, "train"),
        *whole(HELD, None),
        *whole(("exams.txt",), "train", "own-exam"),
        *foreign(),
    ]
    unknown = {row["domain"] for row in rows} - set(DOMAINS)
    if unknown:
        raise ValueError(f"headings that are no domain: {unknown}")
    return write_jsonl_gz(OWN_DATA / "domain_own.jsonl.gz", rows)
