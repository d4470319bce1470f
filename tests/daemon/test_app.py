"""The daemon's life: up, reload, down."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading

import grpc
import grpc.aio
import pytest

from srd.config import ConfigErrors
from srd.wire.messages import BodyMode, Phase, ProtocolConfig
from srd.wire.peer import decode_response, encode_request

PROCESS = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
DUPLEX = ProtocolConfig(BodyMode.FULL_DUPLEX_STREAMED, BodyMode.NONE)
HEADERS = [
    (":method", b"POST"),
    (":path", b"/v1/chat/completions"),
    ("content-type", b"application/json"),
]
BODY = b'{"model":"auto","messages":[{"role":"user","content":"the derivative?"}]}'


class Routed:
    """One request on a channel, held open between its headers and its body."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stream = channel.stream_stream(PROCESS)()

    async def begin(self) -> None:
        message = encode_request(Phase.REQUEST_HEADERS, headers=HEADERS, protocol_config=DUPLEX)
        await self._stream.write(message)

    async def finish(self) -> bytes:
        """Send the body; the body that would reach the upstream."""
        await self._stream.write(encode_request(Phase.REQUEST_BODY, body=BODY, end_of_stream=True))
        assert decode_response(await self._stream.read()).kind == "request_headers"
        body = b""
        while True:
            reply = decode_response(await self._stream.read())
            body += reply.body or b""
            if reply.end_of_stream:
                break
        await self._stream.done_writing()
        assert await self._stream.code() is grpc.StatusCode.OK
        return body


async def route(running) -> bytes:
    async with grpc.aio.insecure_channel(running.daemon.server.addresses[0]) as channel:
        request = Routed(channel)
        await request.begin()
        return await request.finish()


def renamed(config, name: str) -> str:
    return config.read_text().replace("math-expert", name)


def test_ready_is_503_with_a_reason_while_the_classifier_loads(run_async, start_daemon, config):
    loading, may_go_on = threading.Event(), threading.Event()

    def slow(document):
        loading.set()
        may_go_on.wait(10)

    async def test():
        async with start_daemon(config, open_classifier=slow, wait=False) as running:
            await asyncio.to_thread(loading.wait, 10)
            status, said = await running.get("/ready")
            assert (status, said["status"]) == (503, "starting")
            assert "classifier" in said["reason"]
            assert (await running.get("/health"))[0] == 200
            assert (await running.post("/api/v1/eval", {"text": "x"}))[0] == 503
            may_go_on.set()
            await running.until(lambda: running.daemon.state == "ready")
            assert (await running.get("/ready"))[0] == 200

    run_async(test())


def test_092_sigterm_lets_requests_in_flight_finish_and_says_not_ready(
    run_async, start_daemon, config
):
    async def test():
        async with start_daemon(config) as running:
            address = running.daemon.server.addresses[0]
            async with grpc.aio.insecure_channel(address) as channel:
                requests = [Routed(channel) for _ in range(20)]
                for request in requests:
                    await request.begin()
                await running.until(lambda: running.daemon.service.open_streams == 20)
                os.kill(os.getpid(), signal.SIGTERM)
                await running.until(lambda: running.daemon.state == "draining")
                assert (await running.get("/ready"))[0] == 503
                for request in requests:
                    assert b"math-expert" in await request.finish()
            assert await running.task == 0

    run_async(test())


def test_the_grace_ends_what_does_not_finish(run_async, start_daemon, config):
    async def test():
        async with start_daemon(config, grace=0.1) as running:
            address = running.daemon.server.addresses[0]
            async with grpc.aio.insecure_channel(address) as channel:
                request = Routed(channel)
                await request.begin()
                await running.until(lambda: running.daemon.service.open_streams == 1)
                os.kill(os.getpid(), signal.SIGTERM)
                assert await running.task == 0
                # A write behind the end of the call is InvalidStateError to grpc.aio.
                with pytest.raises((grpc.aio.AioRpcError, asyncio.InvalidStateError)):
                    await request.finish()

    run_async(test())


def test_a_second_signal_ends_at_once(run_async, start_daemon, config):
    async def test():
        async with start_daemon(config, grace=3600.0) as running:
            address = running.daemon.server.addresses[0]
            async with grpc.aio.insecure_channel(address) as channel:
                await Routed(channel).begin()
                await running.until(lambda: running.daemon.service.open_streams == 1)
                for _ in range(2):
                    os.kill(os.getpid(), signal.SIGINT)
                    await running.until(lambda: running.daemon.state == "draining")
                assert await running.task == 0

    run_async(test())


def test_sighup_reloads_and_the_hash_and_the_routing_follow(run_async, start_daemon, config):
    async def test():
        async with start_daemon(config) as running:
            before = (await running.get("/config/hash"))[1]
            assert b"math-expert" in await route(running)
            config.write_text(renamed(config, "number-expert"))
            os.kill(os.getpid(), signal.SIGHUP)
            await running.until(lambda: running.daemon.reloads["ok"] == 1)
            after = (await running.get("/config/hash"))[1]
            assert after["hash"] != before["hash"]
            assert after["generation"] == before["generation"] + 1
            assert b"number-expert" in await route(running)

    run_async(test())


@pytest.mark.parametrize(
    "bad", ["version: [", "version: v0.3\nrouting: {decisions: 7}\n", ""], ids=["yaml", "shape", ""]
)
def test_a_bad_file_keeps_the_old_configuration_and_says_why(
    run_async, start_daemon, config, caplog, bad
):
    async def test():
        async with start_daemon(config) as running:
            before = (await running.get("/config/hash"))[1]
            config.write_text(bad)
            with caplog.at_level(logging.ERROR, "srd"):
                os.kill(os.getpid(), signal.SIGHUP)
                await running.until(lambda: running.daemon.reloads["failed"] == 1)
            assert any("config_reload_failed: " in line for line in caplog.messages)
            assert (await running.get("/config/hash"))[1] == before
            assert b"math-expert" in await route(running)
            assert (await running.get("/ready"))[0] == 200

    run_async(test())


def test_a_request_in_flight_keeps_the_configuration_that_it_began_with(
    run_async, start_daemon, config
):
    async def test():
        async with start_daemon(config) as running:
            address = running.daemon.server.addresses[0]
            async with grpc.aio.insecure_channel(address) as channel:
                request = Routed(channel)
                await request.begin()
                await running.until(lambda: running.daemon.service.open_streams == 1)
                config.write_text(renamed(config, "number-expert"))
                assert await running.daemon.reload("test")
                assert b"math-expert" in await request.finish()
            assert b"number-expert" in await route(running)

    run_async(test())


def test_a_file_written_in_place_is_noticed(run_async, start_daemon, config):
    async def test():
        async with start_daemon(config, watch=True) as running:
            config.write_text(renamed(config, "number-expert"))
            await running.until(lambda: running.daemon.reloads["ok"] == 1)
            assert b"number-expert" in await route(running)

    run_async(test())


def test_the_symlink_swap_of_a_kubernetes_volume_is_noticed(run_async, start_daemon, config):
    volume = config.parent / "volume"
    for number, name in enumerate(("math-expert", "number-expert")):
        folder = volume / f"..{number}"
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(renamed(config, name))
    (volume / "..data").symlink_to("..0")
    (volume / "config.yaml").symlink_to("..data/config.yaml")

    async def test():
        async with start_daemon(volume / "config.yaml", watch=True) as running:
            assert b"math-expert" in await route(running)
            (volume / "..new").symlink_to("..1")
            (volume / "..new").replace(volume / "..data")
            await running.until(lambda: running.daemon.reloads["ok"] == 1)
            assert b"number-expert" in await route(running)

    run_async(test())


def test_a_bad_file_at_start_is_an_error_and_not_a_daemon(run_async, start_daemon, config):
    config.write_text("version: v0.3\nrouting: 7\n")

    async def test():
        with pytest.raises(ConfigErrors):
            async with start_daemon(config, wait=False) as running:
                await running.task

    run_async(test())


def test_too_many_streams_are_turned_away_with_503(run_async, start_daemon, config):
    limited = config.read_text() + "global: {router: {limits: {max_streams: 2}}}\n"
    config.write_text(limited)

    async def test():
        async with start_daemon(config) as running:
            address = running.daemon.server.addresses[0]
            async with grpc.aio.insecure_channel(address) as channel:
                requests = [Routed(channel) for _ in range(2)]
                for request in requests:
                    await request.begin()
                await running.until(lambda: running.daemon.service.open_streams == 2)
                stream = channel.stream_stream(PROCESS)()
                await stream.write(
                    encode_request(Phase.REQUEST_HEADERS, headers=HEADERS, protocol_config=DUPLEX)
                )
                reply = decode_response(await stream.read())
                assert (reply.kind, reply.status) == ("immediate", 503)
                assert reply.header("retry-after") == b"1"
                await stream.done_writing()
                for request in requests:
                    assert b"math-expert" in await request.finish()

    run_async(test())
