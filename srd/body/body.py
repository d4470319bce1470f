"""One request body, one pipe: encoded bytes -> inflate -> scan -> splice -> bytes out.

Why this file exists: the exchange wants evidence, then one commit, then bytes; this facade hides
decoder, scanner, reader and splicer behind that. It must not know gateways, rules or clocks.

Until the commit everything is held as it came, and read beside. The commit passes what is held
through a decoder and a splicer of its own: that is quicker than remembering every member's place,
makes a commit at any byte the same as one before the first, and changes nothing unless it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from srd.body.inflate import Caps, InflateError, Inflater
from srd.body.outflow import PIECE, STEP, Outflow, Packed, Passing, Plain, Spliced, Unsendable
from srd.body.plan import BodyEdits
from srd.body.prompt import ModelSeen, Prompt
from srd.body.reader import Known, PromptReader
from srd.body.rewrite import Rewrite
from srd.body.scanner import BodyError, Scanner
from srd.body.shapes import SHAPES, Api, Shape
from srd.body.splice import Splicer
from srd.signals.base import MessageFacts

__all__ = [
    "STEP",
    "Api",
    "Body",
    "BodyError",
    "BodyNotes",
    "Known",
    "Leaving",
    "ModelSeen",
    "Unsendable",
]


_CAPS = Caps()


@dataclass(frozen=True, slots=True)
class Leaving:
    """What a commit gives.

    `data`: what may leave now. `packed`: it leaves in the coding it came in (always, where it came
    in none). `edited`: a byte differs from what came, or the coding was removed. `final`: nothing
    more can follow.
    """

    data: bytes
    packed: bool
    edited: bool
    final: bool


@dataclass(frozen=True, slots=True)
class BodyNotes:
    """What a record should say.

    `replaced_model`: the first model's value, where it is a string with more than blanks in it and
    another name leaves in its place; at most 256 characters. `duplicates`: names of
    repeated members (of an object's names that count once, and "model"), each once, at most 16.
    `system_prompt_missed`: a system prompt was asked for and has not been written (so far).
    `unbound`: what was removed because only one model can read it: types and members' names.
    """

    replaced_model: str | None = None
    duplicates: tuple[str, ...] = ()
    system_prompt_missed: bool = False
    unbound: tuple[str, ...] = ()


class Body:
    """A body of the given shape, in the given content codings ("" is none; ValueError where
    `inflate.codings` does not know them). `shape`: another one than the API's own. `tools`: what
    tools say is wanted too. Of a text longer than `max_text_bytes` only head and tail are kept.
    `guarded`: no text is let go because there are many.

    First `receive` and `read`, in any rhythm: `read` raises BodyError, InflateError or InflateLimit
    where the client is to blame, again each time, and all that came stays held. Then one of
    `commit`, `passthrough`, `commit_tail` and `discard`; behind the first three `flow`. Whatever is
    raised there ends the body: every later call raises too. Facts may be read at any time.
    """

    def __init__(
        self,
        api: Api,
        *,
        coding: str = "",
        caps: Caps = _CAPS,
        max_text_bytes: int = 262144,
        tools: bool = False,
        guarded: bool = False,
        shape: Shape | None = None,
    ) -> None:
        self.api = api
        self.bytes_read = 0  # inflated
        self.received = 0  # as they came
        self._shape = SHAPES[api] if shape is None else shape
        self._coding, self._caps = coding, caps
        self._reader = PromptReader(self._shape, max_text_bytes, tools=tools, guarded=guarded)
        self._scanner = Scanner(self._reader, strict=True)
        self._source = Inflater(coding, caps)
        self._packed = bool(self._source.names)
        self._leftover = b""  # inflated and not read
        self._end = False
        self._ended = False
        self._unreadable: Exception | None = None
        self._chunks: list[bytes] = []
        self._chunk_bytes = 0
        self._discarded = False
        self._out: Outflow | None = None
        self._edits: BodyEdits | None = None
        self._tail = False
        self._failed = False

    def __repr__(self) -> str:
        if self._out is None:
            state = "discarded" if self._discarded else "open"
        else:
            state = self.broken or type(self._out).__name__.lower()
        return f"<Body {self.api.value} {state} read={self.bytes_read} held={self.held}>"

    # -- reading

    def receive(self, data: bytes, *, end: bool = False) -> None:
        """The next bytes came; nothing is looked at."""
        self.received += len(data)
        self._end = self._end or end
        self._source.push(data)
        if data and not self._discarded:
            self._chunks.append(data)
            self._chunk_bytes += len(data)

    def read(self, until: int | None = None, *, most: int | None = None) -> None:
        """Inflate and scan on, until `until` bytes are `counted`, or `most` are inflated, or as far
        as the bytes reach. Behind a commit nothing is read."""
        if self._out is not None and not self._tail:
            return
        if self._unreadable is not None:
            raise self._unreadable
        try:
            self._read(until, most)
        except Exception as error:
            self._unreadable = error
            raise

    def _read(self, until: int | None, most: int | None) -> None:
        reader = self._reader
        while until is None or self.counted < until:
            if most is not None and self.bytes_read >= most:
                return
            room = PIECE if until is None else min(PIECE, until - self.counted)
            piece = self._next(room, PIECE if most is None else most - self.bytes_read)
            if not piece:
                break
            reader.base = self.bytes_read
            self._scanner.feed(piece)
            self.bytes_read += len(piece)
        if self._end and not self._ended:
            if not self._leftover:
                self._leftover = self._source.pull(PIECE)
            if not self._leftover:
                self._source.finish()
                self._scanner.finish()
                self._ended = True

    def _next(self, room: int, most: int) -> bytes:
        """At most `most` inflated bytes, of which at most `room` will be counted."""
        attaching = self._reader.attaching
        data = self._leftover or self._source.pull(min(PIECE if attaching else room, most))
        if len(data) > room and attaching:
            quote = data.find(b'"')  # up to there it is all attachment
            room = max(room, len(data) if quote < 0 else quote)
        most = min(room, most)
        if len(data) <= most:
            self._leftover = b""
            return data
        self._leftover = data[most:]
        return data[:most]

    @property
    def counted(self) -> int:
        """`bytes_read` without the bytes of pictures, sounds and files in the conversation."""
        return self._reader.counted(self.bytes_read)

    @property
    def drained(self) -> bool:
        """True when all that was received has been read or, behind a commit, has left."""
        if self._out is not None:
            return not self._out.more
        return self._source.idle and not self._leftover

    @property
    def ended(self) -> bool:
        """True when the end was received, all was read, every decoder has verified its end, and the
        document is complete. Behind a commit: when the end was received and everything has left. In
        mode T the first of these, or the end of a document that broke."""
        if self._tail:
            return self._ended or (self._end and self._unreadable is not None)
        return self._ended if self._out is None else self._out.finished

    @property
    def closed(self) -> bool:
        """True when the document's closing brace was read: only blanks may follow."""
        return self._scanner.done

    @property
    def whole(self) -> bool:
        """True when the document is closed and, by all that came, every decoder has verified its
        end, whether or not an end was received. Behind a commit it says nothing."""
        return self._scanner.done and self._source.complete

    @property
    def held(self) -> int:
        """Bytes held now: what came and has not left, what is inflated and not read, and behind a
        commit what a pending edit or an unverified end still needs."""
        if self._out is not None:
            return self._out.held
        leftover = len(self._leftover) if self._packed or self._discarded else 0
        return leftover + (self._source.waiting if self._discarded else self._chunk_bytes)

    # -- leaving

    def commit(self, rewrite: Rewrite, *, plain: bool = False) -> Leaving:
        """The decision is made: what may leave now, edited.

        A compressed body leaves as it came where no byte is edited and none can still have to be,
        and inflated otherwise, or with `plain`. Raises InflateError and InflateLimit where damage
        is met that `read` had not come to.
        """
        self._must_be_open()
        if self._as_it_came(rewrite, plain=plain):
            whole = Leaving(b"".join(self._chunks), True, False, True)
            return self._leave_by(Passing(ended=True), None, whole)
        edits = BodyEdits(rewrite, self._shape)
        if self._packed:
            leaving, out, edits = self._commit_packed(rewrite, edits, plain=plain)
        else:
            leaving, out = self._commit_identity(edits)
        return self._leave_by(out, edits, leaving)

    def saved(self) -> dict[str, object]:
        """What `restore` needs to undo a commit of which nobody was told, and what flowed since.
        Of a body that is open; it keeps alive what is held."""
        self._must_be_open()
        return dict(vars(self))

    def restore(self, saved: dict[str, object]) -> None:
        """Open again, as when this was `saved`."""
        vars(self).update(saved)

    def passthrough(self) -> bytes:
        """Nothing is edited: all that is held, as it came; later bytes pass unread."""
        self._must_be_open()
        data = b"".join(self._chunks)
        leaving = Leaving(data, True, False, self._end)
        return self._leave_by(Passing(ended=self._end), None, leaving).data

    def discard(self) -> None:
        """Nothing of it will be forwarded: what was read is dropped, and reading may go on."""
        self._must_be_open()
        self._discarded = True
        self._chunks, self._chunk_bytes = [], 0

    def flow(self, data: bytes, *, end: bool = False) -> bytes:
        """The next bytes; those that leave. Of a compressed body about STEP bytes a call: while
        `more` says so, an empty `flow` goes on. Raises Unsendable, and what a fault raises."""
        return self._guarded(lambda: self._flow(data, end))

    def let_go(self) -> bytes:
        """Whoever waits for it cannot wait: what a pending edit holds leaves, decided as it stands.
        Only a brace whose decoder has not verified its end stays."""
        return self._guarded(lambda: self._leaving().let_go())

    def cut(self) -> bytes:
        """Directly behind a commit: the rest of the body passes the gateway by itself, and what
        splices hold leaves now, unedited where half of it is missing."""
        return self._guarded(lambda: self._leaving().cut())

    @property
    def more(self) -> bool:
        """True while bytes that came could leave and have not."""
        return self._out is not None and self._out.more

    def _as_it_came(self, rewrite: Rewrite, *, plain: bool) -> bool:
        """True when all of it was read, and nothing in it asks for an edit: the splicer would only
        find the same again."""
        seen = self._reader.model
        if not self._ended or seen is None or self._reader.duplicates or (plain and self._packed):
            return False
        return seen.exact and rewrite == Rewrite(model=seen.value)

    def _commit_identity(self, edits: BodyEdits) -> tuple[Leaving, Outflow]:
        out = Spliced(Splicer(edits))
        edits.patient = True  # all is held anyway; see `cut`
        chunks = self._chunks or [b""]
        last = len(chunks) - 1
        parts = [
            out.flow(chunk, end=self._end and index == last) for index, chunk in enumerate(chunks)
        ]
        edits.patient = False
        data = b"".join(parts)
        return Leaving(data, True, out.splicer.edited, out.finished), out

    def _commit_packed(
        self, rewrite: Rewrite, edits: BodyEdits, *, plain: bool
    ) -> tuple[Leaving, Outflow, BodyEdits]:
        only_model = rewrite == Rewrite(model=rewrite.model)
        if not (plain or self._edit_is_certain(rewrite)) and (only_model or self._end):
            beside = self._watch(edits)
            if beside is not None:
                data = b"".join(self._chunks)
                return Leaving(data, True, False, self._end), beside, edits
            edits = BodyEdits(rewrite, self._shape)
        out = Plain(self._opened(), Splicer(edits))
        data = out.pump(b"", end=self._end)
        return Leaving(data, False, True, out.finished), out, edits

    def _edit_is_certain(self, rewrite: Rewrite) -> bool:
        seen, name = self._reader.model, rewrite.model
        if name is None:
            return False
        return self._ended if seen is None else seen.value != name.strip()

    def _watch(self, edits: BodyEdits) -> Packed | None:
        """Try without output: None when an edit is needed, or may still be."""
        source, splicer, blind = self._opened(), Splicer(edits), False
        try:
            while piece := source.pull(PIECE):
                splicer.feed(piece)
                if splicer.edited:
                    return None
            if self._end:
                splicer.feed(b"", end=True)
        except InflateError:
            if edits.could_edit:
                raise
            blind = True
        if splicer.edited or (not self._end and edits.could_edit and not splicer.broken):
            return None
        return Packed(source, splicer, blind=blind, ended=self._end)

    def _opened(self) -> Inflater:
        """A decoder of its own for what is held."""
        source = Inflater(self._coding, self._caps)
        for chunk in self._chunks:
            source.push(chunk)
        return source

    def _leave_by(
        self,
        out: Outflow,
        edits: BodyEdits | None,
        leaving: Leaving,
        *,
        tail: bool = False,
    ) -> Leaving:
        """Settle how it leaves; all of it or, if something is raised here, nothing of it."""
        before = dict(vars(self))
        try:
            self._edits, self._tail = edits, tail
            self._chunks, self._chunk_bytes = [], 0
            if not tail and self._packed:  # mode T is read to the end
                self._leftover, self._source = b"", Inflater("", self._caps)
            self._out = out
            return leaving
        except BaseException:
            vars(self).update(before)
            raise

    def _flow(self, data: bytes, end: bool) -> bytes:
        out = self._leaving()
        self.received += len(data)
        if self._tail:
            return self._flow_tail(data, end)
        if not self._packed:
            self.bytes_read += len(data)
        return out.flow(data, end=end)

    def _must_be_open(self) -> None:
        if self._out is not None or self._discarded:
            raise RuntimeError("it is settled already how this body leaves")

    def _leaving(self) -> Outflow:
        if self._out is None:
            raise RuntimeError("nobody has said how this body leaves")
        return self._out

    def _guarded(self, step: Callable[[], bytes]) -> bytes:
        """Bytes in hand when something is raised are lost: nothing may follow them."""
        if self._failed:
            raise Unsendable("this body was given up before")
        try:
            return step()
        except BaseException:
            self._failed = True
            raise

    # -- leaving before the decision

    def commit_tail(self, rewrite: Rewrite) -> bytes:
        """Drop every model (and apply `rewrite`'s other edits) as it passes, and hold the closing
        brace, until `settle_tail`. Evidence is read to the end. ValueError: it is compressed."""
        self._must_be_open()
        if self._packed:
            raise ValueError("the tail of a compressed body cannot be written")
        edits = BodyEdits(rewrite, self._shape, tail=True)
        leaving, out = self._commit_identity(edits)
        return self._leave_by(out, edits, leaving, tail=True).data

    def settle_tail(self, rewrite: Rewrite) -> bytes:
        """Write the model, and members that are absent, before the closing brace; without a name in
        `rewrite` the first model that was dropped comes back."""
        edits, out = self._edits, self._leaving()
        splicer = out.splicer
        if edits is None or splicer is None or not self._tail:
            return b""
        return self._guarded(lambda: splicer.settle(lambda: edits.settle(rewrite)))

    def _flow_tail(self, data: bytes, end: bool) -> bytes:
        """Evidence first: what the strict reader finds, the splicer would not."""
        out, splicer = self._leaving(), self._leaving().splicer
        self._source.push(data)
        self._end = self._end or end
        before = self.received - len(data)
        if self._unreadable is None and splicer is not None:
            try:
                self.read()
            except BodyError as error:
                cut = max(0, error.offset - before)
                self.bytes_read = self.received
                parts = (
                    out.flow(data[:cut], end=False),
                    splicer.stop(str(error), error.offset),
                    out.flow(data[cut:], end=end),
                )
                return b"".join(parts)
        else:
            self.bytes_read = self.received
        return out.flow(data, end=end)

    # -- facts

    @property
    def broken(self) -> str:
        """Why editing stopped and the rest is echoed: where the client's JSON breaks. "" while all
        is well."""
        splicer = self._out.splicer if self._out is not None else None
        return splicer.broken if splicer is not None else ""

    @property
    def length_delta(self) -> int | None:
        """Output length minus received length, once certain: until the end a duplicate may come."""
        return None if self._out is None else self._out.delta

    @property
    def notes(self) -> BodyNotes:
        """What a record should say, so far."""
        edits = self._edits
        if edits is None:
            return BodyNotes(duplicates=tuple(self._reader.duplicates))
        seen = self._reader.model
        first = edits.first_model or (seen.value if seen is not None else None) or ""
        replaced = edits.model_name is not None and first.strip() not in ("", edits.model_name)
        return BodyNotes(
            first[:256] if replaced else None,
            tuple(edits.duplicates),
            edits.missed_system_prompt,
            tuple(edits.unbound),
        )

    @property
    def model(self) -> ModelSeen | None:
        """The first top-level `model`, once its value has ended."""
        return self._reader.model

    @property
    def names(self) -> Collection[str]:
        """Where the shape wants names only: those of all models that were read, without blanks at
        both ends, at most 1024."""
        return self._reader.names

    @property
    def names_missed(self) -> bool:
        """True when there were more `names` than that."""
        return self._reader.names_missed

    @property
    def params(self) -> Mapping[str, object]:
        """Small top-level scalars seen so far; of duplicates the last one."""
        return self._reader.params

    def known(self) -> Known:
        """Parameters, metadata and counts as they are now."""
        return self._reader.known()

    @property
    def known_at_turns(self) -> Known | None:
        """The same as it stood where the turns ended; None while they have not."""
        return self._reader.known_at_turns

    @property
    def stands_in(self) -> bool:
        """True when a member has passed that is legal instead of turns."""
        return self._reader.stands_in

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
        """The texts so far."""
        return self._reader.prompt
