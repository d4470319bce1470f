"""What a gateway makes of the replies in each body mode: the request that leaves for the backend.

Why this file exists: the oracle judges what left, and that is the gateway's doing. Written from the
gateways' rules, not from srd's code: which answers each mode takes, in which order, and what
happens to `content-length`. It must not know cases or what is right.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from srd.wire.peer import Reply

CHUNK_LIMIT = 65_536


class Punished(AssertionError):  # noqa: N818 - what the gateway does, not an error of the test
    """A reply for which the real gateway fails the request, hangs, or panics."""


@dataclass
class Gateway:
    """One request. `mode`: duplex, streamed, buffered, or partial.

    `left` is the body that the backend got so far, `clean` that it got an end, `headers` what the
    request's headers became, `refused` the answer that the client got instead. `replied`: the
    backend may have seen something.
    """

    mode: str
    dialect: str
    headers: dict[str, bytes]
    refused: Reply | None = None
    replied: bool = False
    left: bytearray = field(default_factory=bytearray)
    clean: bool = False
    _unanswered: list[bytes] = field(default_factory=list)
    _ended: bool = False  # all that comes was sent
    _trailers: bool = False  # ... as a message of trailers
    _extra: bool = False  # an empty message that needs no answer was sent

    def sends(self, data: bytes, *, end: bool, optional: bool = False) -> None:
        """A body message goes to the processor. `optional`: no answer is waited for."""
        if self.mode == "duplex":
            self._ended = end
            return
        self._extra = optional
        if not optional:
            self._unanswered.append(data)
        self._ended = self._ended or end

    def sends_trailers(self) -> None:
        """The trailers' message goes to the processor."""
        self._ended = self._trailers = True

    def ends(self, rest: bytes = b"") -> None:
        """Nothing more comes, `rest` passed by itself: the backend's body ends if all was
        answered."""
        self._ended = True
        if self.refused is None and not self._unanswered and self.mode != "duplex":
            self.left += rest
            self.clean = self.clean or not self._trailers

    def takes(self, reply: Reply) -> None:
        """The processor's answer; Punished for what the real gateway would not take."""
        if self.refused is not None:
            raise Punished(f"an answer behind the refusal: {reply.kind}")
        if len(reply.set_headers) + len(reply.remove_headers) > 100:
            raise Punished("more than 100 header mutations")
        match reply.kind:
            case "immediate":
                self._refuse(reply)
            case "request_headers":
                self._reply_headers(reply)
            case "request_body" if self.mode == "duplex":
                self._piece(reply)
            case "request_body":
                self._answer(reply)
            case "request_trailers":
                self._answer_trailers()
            case _:
                raise Punished(f"{reply.kind}")

    def _refuse(self, reply: Reply) -> None:
        if not 200 <= reply.status < 600:
            raise Punished(f"status {reply.status}")
        if self.mode == "duplex" and self.replied:
            raise Punished("refused behind the header reply")
        reply.body.decode("utf-8")  # type: ignore[union-attr]
        self.refused = reply

    def _reply_headers(self, reply: Reply) -> None:
        if self.replied:
            raise Punished("a second header reply")
        self.replied = True
        self._mutate(reply)
        if self.mode in ("streamed", "partial") or self.dialect == "agentgateway":
            if self.mode != "buffered":
                self.headers.pop("content-length", None)

    def _mutate(self, reply: Reply) -> None:
        for name in reply.remove_headers:
            self.headers.pop(name, None)
        for name, value in reply.set_headers:
            if not value or name != name.lower() or name.startswith(":"):
                raise Punished(f"header {name}: {value!r}")
            self.headers[name] = value

    def _piece(self, reply: Reply) -> None:
        if not self.replied:
            raise Punished("a body before the header reply")
        if self.clean:
            raise Punished("a body behind its end")
        if not reply.streamed:
            raise Punished("no streamed answer in full duplex")
        if len(reply.body or b"") > CHUNK_LIMIT:
            raise Punished("a piece that is too large")
        if reply.end_of_stream and self._trailers:
            raise Punished("an end of stream where trailers wait for their answer")
        if reply.end_of_stream and not self._ended:
            raise Punished("an end of stream before the client's")
        self.left += reply.body or b""
        self.clean = reply.end_of_stream

    def _answer(self, reply: Reply) -> None:
        if not self.replied:
            raise Punished("a body before the header reply")
        if reply.streamed:
            raise Punished("a streamed answer in a mode without")
        if not self._unanswered:
            if self._extra and reply.body is None:
                self._extra = False
                return
            raise Punished("more answers than messages")
        data = self._unanswered.pop(0)
        if self.mode != "streamed":
            self._mutate(reply)
            length = self.headers.get("content-length")
            if reply.body is not None and length not in (None, b"%d" % len(reply.body)):
                raise Punished("a new body with another content-length")
        if self.mode == "partial":
            self.headers.pop("content-length", None)
        self.left += data if reply.body is None else reply.body

    def _answer_trailers(self) -> None:
        if not self._trailers:
            raise Punished("trailers answered that never came")
        if self.clean:
            raise Punished("a second end of the body")
        if self._unanswered:
            raise Punished("trailers answered before a body message")
        self.clean = True
