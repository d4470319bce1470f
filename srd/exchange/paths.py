"""Which paths are ours, and what becomes of a request on each: one table.

Why this file exists: the path alone tells whether a body holds a prompt that we route, a model's
name that we must at least look at, or nothing of ours. It must not know headers, bodies or methods.

A path counts by what follows a segment `v1`; any prefix may stand before that segment, and without
it nothing is ours. Paths are compared as a model server would read them: see `normalised`.
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


def normalised(path: str) -> str:
    """The path of a request target: no query, no trailing slash, no empty or dot segments, percent
    codes decoded once. O(len(path)); never raises.

    RFC 3986 6.2.2 keeps the code of a reserved character such as `/`, but the servers behind us
    decode the whole path before they compare it (uvicorn, Go's net/http), so we do too. Case is
    kept, as they keep it: `/v1/Chat/completions` is a 404 there and nothing of ours here.
    """
    bare = path.split("?", 1)[0].split("#", 1)[0]
    segments: list[str] = []
    for segment in unquote(bare, errors="replace").split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return "/" + "/".join(segments)


def route_of(path: str) -> Route:
    """The row of a request target, UNKNOWN where there is none. O(len(path)); never raises.

    Of several segments `v1` the first counts behind which a row fits: in `/v1/threads/v1/messages`
    the second is an id.
    """
    if (exact := _EXACT.get(path)) is not None:
        return exact
    segments = normalised(path).split("/")
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
