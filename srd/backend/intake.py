"""What arrived: count, hash and the few fields that an answer depends on, in constant memory.

Why this file exists: a body of 64 MB must be proved byte-exact without being held. It must not know
how a body arrived or what is answered, and it deliberately shares no code with `srd.body`: it is
the witness.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from srd.body.lexis import compiled

if TYPE_CHECKING:
    from collections.abc import Mapping

# Bodies up to here are kept and parsed as JSON. Larger ones are only skimmed as they pass: a whole
# parse would hold several times the body and stop the loop meanwhile.
KEEP_BYTES: Final = 8 * 1024 * 1024
# The received log keeps this much of each body for tests and for `x-backend-echo: body`.
LOG_BODY_BYTES: Final = 1024 * 1024
_MAX_SCALAR_BYTES: Final = 4096

_STRUCTURE = re.compile(rb'["{}\[\],:]')
_STRING_END = re.compile(rb'["\\]')
# Everything between two brackets in one step, whole strings included: below the top level only the
# depth matters. Possessive: a string left unfinished by a piece costs no backtracking.
_NESTED = compiled(rb'(?s)(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")++')


class Skim:
    """The last value of each wanted top-level key of a JSON object, from bytes in any pieces.

    Not a validator: on bytes that are not JSON the result is meaningless but the cost stays linear.
    It holds one key or scalar value of at most _MAX_SCALAR_BYTES; longer values are not reported.
    """

    def __init__(self, wanted: frozenset[str]) -> None:
        self.found: dict[str, Any] = {}
        self._wanted = wanted
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._key: str | None = None
        self._token = bytearray()  # the scalar since the last structural byte at depth 1

    def __repr__(self) -> str:
        return f"<Skim depth={self._depth} found={self.found}>"

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        at = 0
        while at < len(data):
            at = self._string(data, at) if self._in_string else self._structure(data, at)

    def _collect(self, data: bytes) -> None:
        if self._depth == 1 and len(self._token) <= _MAX_SCALAR_BYTES:
            self._token += data[: _MAX_SCALAR_BYTES + 1]

    def _string(self, data: bytes, at: int) -> int:
        if self._escaped:
            self._escaped = False
            self._collect(data[at : at + 1])
            return at + 1
        hit = _STRING_END.search(data, at)
        end = len(data) if hit is None else hit.end()
        self._collect(data[at:end])
        if hit is not None:
            self._escaped = hit[0] == b"\\"
            self._in_string = self._escaped
        return end

    def _structure(self, data: bytes, at: int) -> int:
        if self._depth > 1 and (nested := _NESTED.match(data, at)) is not None:
            at = nested.end()
        hit = _STRUCTURE.search(data, at)
        if hit is None:
            self._collect(data[at:])
            return len(data)
        self._collect(data[at : hit.start()])
        byte = hit[0]
        if byte == b'"':
            self._collect(byte)
            self._in_string = True
        elif byte in b"{[":
            self._depth += 1
            if self._depth == 1:
                self._token.clear()
        elif byte in b"}]":
            if self._depth == 1:
                self._value_ends()
            self._depth -= 1
        elif self._depth == 1:
            if byte == b":":
                self._key = self._scalar()
                self._token.clear()
            else:
                self._value_ends()
        return hit.end()

    def _value_ends(self) -> None:
        if self._key in self._wanted and self._key is not None:
            self.found[self._key] = self._scalar()
        self._key = None
        self._token.clear()

    def _scalar(self) -> Any:
        if len(self._token) > _MAX_SCALAR_BYTES:
            return None
        try:
            return json.loads(self._token.decode("utf-8", "replace"))
        except ValueError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it arrived. Times are time.monotonic() seconds of this machine.

    `body` is the body itself up to LOG_BODY_BYTES, else None. `fields` is the parsed JSON object of
    bodies up to KEEP_BYTES, else what a Skim found; None when the body is not a JSON object.
    `complete` is False when the connection broke or the framing went wrong inside the body.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    size: int
    sha256: str
    body: bytes | None
    fields: Mapping[str, Any] | None
    head_at: float
    first_byte_at: float | None
    last_byte_at: float
    complete: bool = True

    @property
    def model(self) -> str | None:
        """The body's `model` where it is a string."""
        model = (self.fields or {}).get("model")
        return model if isinstance(model, str) else None

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context that the request carried."""
        return self.headers.get("traceparent")

    def json(self) -> Any:
        """The body parsed again from its bytes. Raises ValueError when it was not kept."""
        if self.body is None:
            raise ValueError(f"a body of {self.size} bytes is not kept")
        return json.loads(self.body)

    def __repr__(self) -> str:
        return (
            f"<Received {self.method} {self.path} model={self.model!r} {self.size}B "
            f"sha256={self.sha256[:12]}>"
        )


class Intake:
    """Takes one request's body in pieces and ends as a Received. Holds at most KEEP_BYTES."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._count = 0
        self._kept = bytearray()
        self._skim: Skim | None = None
        self._head_at = time.monotonic()
        self._first_byte_at: float | None = None

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the body."""
        if self._first_byte_at is None:
            self._first_byte_at = time.monotonic()
        self._hash.update(piece)
        self._count += len(piece)
        if self._skim is None and self._count > KEEP_BYTES:
            self._skim = Skim(frozenset({"model", "stream"}))
            self._skim.feed(bytes(self._kept))
            self._kept.clear()
        if self._skim is None:
            self._kept += piece
        else:
            self._skim.feed(piece)

    def finish(
        self, method: str, path: str, headers: Mapping[str, str], *, complete: bool = True
    ) -> Received:
        """Return the finished record; no more bytes come."""
        return Received(
            method=method,
            path=path,
            headers=headers,
            size=self._count,
            sha256=self._hash.hexdigest(),
            body=bytes(self._kept) if self._count <= LOG_BODY_BYTES else None,
            fields=self._fields(),
            head_at=self._head_at,
            first_byte_at=self._first_byte_at,
            last_byte_at=time.monotonic(),
            complete=complete,
        )

    def _fields(self) -> Mapping[str, Any] | None:
        if self._skim is not None:
            return self._skim.found
        try:
            document = json.loads(self._kept)
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None
