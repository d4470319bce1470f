"""What the request headers alone say: is this ours, which API shape, how large, how encoded.

Why this file exists: both dialects (Envoy: pseudo headers first; AgentGateway: last) meet here,
and nothing else looks at raw headers. It must not know bodies or decisions.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from srd.body.inflate import SUPPORTED_ENCODINGS
from srd.body.shapes import Api
from srd.exchange.events import Headers
from srd.plugins.headers import SPOOFABLE_HEADERS, SPOOFABLE_PREFIXES

PATHS: Mapping[str, Api] = {
    "/v1/chat/completions": Api.CHAT,
    "/v1/completions": Api.COMPLETIONS,
    "/v1/responses": Api.RESPONSES,
    "/v1/messages": Api.ANTHROPIC,
}
MODELS_PATH = "/v1/models"
SKIP_HEADER = "x-vsr-skip-processing"
DEBUG_HEADER = "x-vsr-debug"


class Dialect(enum.Enum):
    """Which gateway speaks, told by the order of pseudo headers (protocol reference 1.2)."""

    ENVOY = "envoy"
    AGENTGATEWAY = "agentgateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """The request as its headers show it. `api` is None when the path is not ours."""

    method: str = ""
    path: str = ""
    api: Api | None = None
    dialect: Dialect = Dialect.ENVOY
    json: bool = True
    content_length: int | None = None
    encoding: str = ""
    encoding_known: bool = True
    upgrade: bool = False
    accepts_sse: bool = False
    debug: bool = False
    skip: bool = False
    spoofed: tuple[str, ...] = ()
    headers: Mapping[str, str]

    @property
    def ours(self) -> bool:
        """True when the body may hold a prompt that we can read."""
        return (
            self.api is not None
            and self.method == "POST"
            and self.json
            and not self.upgrade
            and self.encoding_known
        )

    @property
    def compressed(self) -> bool:
        """True when the body must be inflated before it can be read."""
        return self.encoding != ""


def read_headers(headers: Headers) -> RequestFacts:
    """Facts of a header list. Never raises: unreadable values count as absent. O(headers)."""
    first: dict[str, str] = {}
    for key, value in headers:
        first.setdefault(key, value.decode("utf-8", "replace"))
    path = first.get(":path", "")
    bare = path.split("?", 1)[0].rstrip("/")
    encoding = first.get("content-encoding", "").strip().lower()
    if encoding == "identity":
        encoding = ""
    method = first.get(":method", "").upper()
    envoy = bool(headers) and headers[0][0].startswith(":")
    return RequestFacts(
        method=method,
        path=path,
        api=next((api for known, api in PATHS.items() if bare.endswith(known)), None),
        dialect=Dialect.ENVOY if envoy else Dialect.AGENTGATEWAY,
        json=_is_json(first.get("content-type", "")),
        content_length=_length(first.get("content-length")),
        encoding=encoding,
        encoding_known=encoding == "" or encoding in SUPPORTED_ENCODINGS,
        upgrade="upgrade" in first or method == "CONNECT" or ":protocol" in first,
        accepts_sse="text/event-stream" in first.get("accept", "").lower(),
        debug=first.get(DEBUG_HEADER, "").lower() == "true",
        skip=first.get(SKIP_HEADER, "").lower() == "true",
        spoofed=tuple(sorted({key for key, _ in headers if _is_ours_to_set(key)})),
        headers=first,
    )


def is_model_list(facts: RequestFacts) -> bool:
    """True for GET /v1/models, which the router can answer itself (upstream section 2.2)."""
    return facts.method == "GET" and facts.path.split("?", 1)[0].rstrip("/") == MODELS_PATH


def _is_ours_to_set(key: str) -> bool:
    return key in SPOOFABLE_HEADERS or key.startswith(SPOOFABLE_PREFIXES)


def _is_json(content_type: str) -> bool:
    """A missing content type counts as JSON: clients forget it, and the scanner will tell."""
    kind = content_type.split(";", 1)[0].strip().lower()
    return kind in {"", "application/json", "text/json"} or kind.endswith("+json")


def _length(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
