"""The Decision as response headers: one of its renderings.

Why this file exists: clients and operators read here where a request went and why, under upstream's
names. It must not know how the decision was reached, nor look at the response beyond its headers'
names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srd.evidence.account import line
from srd.plugins.errors import SCHEMA_VERSION
from srd.plugins.headers import SPOOFABLE_PREFIXES, header_value
from srd.plugins.table import debug_headers
from srd.signals.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from srd.decide.decision import Decision

PREFIX = "x-vsr-"


def response_headers(
    decision: Decision, *, status: int, debug: bool = False
) -> tuple[tuple[str, bytes], ...]:
    """Headers to set on a response that came from upstream. Empty values are left out.

    A 2xx also says what was decided, a 4xx and a 5xx which model failed; `debug` (request header
    `x-vsr-debug: true`) also which signals matched, which turn decided and what the plugins did.
    We always say category and reasoning, upstream in debug only.
    """
    headers = [SCHEMA_VERSION, ("x-vsr-response-path", b"upstream")]
    if 200 <= status < 300:
        headers += _pairs(_decided(decision))
    elif status >= 400:
        headers += _pairs([("x-vsr-selected-model", decision.model)])
    if debug:
        headers += _pairs(_debug(decision))
        headers += debug_headers(decision)
    return tuple(headers)


def spoofed_headers(headers: Iterable[tuple[str, bytes]]) -> tuple[str, ...]:
    """Names of `x-vsr-*` headers that a backend sent: only srd says what srd decided. Those that
    claim a decision come first, for where not all of them can be removed."""
    names = {name for name, _ in headers if name.startswith(PREFIX)}
    return tuple(sorted(names, key=lambda name: (not name.startswith(SPOOFABLE_PREFIXES), name)))


def _pairs(items: Iterable[tuple[str, str]]) -> list[tuple[str, bytes]]:
    found = ((name, header_value(value)) for name, value in items)
    return [(name, value) for name, value in found if value]


def _decided(decision: Decision) -> Iterator[tuple[str, str]]:
    yield "x-vsr-selected-model", decision.model
    yield "x-vsr-selected-decision", decision.name or ""
    yield "x-vsr-selected-category", decision.category or ""
    if decision.name is not None:
        yield "x-vsr-selected-confidence", f"{decision.confidence:.4f}"
    if decision.reasoning is not None:
        yield "x-vsr-selected-reasoning", "on" if decision.reasoning.enabled else "off"
    yield "x-vsr-selected-algorithm", decision.algorithm
    yield "x-vsr-decision-basis", decision.basis.value


def _debug(decision: Decision) -> Iterator[tuple[str, str]]:
    matched: dict[str, list[str]] = {}
    scores: dict[str, float] = {}
    for fact in decision.signals:
        names = matched.setdefault(fact.type, [])
        if fact.value == "true" and fact.name not in names:  # it may be told for both its uses
            names.append(fact.name)
        if fact.score is not None:
            scores[fact.type] = fact.score
    for entry in TABLE:
        if entry.header:
            yield f"x-vsr-matched-{entry.header}", ",".join(matched.get(entry.name, ()))
    total = "?" if decision.body_bytes is None else str(decision.body_bytes)
    yield "x-vsr-decision-bytes", f"{decision.bytes_read}/{total}"
    if decision.account is not None:
        yield "x-vsr-decision-evidence", line(decision.account)
    for entry in TABLE:
        if entry.score_header and entry.name in scores:
            yield entry.score_header, str(int(scores[entry.name]))
