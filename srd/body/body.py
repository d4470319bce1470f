"""One request body: read while it arrives, edited while it leaves.

Why this file exists: the exchange wants evidence, then one commit, then bytes; this facade hides
scanner, reader and splicer behind that. It must not know gateways, rules or clocks.

Until `commit` every byte is held here and validated. The commit passes the held bytes once more
through the splicer, without validation: that is quicker than remembering every member's place, and
it makes a commit at any byte the same as one before the first.
"""

from __future__ import annotations

from collections.abc import Mapping

from srd.body.plan import BodyEdits
from srd.body.prompt import ModelSeen, Prompt
from srd.body.reader import PromptReader
from srd.body.rewrite import NO_REWRITE, Rewrite
from srd.body.scanner import BodyError, Scanner
from srd.body.shapes import SHAPES, Api
from srd.body.splice import Splicer
from srd.signals.base import MessageFacts

__all__ = ["Api", "Body", "BodyError", "ModelSeen"]

#: Held bytes go through the splicer in pieces, so that it never doubles them.
_PIECE = 65536


class Body:
    """A body of the given shape.

    `feed`, then at most one of `commit`, `passthrough` and `commit_tail` (with `settle_tail`).
    Before that `feed` raises BodyError and holds everything; after it nothing here raises and
    `broken` says why the rest was echoed. Facts may be read at any time.
    """

    def __init__(self, api: Api, *, max_text_bytes: int = 262144) -> None:
        self.api = api
        self.bytes_read = 0
        self.ended = False
        self._shape = SHAPES[api]
        self._reader = PromptReader(self._shape, max_text_bytes)
        self._scanner = Scanner(self._reader, strict=True)
        self._reading = True  # evidence is still wanted
        self._chunks: list[bytes] = []
        self._chunk_bytes = 0
        self._edits: BodyEdits | None = None
        self._splicer: Splicer | None = None
        self._broken = ""
        self._passing = False
        self._tail = False

    def __repr__(self) -> str:
        if self._passing:
            state = "passing"
        elif self._splicer is None:
            state = "open"
        else:
            state = self.broken or "committed"
        return f"<Body {self.api.value} {state} read={self.bytes_read} held={self.held}>"

    # -- bytes

    def feed(self, data: bytes, *, end: bool = False) -> bytes:
        """Take the next bytes; return those that may leave, b"" until a commit.

        Raises BodyError, before a commit only, when the body is not one JSON object. The bytes
        are held even then, and `passthrough` still works; `feed` does not.
        """
        self.bytes_read += len(data)
        self.ended = end
        if self._passing:
            return data
        if self._splicer is None:
            if data:
                self._chunks.append(data)
                self._chunk_bytes += len(data)
            self._read(data, end=end)
            return b""
        if self._reading:
            failed_at = self._read_on(data, end=end)
            if failed_at is not None and self._tail:
                return self._break_tail(self._splicer, data, failed_at)
        return self._splicer.feed(data, end=end)

    def commit(self, rewrite: Rewrite) -> bytes:
        """The decision is made: what may leave now, edited."""
        if rewrite == NO_REWRITE:
            return self.passthrough()
        self._reading = False
        return self._start(rewrite)

    def passthrough(self) -> bytes:
        """Nothing will be edited: all held bytes; later bytes pass unread."""
        out = b"".join(self._take_chunks())
        self._passing = True
        self._reading = False
        return out

    def commit_tail(self, rewrite: Rewrite) -> bytes:
        """Drop the models that `rewrite.replaceable` names (and apply its other edits) as they
        pass, and hold the closing brace, until `settle_tail`. Evidence is read to the end."""
        self._tail = True
        return self._start(rewrite, tail=True)

    def settle_tail(self, rewrite: Rewrite) -> bytes:
        """Write the model, and members that are absent, before the closing brace. Nothing is
        written when an explicit model passed or the body broke."""
        edits = self._edits
        if self._splicer is None or edits is None or not self._tail:
            return b""
        return self._splicer.settle(lambda: edits.settle(rewrite))

    def _start(self, rewrite: Rewrite, *, tail: bool = False) -> bytes:
        if self._splicer is not None or self._passing:
            return b""
        try:
            self._edits = BodyEdits(rewrite, self._shape, tail=tail)
        except Exception as error:  # a rewrite that cannot be planned must not cost the body
            self._broken = f"{type(error).__name__} while planning edits"
            return self.passthrough()
        self._splicer = Splicer(self._edits)
        held = b"".join(self._take_chunks())
        last = len(held) - _PIECE
        out = [
            self._splicer.feed(held[at : at + _PIECE], end=self.ended and at >= last)
            for at in range(0, max(1, len(held)), _PIECE)
        ]
        return b"".join(out)

    def _take_chunks(self) -> list[bytes]:
        chunks, self._chunks, self._chunk_bytes = self._chunks, [], 0
        return chunks

    def _read(self, data: bytes, *, end: bool) -> None:
        # In pieces: before Python 3.11.5 a match may keep a stack as long as what it looks at.
        for at in range(0, len(data), _PIECE):
            self._scanner.feed(data[at : at + _PIECE] if len(data) > _PIECE else data)
        if end:
            self._scanner.finish()
            self._reading = False

    def _read_on(self, data: bytes, *, end: bool) -> int | None:
        """Go on reading evidence while the tail waits; where that failed, if it did."""
        try:
            self._read(data, end=end)
        except BodyError as error:
            self._reading = False
            return error.offset
        except Exception:  # evidence is optional now, bytes are not
            self._reading = False
            return self._scanner.offset
        return None

    def _break_tail(self, splicer: Splicer, data: bytes, failed_at: int) -> bytes:
        """The reader found what the splicer would not: echo from there on."""
        cut = max(0, len(data) - (self.bytes_read - failed_at))
        out = splicer.feed(data[:cut])
        out += splicer.stop("invalid JSON", failed_at)
        return out + splicer.feed(data[cut:], end=self.ended)

    # -- state

    @property
    def held(self) -> int:
        """Bytes held now: all until a commit, then those that a pending edit can still need."""
        return self._chunk_bytes + (self._splicer.held if self._splicer else 0)

    @property
    def broken(self) -> str:
        """Why editing stopped and the rest was echoed; "" while all is well."""
        return self._splicer.broken if self._splicer else self._broken

    @property
    def length_delta(self) -> int | None:
        """Output length minus input length, once certain: until the end a duplicate may come."""
        if self._passing:
            return 0
        if self._splicer is None or not self._splicer.final:
            return None
        return self._splicer.delta

    @property
    def explicit_model_seen(self) -> bool:
        """True when a model that may not be replaced passed after a commit: it stayed, and the
        edits behind it were cancelled."""
        return self._edits is not None and self._edits.explicit_model

    @property
    def system_prompt_missed(self) -> bool:
        """True when a system prompt was asked for and has not been written (so far)."""
        return self._edits is not None and self._edits.missed_system_prompt

    # -- evidence

    @property
    def model(self) -> ModelSeen | None:
        """The first top-level `model`."""
        return self._reader.model

    @property
    def params(self) -> Mapping[str, object]:
        """Small top-level scalars seen so far; of duplicates the last one."""
        return self._reader.params

    @property
    def metadata(self) -> Mapping[str, str]:
        """The string members of the top-level `metadata`, at most 32."""
        return self._reader.metadata

    @property
    def facts(self) -> MessageFacts:
        """Counts so far."""
        return self._reader.facts()

    @property
    def prompt(self) -> Prompt:
        """The texts so far. A second `messages` member replaces it: do not keep it."""
        return self._reader.prompt
