"""`srd classify`: where would this prompt go.

Why this file exists: people try prompts, and evaluations run files of them; both must see what
serving would do. It must not classify or decide anything itself.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click

from srd.classify.api import Ask, Classifier, ClassifierUnavailable, Scores
from srd.cli.common import CLASSIFY_HEADS, open_policy
from srd.exchange.offline import TOO_DEEP, chat_body, run_body, threshold_of
from srd.exchange.policy import Policy
from srd.signals.text import utf8

_AHEAD = 32
_WINDOW = 512


@click.command()
@click.argument("text", required=False)
@click.option(
    "--jsonl",
    type=click.File("r", encoding="utf-8-sig"),
    help='A file of JSON lines with "text" ("-": standard input); one line out for each.',
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A v0.3 document; without it, the one embedded in the package.",
)
@click.option(
    "--model-dir",
    type=click.Path(path_type=Path),
    default=None,
    help="Another classifier than the one in the package.",
)
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(min=1),
    default=None,
    help="Classifier threads; default: cores minus one.",
)
def classify(
    text: str | None,
    jsonl: TextIO | None,
    config: Path | None,
    model_dir: Path | None,
    threads: int | None,
) -> None:
    """Say where TEXT (or every line of a file) would go.

    \b
    category, confidence   the top domain label, whatever the rule's threshold
    decision, model        what the configuration makes of it
    jailbreak              risk, 0 to 1
    pii                    entities over the rules' threshold, with character offsets

    TEXT "-" reads the prompt from standard input. With --jsonl every line in gives one JSON object
    out, in the same order; a line that is not an object with "text" gives one with "error".

    \b
    Examples:
      srd classify "What is the derivative of x^3?"
      srd classify --config values.yaml --jsonl prompts.jsonl > routed.jsonl
    """  # noqa: D301 - click reads the backspace
    if (text is None) == (jsonl is None):
        raise click.UsageError("give TEXT or --jsonl, one of them")
    policy, classifier = open_policy(
        config, model_dir=model_dir, threads=threads, heads=CLASSIFY_HEADS
    )
    try:
        if jsonl is not None:
            for line in _lines(policy, classifier, _texts(jsonl)):
                click.echo(json.dumps(line, ensure_ascii=False))
        else:
            prompt = _standard_input() if text == "-" else text
            for line in _lines(policy, classifier, [prompt or ""]):
                click.echo(json.dumps(line, ensure_ascii=False, indent=2))
    finally:
        classifier.close()


def _standard_input() -> str:
    """All of it, without a byte order mark; what is no UTF-8 becomes U+FFFD."""
    return sys.stdin.buffer.read().decode("utf-8-sig", "replace")


class _BadLine(str):
    """What is wrong with an input line."""


def _texts(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as bad:
            yield _BadLine(f"not JSON: {bad}")
            continue
        except RecursionError:
            yield _BadLine(TOO_DEEP)
            continue
        text = value.get("text") if isinstance(value, dict) else None
        yield utf8(text).decode() if isinstance(text, str) else _BadLine('no string under "text"')


@dataclass(slots=True)
class _Asked:
    """One prompt on its way: scores at hand, or a forward under way."""

    text: str
    domain: Scores | None
    pending: Future[Scores] | None


def _lines(
    policy: Policy, classifier: Classifier, texts: Iterable[str]
) -> Iterator[Mapping[str, object]]:
    """One result per text, in order, with up to _AHEAD forwards under way."""
    queue: list[_Asked] = []
    for text in texts:
        queue.append(_ask(classifier, text))
        if len(queue) >= _AHEAD:
            yield _result(policy, classifier, queue.pop(0))
    for asked in queue:
        yield _result(policy, classifier, asked)


def _ask(classifier: Classifier, text: str) -> _Asked:
    if isinstance(text, _BadLine):
        return _Asked(text, None, None)
    quick = classifier.quick(Ask(text=text, heads=frozenset({"domain"}), window=_WINDOW))
    heads = CLASSIFY_HEADS if quick is None else CLASSIFY_HEADS - {"domain"}
    return _Asked(text, quick, classifier.submit(Ask(text=text, heads=heads, window=_WINDOW)))


def _result(policy: Policy, classifier: Classifier, asked: _Asked) -> Mapping[str, object]:
    if asked.pending is None:
        return {"error": str(asked.text)}
    try:
        scores = asked.pending.result()
    except ClassifierUnavailable as error:
        return {"error": str(error)}
    domain = asked.domain or scores

    def answer(ask: Ask) -> Scores:
        """Asks about the very text are answered by what was computed for it."""
        if ask.text == asked.text and ask.heads <= {"domain"}:
            return domain
        quick = classifier.quick(ask)
        return classifier.submit(ask).result() if quick is None else quick

    outcome = run_body(policy, chat_body(asked.text), answer)
    pii_threshold = threshold_of(policy.document, "pii", getattr(classifier, "thresholds", {}))
    decision, labels = outcome.decision, domain.domain or {}
    label = max(labels, key=lambda name: labels[name]) if labels else None
    return {
        "category": label,
        "confidence": round(labels[label], 6) if label is not None else None,
        "decision": decision.name if decision else None,
        "model": decision.model if decision else None,
        "basis": str(decision.basis) if decision else None,
        "stage": domain.stage,
        "jailbreak": None if scores.jailbreak is None else round(scores.jailbreak, 6),
        "pii": [
            {
                "start": span.start,
                "end": span.end,
                "type": span.label,
                "confidence": round(span.confidence, 4),
            }
            for span in scores.pii or ()
            if span.confidence >= pii_threshold
        ],
        **({"refused": outcome.refused.status} if outcome.refused else {}),
    }
