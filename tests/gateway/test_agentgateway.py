"""The scenarios of the protocol reference against an emulated AgentGateway, over real gRPC."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import grpc
import pytest
from agentgateway import BUFFERED, DUPLEX, NONE, AgentGateway, run


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
    if call.mode is BUFFERED:
        await call.whole(body)
    else:
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
            assert await call.close() is grpc.StatusCode.OK
            assert call.size == 0


@MODES
@pytest.mark.parametrize("body", [MATH, LARGE, NAMED], ids=["small", "large", "named"])
@run
async def test_003_013_026_027_the_body_arrives_with_its_model_named(srd, mode, body):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(mode)
        await deliver(call, body)
        assert await call.close() is grpc.StatusCode.OK
    assert call.body == routed(body)
    if body is not NAMED:
        assert call.headers_seen["x-selected-model"] == b"math-expert"
    if mode is BUFFERED:
        assert int(call.headers_seen["content-length"]) == len(call.body)


@run
async def test_004_the_end_may_come_in_a_frame_of_its_own(srd):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open()
        await call.headers()
        await call.frame(MATH)
        await call.frame(end=True)
        await call.reach(call.finished)
        assert await call.close() is grpc.StatusCode.OK
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
        assert call.headers_seen["x-selected-model"] == b"math-expert"
        await call.frame(LARGE[3000:], end=True)
        await call.reach(call.finished)
        assert await call.close() is grpc.StatusCode.OK
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
        assert await call.close() is grpc.StatusCode.OK
    assert call.body == routed(body)


@run
async def test_045_forged_decision_headers_do_not_pass(srd):
    async with AgentGateway(srd.address) as gateway:
        for path in ("/v1/chat/completions", "/v1/files"):
            call = gateway.open()
            await deliver(call, MATH, {"x-selected-model": "forged"}, path=path)
            assert b"forged" not in call.headers_seen.values()


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
        assert await call.close() is grpc.StatusCode.OK


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
        assert await call.close() is grpc.StatusCode.OK


SSE = [b"data: {}\n\n", b'data: {"usage"', b": null}\n\n", b"data: [DONE]\n\n"]


@run
async def test_080_084_a_streamed_answer_passes_frame_by_frame(srd):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(DUPLEX, DUPLEX)
        await deliver(call, MATH)
        await call.respond(content_type="text/event-stream")
        assert (await call.answer()).kind == "response_headers"
        for piece in SSE:
            await call.respond_frame(piece)
            reply = await call.answer()  # before the next one is sent
            assert (reply.body, reply.streamed, reply.end_of_stream) == (piece, True, False)
        # The half-close may overtake the last answer.
        await call.respond_frame(end=True)
        await call.half_close()
        assert (await call.answer()).end_of_stream


@run
async def test_081_a_response_without_a_body(srd):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(DUPLEX, DUPLEX)
        await deliver(call, MATH)
        await call.respond(204, end=True)
        assert (await call.answer()).kind == "response_headers"
        assert await call.close() is grpc.StatusCode.OK


@run
async def test_082_response_trailers(srd):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(DUPLEX, DUPLEX)
        await deliver(call, MATH)
        await call.respond()
        await call.answer()
        await call.respond_frame(b"{}")
        assert (await call.answer()).body == b"{}"
        await call.respond_trailers()
        assert (await call.answer()).kind == "response_trailers"
        assert await call.close() is grpc.StatusCode.OK


@run
async def test_083_an_upstream_that_answers_early_is_heard(srd):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(DUPLEX, DUPLEX)
        await call.headers()
        await call.frame(LARGE[:3000])
        await call.reach(call.released)
        await call.respond(401)
        assert (await call.answer()).kind == "response_headers"
        await call.respond_frame(b"{}", end=True)
        assert (await call.answer()).end_of_stream
        assert await call.close() is grpc.StatusCode.OK


@run
async def test_079_086_the_seeds_policy_never_collects_a_streamed_answer(srd):
    """Buffered both ways with allowModeOverride; Streamed does not exist on this gateway."""
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(BUFFERED, BUFFERED)
        await deliver(call, MATH)
        await call.respond(content_type="text/event-stream")
        override = (await call.answer()).mode_override
        assert override is not None
        assert override[3] in (NONE, DUPLEX)
        assert 0 not in (*override[:2], *override[4:])
        assert await call.close() is grpc.StatusCode.OK


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


@pytest.mark.parametrize("last", range(len(STEPS)), ids=STEPS)
@run
async def test_090_a_reset_at_every_state(srd, state, last):
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open(DUPLEX, DUPLEX)
        steps = [
            lambda: call.headers(),
            lambda: call.frame(LARGE[:300]),
            lambda: call.frame(LARGE[300:4000]),
            lambda: call.frame(LARGE[4000:], end=True),
            lambda: call.respond(),
            lambda: call.respond_frame(b"{}"),
        ]
        for step in steps[:last]:
            await step()
        if last >= 3:
            await call.reach(call.released)
        if last >= 1:
            await opened(srd, state, 1)
        call.drop()
    # The fixture waits for the end of the stream and looks for tracebacks.


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
        assert await call.close() is grpc.StatusCode.OK
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
        assert await call.close() is grpc.StatusCode.OK
