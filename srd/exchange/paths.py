"""Which paths are ours, and what becomes of a request on each: one table.

Why this file exists: the path alone tells whether a body holds a prompt that we route, a model's
name that we must at least look at, or nothing of ours. It must not know headers, bodies or methods.

A path counts by what follows a segment `v1`; any prefix may stand before that segment, and without
it nothing is ours. Paths are compared as any server behind us might read them: see `normalised`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import unquote

from srd.body.shapes import Api


class Kind(enum.Enum):
    """What becomes of a POST."""

    ROUTED = "routed"  # its prompt is read and its model chosen
    NAMED = "named"  # never routed; its top-level `model` may be no auto name
    BATCH = "batch"  # never routed; its requests have models of their own, which are not read
    PASS = "pass"  # whatever it holds is not ours to look at


@dataclass(frozen=True, slots=True)
class Route:
    """One row. `name` is the path as the table spells it, for refusals and records; "" where the
    path is not in the table. `api` is the shape of a ROUTED body, else None."""

    kind: Kind = Kind.PASS
    api: Api | None = None
    name: str = ""


UNKNOWN = Route()
MODELS_PATH = "/v1/models"

_VERSION = "v1"
#: `{}` is any one segment. A row without `{}` comes before one with it.
_TABLE: tuple[tuple[str, Kind, Api | None], ...] = (
    ("chat/completions", Kind.ROUTED, Api.CHAT),
    ("completions", Kind.ROUTED, Api.COMPLETIONS),
    ("responses", Kind.ROUTED, Api.RESPONSES),
    ("messages", Kind.ROUTED, Api.ANTHROPIC),
    ("chat/completions/batch", Kind.NAMED, None),  # many conversations for one model
    ("chat/completions/render", Kind.NAMED, None),  # the prompt that a template would make
    ("completions/render", Kind.NAMED, None),
    ("messages/count_tokens", Kind.NAMED, None),
    ("responses/input_tokens", Kind.NAMED, None),
    ("responses/compact", Kind.NAMED, None),
    ("embeddings", Kind.NAMED, None),
    ("messages/batches", Kind.BATCH, None),
    ("batches", Kind.PASS, None),  # names a file that was sent before, and no model
    ("chat/completions/{}", Kind.PASS, None),  # a stored answer, by its id
    ("chat/completions/{}/messages", Kind.PASS, None),
    ("responses/{}", Kind.PASS, None),
    ("responses/{}/cancel", Kind.PASS, None),
    ("responses/{}/input_items", Kind.PASS, None),
    ("messages/batches/{}", Kind.PASS, None),
    ("messages/batches/{}/cancel", Kind.PASS, None),
    ("messages/batches/{}/results", Kind.PASS, None),
    ("batches/{}", Kind.PASS, None),
    ("batches/{}/cancel", Kind.PASS, None),
    ("threads/{}/messages", Kind.PASS, None),  # a message kept for later, not one to answer
    ("threads/{}/messages/{}", Kind.PASS, None),
)

TABLE: Mapping[str, Route] = MappingProxyType(
    {tail: Route(kind, api, f"/{_VERSION}/{tail}") for tail, kind, api in _TABLE}
)
#: The targets of nearly all requests, as they are: none of them is changed by normalising.
_EXACT = {route.name: route for tail, route in TABLE.items() if "{}" not in tail}
_WILD = tuple((tail.split("/"), route) for tail, route in TABLE.items() if "{}" in tail)
_DEPTH = max(tail.count("/") for tail in TABLE) + 2  # with `v1`
_ROUNDS = 4  # of decoding
_CLOSENESS = {Kind.ROUTED: 0, Kind.BATCH: 1, Kind.NAMED: 2, Kind.PASS: 3}


def normalised(path: str) -> str:
    """The path of a request target as the most forgiving server reads it. O(len(path)), never
    raises.

    No query, no trailing slash, no empty or dot segments, no parameters behind a `;`, nothing
    behind a NUL, no blanks around a segment, backslashes as slashes, all in lower case, percent
    codes decoded until none is left, four times at most. Each of these is what some server, or some
    proxy in front of it, does before it compares (RFC 3986 6.2 lets it do most of them; uvicorn and
    Go's net/http decode the whole path, Tomcat cuts parameters, Express and ASP.NET ignore case). A
    path that is taken for ours and is not gets its 404 from the backend all the same; one of ours
    that is not known for what it is would walk past every rule.
    """
    return _joined(_decoded(path.split("?", 1)[0].split("#", 1)[0]))


def _decoded(text: str) -> str:
    for _ in range(_ROUNDS):
        plain = unquote(text, errors="replace")
        if plain == text:
            break
        text = plain
    return text


def _joined(text: str) -> str:
    segments: list[str] = []
    for written in text.lower().replace("\\", "/").split("/"):
        segment = written.split(";", 1)[0].split("\0", 1)[0].strip()
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return "/" + "/".join(segments)


def route_of(path: str) -> Route:
    """The row of a request target, UNKNOWN where there is none. O(len(path)); never raises.

    Of several segments `v1` the first counts behind which a row fits: in `/v1/threads/v1/messages`
    the second is an id. A `?` or `#` that was written in percent codes may begin a query for
    whoever reads the path decoded: of both readings the one counts that is looked at more closely.
    """
    if (exact := _EXACT.get(path)) is not None:
        return exact
    plain = _decoded(path.split("?", 1)[0].split("#", 1)[0])
    found = _found(_joined(plain))
    cut = plain.split("?", 1)[0].split("#", 1)[0]
    if cut == plain:
        return found
    return min((found, _found(_joined(cut))), key=lambda route: _CLOSENESS[route.kind])


def _found(normal: str) -> Route:
    segments = normal.split("/")
    for start in range(max(1, len(segments) - _DEPTH), len(segments)):
        if segments[start] == _VERSION and (row := _row(segments[start + 1 :])) is not None:
            return row
    return UNKNOWN


def _row(tail: list[str]) -> Route | None:
    found = TABLE.get("/".join(tail))
    if found is not None:
        return found
    for wanted, route in _WILD:
        if len(wanted) == len(tail) and all(
            pattern in ("{}", segment) for pattern, segment in zip(wanted, tail, strict=True)
        ):
            return route
    return None


def is_model_list(path: str) -> bool:
    """True for the path that lists the models."""
    return normalised(path) == MODELS_PATH
