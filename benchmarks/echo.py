"""What the transport costs: srd's server against grpc.aio, both echoing ExtProc streams.

Why this file exists: the targets for pass-through say "at least as good per core as grpc.aio with
protobuf". Two loads: bodies in 64 KiB messages, and small exchanges of four messages. Server
CPU is what counts (the time that all threads of the server's process ran), because client and
server share this machine's cores; wall time is shown beside it. Rounds are interleaved, the server
of a round is fresh.

    python benchmarks/echo.py [--rounds 5] [--uvloop] [--plain]

`--plain` adds srd without its short cuts past h2. About a minute with the defaults.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from srd.daemon.server import PROCESS, ExtProcServer, ServerOptions
from srd.wire import codec, peer
from srd.wire.codec import Phase

CHUNK = 65_536
CHUNKS = 1600  # 100 MiB a round
EXCHANGES = 2500
CONCURRENCY = 32
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]

# Servers


async def srd_echo(stream: Any) -> None:
    """Every message answered in kind: headers go on, a body comes back in one piece."""
    while (data := await stream.recv()) is not None:
        request = codec.decode_request(data)
        direction = "request" if request.phase in (2, 4) else "response"
        if request.phase in (Phase.REQUEST_BODY, Phase.RESPONSE_BODY):
            await stream.send(
                codec.encode_streamed_body(direction, request.body, request.end_of_stream)
            )
        else:
            await stream.send(codec.CONTINUE_HEADERS[direction])


async def serve_srd(shortcuts: bool) -> None:
    server = ExtProcServer(srd_echo, ServerOptions(listen="127.0.0.1:0", shortcuts=shortcuts))
    await server.start()
    print(server.addresses[0], flush=True)
    await asyncio.Event().wait()


async def serve_grpc_aio() -> None:
    """grpc.aio with Google's protobuf (upb), on our schema."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    pool = descriptor_pool.DescriptorPool()
    root = Path(codec.__file__).parent
    files = descriptor_pb2.FileDescriptorSet.FromString(
        (root / "_pb" / "descriptors.binpb").read_bytes()
    )
    for file in files.file:
        pool.Add(file)
    package = "envoy.service.ext_proc.v3."
    request_type, reply_type = (
        message_factory.GetMessageClass(pool.FindMessageTypeByName(package + name))
        for name in ("ProcessingRequest", "ProcessingResponse")
    )

    async def process(requests: Any, _: Any) -> Any:
        async for request in requests:
            kind = request.WhichOneof("request")
            reply = reply_type()
            if kind.endswith("body"):
                body = getattr(request, kind)
                streamed = getattr(reply, kind).response.body_mutation.streamed_response
                streamed.body, streamed.end_of_stream = body.body, body.end_of_stream
            else:
                getattr(reply, kind).response.SetInParent()
            yield reply

    service, _, method = PROCESS[1:].rpartition("/")
    handler = grpc.stream_stream_rpc_method_handler(
        process, request_type.FromString, reply_type.SerializeToString
    )
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service, {method: handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


def serve(kind: str, uvloop: bool) -> None:
    server = serve_grpc_aio() if kind == "grpc.aio" else serve_srd(kind != "srd plain")
    if uvloop:
        import uvloop as loops

        loops.run(server)
    else:
        asyncio.run(server)


# Loads


async def exchange(channel: grpc.aio.Channel, messages: list[bytes], replies: int) -> None:
    """One stream, one message at a time, as a gateway does with small requests."""
    call = channel.stream_stream(PROCESS)()
    for message in messages:
        await call.write(message)
        reply = peer.decode_response(await call.read())
        replies -= 1
        assert reply.kind != "none"
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert replies == 0


async def small_exchanges(channel: grpc.aio.Channel) -> int:
    headers = [
        (":authority", b"llm.example.com"),
        (":path", b"/v1/chat/completions"),
        (":method", b"POST"),
        (":scheme", b"http"),
        ("content-type", b"application/json"),
        ("content-length", b"1000"),
        ("user-agent", b"openai-python/1.2"),
        ("accept", b"application/json"),
        ("authorization", b"Bearer " + b"k" * 40),
        ("x-request-id", b"4f0d8f3e-5a8c-4b0a-8c1e-0d4fd5bb1c1e"),
        ("x-forwarded-for", b"10.1.2.3"),
        ("x-forwarded-proto", b"http"),
    ]
    config = codec.ProtocolConfig(4, 4)
    body = b"b" * 1000
    messages = [
        peer.encode_request(Phase.REQUEST_HEADERS, headers=headers, protocol_config=config),
        peer.encode_request(Phase.REQUEST_BODY, body=body, end_of_stream=True),
        peer.encode_request(Phase.RESPONSE_HEADERS, headers=[(":status", b"200")]),
        peer.encode_request(Phase.RESPONSE_BODY, body=body, end_of_stream=True),
    ]
    left = iter(range(EXCHANGES))

    async def worker() -> None:
        for _ in left:
            await exchange(channel, messages, len(messages))

    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return EXCHANGES


async def large_chunks(channel: grpc.aio.Channel) -> int:
    """One stream of 64 KiB body messages; reading and writing are independent, as in a gateway."""
    call = channel.stream_stream(PROCESS)()
    message = peer.encode_request(Phase.REQUEST_BODY, body=b"c" * CHUNK)

    async def write() -> None:
        for _ in range(CHUNKS):
            await call.write(message)
        await call.done_writing()

    writer = asyncio.create_task(write())
    echoed = 0
    while (reply := await call.read()) is not grpc.aio.EOF:
        echoed += len(reply) >= CHUNK
    await writer
    assert echoed == CHUNKS
    return CHUNKS * CHUNK >> 20


# Rounds


@dataclass(frozen=True)
class Sample:
    units: int
    cpu_s: float
    wall_s: float


def cpu_of(pid: int) -> float:
    """Seconds that all threads of the process have run; nanoseconds behind the point."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


async def measure(address: str, pid: int, load: Any) -> Sample:
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        await channel.channel_ready()
        cpu, wall = cpu_of(pid), time.perf_counter()
        units = await load(channel)
        return Sample(units, cpu_of(pid) - cpu, time.perf_counter() - wall)


def one_round(kind: str, uvloop: bool) -> dict[str, Sample]:
    command = [sys.executable, __file__, "--serve", kind, *(["--uvloop"] if uvloop else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        try:
            return {
                name: asyncio.run(measure(address, process.pid, load))
                for name, load in (("chunks", large_chunks), ("exchanges", small_exchanges))
            }
        finally:
            process.kill()


def summary(samples: list[Sample]) -> tuple[float, float, float, float]:
    """Units per CPU second (median, worst, best) and per wall second (median)."""
    per_cpu = sorted(sample.units / sample.cpu_s for sample in samples)
    wall = statistics.median(sample.units / sample.wall_s for sample in samples)
    return statistics.median(per_cpu), per_cpu[0], per_cpu[-1], wall


def report(results: dict[str, list[dict[str, Sample]]]) -> None:
    units = {"chunks": "MiB of 64 KiB messages", "exchanges": "exchanges of 4 messages"}
    for load, unit in units.items():
        print(f"\n{unit}, echoed")
        print(f"{'server':<12} {'per CPU s (worst..best)':>30} {'per wall s':>12} {'ratio':>7}")
        base = summary([r[load] for r in results["grpc.aio"]])[0]
        for kind, rounds in results.items():
            median, worst, best, wall = summary([r[load] for r in rounds])
            spread = f"{median:.0f} ({worst:.0f}..{best:.0f})"
            print(f"{kind:<12} {spread:>30} {wall:>12.0f} {median / base:>7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--uvloop", action="store_true", help="srd's servers on uvloop")
    parser.add_argument("--plain", action="store_true", help="also srd without short cuts")
    parser.add_argument("--json", type=Path, help="write all samples here")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.uvloop)
        return
    kinds = ["srd", "grpc.aio", *(["srd plain"] if options.plain else [])]
    results: dict[str, list[dict[str, Sample]]] = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for kind in kinds:
            results[kind].append(one_round(kind, options.uvloop and kind != "grpc.aio"))
    report(results)
    if options.json:
        options.json.write_text(
            json.dumps(
                {k: [{n: vars(s) for n, s in r.items()} for r in rs] for k, rs in results.items()}
            )
        )


if __name__ == "__main__":
    main()
