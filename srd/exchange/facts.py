"""What the request headers alone say: is this ours, which API shape, how large, how encoded.

Why this file exists: both dialects (Envoy: pseudo headers first; AgentGateway: last) meet here, and
nothing else looks at raw request headers. It must not know bodies or decisions, nor the table of
paths (srd.exchange.paths).
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from srd.body.inflate import codings
from srd.body.shapes import Api
from srd.exchange import paths
from srd.exchange.events import Headers
from srd.exchange.paths import Kind, Route
from srd.plugins.headers import CREDENTIAL_HEADERS, is_ours_to_set

SKIP_HEADER = "x-vsr-skip-processing"
DEBUG_HEADER = "x-vsr-debug"

#: Envoy answers 500 to a reply that mutates more headers; AgentGateway has no such limit.
ENVOY_HEADER_ENTRIES = 100
#: Of those, kept for what the driver adds to a reply (a trace context) and for the body's length,
#: coding and digests, which may have to go as well.
RESERVED_ENTRIES = 10

Unread = Literal["", "upgrade", "skip", "content_encoding"]
#: A client may mend these: 415 where a rule must see the body. The others were asked for.
UNSUPPORTED: frozenset[Unread] = frozenset({"content_encoding"})

#: Values of content-encoding that clients send although they are no coding of the body: servers do
#: not look at them and read the JSON, so we do.
_NO_CODINGS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "aws-chunked", "none", "binary"})
_JSON_TYPES = frozenset({"application/json", "text/json", "application/x-json", "text/x-json"})
#: Charsets in which the bytes of JSON mean what they mean here, or mean no JSON at all (no body is
#: JSON both in UTF-8 and in UTF-16 or UTF-32). In others, such as UTF-7 or Shift_JIS, the same
#: bytes may be another text.
_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([^"';,\s]*)""", re.IGNORECASE)
_PLAIN_CHARSETS = re.compile(
    r"|(x-)?utf_?-?(8|16|32)([-_]?(le|be|sig|bom))?|(us-)?ascii|ansi_x3\.4-1968|latin-?\d|iso_?-?8859"
    r"[-_]\d+|(windows|cp|win)-?125\d|koi8-[ru]|ucs-?[24]|unicode|binary|none|null",
    re.IGNORECASE,
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_MOST_DIGITS = 18  # more is no length, and int() refuses very many


class Dialect(enum.Enum):
    """Which gateway speaks, told by the order of pseudo headers."""

    ENVOY = "envoy"
    AGENTGATEWAY = "agentgateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """The request as its headers show it.

    `headers` maps a name to all of its lines, different ones joined by ", " as RFC 9110 5.3 reads
    them; `lines` holds them one by one, as bytes. `json`: its type says so, and what does not parse
    is the client's error; a body of another type, or of none, is read as JSON as well, and passes
    as it came where it is none. `charset` is one in which its bytes may be another text, "" as a
    rule. `coding` is the content codings in their order, ", " between them, "" for none. `tunnel`:
    what follows is no body but somebody else's protocol. `debug` and `skip` say what the client
    asked for, not whether it gets it. `spoofed` and `credentials` are names of headers that must
    not pass.

    `unread` is why the body of a POST on one of our paths will not be read, "" where it will be.
    Other methods and other paths have no body of ours, so nothing there is unread.
    """

    method: str = ""
    path: str = ""
    route: Route = paths.UNKNOWN
    dialect: Dialect = Dialect.ENVOY
    json: bool = True
    charset: str = ""
    content_length: int | None = None
    coding: str = ""
    coding_known: bool = True
    tunnel: bool = False
    debug: bool = False
    skip: bool = False
    unread: Unread = ""
    spoofed: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    headers: Mapping[str, str]
    lines: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)

    @property
    def api(self) -> Api | None:
        """The shape of a body whose prompt we route; None on every other path."""
        return self.route.api

    @property
    def ours(self) -> bool:
        """True when the body may hold a prompt that we can read."""
        return self.route.kind is Kind.ROUTED and self.method == "POST" and not self.unread

    @property
    def named(self) -> bool:
        """True when nothing is routed, but an auto name in the body must be refused."""
        kinds = (Kind.NAMED, Kind.BATCH)
        return self.route.kind in kinds and self.method == "POST" and not self.unread

    @property
    def compressed(self) -> bool:
        """True when the body must be inflated before it can be read."""
        return self.coding != ""

    @property
    def unwanted(self) -> tuple[str, ...]:
        """Headers to remove from every request that passes, on whatever path."""
        return (*self.spoofed, *self.credentials)

    def values(self, name: str) -> tuple[str, ...]:
        """The lines of a header, in order, without blanks around them; blank ones are left out.

        A line is not split at commas: names of people may hold them.
        """
        found = (_text(line).strip() for line in self.lines.get(name, ()))
        return tuple(value for value in found if value)

    def contradiction(self, names: Iterable[str]) -> str | None:
        """The first of the headers whose lines disagree; None when each says one thing at most.

        For headers that name one subject. Lists such as groups have no contradictions.
        """
        return next((name for name in sorted(names) if len(set(self.values(name))) > 1), None)


def read_headers(
    headers: Headers, *, skip_allowed: bool = False, distrusted: frozenset[str] = frozenset()
) -> RequestFacts:
    """Facts of a header list. Never raises: unreadable values count as absent. O(headers).

    `skip_allowed`: the operator honours the client's wish to pass unread. `distrusted`: names of
    headers that nobody may believe: they are no facts, and must not pass.
    """
    lines = _lines(headers)
    spoofed = tuple(sorted(n for n in lines if n in distrusted or is_ours_to_set(n)))
    for name in distrusted & lines.keys():
        del lines[name]
    first = {name: _text(values[0]) for name, values in lines.items()}
    joined = {
        name: first[name] if len(values) == 1 else ", ".join(dict.fromkeys(map(_text, values)))
        for name, values in lines.items()
    }
    method, path = first.get(":method", "").upper(), first.get(":path", "")
    route = paths.route_of(path)
    kind, coding = joined.get("content-type", ""), _coding(lines)
    tunnel = _is_tunnel(method, joined)
    skip = _is_true(first.get(SKIP_HEADER))
    unread: Unread = ""
    if method == "POST" and route.kind is not Kind.PASS:
        unread = _unread(tunnel, skip and skip_allowed, coding)
    elif tunnel and route.kind is not Kind.PASS:
        unread = "upgrade"
    return RequestFacts(
        method=method,
        path=path,
        route=route,
        dialect=_dialect(headers),
        json=_is_json(kind),
        charset=_odd_charset(kind),
        content_length=_length(first.get("content-length")),
        coding=coding or "",
        coding_known=coding is not None,
        tunnel=tunnel,
        debug=_is_true(first.get(DEBUG_HEADER)),
        skip=skip,
        unread=unread,
        spoofed=spoofed,
        credentials=tuple(sorted(CREDENTIAL_HEADERS & lines.keys())),
        headers=joined,
        lines=lines,
    )


def is_model_list(facts: RequestFacts) -> bool:
    """True for GET /v1/models, which the router can answer itself, as upstream does."""
    return facts.method == "GET" and paths.is_model_list(facts.path)


def too_many_headers(facts: RequestFacts, entries: int = 0) -> bool:
    """True when the gateway would not take a reply that removes `facts.unwanted` and holds
    `entries` more: the request is refused with 431 instead, since none of them may be left out."""
    most = ENVOY_HEADER_ENTRIES - RESERVED_ENTRIES
    return facts.dialect is Dialect.ENVOY and len(facts.unwanted) + entries > most


def wants_debug(
    facts: RequestFacts, setting: Literal["off", "on", "loopback"], source_address: str = ""
) -> bool:
    """True when the answer may tell what matched: the client asked and the operator lets it.

    `source_address` is the gateway's attribute `source.address`, the client as the gateway sees it;
    "" (the gateway sends none) is not loopback. Never the peer of the gRPC call: that is the
    gateway, which is on loopback in many set-ups.
    """
    if not facts.debug or setting == "off":
        return False
    return setting == "on" or _is_loopback(source_address)


def _lines(headers: Headers) -> dict[str, tuple[bytes, ...]]:
    lines: dict[str, list[bytes]] = {}
    for name, value in headers:
        lines.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in lines.items()}


def _text(value: bytes) -> str:
    """A header's value as text. What is no UTF-8 is read as HTTP once did, as ISO 8859-1: unlike
    replacement characters, this keeps different values apart."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _dialect(headers: Headers) -> Dialect:
    envoy = bool(headers) and headers[0][0].startswith(":")
    return Dialect.ENVOY if envoy else Dialect.AGENTGATEWAY


def _is_true(text: str | None) -> bool:
    return text is not None and text.strip().lower() == "true"


def _unread(tunnel: bool, skipped: bool, coding: str | None) -> Unread:
    if tunnel:
        return "upgrade"
    if skipped:
        return "skip"
    return "content_encoding" if coding is None else ""


def _is_tunnel(method: str, headers: Mapping[str, str]) -> bool:
    """CONNECT, or a websocket. An offer of HTTP/2 or TLS is an ordinary request that most servers
    answer in HTTP/1.1 (Java's HttpClient makes one with its first POST), and so is a POST that
    wants a websocket: nobody can give it one."""
    if method == "CONNECT" or ":protocol" in headers:
        return True
    wanted = headers.get("upgrade", "") if method == "GET" else ""
    return any(
        protocol.split("/", 1)[0].strip().lower() == "websocket" for protocol in wanted.split(",")
    )


def _is_json(content_type: str) -> bool:
    """Servers read the first, the last or any of several types, so one that is JSON suffices.

    A blank ends a type as a semicolon does, which clients forget. None at all says nothing.
    """
    if content_type == "application/json":
        return True
    bare = _QUOTED.sub("", content_type).lower()
    words = [part.split(";", 1)[0].split() for part in bare.split(",")]
    kinds = [found[0] for found in words if found]
    return any(kind in _JSON_TYPES or kind.endswith("+json") for kind in kinds)


def _odd_charset(content_type: str) -> str:
    """The first charset that is none of the plain ones; a server may believe any of several."""
    if "charset" not in content_type.lower():
        return ""
    named = (name for name in _CHARSET.findall(content_type) if not _PLAIN_CHARSETS.fullmatch(name))
    return next(named, "")


def _coding(lines: Mapping[str, tuple[bytes, ...]]) -> str | None:
    """The codings of the body, first applied first; None when we cannot undo them."""
    names = [
        name
        for line in lines.get("content-encoding", ())
        for part in _text(line).split(",")
        if (name := part.strip().lower()) and name not in _NO_CODINGS
    ]
    found = codings(", ".join(names))
    return None if found is None else ", ".join(name.removeprefix("x-") for name in found)


def _length(text: str | None) -> int | None:
    if text is None or len(text) > _MOST_DIGITS or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def _is_loopback(address: str) -> bool:
    """`address` is an IP address with or without a port, IPv6 in brackets where it has one."""
    if address.startswith("["):
        host = address[1:].partition("]")[0]
    else:
        host = address.partition(":")[0] if address.count(":") == 1 else address
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)
