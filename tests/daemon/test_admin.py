"""The small HTTP server of the admin ports: what a hostile or odd client gets."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from srd.daemon.admin import MAX_BODY_BYTES, AdminServer, json_response


async def hello(call):
    return json_response({"length": len(call.body), "loopback": call.loopback})


async def broken(call):
    raise RuntimeError("injected")


ROUTES = {"GET /hello": hello, "POST /hello": hello, "GET /broken": broken}


@contextlib.asynccontextmanager
async def connected():
    server = AdminServer("127.0.0.1:0", ROUTES)
    await server.start()
    host, _, port = server.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        await server.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].split()[0])
    return int(head.split()[1]), await reader.readexactly(length)


def test_a_connection_serves_one_request_after_another(run_async):
    async def test():
        async with connected() as (reader, writer):
            for body in (b"", b"12345"):
                head = f"POST /hello HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                status, said = await answer(reader)
                assert status == 200
                assert json.loads(said) == {"length": len(body), "loopback": True}

    run_async(test())


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET /broken HTTP/1.1\r\nhost: x\r\n\r\n", 500),
        ("GET /none HTTP/1.1\r\nhost: x\r\n\r\n", 404),
        ("PUT /hello HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", 405),
        ("complete nonsense\r\n\r\n", 400),
        ("POST /hello HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", 400),
    ],
)
def test_a_request_that_cannot_be_served_gets_an_error_as_json(run_async, request_text, status):
    async def test():
        async with connected() as (reader, writer):
            writer.write(request_text.encode())
            got, said = await answer(reader)
            assert got == status
            assert json.loads(said)["error"]["message"]

    run_async(test())


def test_a_body_over_the_cap_is_refused(run_async):
    async def test():
        async with connected() as (reader, writer):
            size = MAX_BODY_BYTES + 1
            head = f"POST /hello HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n"
            writer.write(head.encode() + b"x" * size)
            assert (await answer(reader))[0] == 413

    run_async(test())


def test_closing_ends_connections_that_wait(run_async):
    async def test():
        async with connected() as (reader, writer):
            writer.write(b"GET /hel")
        assert await reader.read() == b""

    run_async(test())
