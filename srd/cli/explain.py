"""`srd explain`: why would this request go there, and what would change in it.

Why this file exists: it is the Decision's rendering for people. Every fact in it comes from the
exchange that serves; this file only draws.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from srd.classify.api import Ask, Scores
from srd.cli.common import open_policy
from srd.cli.diff import changes
from srd.cli.evidence import evidence
from srd.config import Document
from srd.config.decisions import DecisionRule, Kind, kind_of
from srd.config.rules import Leaf, RuleNode, leaf_key
from srd.config.scope import is_dead
from srd.config.trees import KLEENE, fold, lines
from srd.decide.decision import Basis, Decision
from srd.decide.rules import truth_of
from srd.exchange.commands import NoteKind
from srd.exchange.offline import Outcome, run_body
from srd.signals.base import UNKNOWN, Reading, Truth

_MARK = {"true": "+", "false": "-", "unknown": "?"}
_COLOUR = {"+": "green", "?": "yellow"}


@click.command()
@click.argument("body", type=click.Path(path_type=Path, exists=True, allow_dash=True))
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A v0.3 document; without it, the one embedded in the package.",
)
@click.option("--path", default="/v1/chat/completions", show_default=True, help="Request path.")
@click.option(
    "--header",
    "headers",
    metavar="'NAME: VALUE'",
    multiple=True,
    help="A request header; may be given more than once.",
)
@click.option(
    "--model-dir",
    type=click.Path(path_type=Path),
    default=None,
    help="Another classifier than the one in the package.",
)
def explain(
    body: Path, config: Path | None, path: str, headers: tuple[str, ...], model_dir: Path | None
) -> None:
    """Explain the decision for the request body in the file BODY ("-": standard input).

    Prints the evidence (which bytes decided, what in them no human wrote, the turns of the
    conversation with their subjects, what was not read), every rule with what its signals said
    (+ true, - false, ? unknown when it fell), the chosen model, the headers that would be set, and
    the bytes of the body that would change.

    \b
    Exit status: 0 when the request goes on, 1 when srd would refuse it, 2 for bad usage.

    \b
    Example:
      echo '{"model":"auto","messages":[{"role":"user","content":"Is 91 a prime?"}]}' |
        srd explain --config values.yaml -
    """  # noqa: D301 - click's mark for "keep these lines" is a backspace
    policy, classifier = open_policy(config, model_dir=model_dir, heads=frozenset({"domain"}))
    raw = sys.stdin.buffer.read() if str(body) == "-" else body.read_bytes()

    def answer(ask: Ask) -> Scores:
        quick = classifier.quick(ask)
        return classifier.submit(ask).result() if quick is None else quick

    try:
        given = dict(_header(text) for text in headers)
        outcome = run_body(policy, raw, answer, path=path, headers=given)
    finally:
        classifier.close()
    for line in render(policy.document, outcome, raw):
        click.echo(line)
    sys.exit(1 if outcome.decision is None and outcome.refused is not None else 0)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise click.UsageError(f'--header wants "name: value", not {text!r}')
    return name.strip().lower(), value.strip()


def render(document: Document, outcome: Outcome, raw: bytes) -> Iterator[str]:
    """The explanation, line by line. O(decisions + body) but for the diff, which is bounded."""
    decision = outcome.decision
    if decision is None:
        yield from _refused(outcome)
        yield from _noted(outcome)
        if outcome.refused is None:
            yield "passed through: this request is not ours to route"
        return
    yield from _verdict(decision)
    yield from _noted(outcome)
    if decision.account is not None:
        yield ""
        yield from evidence(decision.account, raw)
    if decision.signals:
        yield ""
        yield from _tree(document, decision)
    yield ""
    yield from _refused(outcome)
    if outcome.refused is None:
        for name, value in outcome.set_headers:
            yield f"header  set     {name}: {value.decode('latin-1')}"
        yield from (_change(*change) for change in changes(raw, outcome.body))


def _refused(outcome: Outcome) -> Iterator[str]:
    if outcome.refused is not None:
        yield f"answered by srd: HTTP {outcome.refused.status}"
        yield outcome.refused.body.decode("utf-8", "replace")


def _noted(outcome: Outcome) -> Iterator[str]:
    """Why it is refused, or would be: the leaves that were open are named here, never to a
    client."""
    for note in outcome.notes:
        if note.kind is NoteKind.REFUSED:
            yield f"refused     {note.detail}"
        elif note.kind is NoteKind.WOULD_REFUSE:
            yield f"observed    would be refused: {note.detail}"


def _verdict(decision: Decision) -> Iterator[str]:
    total = "?" if decision.body_bytes is None else decision.body_bytes
    explicit = decision.basis is Basis.EXPLICIT
    missing = "(none: the client named the model)" if explicit else "(no rule matched)"
    yield f"model       {click.style(decision.model, bold=True)}"
    yield f"decision    {decision.name or missing}"
    yield f"basis       {decision.basis}, after {decision.bytes_read} of {total} bytes"
    if decision.name:
        yield f"confidence  {decision.confidence:.4f}"
    if decision.margin is not None:
        yield f"margin      {decision.margin:.4f}"
    if decision.label is not None:
        top = f"{decision.label} {decision.label_confidence:.4f}"
        read = f", {decision.tokens_read} tokens" if decision.tokens_read else ""
        yield f"classifier  {top} ({decision.stage}{read})"
    if decision.reasoning is not None:
        state = f"on, effort {decision.reasoning.effort}" if decision.reasoning.enabled else "off"
        yield f"reasoning   {state}"
    if decision.fallback_reason:
        yield f"fallback    {decision.fallback_reason}"


def _tree(document: Document, decision: Decision) -> Iterator[str]:
    readings = {
        (f"{fact.type}:{fact.name}", fact.blocking): Reading(
            Truth(fact.value), fact.confidence, fact.score, fact.detail
        )
        for fact in decision.signals
    }
    rules = document.routing.decisions
    for rule in sorted(rules, key=lambda rule: (rule.tier, -rule.priority, rule.name)):
        yield from _rule(document, rule, readings, chosen=rule.name == decision.name)


#: What a leaf that srd cannot evaluate is from the start, by its `on_unknown`.
_NEVER_READ = {"match": Truth.TRUE, "fail_request": Truth.UNKNOWN}


def _rule(
    document: Document,
    rule: DecisionRule,
    readings: Mapping[tuple[str, bool], Reading],
    *,
    chosen: bool,
) -> Iterator[str]:
    """A decision and its rule tree, a line for each node."""
    kind = kind_of(rule)

    def reading(leaf: Leaf) -> Reading:
        if is_dead(document, leaf):
            return Reading(_NEVER_READ.get(leaf.on_unknown, Truth.FALSE))
        return readings.get((leaf_key(leaf), kind is Kind.BLOCK), UNKNOWN)

    def mark(node: RuleNode) -> str:
        truth = fold(node, lambda leaf: truth_of(leaf, reading(leaf)), KLEENE)
        sign = _MARK[truth.value]
        return click.style(sign, fg=_COLOUR.get(sign))

    rank = f"priority {rule.priority}" + (f", tier {rule.tier}" if rule.tier else "")
    does = "" if kind is Kind.ROUTE else f", {kind.value}"
    line = f"{rule.name} ({rank}{does})" + ("  <- chosen" if chosen else "")
    yield f"{mark(rule.rules)} {click.style(line, bold=chosen)}"
    for drawn in lines(rule.rules):
        text = f"    {'  ' * drawn.indent}{mark(drawn.node)} {drawn.label}"
        if isinstance(drawn.node, Leaf):
            found = reading(drawn.node)
            score = "" if found.score is None else f"  score {found.score:.4f}"
            text = f"{text}{score}  {found.detail}".rstrip()
        yield text


def _change(offset: int, old: bytes, new: bytes) -> str:
    return f"body    @{offset:<7} {_shown(old)} -> {_shown(new)}"


def _shown(text: bytes) -> str:
    shown = text.decode("utf-8", "replace") or "(nothing)"
    return shown if len(shown) <= 120 else f"{shown[:80]}… ({len(text)} bytes)"
