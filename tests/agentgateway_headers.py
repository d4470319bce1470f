"""Heads of requests and responses as AgentGateway keeps them, and what a reply does to them.

Why this file exists: which mutations count, which are dropped with a warning, and which change the
request line is the gateway's own rule, unlike Envoy's. No streams and no bodies here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from srd.wire.fields import Fields
from srd.wire.peer import Reply, decode_response
from srd.wire.primitives import decode_utf8

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*")
_HOP_BY_HOP = ("connection", "proxy-connection", "keep-alive", "proxy-authenticate")
_HOP_BY_HOP += ("te", "trailer", "transfer-encoding", "upgrade")
_APPEND, _IF_ABSENT, _OVERWRITE, _IF_PRESENT = range(4)


class HeaderMap:
    """Names in lower case with one or more values each, in the order of their first coming."""

    def __init__(self, pairs: Iterable[tuple[str, bytes]] = ()) -> None:
        self._values: dict[str, list[bytes]] = {}
        for name, value in pairs:
            self.append(name, value)

    def __repr__(self) -> str:
        return f"<HeaderMap {self._values}>"

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __getitem__(self, name: str) -> bytes:
        return self._values[name][0]

    def get(self, name: str) -> bytes | None:
        return self._values.get(name, [None])[0]

    def all(self, name: str) -> list[bytes]:
        return self._values.get(name, [])

    def append(self, name: str, value: bytes) -> None:
        self._values.setdefault(name.lower(), []).append(value)

    def set(self, name: str, value: bytes) -> None:
        """Overwrite all values of the name."""
        self._values[name.lower()] = [value]

    def remove(self, name: str) -> None:
        """Delete all values of the name."""
        self._values.pop(name.lower(), None)

    def pairs(self) -> list[tuple[str, bytes]]:
        return [(name, value) for name, values in self._values.items() for value in values]

    def values(self) -> list[bytes]:
        return [value for _, value in self.pairs()]


def forwarded(pairs: Iterable[tuple[str, bytes]]) -> HeaderMap:
    """The client's headers without what is meant for one hop. An upgrade that `connection` names
    and `te: trailers` are put back."""
    headers = HeaderMap(pairs)
    named = [
        token.strip().lower()
        for value in headers.all("connection")
        for token in value.decode("latin-1").split(",")
    ]
    upgrade = headers.get("upgrade") if "upgrade" in named else None
    trailers = any(b"trailers" in value.lower() for value in headers.all("te"))
    for name in (*_HOP_BY_HOP, *named):
        headers.remove(name)
    if upgrade is not None:
        headers.set("connection", b"upgrade")
        headers.set("upgrade", upgrade)
    if trailers:
        headers.set("te", b"trailers")
    return headers


@dataclass
class Head:
    """A request's (`status` 0) or a response's. `warnings` tells which mutations were dropped."""

    headers: HeaderMap
    method: bytes = b""
    scheme: bytes = b""
    authority: bytes = b""
    path: bytes = b""
    status: int = 0
    warnings: list[str] = field(default_factory=list)

    def on_the_wire(self) -> list[tuple[str, bytes]]:
        """Regular headers, then the pseudo headers."""
        if self.status:
            return [*self.headers.pairs(), (":status", b"%d" % self.status)]
        pseudo = [(":method", self.method), (":scheme", self.scheme)]
        pseudo += [(":authority", self.authority), (":path", self.path)]
        return [*self.headers.pairs(), *pseudo]

    def mutate(self, said: Said) -> None:
        """Removals first, then what is set, in order."""
        for name in said.remove:
            self.headers.remove(name)
        for option in said.set:
            if not self._set(option):
                self.warnings.append(option.name)

    def _set(self, option: SetHeader) -> bool:
        name, value = option.name.lower(), option.raw or option.value
        if not value:
            return False
        if name.startswith(":") or name == "host":
            return self._set_pseudo(name, value)
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            return False
        action = option.action or (_APPEND if option.append else _OVERWRITE)
        present = name in self.headers
        if action == _APPEND:
            self.headers.append(name, value)
        elif action == _OVERWRITE or (action == _IF_PRESENT) is present:
            self.headers.set(name, value)
        return True

    def _set_pseudo(self, name: str, value: bytes) -> bool:
        if name == ":status":
            known = bool(self.status) and value.isdigit() and 100 <= int(value) <= 999
            self.status = int(value) if known else self.status
            return known
        name = {"host": "authority"}.get(name, name[1:])
        legal = {
            "method": bool(_NAME.fullmatch(value.decode("latin-1"))),
            "scheme": bool(_SCHEME.fullmatch(value)),
            "authority": not re.search(rb"[\s/?#]", value),
            "path": value.startswith(b"/") and not re.search(rb"[\s\x00-\x1f]", value),
        }
        known = not self.status and legal.get(name, False)
        if known:
            setattr(self, name, value)
        return known


@dataclass(frozen=True)
class SetHeader:
    """One HeaderValueOption."""

    name: str
    value: bytes
    raw: bytes
    append: bool
    action: int


@dataclass(frozen=True)
class Said:
    """One message of the processor. `status`: of an immediate response, 200 when it has none."""

    reply: Reply
    status: int = 200
    set: tuple[SetHeader, ...] = ()
    remove: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return self.reply.kind

    @property
    def carries_something(self) -> bool:
        """False for an answer that only says that nothing changes, or that a body has ended."""
        silent = not (self.reply.body or self.set or self.remove)
        return not silent or self.kind in ("none", "immediate")


def read(data: bytes) -> Said:
    """Decode; WireError for what is no message, and where a string is not UTF-8."""
    reply, message = decode_response(data), Fields(data)
    kinds = [number for number in message.order if 1 <= number <= 7]
    content = message.message(kinds[-1]) if kinds else None
    if content is None or reply.kind.endswith("trailers"):
        return Said(reply)
    status = 200
    if reply.kind == "immediate":
        told, mutation = content.message(1), content.message(2)
        status = 200 if told is None else told.number(1)
        decode_utf8(content.raw(3) or b"", "body")  # a string in AgentGateway's proto
    else:
        common = content.message(1)
        mutation = None if common is None else common.message(2)
    if mutation is None:
        return Said(reply, status)
    return Said(reply, status, tuple(map(_option, mutation.many(1))), reply.remove_headers)


def _option(data: bytes) -> SetHeader:
    option = Fields(data)
    header, append = option.message(1) or Fields(b""), option.message(2)
    value = header.raw(2) or b""
    decode_utf8(value, "header value")
    return SetHeader(
        decode_utf8(header.raw(1) or b"", "header name"),
        value,
        header.raw(3) or b"",
        append is not None and bool(append.number(1)),
        option.number(3),
    )
