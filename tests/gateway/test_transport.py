"""Scenarios of the protocol that are about gRPC itself."""

from __future__ import annotations

import asyncio
import json

import grpc
import grpc.aio
import pytest
from agentgateway import PROCESS, AgentGateway, run

from srd.wire.messages import BodyMode, Phase, ProtocolConfig
from srd.wire.peer import decode_response, encode_request

BODY = json.dumps(
    {"model": "auto", "messages": [{"role": "user", "content": "the derivative?"}]}
).encode()
HEADERS = encode_request(
    Phase.REQUEST_HEADERS,
    headers=[
        (":method", b"POST"),
        (":path", b"/v1/chat/completions"),
        ("content-type", b"application/json"),
    ],
    protocol_config=ProtocolConfig(BodyMode.FULL_DUPLEX_STREAMED, BodyMode.NONE),
)


@run
async def test_098_compressed_messages_are_accepted(srd):
    async with grpc.aio.insecure_channel(srd.address, compression=grpc.Compression.Gzip) as channel:
        stream = channel.stream_stream(PROCESS)()
        await stream.write(HEADERS)
        await stream.write(encode_request(Phase.REQUEST_BODY, body=BODY, end_of_stream=True))
        reply = decode_response(await stream.read())
        assert reply.header("x-selected-model") == b"math-expert"
        await stream.done_writing()


@pytest.mark.parametrize(
    "method", ["/envoy.service.ext_proc.v3.ExternalProcessor/Other", "/other.Service/Process"]
)
@run
async def test_099_other_methods_are_unimplemented(srd, method):
    async with grpc.aio.insecure_channel(srd.address) as channel:
        stream = channel.stream_stream(method)()
        assert await stream.code() is grpc.StatusCode.UNIMPLEMENTED


@run
async def test_099_health_is_serving(srd):
    async with grpc.aio.insecure_channel(srd.address) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert await check(b"") == b"\x08\x01"


@run
async def test_100_initial_metadata_comes_before_any_message(srd):
    async with grpc.aio.insecure_channel(srd.address) as channel:
        stream = channel.stream_stream(PROCESS)()
        assert await asyncio.wait_for(stream.initial_metadata(), 10) is not None
        await stream.done_writing()
        assert await stream.code() is grpc.StatusCode.OK


@run
async def test_095_a_message_that_cannot_be_decoded_fails_alone(srd):
    async with grpc.aio.insecure_channel(srd.address) as channel:
        stream = channel.stream_stream(PROCESS)()
        await stream.write(b"\x12\xff\xff\xff\xff\x0f")
        assert await stream.code() is grpc.StatusCode.INVALID_ARGUMENT
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open()
        await call.headers()
        await call.frame(BODY, end=True)
        await call.reach(call.finished)
        assert b"math-expert" in call.body


@run
async def test_103_many_tiny_frames_come_out_whole(srd):
    text = b"the derivative " + b"z" * 20_000
    body = BODY.replace(b"the derivative", text)
    async with AgentGateway(srd.address) as gateway:
        call = gateway.open()
        await call.headers()
        for at in range(0, len(body), 4):
            await call.frame(body[at : at + 4])
        await call.frame(end=True)
        await call.reach(call.finished)
    assert call.body == body.replace(b"auto", b"math-expert", 1)
