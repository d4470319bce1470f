"""The evidence of a decision, drawn for whoever owns the body: bytes, turns, and what was left out.

Why this file exists: `srd explain` reads the user's own file, so that it may quote what decided;
the account itself holds places alone. It must not know how evidence is found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

import click

from srd.evidence.account import Account, Deciding, Said, line
from srd.evidence.human import Skipped

#: So many turns are drawn; of more, those that were scored or decide.
_TURNS = 40
_HEAD, _TAIL = 80, 40  # characters of a quotation
_STRING = re.compile(rb'(?:[^"\\]|\\.)*', re.S)


def evidence(account: Account, raw: bytes) -> Iterator[str]:
    """Line by line: which bytes of `raw` decided, what of them was skipped and why, the turns with
    their labels, and what was not read. Nothing is quoted of a body that came packed."""
    yield f"evidence    {line(account)}"
    for text in account.texts:
        yield f"decided by  {_place(text.start, text.end)}{_quoted(text, raw)}"
        for each in text.skipped:
            yield f"  skipped   characters {each.start}-{each.end} of it: {each.why}"
    if len(account.turns) > 1:
        yield from _turns(account.turns, account.decides)
    if account.harness:
        yield f"harness     {_count(account.harness, 'user message')} without a human's word"
    for origin, count in account.inspected:
        yield f"inspected   {_count(count, 'text')}: {origin.value}"


def _turns(turns: Sequence[Said], decides: int | None) -> Iterator[str]:
    left_out = 0
    for index, turn in enumerate(turns):
        chosen = index == decides
        if len(turns) > _TURNS and not (turn.label or chosen or index == len(turns) - 1):
            left_out += 1
            continue
        said = f"{turn.label} {turn.confidence:.4f}" if turn.label else "(not scored)"
        mark = "  <- its subject counts" if chosen else ""
        told = f"turn {index + 1:<6} {_place(turn.start, turn.end)}  {said}{mark}"
        yield click.style(told, bold=True) if chosen else told
    if left_out:
        yield f"            ({_count(left_out, 'turn')} that were not scored)"


def _place(start: int, end: int) -> str:
    if start < 0:
        return "a place that is not known"
    return f"from byte {start} on" if end < 0 else f"bytes {start}-{end}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _quoted(text: Deciding, raw: bytes) -> str:
    """What a human wrote of it, shortened; "" where the body does not show it as it is."""
    if text.start < 1 or raw[text.start - 1 : text.start] != b'"':
        return ""
    found = _STRING.match(raw, text.start)
    if found is None:
        return ""
    try:
        value = json.loads(b'"' + found[0] + b'"', strict=False)
    except ValueError:  # UnicodeDecodeError is one
        return ""
    said = _human(value, text.skipped)
    said = said[: text.characters] if text.end < 0 else said
    shown = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(said.split()))
    if len(shown) > _HEAD + _TAIL:
        shown = f"{shown[:_HEAD]} … {shown[-_TAIL:]}"
    return f'  "{shown}"'


def _human(text: str, skipped: Sequence[Skipped]) -> str:
    kept, at = [], 0
    for each in skipped:
        kept.append(text[at : each.start])
        at = each.end
    return "\n".join([*kept, text[at:]]).strip()
