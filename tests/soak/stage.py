"""The driver on a stage without sockets: one request over a stream that is two lists of messages.

Why this file exists: a fault anywhere between a message's bytes and the answer's must be seen as a
gateway sees it, thousands of times a minute. The stream speaks both ways of waiting, `recv` and
`send` as well as `take` and `write`. It must not know faults or what is right.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from grpclib.const import Status
from product.gateway import Gateway, Punished
from product.play import MODES, Request, score

from srd.classify.api import Ask, Scores
from srd.daemon.service import Service
from srd.daemon.stream import StreamDriver
from srd.exchange import Policy
from srd.wire.messages import BodyMode, Phase, ProtocolConfig
from srd.wire.peer import decode_response, encode_request

SECONDS = 5.0  # with no clock in play, a run that takes longer hangs


class Quick:
    """A classifier that answers at once."""

    labels = ()

    def quick(self, ask: Ask) -> Scores | None:
        return score(ask)

    def submit(self, ask: Ask) -> Future[Scores]:
        raise AssertionError("quick answers everything")


@dataclass
class Shown:
    """What the gateway saw. `status`: None while the stream is open or ended well. `bound`: the
    backend may have seen something of the body, or a decision."""

    gateway: Gateway
    status: Status | None = None
    hangs: bool = False
    punished: str = ""
    raised: BaseException | None = None
    bound: bool = False
    decision: Any = None
    notes: dict[str, str] = field(default_factory=dict)
    held: int = 0


class Stream:
    """One Process stream; its peer is the gateway's model."""

    unsent = 0
    unread = 0
    metadata: Mapping[str, str] = {}

    def __init__(self, request: Request, shown: Shown) -> None:
        self._request = request
        self._shown = shown
        self._messages: deque[Callable[[], bytes]] = deque(self._script())
        self._wake: Callable[[], None] = lambda: None

    def _script(self) -> list[Callable[[], bytes]]:
        request, gateway = self._request, self._shown.gateway
        last = len(request.pieces) - 1
        has_end = request.trailers == "none" and request.mode != "prefix"

        def message(phase: Phase, **fields: Any) -> bytes:
            config = ProtocolConfig(MODES[request.mode], BodyMode.NONE)
            return encode_request(
                phase,
                protocol_config=config if phase is Phase.REQUEST_HEADERS else None,
                dialect=request.dialect,
                **fields,
            )

        def piece(data: bytes, end: bool) -> bytes:
            gateway.sends(data, end=end)
            return message(Phase.REQUEST_BODY, body=data, end_of_stream=end)

        def trailers() -> bytes:
            gateway.sends_trailers()
            return message(Phase.REQUEST_TRAILERS, headers=(("x-checksum", b"1"),))

        headers = tuple(gateway.headers.items())
        script: list[Callable[[], bytes]] = [
            lambda: message(Phase.REQUEST_HEADERS, headers=headers),
            *(
                (lambda data=data, end=has_end and at == last: piece(data, end))
                for at, data in enumerate(request.pieces)
            ),
        ]
        return [*script, trailers] if request.trailers == "send" else script

    # -- both

    def _ready(self) -> bool:
        """The gateway's next message may go: all but full duplex wait for the header reply."""
        gateway = self._shown.gateway
        started = len(self._messages) <= len(self._request.pieces) + (
            self._request.trailers == "send"
        )
        return bool(self._messages) and (not started or gateway.mode == "duplex" or gateway.replied)

    @property
    def over(self) -> bool:
        """Nothing more comes: all is sent, the client has its answer, or the gateway gave up."""
        shown = self._shown
        return not self._messages or shown.gateway.refused is not None or bool(shown.punished)

    def _written(self, data: bytes) -> None:
        shown = self._shown
        reply = decode_response(data)
        if reply.kind == "request_body" or shown.gateway.mode == "duplex":
            shown.bound = True
        if not shown.punished:
            try:
                shown.gateway.takes(reply)
            except Punished as why:
                shown.punished = str(why)
        self._wake()

    async def end(self, status: Status = Status.OK, message: str = "") -> None:
        if status is not Status.OK:
            self._shown.status = status

    # -- recv and send

    async def recv(self) -> bytes | None:
        if self._ready() and not self.over:
            return self._messages.popleft()()
        if not self.over:
            self._shown.punished = self._shown.punished or "the header reply never came"
        return None

    async def send(self, message: bytes) -> None:
        self._written(message)

    # -- take and write

    def listen(self, wake: Callable[[], None], arrived: Callable[[int], None]) -> None:
        self._wake = wake

    @property
    def finished(self) -> bool:
        return self.over

    def take(self) -> tuple[bytes, int] | None:
        if self.over or not self._ready():
            return None
        message = self._messages.popleft()()
        return message, len(message)

    def want(self) -> None: ...

    def release(self, credit: int) -> None: ...

    def write(self, message: bytes) -> bool:
        self._written(bytes(message))
        return True

    def flush(self) -> bool:
        return True

    @property
    def all_sent(self) -> bool:
        return not self._messages


async def perform(
    policy: Policy, request: Request, around: Callable[[bool], None] = lambda on: None
) -> Shown:
    """One request through the driver. `around` is called with True right before srd gets hold of
    it and with False when it has let go."""
    headers = {
        ":method": b"POST",
        ":scheme": b"http",
        ":authority": b"example",
        ":path": request.path.encode(),
        "content-type": b"application/json",
        **dict(request.headers),
    }
    mode = "partial" if request.mode == "prefix" else request.mode
    shown = Shown(Gateway(mode, request.dialect, headers))
    stream = Stream(request, shown)
    service = Service(policy, Quick())  # type: ignore[arg-type]
    around(True)
    try:
        driver = StreamDriver(service, stream)  # type: ignore[arg-type]
        try:
            await asyncio.wait_for(driver.run(), SECONDS)
        finally:
            around(False)
            shown.decision, shown.notes = driver.record.decision, dict(driver.record.notes)
    except TimeoutError:
        shown.hangs = True
    except Exception as error:
        shown.raised = error
    finally:
        around(False)
    if stream.all_sent:
        shown.gateway.ends(request.rest)
    shown.held = service.held_bytes
    return shown
