"""The emulated AgentGateway punishes: replies that lose a request there must fail a test here."""

from __future__ import annotations

import asyncio
import contextlib

import grpc
import pytest
from agentgateway import DECODE_LIMIT, PROCESS, AgentGateway, Call, PunishedError, run

from srd.wire.primitives import delimited, number_field

HEADERS = delimited(1, delimited(1, b""))
CHUNK = delimited(3, delimited(1, delimited(3, delimited(3, delimited(1, b"data")))))
LAST = delimited(3, delimited(1, delimited(3, delimited(3, number_field(2, 1)))))
UNCHANGED = delimited(3, b"")
TRAILERS = delimited(5, b"")
REFUSAL = delimited(7, delimited(1, number_field(1, 413)) + delimited(3, b"no"))
NO_STATUS = delimited(7, delimited(3, b"no"))
NOT_UTF8 = delimited(7, delimited(1, number_field(1, 413)) + delimited(3, b"\xff"))
UNKNOWN = delimited(11, b"")
TOO_LARGE = delimited(3, delimited(1, delimited(3, delimited(1, b"x" * DECODE_LIMIT))))


@contextlib.asynccontextmanager
async def answering(*replies: bytes):
    """A processor that says `replies` to whatever comes first."""

    async def process(requests, context):
        await anext(aiter(requests))
        for reply in replies:
            yield reply
        async for _ in requests:
            pass

    server = grpc.aio.server()
    handler = grpc.stream_stream_rpc_method_handler(process)
    service, _, method = PROCESS[1:].partition("/")
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with AgentGateway(f"127.0.0.1:{port}") as gateway:
            yield gateway.open()
    finally:
        await server.stop(None)


async def through(call: Call) -> None:
    await call.headers()
    await call.frame(b"{}", end=True)
    await call.reach(call.finished)
    await call.close()


@run
async def test_a_proper_answer_passes():
    async with answering(HEADERS, CHUNK, LAST) as call:
        await through(call)
        assert call.body == b"data"


@pytest.mark.parametrize(
    "replies",
    [
        (CHUNK, HEADERS, LAST),
        (HEADERS, HEADERS, LAST),
        (HEADERS, UNCHANGED),
        (HEADERS, TRAILERS),
        (HEADERS, CHUNK, REFUSAL),
        (REFUSAL, HEADERS),
        (NO_STATUS,),
        (NOT_UTF8,),
        (HEADERS, TOO_LARGE),
        (HEADERS, LAST, UNKNOWN),
    ],
    ids=[
        "body first",
        "second header reply",
        "no streamed response",
        "trailers unasked",
        "refusal after the header reply",
        "reply after the refusal",
        "no status",
        "not UTF-8",
        "too large",
        "unknown oneof",
    ],
)
@run
async def test_what_loses_a_request_fails(replies):
    async with answering(*replies) as call:
        with pytest.raises(
            (PunishedError, AssertionError, UnicodeDecodeError, grpc.aio.AioRpcError)
        ):
            await through(call)


@run
async def test_a_chunk_after_the_end_fails():
    async with answering(HEADERS, LAST, CHUNK) as call:
        await call.headers()
        with pytest.raises(PunishedError):
            await call.reach(asyncio.Event())


@run
async def test_an_upstream_that_does_not_read_blocks_the_responses_too():
    response = delimited(2, b"")
    async with answering(HEADERS, CHUNK, CHUNK, CHUNK, response) as call:
        call.gate.clear()
        await call.headers()
        await call.reach(call.released)
        answer = asyncio.create_task(call.answer())
        await call.reach(call.jammed)
        assert not answer.done()
        call.gate.set()
        assert (await answer).kind == "response_headers"
