"""How each body mode answers: one small class per mode, the same questions to each.

Why this file exists: the request half says what must leave; what that looks like as replies, and
when a header reply is due, is the mode's alone (protocol reference 1.3 to 1.5, 4.5). It must not
know decisions beyond their Plan, nor look into bodies.
"""

from __future__ import annotations

from srd.exchange.commands import Command, ReplyBody, ReplyChunk, ReplyHeaders, ReplyTrailers
from srd.exchange.errors import ExchangeBug
from srd.exchange.events import BodyMode, Direction, Headers
from srd.exchange.facts import Dialect, RequestFacts
from srd.plugins.plan import Plan

#: Some Envoys refuse more than 64 KiB in one streamed piece (protocol reference 2.3).
CHUNK_BYTES = 62_000


def chunks(direction: Direction, data: bytes, *, end: bool) -> list[Command]:
    """`data` as pieces of at most CHUNK_BYTES; `end` rides on the last, or on an empty piece."""
    if len(data) <= CHUNK_BYTES:
        return [ReplyChunk(direction, data, end)] if data or end else []
    view = memoryview(data)
    starts = range(0, len(data), CHUNK_BYTES)
    last = starts[-1]
    return [ReplyChunk(direction, view[s : s + CHUNK_BYTES], end and s == last) for s in starts]


class Reply:
    """What a mode can do, and how it says it. The base is NONE: headers only."""

    can_route = False  # will a body come that can still be rewritten
    can_refuse = True  # may an undecided request still be answered by us
    can_inflate = False  # may content-encoding still be removed when the body has been read
    can_tail = False  # may bytes leave before the decision
    one_message = False  # does a single body message come, whatever follows
    whole_message = False  # and does it carry all of the body, trailers or not

    def __init__(self) -> None:
        self._headers_due = True

    def no_headers(self) -> None:
        """The header phase is skipped: no header reply is due, ever."""
        self._headers_due = False

    def settle_mode(self, end: bool) -> Reply:
        """The first body message may tell which mode this is."""
        return self

    def message(self) -> None:
        """A body message arrived and will be answered."""

    @property
    def may_speak(self) -> bool:
        """False while the gateway expects no answer, so that none may be given."""
        return True

    def must_decide(self, ended: bool) -> bool:
        """True when no more of this body will come although it has not ended."""
        return False

    def headers_untouched(self, facts: RequestFacts) -> list[Command]:
        """Not ours: answer at once; only what pretends to be our decision is removed."""
        return self._headers(remove=facts.spoofed)

    def headers_held(self, facts: RequestFacts) -> list[Command]:
        """Ours and undecided: what must be answered nevertheless."""
        return self._headers(remove=facts.spoofed)

    def headers_for_tail(self, facts: RequestFacts) -> list[Command]:
        """Mode T: bytes leave without a decision; the length will change by an unknown amount."""
        return self._headers(remove=(*facts.spoofed, "content-length"))

    def gathered(self, end: bool) -> list[Command]:
        """A body message was taken in and nothing leaves yet."""
        return []

    def unrouted(self, facts: RequestFacts) -> list[Command]:
        """A held request turned out not to be routable."""
        return self._headers(remove=facts.spoofed)

    def decided(
        self,
        facts: RequestFacts,
        what: Plan,
        *,
        clear_route_cache: bool,
        length_delta: int | None,
        length: int | None,
    ) -> list[Command]:
        """The decision fell; commits headers where the mode still can."""
        return []

    def release(self, out: bytes, *, end: bool, unchanged: bool = False) -> list[Command]:
        """Body bytes leave."""
        return []

    def trailers(self) -> list[Command]:
        return [ReplyTrailers("request")]

    def _headers(
        self, set_headers: Headers = (), remove: tuple[str, ...] = (), *, clear: bool = False
    ) -> list[Command]:
        if not self._headers_due:
            return []
        self._headers_due = False
        return [ReplyHeaders("request", set_headers, remove, clear)]


class FullDuplex(Reply):
    """The header reply waits for the decision and carries all of it; then pieces of any number."""

    can_route = True
    can_inflate = True
    can_tail = True

    def headers_held(self, facts: RequestFacts) -> list[Command]:
        return []

    def decided(
        self,
        facts: RequestFacts,
        what: Plan,
        *,
        clear_route_cache: bool,
        length_delta: int | None,
        length: int | None,
    ) -> list[Command]:
        set_headers, remove = _added(facts, what), _removed(facts, what)
        if facts.compressed:
            remove = (*remove, "content-encoding")
        if facts.content_length is not None and (facts.compressed or length_delta != 0):
            # Ignored by both gateways here, vital where Envoy keeps content-length (reference 1.5);
            # AgentGateway has refused a right one in this mode, so it only ever sees it removed.
            new = length
            if new is None and length_delta is not None:
                new = facts.content_length + length_delta
            if new is None or facts.dialect is Dialect.AGENTGATEWAY:
                remove = (*remove, "content-length")
            else:
                set_headers = (*set_headers, ("content-length", str(new).encode()))
        return self._headers(set_headers, remove, clear=clear_route_cache)

    def release(self, out: bytes, *, end: bool, unchanged: bool = False) -> list[Command]:
        return chunks("request", out, end=end)


class Buffered(Reply):
    """Headers are answered at once; one body message, whose answer carries everything."""

    can_route = True
    can_inflate = True
    one_message = True
    whole_message = True

    def __init__(self) -> None:
        super().__init__()
        self._set: Headers = ()
        self._remove: tuple[str, ...] = ()
        self._clear = False
        self._came = False

    def message(self) -> None:
        self._came = True

    @property
    def may_speak(self) -> bool:
        return self._came

    def decided(
        self,
        facts: RequestFacts,
        what: Plan,
        *,
        clear_route_cache: bool,
        length_delta: int | None,
        length: int | None,
    ) -> list[Command]:
        encoding = ("content-encoding",) if facts.compressed else ()
        self._set, self._remove = _added(facts, what), (*_removed(facts, what), *encoding)
        self._clear = clear_route_cache
        return []

    def release(self, out: bytes, *, end: bool, unchanged: bool = False) -> list[Command]:
        body = None if unchanged else out
        if body is not None and not end:
            # Trailers follow, and HTTP/1 has none behind a content-length: chunked coding then.
            remove = (*self._remove, "content-length")
            return [ReplyBody("request", body, self._set, remove, self._clear)]
        # Both gateways refuse a body whose content-length was not adjusted with it (1.5).
        length = () if body is None else (("content-length", str(len(body)).encode()),)
        return [ReplyBody("request", body, (*self._set, *length), self._remove, self._clear)]


class BufferedPartial(Buffered):
    """As BUFFERED, but the message may be a prefix, and the rest passes the gateway by itself."""

    can_inflate = False
    whole_message = False

    def must_decide(self, ended: bool) -> bool:
        return not ended

    def release(self, out: bytes, *, end: bool, unchanged: bool = False) -> list[Command]:
        if unchanged:
            return [ReplyBody("request", None, self._set, self._remove, self._clear)]
        remove = (*self._remove, "content-length")
        return [ReplyBody("request", out, self._set, remove, self._clear)]


class Streamed(Reply):
    """Exactly one answer per message, in order. What must wait is answered by clearing the message
    and rides on a later answer; headers are committed before the body is seen."""

    can_route = True

    def __init__(self) -> None:
        super().__init__()
        self._owed = 0
        self._waiting: list[bytes] = []

    def message(self) -> None:
        self._owed += 1

    def headers_held(self, facts: RequestFacts) -> list[Command]:
        return self._headers(remove=(*facts.spoofed, "content-length"))

    def gathered(self, end: bool) -> list[Command]:
        if end or not self._owed:
            return []  # the last answer waits: nothing may ride behind it
        self._owed -= 1
        return [ReplyBody("request", b"")]

    def release(self, out: bytes, *, end: bool, unchanged: bool = False) -> list[Command]:
        if not self._owed:
            if out:
                self._waiting.append(out)
            return []
        self._owed -= 1
        if unchanged and not self._waiting:
            return [ReplyBody("request")]
        body = b"".join((*self._waiting, out))
        self._waiting.clear()
        return [ReplyBody("request", body)]

    def trailers(self) -> list[Command]:
        if self._waiting:
            # No trailer answer can carry them; ending in an error is seen, a short body is not.
            raise ExchangeBug("trailers came while streamed bytes were still held")
        return super().trailers()


class Unannounced(Streamed):
    """No protocol_config (Envoy before 1.34): the first body message tells BUFFERED and STREAMED
    apart by its end_of_stream."""

    def headers_held(self, facts: RequestFacts) -> list[Command]:
        return self._headers(remove=facts.spoofed)

    def settle_mode(self, end: bool) -> Reply:
        reply: Reply = Buffered() if end else Streamed()
        if not self._headers_due:
            reply.no_headers()
        return reply


def _added(facts: RequestFacts, what: Plan) -> Headers:
    """Headers to set, with added ones joined to what the client sent: one list-valued header says
    the same as two, and `append` is the one mutation that the gateways read differently (1.5)."""
    joined = dict(what.set_headers)
    for name, value in what.add_headers:
        before = joined.get(name) or facts.headers.get(name, "").encode("utf-8", "replace")
        joined[name] = before + b", " + value if before else value
    return tuple(joined.items())


def _removed(facts: RequestFacts, what: Plan) -> tuple[str, ...]:
    """Only what is there: a mutation may have 100 entries, and absent headers need none."""
    return (*facts.spoofed, *(name for name in what.remove_headers if name in facts.headers))


_REPLIES: dict[BodyMode, type[Reply]] = {
    BodyMode.UNKNOWN: Unannounced,
    BodyMode.NONE: Reply,
    BodyMode.STREAMED: Streamed,
    BodyMode.BUFFERED: Buffered,
    BodyMode.BUFFERED_PARTIAL: BufferedPartial,
    BodyMode.FULL_DUPLEX_STREAMED: FullDuplex,
}


def reply_for(mode: BodyMode) -> Reply:
    """A fresh reply style for one request in this mode."""
    return _REPLIES[mode]()
