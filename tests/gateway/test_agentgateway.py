"""The scenarios of the protocol against an emulated AgentGateway, over real gRPC."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest
from agentgateway import BUFFERED, DUPLEX, NONE, AgentGateway, run
from grpclib.const import Status


def chat(content: str, model: str = "auto") -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}]}).encode()


MATH = chat("What is the derivative of x^3?")
LARGE = chat("What is the derivative of x^3? " + "filler " * 1000)
NAMED = chat("2", "math-expert")
MODES = pytest.mark.parametrize("mode", [DUPLEX, BUFFERED], ids=["duplex", "buffered"])


async def opened(srd, state, count: int) -> None:
    """Wait until the processor has seen so many streams."""
    await asyncio.to_thread(
        srd.until, lambda: state()["open_streams"] == count, f"see {count} streams"
    )


def routed(body: bytes) -> bytes:
    return body.replace(b'"auto"', b'"math-expert"', 1)


async def deliver(call, body: bytes, extra=None, **options) -> None:
    """One request through, in the way of its mode, to the upstream's end of the body."""
    await call.headers(extra=extra or {"content-length": str(len(body))}, **options)
    await call.frame(body, end=True)
    await call.reach(call.released, call.finished)


@MODES
@run
async def test_001_002_a_request_without_a_body_is_answered_at_once(srd, mode):
    async with AgentGateway(srd.address) as gateway:
        for path, method in (("/v1/files", "GET"), ("/v1/files", "POST")):
            call = gateway.open(mode)
            await call.headers(path, method=method, end=True)
            await call.reach(call.released)
            assert await call.close() is Status.OK
            assert call.size == 0


@MODES
@pytest.mark.parametrize("body", [MATH, LARGE, NAMED], ids=["small", "large", "named"])
@run
async def test_003_013_026_027_the_body_arrives_with_its_model_named(srd, mode, body):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(mode)
        await deliver(call, body)
        assert await call.close() is Status.OK
    assert call.body == routed(body)
    if body is not NAMED:
        assert call.request.headers["x-selected-model"] == b"math-expert"
    if mode is BUFFERED:
        assert int(call.request.headers["content-length"]) == len(call.body)


@run
async def test_004_the_end_may_come_in_a_frame_of_its_own(srd):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open()
        await call.headers()
        await call.frame(MATH)
        await call.frame(end=True)
        await call.reach(call.finished)
        assert await call.close() is Status.OK
    assert call.body == routed(MATH)


@run
async def test_006_frames_of_one_byte(srd):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open()
        await call.headers()
        for at in range(len(MATH)):
            await call.frame(MATH[at : at + 1])
        await call.frame(end=True)
        await call.reach(call.finished)
    assert call.body == routed(MATH)


@run
async def test_014_the_request_is_released_before_its_body_has_ended(srd):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open()
        await call.headers()
        await call.frame(LARGE[:3000])
        await call.reach(call.released)
        assert call.request.headers["x-selected-model"] == b"math-expert"
        await call.frame(LARGE[3000:], end=True)
        await call.reach(call.finished)
        assert await call.close() is Status.OK
    assert call.body == routed(LARGE)


@pytest.mark.parametrize("body", [MATH, LARGE], ids=["small", "large"])
@run
async def test_021_to_024_trailers_end_the_body(srd, body):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open()
        await call.headers()
        await call.frame(body)
        await call.trailers()
        await call.reach(call.finished)
        assert await call.close() is Status.OK
    assert call.body == routed(body)


@run
async def test_045_forged_decision_headers_do_not_pass(srd):
    async with AgentGateway(srd.address) as gateway:
        for path in ("/v1/chat/completions", "/v1/files"):
            call = gateway.open()
            await deliver(call, MATH, {"x-selected-model": "forged"}, path=path)
            assert b"forged" not in call.request.headers.values()


@MODES
@pytest.mark.parametrize("bad", [b'{"model": 1', b"\xff\xfe\x00", chat("x", "no-such-\u00e4")])
@run
async def test_053_to_058_a_refusal_is_readable_and_releases_nothing(srd, mode, bad):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(mode)
        await deliver(call, bad)
        assert call.refused is not None
        assert call.refused.status == 400
        assert json.loads(call.refused.body)["error"]["message"]
        assert call.size == 0
        assert await call.close() is Status.OK


@run
async def test_056_frames_after_a_refusal_are_read_and_not_answered(srd):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open()
        await call.headers()
        await call.frame(b"no json")
        await call.reach(call.released)
        assert call.refused is not None
        assert call.refused.status == 400
        for _ in range(30):
            await call.frame(b"x" * 100_000)
        assert await call.close() is Status.OK


SSE = [b"data: {}\n\n", b'data: {"usage"', b": null}\n\n", b"data: [DONE]\n\n"]


@pytest.mark.parametrize("response_mode", [NONE, DUPLEX], ids=["none", "duplex"])
@run
async def test_080_084_a_streamed_answer_passes_frame_by_frame(srd, response_mode):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(DUPLEX, response_mode)
        await deliver(call, MATH)
        await call.respond(content_type="text/event-stream")
        for piece in SSE:
            await call.respond_frame(piece)
            assert await call.chunk() == piece  # before the next one is sent
        assert call.answer.head.headers["x-vsr-selected-model"] == b"math-expert"
        await call.respond_frame(end=True)
        assert await call.chunk() is None
        assert await call.close() is Status.OK


@pytest.mark.parametrize("response_mode", [NONE, BUFFERED, DUPLEX], ids=["none", "buf", "duplex"])
@run
async def test_081_a_response_without_a_body(srd, response_mode):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(DUPLEX, response_mode)
        await deliver(call, MATH)
        await call.respond(204, end=True)
        assert await call.chunk() is None
        assert call.answer.head.status == 204
        assert await call.close() is Status.OK


@pytest.mark.parametrize("response_mode", [BUFFERED, DUPLEX], ids=["buffered", "duplex"])
@run
async def test_082_response_trailers(srd, response_mode):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(DUPLEX, response_mode)
        await deliver(call, MATH)
        await call.respond()
        await call.respond_frame(b"{}")
        await call.respond_trailers()
        assert await call.chunk() == b"{}"
        assert await call.chunk() is None
        assert await call.close() is Status.OK


@run
async def test_083_an_upstream_that_answers_early_is_heard(srd):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(DUPLEX, DUPLEX)
        await call.headers()
        await call.frame(LARGE[:3000])
        await call.reach(call.released)
        await call.respond(401)
        await call.respond_frame(b"{}", end=True)
        assert await call.chunk() == b"{}"
        assert call.answer.head.status == 401
        await call.leave()
        assert call.status is Status.OK


@run
async def test_079_086_the_seeds_policy_never_collects_a_streamed_answer(srd):
    """Buffered both ways with allowModeOverride; Streamed does not exist on this gateway."""
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(BUFFERED, BUFFERED, allow_mode_override=True)
        await deliver(call, MATH)
        await call.respond(content_type="text/event-stream")
        for piece in SSE:
            await call.respond_frame(piece)
            assert await call.chunk() == piece
        (override,) = (reply.mode_override for reply in call.replies if reply.mode_override)
        assert override[3] in (NONE, DUPLEX)
        assert 0 not in (*override[:2], *override[4:])
        await call.respond_frame(end=True)
        assert await call.close() is Status.OK


@run
async def test_a_buffered_answer_arrives_whole_and_as_it_was(srd):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(BUFFERED, BUFFERED)
        await deliver(call, MATH)
        await call.respond(extra={"content-length": "11"})
        await call.respond_frame(b'{"usage"')
        await call.respond_frame(b":7}", end=True)
        assert await call.chunk() == b'{"usage":7}'
        assert call.answer.head.headers["content-length"] == b"11"
        assert await call.close() is Status.OK


@run
async def test_an_answer_of_the_gateways_own_is_not_shown_to_the_processor(srd):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(DUPLEX, DUPLEX)
        await deliver(call, MATH)
        call.time_out()
        await call.reach(call.answered)
        assert call.answer.head.status == 504
        await call.leave()
        assert call.status is Status.OK
        assert [reply.kind for reply in call.replies] == ["request_headers"]


@run
async def test_020_five_hundred_requests_at_once(srd, state):
    async with AgentGateway(srd.address) as gateway:
        bodies = [chat(f"{n}: the derivative of x^{n}? " + "z" * (n * 20)) for n in range(500)]
        calls = [gateway.open() for _ in bodies]
        for call, body in zip(calls, bodies, strict=True):
            await call.headers()
            await call.frame(body[: len(body) // 2])
        await opened(srd, state, 500)
        assert state()["held_bytes"] <= sum(map(len, bodies))
        for call, body in zip(calls, bodies, strict=True):
            await call.frame(body[len(body) // 2 :], end=True)
        for call, body in zip(calls, bodies, strict=True):
            await call.reach(call.finished)
            assert call.body == routed(body)
            await call.close()


STEPS = ["open", "headers", "undecided", "flowing", "ended", "response", "response body"]


def walk(call, last: int) -> list:
    """The first steps of a request, as functions to call."""
    return [
        lambda: call.headers(),
        lambda: call.frame(LARGE[:300]),
        lambda: call.frame(LARGE[300:4000]),
        lambda: call.frame(LARGE[4000:], end=True),
        lambda: call.respond(),
        lambda: call.respond_frame(b"{}"),
    ][:last]


async def reached(srd, state, call, last: int) -> None:
    for step in walk(call, last):
        await step()
    if last >= 3:
        await call.reach(call.released)
    if last >= 1:
        await opened(srd, state, 1)


@pytest.mark.parametrize("last", range(len(STEPS)), ids=STEPS)
@run
async def test_090_a_gateway_that_dies_at_every_state(srd, state, last):
    async with AgentGateway(srd.address) as gateway:
        await reached(srd, state, gateway.open(DUPLEX, DUPLEX), last)
        await gateway.crash()
    # The fixture waits for the end of the stream and looks for tracebacks.


@pytest.mark.parametrize("last", range(1, 5), ids=STEPS[1:5])
@run
async def test_090_an_http2_client_that_leaves_at_every_state(srd, state, last):
    """Half-closed without an end of the body: the stream ends at once, and what came is freed."""
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(DUPLEX, DUPLEX, client="http2")
        await reached(srd, state, call, last)
        call.abort()
        await call.leave()
        assert call.status is Status.OK
        assert state()["open_streams"] == 0


@run
async def test_a_client_that_leaves_a_buffered_upload_frees_its_stream(srd, state):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(BUFFERED)
        await call.headers(extra={"content-length": "3000"})
        await call.frame(LARGE[:300])
        await opened(srd, state, 1)
        call.abort()
        await call.leave()
        assert call.status is Status.OK
        assert call.answer.head.status == 500


#: More than the budget, and still no word of a prompt.
SILENT = b'{"model":"auto","pad":"' + b"x" * 3000


@pytest.mark.parametrize("came", [SILENT, LARGE[:3000]], ids=["undecided", "flowing"])
@run
async def test_an_http1_upload_that_is_given_up_is_freed_by_the_routes_timeout(srd, state, came):
    """The gateway says nothing of it before: no end, no half-close. It must disturb nobody."""
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open()
        await call.headers(extra={"content-length": "300000"})
        await call.frame(came)
        call.abort()
        await call.reach(call.released)  # undecided: by the time that a decision may take
        other = gateway.open()
        await deliver(other, MATH)
        assert await other.close() is Status.OK
        assert not call.over.is_set()
        assert not call.finished.is_set()
        call.time_out()
        await call.leave()
        assert call.status is Status.OK
        assert call.answer.head.status == 504


@pytest.mark.parametrize("send", [True, False], ids=["send", "skip"])
@run
async def test_buffered_bodies_with_trailers_arrive_whole(srd, send):
    """Skip: the body without an end, then an empty one with it. Send: the trailers end it."""
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(BUFFERED, request_trailers=send)
        await call.headers()
        await call.frame(MATH)
        await call.trailers()
        await call.reach(call.finished)
        assert call.body == routed(MATH)
        assert await call.close() is Status.OK
        assert call.sent == 4  # headers, body, its end, the answer's head


@pytest.mark.parametrize("client", ["http1", "http2"])
@run
async def test_each_framing_of_a_body_arrives_whole(srd, client):
    """HTTP/1.1 chunked ends with an empty message; a known end rides on the last data."""
    body = chat("What is the derivative of x^3? " + "filler " * 20_000)
    async with AgentGateway(srd.address) as gateway:
        for extra in ({}, {"content-length": str(len(body))}):
            call = gateway.open(client=client)
            await call.headers(extra=extra)
            await call.frame(body[:70_000])
            await call.frame(body[70_000:], end=True)
            await call.reach(call.finished)
            assert call.digest.digest() == hashlib.sha256(routed(body)).digest()
            assert "content-length" not in call.request.headers
            assert await call.close() is Status.OK


@run
async def test_an_upgrade_that_carries_a_body_is_routed(srd):
    offer = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAM"}
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open()
        await deliver(call, MATH, {**offer, "content-length": str(len(MATH))})
        assert call.body == routed(MATH)
        assert call.request.headers["upgrade"] == b"h2c"
        assert await call.close() is Status.OK


@run
async def test_any_number_of_forged_headers_goes_and_the_choice_stays(srd):
    forged = [(f"x-vsr-selected-f{n}", "forged") for n in range(300)]
    forged += [("x-selected-model", "forged"), ("x-selected-model", "forged twice")]
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(client="http2")
        await deliver(call, MATH, forged)
        assert not any(value.startswith(b"forged") for value in call.request.headers.values())
        assert call.request.headers.all("x-selected-model") == [b"math-expert"]
        assert not call.request.warnings
        assert await call.close() is Status.OK


FRAME = b"filler " * 60_000  # about 410 KiB, AgentGateway's largest


def memory(srd, name: str) -> int:
    """A figure of /proc/pid/status in bytes."""
    text = Path(f"/proc/{srd.pid}/status").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


@pytest.fixture
def growth(srd):
    """Start counting: how far the process's peak memory has risen since."""
    Path(f"/proc/{srd.pid}/clear_refs").write_text("5")
    before = memory(srd, "VmRSS")
    return lambda: memory(srd, "VmHWM") - before


async def pour(call, total: int) -> str:
    """A body of at least `total` bytes; the digest of what must arrive."""
    digest = hashlib.sha256()
    await call.headers()
    first = LARGE[:-4]
    digest.update(routed(first))
    await call.frame(first)
    while call.sent_bytes < total:
        digest.update(FRAME)
        await call.frame(FRAME)
    digest.update(b'"}]}')
    await call.frame(b'"}]}', end=True)
    return digest.hexdigest()


@run
async def test_101_a_hundred_megabytes_pass_in_little_memory(srd, growth):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open()
        digest = await pour(call, 100_000_000)
        await call.reach(call.finished)
        assert call.digest.hexdigest() == digest
        assert await call.close() is Status.OK
    assert growth() < 40 << 20


@run
async def test_102_an_upstream_that_does_not_read_stops_the_upload_and_loses_nothing(srd, growth):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(DUPLEX, DUPLEX)
        call.gate.clear()
        pouring = asyncio.create_task(pour(call, 100_000_000))
        await call.reach(call.released)
        seen = -1
        while seen != call.sent_bytes:  # it stands still when nothing was sent for a while
            seen = call.sent_bytes
            await asyncio.sleep(0.5)
        assert seen < 60_000_000
        assert growth() < 40 << 20
        call.gate.set()
        digest = await pouring
        await call.reach(call.finished)
        assert call.digest.hexdigest() == digest
        assert await call.close() is Status.OK


@run
async def test_a_backend_that_does_not_read_holds_up_only_its_own_request(srd):
    """Its replies fill the gateway's slots and its stream's window; what other requests need is
    read, decided and answered on the same connection."""
    async with AgentGateway(srd.address) as gateway:
        stuck = gateway.open()
        stuck.gate.clear()
        pouring = asyncio.create_task(pour(stuck, 30_000_000))
        await stuck.reach(stuck.released, stuck.jammed)
        for number in range(20):
            call = gateway.open()
            await deliver(call, chat(f"{number}: the derivative?"))
            assert b"math-expert" in call.body
            assert await call.close() is Status.OK
        assert not pouring.done()
        stuck.gate.set()
        digest = await pouring
        await stuck.reach(stuck.finished)
        assert stuck.digest.hexdigest() == digest
        assert await stuck.close() is Status.OK
