"""The server as its peers see it: real sockets on loopback, grpcio and a bare h2 client."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import shutil
import socket
import ssl
import struct
import subprocess
from typing import TYPE_CHECKING, Any

import grpc
import h2.config
import h2.connection
import h2.events
import pytest

from srd.daemon.grpc_stream import StreamClosedError
from srd.daemon.server import PROCESS, ExtProcServer, ServerOptions, split_address
from srd.wire._pb.grpc.health.v1 import (
    HealthCheckRequest,
    HealthCheckResponse,
    HealthCheckResponseServingStatus,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path

    from srd.daemon.grpc_stream import ProcessStream

SECONDS = 10  # no test waits this long unless it is about to fail

HEALTH = "/grpc.health.v1.Health/"


def run(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test to its end, failing it rather than hanging."""

    @functools.wraps(test)
    def runner(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), SECONDS))

    return runner


async def echo(stream: ProcessStream) -> None:
    while (message := await stream.recv()) is not None:
        await stream.send(message)


_shortcuts = True


@pytest.fixture(autouse=True, params=[True, False], ids=["shortcuts", "plain"])
def _both_ways(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test runs with the short cuts past h2 and without them."""
    global _shortcuts
    _shortcuts = request.param
    yield
    _shortcuts = True


@contextlib.asynccontextmanager
async def serving(
    handler: Callable[[ProcessStream], Coroutine[Any, Any, None]] = echo, **options: Any
) -> AsyncIterator[ExtProcServer]:
    server = ExtProcServer(
        handler, ServerOptions(**({"listen": "127.0.0.1:0", "shortcuts": _shortcuts} | options))
    )
    await server.start()
    try:
        yield server
    finally:
        await server.close()


@contextlib.asynccontextmanager
async def channel_to(server: ExtProcServer, **options: Any) -> AsyncIterator[grpc.aio.Channel]:
    pairs = [("grpc.max_receive_message_length", -1), *options.items()]
    async with grpc.aio.insecure_channel(server.addresses[0], options=pairs) as channel:
        yield channel


class H2Client:
    """A client with its hands on the frames: it acknowledges nothing that it is not told to."""

    def __init__(self, server: ExtProcServer) -> None:
        self._address = split_address(server.addresses[0])
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.events: list[h2.events.Event] = []
        self.goaways: list[int] = []
        self._unsplit = b""

    async def __aenter__(self) -> H2Client:
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        self.h2.initiate_connection()
        self.flush()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    def flush(self) -> None:
        self._writer.write(self.h2.data_to_send())

    def open(self, path: str = PROCESS, **headers: str) -> int:
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(
            stream_id,
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", path),
                (":authority", "srd"),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
                *((name.replace("_", "-"), value) for name, value in headers.items()),
            ],
        )
        self.flush()
        return stream_id

    def send(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        self.h2.send_data(stream_id, data, end_stream=end)
        self.flush()

    async def until(self, wanted: Callable[[h2.events.Event], bool]) -> h2.events.Event:
        """The first event, seen or still to come, that is wanted."""
        while True:
            for event in self.events:
                if wanted(event):
                    return event
            await self._read()

    async def _read(self) -> None:
        """Split what arrives into frames: GOAWAY is noted and kept from h2, which would stop."""
        data = await self._reader.read(65536)
        if not data:
            raise EOFError(f"connection closed after {self.events}")
        self._unsplit += data
        while len(self._unsplit) >= 9:
            end = 9 + int.from_bytes(self._unsplit[:3], "big")
            frame, rest = self._unsplit[:end], self._unsplit[end:]
            if len(frame) < end:
                break
            self._unsplit = rest
            if frame[3] == 7:
                self.goaways.append(int.from_bytes(frame[9:13], "big"))
            else:
                self.events += self.h2.receive_data(frame)
        self.flush()

    async def until_goaways(self, count: int) -> list[int]:
        """The last-stream numbers of the first `count` GOAWAY frames."""
        while len(self.goaways) < count:
            await self._read()
        return self.goaways

    async def status_of(self, stream_id: int) -> tuple[str, str]:
        """grpc-status and grpc-message of the stream, from trailers or from its only headers."""

        def ends(event: h2.events.Event) -> bool:
            kinds = (h2.events.ResponseReceived, h2.events.TrailersReceived)
            return (
                isinstance(event, kinds)
                and event.stream_id == stream_id
                and "grpc-status" in dict(event.headers)
            )

        headers = dict((await self.until(ends)).headers)
        return headers["grpc-status"], headers.get("grpc-message", "")


def prefixed(message: bytes, *, compressed: bool = False) -> bytes:
    return struct.pack("!BI", compressed, len(message)) + message


# Messages


@run
async def test_messages_of_any_size_come_back_whole_and_in_order() -> None:
    async with serving() as server, channel_to(server) as channel:
        call = channel.stream_stream(PROCESS)()
        for size in (0, 1, 16_379, 16_384, 70_000, 3_000_000):
            message = (b"%07d" % size) * (size // 7) + b"." * (size % 7)
            await call.write(message)
            assert await call.read() == message
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


@run
async def test_many_streams_on_one_connection_do_not_mix() -> None:
    async with serving() as server, channel_to(server) as channel:

        async def talk(number: int) -> None:
            call = channel.stream_stream(PROCESS)()
            for turn in range(4):
                message = b"%d/%d;" % (number, turn) * 2000
                await call.write(message)
                assert await call.read() == message
            await call.done_writing()
            assert await call.code() is grpc.StatusCode.OK

        await asyncio.gather(*(talk(number) for number in range(50)))


@run
async def test_a_compressed_message_is_accepted() -> None:
    async with serving() as server, channel_to(server) as channel:
        call = channel.stream_stream(PROCESS)(compression=grpc.Compression.Gzip)
        await call.write(b"x" * 100_000)
        assert await call.read() == b"x" * 100_000
        call.cancel()


@run
async def test_a_message_over_the_limit_ends_its_stream_and_nothing_else() -> None:
    async with (
        serving(max_message_bytes=1000) as server,
        channel_to(server) as channel,
    ):
        neighbour = channel.stream_stream(PROCESS)()
        await neighbour.write(b"a" * 1000)
        assert await neighbour.read() == b"a" * 1000
        call = channel.stream_stream(PROCESS)()
        await call.write(b"b" * 1001)
        assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "1001" in await call.details()
        await neighbour.write(b"c")
        assert await neighbour.read() == b"c"
        neighbour.cancel()


@run
async def test_a_huge_announced_length_is_refused_from_its_prefix_alone() -> None:
    async with serving() as server, H2Client(server) as client:
        stream = client.open()
        client.send(stream, struct.pack("!BI", 0, 2**32 - 1))
        assert (await client.status_of(stream))[0] == "8"
        # Data that was under way when the refusal was sent is no error of the connection.
        other = client.open()
        client.send(other, prefixed(b"hello"), end=True)
        assert (await client.status_of(other))[0] == "0"


@run
async def test_a_stream_cut_within_a_message_fails_alone() -> None:
    async with serving() as server, H2Client(server) as client:
        stream = client.open()
        client.send(stream, prefixed(b"hello")[:-1], end=True)
        assert await client.status_of(stream) == ("13", "the stream ended within a message")


# Streams and windows


@run
async def test_initial_metadata_is_sent_before_anything_was_received() -> None:
    async with serving() as server, channel_to(server) as channel:
        call = channel.stream_stream(PROCESS)()
        await call.initial_metadata()
        call.cancel()


@run
async def test_one_unread_stream_never_starves_another_on_the_same_connection() -> None:
    stuck = asyncio.Event()

    async def read_only_the_lively(stream: ProcessStream) -> None:
        if stream.metadata["kind"] == "stuck":
            stuck.set()
            await asyncio.Event().wait()
        await echo(stream)

    async with serving(read_only_the_lively) as server, H2Client(server) as client:
        unread = client.open(kind="stuck")
        await stuck.wait()
        # Fill the stream's window to the last byte, waiting for the settings that open it.
        await client.until(lambda event: isinstance(event, h2.events.RemoteSettingsChanged))
        await client.until(lambda event: isinstance(event, h2.events.WindowUpdated))
        while window := client.h2.local_flow_control_window(unread):
            client.send(unread, bytes(min(window, 16_384)))
        lively = client.open(kind="lively")
        for turn in range(3):
            client.send(lively, prefixed(b"%d" % turn))
            await client.until(
                lambda event, turn=turn: (
                    isinstance(event, h2.events.DataReceived)
                    and event.stream_id == lively
                    and event.data == prefixed(b"%d" % turn)
                )
            )
        assert client.h2.local_flow_control_window(unread) == 0, "unread bytes were acknowledged"


@run
async def test_all_streams_but_one_may_be_unread_and_that_one_is_still_served() -> None:
    async def read_only_the_lively(stream: ProcessStream) -> None:
        if stream.metadata["kind"] == "stuck":
            await asyncio.Event().wait()
        await echo(stream)

    options = {"stream_window": 70_000, "max_concurrent_streams": 20}
    async with serving(read_only_the_lively, **options) as server, H2Client(server) as client:
        await client.until(lambda event: isinstance(event, h2.events.WindowUpdated))
        for _ in range(19):
            unread = client.open(kind="stuck")
            while window := client.h2.local_flow_control_window(unread):
                client.send(unread, bytes(min(window, 16_384)))
        lively = client.open(kind="lively")
        client.send(lively, prefixed(b"x"), end=True)
        assert (await client.status_of(lively))[0] == "0"


@run
async def test_a_message_larger_than_the_stream_window_is_received() -> None:
    async with serving(stream_window=65_535) as server, channel_to(server) as channel:
        call = channel.stream_stream(PROCESS)()
        await call.write(b"m" * 1_000_000)
        assert await call.read() == b"m" * 1_000_000
        call.cancel()


@run
async def test_a_sender_waits_for_a_peer_that_does_not_read() -> None:
    sent = 0

    async def flood(stream: ProcessStream) -> None:
        nonlocal sent
        await stream.recv()
        while True:
            await stream.send(bytes(10_000))
            sent += 1

    async with serving(flood) as server, H2Client(server) as client:
        stream = client.open()
        client.send(stream, prefixed(b"go"))

        def window_is_used_up(_: h2.events.Event) -> bool:
            received = [e.data for e in client.events if isinstance(e, h2.events.DataReceived)]
            return sum(map(len, received)) == 65_535

        await client.until(window_is_used_up)
        check = client.open(HEALTH + "Check")  # answered without a byte of DATA: NOT_FOUND
        client.send(check, prefixed(_asked("no such service")), end=True)
        assert (await client.status_of(check))[0] == "5"
        assert sent == 6


@run
async def test_a_reset_by_the_peer_cancels_the_handler_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    ends: asyncio.Queue[str] = asyncio.Queue()

    async def wait_for_ever(stream: ProcessStream) -> None:
        try:
            await stream.recv()
        except asyncio.CancelledError:
            ends.put_nowait("cancelled")
            raise
        finally:
            ends.put_nowait("cleaned up")

    async with serving(wait_for_ever) as server, H2Client(server) as client:
        stream = client.open()
        await client.until(lambda event: isinstance(event, h2.events.ResponseReceived))
        assert server.live_streams == 1
        client.h2.reset_stream(stream)
        client.flush()
        assert [await ends.get(), await ends.get()] == ["cancelled", "cleaned up"]
        other = client.open(HEALTH + "Check")
        client.send(other, prefixed(b""), end=True)
        assert (await client.status_of(other))[0] == "0"
        assert server.live_streams == 0
    assert caplog.records == []


@run
async def test_a_lost_connection_cancels_all_its_handlers_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    ended: asyncio.Queue[None] = asyncio.Queue()

    async def wait_for_ever(stream: ProcessStream) -> None:
        try:
            await echo(stream)
        finally:
            await asyncio.sleep(0)  # a clean-up that awaits is not interrupted
            ended.put_nowait(None)

    async with serving(wait_for_ever) as server:
        async with H2Client(server) as client:
            for _ in range(3):
                client.send(client.open(), prefixed(b"x"))
            await client.until(lambda event: isinstance(event, h2.events.DataReceived))
            assert "1 connections, 3 streams" in repr(server)
        for _ in range(3):
            await ended.get()
        await asyncio.sleep(0)
        assert "0 connections, 0 streams" in repr(server), "nothing of it is kept"
    assert caplog.records == []


@run
async def test_sending_from_another_task_to_a_peer_that_is_gone_is_a_typed_error() -> None:
    outcome: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    async def send_until_closed(stream: ProcessStream) -> None:
        try:
            while True:
                await stream.send(bytes(50_000))
        except StreamClosedError as error:
            outcome.set_result(error)

    writers = []

    async def handler(stream: ProcessStream) -> None:
        writers.append(asyncio.create_task(send_until_closed(stream)))
        await stream.recv()

    async with serving(handler) as server, H2Client(server) as client:
        stream = client.open()
        await client.until(lambda event: isinstance(event, h2.events.DataReceived))
        client.h2.reset_stream(stream)
        client.flush()
        assert isinstance(await outcome, StreamClosedError)
        await asyncio.gather(*writers)


@run
async def test_a_handler_that_raises_ends_its_stream_with_internal_and_a_log_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(stream: ProcessStream) -> None:
        raise LookupError("a fault")

    async with serving(broken) as server, channel_to(server) as channel:
        call = channel.stream_stream(PROCESS)()
        assert await call.code() is grpc.StatusCode.INTERNAL
        assert "fault" not in await call.details(), "details of a fault are not the peer's business"
    assert [record.message.startswith("handler failed") for record in caplog.records] == [True]


@run
async def test_a_deadline_of_the_client_ends_the_handler() -> None:
    async def wait_for_ever(stream: ProcessStream) -> None:
        await asyncio.Event().wait()

    async with serving(wait_for_ever) as server, H2Client(server) as client:
        stream = client.open(grpc_timeout="20m")
        assert await client.status_of(stream) == ("4", "deadline exceeded")


@run
async def test_an_unknown_method_is_unimplemented_and_no_grpc_at_all_gets_415() -> None:
    async with serving() as server, H2Client(server) as client:
        assert (await client.status_of(client.open("/no.such.Service/Method")))[0] == "12"
        stream = client.h2.get_next_available_stream_id()
        headers = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "x")]
        client.h2.send_headers(stream, headers, end_stream=True)
        client.flush()
        answer = await client.until(
            lambda event: (
                isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream
            )
        )
        assert dict(answer.headers)[":status"] == "415"


@run
async def test_frames_of_unknown_types_and_a_polite_goaway_leave_streams_alone() -> None:
    async with serving() as server, H2Client(server) as client:
        stream = client.open()
        client.send(stream, prefixed(b"one"))
        await client.until(lambda event: isinstance(event, h2.events.DataReceived))
        client._writer.write(b"\x00\x00\x03\xee\x00\x00\x00\x00\x00abc")  # extension frame
        # GOAWAY, NO_ERROR: "I shall accept no stream of yours", which a server never opens.
        client._writer.write(b"\x00\x00\x08\x07\x00" + bytes(4) + bytes(8))
        client.send(stream, prefixed(b"two"), end=True)
        assert (await client.status_of(stream))[0] == "0"
        received = [e.data for e in client.events if isinstance(e, h2.events.DataReceived)]
        assert b"".join(received) == prefixed(b"one") + prefixed(b"two")


@run
async def test_settings_announce_windows_and_streams_of_the_options() -> None:
    async with (
        serving(stream_window=300_000, max_concurrent_streams=777) as server,
        H2Client(server) as client,
    ):
        await client.until(lambda event: isinstance(event, h2.events.RemoteSettingsChanged))
        assert client.h2.remote_settings.initial_window_size == 300_000
        assert client.h2.remote_settings.max_concurrent_streams == 777


@run
async def test_a_stream_over_the_announced_number_is_refused_and_the_others_go_on() -> None:
    async with serving(max_concurrent_streams=2) as server, H2Client(server) as client:
        streams = [client.open() for _ in range(3)]  # sent before the settings are read
        refused = await client.until(lambda event: isinstance(event, h2.events.StreamReset))
        assert (refused.stream_id, refused.error_code) == (streams[2], 7)
        for stream in streams[:2]:
            client.send(stream, b"", end=True)
            assert (await client.status_of(stream))[0] == "0"
        again = client.open()
        client.send(again, b"", end=True)
        assert (await client.status_of(again))[0] == "0"


@run
async def test_a_client_at_the_limit_may_reset_a_stream_and_open_another_at_once() -> None:
    async with serving(max_concurrent_streams=2) as server, H2Client(server) as client:
        first, second = client.open(), client.open()
        await client.until(
            lambda event: (
                isinstance(event, h2.events.ResponseReceived) and event.stream_id == second
            )
        )
        for _ in range(5):
            client.h2.reset_stream(first)
            first = client.open()  # one write: the handler has had no time to return
        client.send(first, b"", end=True)
        assert (await client.status_of(first))[0] == "0"


# Health and reflection

SERVING = HealthCheckResponseServingStatus.SERVING
NOT_SERVING = HealthCheckResponseServingStatus.NOT_SERVING


def _asked(service: str) -> bytes:
    return bytes(HealthCheckRequest(service=service))


@run
async def test_health_check_tells_ready_services_and_knows_no_others() -> None:
    async with serving() as server, channel_to(server) as channel:
        check = channel.unary_unary(HEALTH + "Check")

        async def status(service: str) -> HealthCheckResponseServingStatus:
            answer = await check(_asked(service))
            return HealthCheckResponse.parse(answer).status

        names = ("", "readiness", "envoy.service.ext_proc.v3.ExternalProcessor")
        assert [await status(name) for name in names] == [NOT_SERVING] * 3
        assert await status("liveness") is SERVING
        server.health.set_ready(True)
        assert [await status(name) for name in names] == [SERVING] * 3
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await status("other")
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


@run
async def test_health_watch_sends_the_status_now_and_at_each_change() -> None:
    async with serving() as server, channel_to(server) as channel:
        watch = channel.unary_stream(HEALTH + "Watch")(_asked("readiness"))

        async def status() -> HealthCheckResponseServingStatus:
            return HealthCheckResponse.parse(await watch.read()).status

        assert await status() is NOT_SERVING
        server.health.set_ready(True)
        assert await status() is SERVING
        server.health.set_serving("another", False)  # does not concern this watcher
        server.health.set_ready(False)
        assert await status() is NOT_SERVING
        watch.cancel()


@run
async def test_reflection_answers_grpcio_in_both_versions() -> None:
    async with serving() as server, channel_to(server) as channel:
        for version in ("v1", "v1alpha"):
            path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
            call = channel.stream_stream(path)()
            await call.write(b"\x3a\x01*")  # list_services: "*"
            assert b"envoy.service.ext_proc.v3.ExternalProcessor" in await call.read()
            symbol = b"envoy.service.ext_proc.v3.ExternalProcessor.Process"
            await call.write(b"\x22" + bytes([len(symbol)]) + symbol)
            answer = await call.read()
            assert b"extproc.proto" in answer
            assert b"google/protobuf/struct.proto" in answer, "imports come along"
            call.cancel()


# Life cycle


@run
async def test_drain_lets_live_streams_finish_and_refuses_new_ones() -> None:
    async with serving() as server, H2Client(server) as client:
        server.health.set_ready(True)
        address = split_address(server.addresses[0])
        stream = client.open()
        client.send(stream, prefixed(b"before"))
        await client.until(lambda event: isinstance(event, h2.events.DataReceived))
        draining = asyncio.create_task(server.drain(SECONDS))
        assert await client.until_goaways(2) == [2**31 - 1, stream]
        assert not server.health.statuses["readiness"]
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(address, timeout=1)
        late = client.open()  # too late, the last GOAWAY has passed it on the way
        client.send(stream, prefixed(b"after"), end=True)
        reset = await client.until(lambda event: isinstance(event, h2.events.StreamReset))
        assert (reset.stream_id, reset.error_code) == (late, 7)
        assert (await client.status_of(stream))[0] == "0"
        assert await draining == 0


@run
async def test_a_stream_opened_between_the_two_goaways_is_served() -> None:
    async with serving(drain_patience=SECONDS) as server, H2Client(server) as client:
        first = client.open()
        client.send(first, prefixed(b"1"))
        await client.until(lambda event: isinstance(event, h2.events.DataReceived))
        draining = asyncio.create_task(server.drain(SECONDS))
        second = client.open()  # sent before the first GOAWAY was read
        client.send(second, prefixed(b"2"), end=True)
        assert (await client.status_of(second))[0] == "0"
        assert await client.until_goaways(2) == [2**31 - 1, second]
        client.send(first, b"", end=True)
        assert (await client.status_of(first))[0] == "0"
        assert await draining == 0


@run
async def test_drain_gives_up_at_its_time_and_tells_how_many_streams_it_cut() -> None:
    cancelled: asyncio.Queue[None] = asyncio.Queue()

    async def never_ends(stream: ProcessStream) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.put_nowait(None)

    async with serving(never_ends) as server, channel_to(server) as channel:
        call = channel.stream_stream(PROCESS)()
        await call.initial_metadata()
        assert await server.drain(0.05) == 1
        await cancelled.get()
        assert await call.code() is grpc.StatusCode.UNAVAILABLE


@run
async def test_drain_does_not_wait_for_those_who_watch_health() -> None:
    async with serving() as server, channel_to(server) as channel:
        watch = channel.unary_stream(HEALTH + "Watch")(_asked("liveness"))
        await watch.read()
        assert await server.drain(SECONDS) == 0
        watch.cancel()


@run
async def test_a_load_of_streams_during_drain_loses_nothing() -> None:
    async with serving() as server, channel_to(server) as channel:
        answered = 0
        under_load = asyncio.Event()

        async def talk(number: int) -> None:
            nonlocal answered
            call = channel.stream_stream(PROCESS)()
            for turn in range(20):
                await call.write(b"%d.%d" % (number, turn))
                assert await call.read() == b"%d.%d" % (number, turn)
                answered += 1
                if answered == 100:
                    under_load.set()
            await call.done_writing()
            assert await call.code() is grpc.StatusCode.OK

        talks = [asyncio.create_task(talk(number)) for number in range(20)]
        await under_load.wait()
        assert server.live_streams == 20
        assert await server.drain(SECONDS) == 0
        await asyncio.gather(*talks)
        assert answered == 400


def _certificate(folder: Path) -> tuple[str, str]:
    """A key and a certificate for localhost, signed by itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    key, certificate = str(folder / "key.pem"), str(folder / "cert.pem")
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [openssl, *command.split(), "-keyout", key, "-out", certificate, *names],
        check=True,
        capture_output=True,
    )
    return key, certificate


def test_tls_is_served_and_a_plain_client_leaves_nothing_behind(tmp_path: Path) -> None:
    key, certificate = _certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    @run
    async def talk() -> None:
        async with serving(tls=context) as server:
            trusted = grpc.ssl_channel_credentials((tmp_path / "cert.pem").read_bytes())
            name = [("grpc.ssl_target_name_override", "localhost")]
            async with grpc.aio.secure_channel(server.addresses[0], trusted, name) as channel:
                call = channel.stream_stream(PROCESS)()
                await call.write(b"t" * 100_000)
                assert await call.read() == b"t" * 100_000
                call.cancel()
            reader, writer = await asyncio.open_connection(*split_address(server.addresses[0]))
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                await reader.read()
            writer.close()
            assert await server.drain(SECONDS) == 0

    talk()


@run
async def test_a_unix_socket_is_served_cleaned_up_and_replaced_when_stale(tmp_path: Path) -> None:
    path = tmp_path / "srd.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    async with serving(listen=None, unix_path=str(path)) as server:
        assert server.addresses == [f"unix:{path}"]
        async with channel_to(server) as channel:
            call = channel.stream_stream(PROCESS)()
            await call.write(b"over a path")
            assert await call.read() == b"over a path"
            call.cancel()
    assert not path.exists()


@run
async def test_a_file_that_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    server = ExtProcServer(echo, ServerOptions(unix_path=str(path)))
    with pytest.raises(OSError, match="in use"):
        await server.start()
    assert path.read_text() == "data"


@run
async def test_a_handed_over_socket_is_served() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    async with serving(listen=None, sockets=[sock]) as server, channel_to(server) as channel:
        assert server.addresses == [f"127.0.0.1:{port}"]
        call = channel.stream_stream(PROCESS)()
        await call.write(b"x")
        assert await call.read() == b"x"
        call.cancel()


@run
async def test_starting_on_a_taken_port_fails_and_leaves_nothing_behind() -> None:
    async with serving() as server:
        other = ExtProcServer(echo, ServerOptions(listen=server.addresses[0]))
        with pytest.raises(OSError, match="in use"):
            await other.start()
        assert other.addresses == []


@pytest.mark.parametrize(
    ("options", "window"),
    [
        ({}, 256 << 20),
        ({"stream_window": 1 << 20, "max_concurrent_streams": 4096}, 2**31 - 1),
        ({"stream_window": 1, "max_concurrent_streams": 1}, 65_535),
        ({"connection_window": 1 << 20}, 1 << 20),
    ],
)
def test_the_connections_window_holds_those_of_all_its_streams(
    options: dict[str, int], window: int
) -> None:
    assert ServerOptions(**options).window_of_connection() == window


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:50051", ("127.0.0.1", 50051)),
        ("[::1]:1", ("::1", 1)),
        (":50051", ("", 50051)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_an_address_is_split_into_host_and_port(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize("address", ["50051", "host", "host:", "host:http", "host:70000"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="not host:port"):
        split_address(address)
