"""How each body mode answers: one small class per mode, the same questions to each.

Why this file exists: the request half says what must leave; what that looks like as replies, and
when a header reply is due, is the mode's alone (Envoy's external_processor.proto and
processing_mode.proto). It must not know how a decision is made, nor look into bodies.
"""

from __future__ import annotations

from dataclasses import dataclass

from srd.body.body import Leaving
from srd.exchange.commands import Command, ReplyBody, ReplyChunk, ReplyHeaders, ReplyTrailers
from srd.exchange.errors import ExchangeBug
from srd.exchange.events import BodyMode, Direction, Headers
from srd.exchange.facts import Dialect, RequestFacts
from srd.plugins.plan import Plan

#: Some Envoys refuse more than 64 KiB in one streamed piece; the Go endpoint picker cuts here too.
CHUNK_BYTES = 62_000

#: What is said of the bytes of a body, and is wrong once they are edited (RFC 9530, RFC 1864).
DIGESTS = ("content-digest", "digest", "repr-digest", "content-md5")


def chunks(direction: Direction, data: bytes, *, end: bool) -> list[Command]:
    """`data` as pieces of at most CHUNK_BYTES; `end` rides on the last, or on an empty piece."""
    if len(data) <= CHUNK_BYTES:
        return [ReplyChunk(direction, data, end)] if data or end else []
    view = memoryview(data)
    starts = range(0, len(data), CHUNK_BYTES)
    last = starts[-1]
    return [ReplyChunk(direction, view[s : s + CHUNK_BYTES], end and s == last) for s in starts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """Request headers to set and to remove, and whether the route must be chosen anew."""

    set: Headers = ()
    remove: tuple[str, ...] = ()
    clear_route_cache: bool = False


class Reply:
    """What a mode can do, and how it says it. The base is NONE: headers only."""

    can_route = False  # will a body come that can still be rewritten
    can_tail = False  # may bytes leave before the decision
    always_plain = False  # has the header reply left before a packed body could be seen to stay so
    one_message = False  # does a single body message come, whatever follows
    whole_message = False  # and does it carry all of the body, trailers or not
    in_pieces = False  # may one message be answered by any number of pieces

    def __init__(self) -> None:
        self._headers_due = True

    def __repr__(self) -> str:
        due = "headers due" if self._headers_due else "headers answered"
        return f"<{type(self).__name__} {due}>"

    def no_headers(self) -> None:
        """The header phase is skipped: no header reply is due, ever."""
        self._headers_due = False

    def settle_mode(self, end: bool) -> Reply:
        """The first body message may tell which mode this is."""
        return self

    @property
    def may_speak(self) -> bool:
        """False while the gateway expects no answer, so that none may be given."""
        return True

    @property
    def withholds(self) -> bool:
        """True while a message is unanswered and the gateway's clock runs."""
        return False

    def clear(self) -> list[Command]:
        """Another message is certain to come, and this one's answer can be withheld no longer: it
        carries nothing."""
        return []

    # -- headers

    def pass_headers(self, facts: RequestFacts) -> list[Command]:
        """Not routed: answer at once; only what pretends to be ours is removed."""
        return self._answer(_cleaned(facts))

    def hold_headers(self, facts: RequestFacts) -> list[Command]:
        """Ours and undecided: what must be answered nevertheless."""
        return self._answer(_cleaned(facts))

    def tail_headers(self, facts: RequestFacts) -> list[Command]:
        """Mode T: bytes leave without a decision; the length will change by an unknown amount."""
        return self._answer(_cleaned(facts, "content-length", *_present(facts, DIGESTS)))

    def commit(
        self, facts: RequestFacts, what: Plan, leaving: Leaving, *, clear_route_cache: bool
    ) -> list[Command]:
        """The decision fell; commits headers where the mode still can."""
        return []

    # -- body and trailers

    def message(self) -> list[Command]:
        """A body message arrived and will be answered; older ones may be answered now."""
        return []

    def release(
        self,
        out: bytes,
        *,
        end: bool,
        trailers: bool = False,
        held: int = 0,
        same: bool = False,
    ) -> list[Command]:
        """Body bytes leave. `end`: the last of them, `trailers`: which trailers follow; `held`
        bytes stay behind; `same`: they are the message at hand as it came."""
        return []

    def trailers(self) -> list[Command]:
        """The trailers are answered; behind everything else."""
        return [ReplyTrailers("request")]

    def _answer(self, mutation: Mutation) -> list[Command]:
        if not self._headers_due:
            return []
        reply = ReplyHeaders("request", mutation.set, mutation.remove, mutation.clear_route_cache)
        self._headers_due = False
        return [reply]


class FullDuplex(Reply):
    """The header reply waits for the decision and carries all of it; then pieces of any number."""

    can_route = True
    can_tail = True
    in_pieces = True

    def hold_headers(self, facts: RequestFacts) -> list[Command]:
        return []

    def commit(
        self, facts: RequestFacts, what: Plan, leaving: Leaving, *, clear_route_cache: bool
    ) -> list[Command]:
        wanted = _committed(facts, what, leaving, clear_route_cache=clear_route_cache)
        if not (leaving.final or leaving.edited or facts.coding):
            # A name may still be met again, and its value edited or dropped.
            wanted = _with(wanted, remove=_present(facts, DIGESTS))
        length = facts.content_length is not None and (leaving.edited or not leaving.final)
        if not length:
            return self._answer(wanted)
        # Both gateways drop it in this mode, but for Envoy with allow_content_length_header, where
        # a wrong one is request smuggling. AgentGateway refuses even a right one.
        if not leaving.final or facts.dialect is Dialect.AGENTGATEWAY:
            return self._answer(_with(wanted, remove=("content-length",)))
        exact = ("content-length", b"%d" % len(leaving.data))
        return self._answer(_with(wanted, set=(exact,)))

    def release(
        self,
        out: bytes,
        *,
        end: bool,
        trailers: bool = False,
        held: int = 0,
        same: bool = False,
    ) -> list[Command]:
        return chunks("request", out, end=end and not trailers)


class Buffered(Reply):
    """Headers are answered at once; one body message, whose answer carries everything."""

    can_route = True
    one_message = True
    whole_message = True

    def __init__(self) -> None:
        super().__init__()
        self._wanted = Mutation()
        self._edited = False
        self._owed = 0

    def message(self) -> list[Command]:
        self._owed += 1
        return []

    @property
    def may_speak(self) -> bool:
        return self._owed > 0

    def commit(
        self, facts: RequestFacts, what: Plan, leaving: Leaving, *, clear_route_cache: bool
    ) -> list[Command]:
        self._wanted = _committed(facts, what, leaving, clear_route_cache=clear_route_cache)
        self._edited = leaving.edited
        return []

    def release(
        self,
        out: bytes,
        *,
        end: bool,
        trailers: bool = False,
        held: int = 0,
        same: bool = False,
    ) -> list[Command]:
        if not self._owed:
            if out:
                raise ExchangeBug("buffered bytes left to send and no message to answer")
            return []
        # AgentGateway sends a second, empty message for the end where trailers are skipped.
        empty: list[Command] = [ReplyBody("request")] * (self._owed - 1)
        self._owed = 0
        wanted, self._wanted = self._wanted, Mutation()
        if not self._edited:
            return [_body_reply(None, wanted), *empty]
        self._edited = False
        return [_body_reply(out, self._with_length(wanted, out, end=end and not trailers)), *empty]

    def _with_length(self, wanted: Mutation, out: bytes, *, end: bool) -> Mutation:
        """Both gateways refuse a body whose content-length was not adjusted with it. Where trailers
        follow there is none: HTTP/1 has no trailers behind a content-length."""
        if not end:
            return _with(wanted, remove=("content-length",))
        return _with(wanted, set=(("content-length", b"%d" % len(out)),))


class BufferedAfterAll(Buffered):
    """BUFFERED that could have been STREAMED when its headers were answered: what they took off a
    packed body holds for one that is only passed, too."""

    always_plain = True

    def release(
        self,
        out: bytes,
        *,
        end: bool,
        trailers: bool = False,
        held: int = 0,
        same: bool = False,
    ) -> list[Command]:
        self._edited = self._edited or (bool(out) and not same)
        return super().release(out, end=end, trailers=trailers, held=held, same=same)


class BufferedPartial(Buffered):
    """As BUFFERED, but the message may be a prefix, and the rest passes the gateway by itself."""

    whole_message = False

    def _with_length(self, wanted: Mutation, out: bytes, *, end: bool) -> Mutation:
        return _with(wanted, remove=("content-length",))


class Streamed(Reply):
    """Exactly one answer per message, in order; headers are committed before the body is seen.

    The newest message's answer is withheld while anything of the body is held, and only older ones
    are answered by clearing them: so what is held can always still leave. Where another message is
    certain to come, the newest one may be cleared too (`clear`), and what is held leaves with that.
    """

    can_route = True
    always_plain = True

    def __init__(self) -> None:
        super().__init__()
        self._owed = 0
        self._waiting: list[bytes] = []
        self._same = False
        self._certain = False  # another message comes

    @property
    def withholds(self) -> bool:
        return self._owed > 0

    def clear(self) -> list[Command]:
        self._certain = True
        return [self._oldest()] if self._owed else []

    def hold_headers(self, facts: RequestFacts) -> list[Command]:
        gone = ("content-length", *_present(facts, DIGESTS))
        coding = ("content-encoding",) if facts.coding else ()
        return self._answer(_cleaned(facts, *gone, *coding))

    def message(self) -> list[Command]:
        self._owed, self._certain = self._owed + 1, False
        return [self._oldest()] if self._owed > 1 else []

    def release(
        self,
        out: bytes,
        *,
        end: bool,
        trailers: bool = False,
        held: int = 0,
        same: bool = False,
    ) -> list[Command]:
        self._same = same and not self._waiting
        if out:
            self._waiting.append(out)
        if held and not end:
            return []
        if self._owed:
            return [self._oldest()]
        if self._waiting and not self._certain:
            # No answer can carry them: ending in an error is seen, a short body is not.
            raise ExchangeBug("streamed bytes left to send and no message to answer")
        return []

    def _oldest(self) -> Command:
        self._owed -= 1
        waiting, self._waiting = self._waiting, []
        if self._same:
            self._same = False
            return ReplyBody("request")
        return ReplyBody("request", b"".join(waiting))


class Unannounced(Streamed):
    """No protocol_config (Envoy before 1.34): the first body message tells BUFFERED and STREAMED
    apart by its end_of_stream."""

    def settle_mode(self, end: bool) -> Reply:
        reply: Reply = BufferedAfterAll() if end else Streamed()
        if not self._headers_due:
            reply.no_headers()
        return reply


def _body_reply(body: bytes | None, wanted: Mutation) -> Command:
    return ReplyBody("request", body, wanted.set, wanted.remove, wanted.clear_route_cache)


def _with(wanted: Mutation, set: Headers = (), remove: tuple[str, ...] = ()) -> Mutation:  # noqa: A002
    return Mutation(
        set=(*wanted.set, *set),
        remove=(*wanted.remove, *remove),
        clear_route_cache=wanted.clear_route_cache,
    )


def _present(facts: RequestFacts, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name in facts.headers)


def _cleaned(facts: RequestFacts, *more: str) -> Mutation:
    """Nothing is set. What a client must not say is removed, and a route that it chose with it."""
    return Mutation(remove=(*facts.unwanted, *more), clear_route_cache=bool(facts.spoofed))


def _committed(
    facts: RequestFacts, what: Plan, leaving: Leaving, *, clear_route_cache: bool
) -> Mutation:
    """Everything that a decision does to headers, but for content-length.

    Headers that are added are joined to what the client sent: one list-valued header says the same
    as two, and `append` is the one mutation that the gateways read differently.
    """
    joined = dict(what.set_headers)
    for name, value in what.add_headers:
        before = joined.get(name) or b", ".join(facts.lines.get(name, ()))
        joined[name] = before + b", " + value if before else value
    gone = dict.fromkeys((*facts.unwanted, *_present(facts, what.remove_headers)))
    if leaving.edited:
        gone |= dict.fromkeys(_present(facts, DIGESTS))
        if facts.coding and not leaving.packed:
            gone["content-encoding"] = None
    return Mutation(
        set=tuple(joined.items()),
        remove=tuple(name for name in gone if name not in joined),
        clear_route_cache=clear_route_cache,
    )


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
