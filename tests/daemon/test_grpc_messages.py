"""Messages out of chunks: framing, limits, compression, and what is acknowledged when."""

from __future__ import annotations

import asyncio
import gzip
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import given
from hypothesis import strategies as st

from srd.daemon.grpc_messages import MessageBuffer, message_prefix

if TYPE_CHECKING:
    from collections.abc import Coroutine

LIMIT = 1000


class Given:
    """A buffer and the log of its acknowledgements."""

    def __init__(self, encoding: str = "identity") -> None:
        self.acked: list[int] = []
        self.buffer = MessageBuffer(self.acked.append, LIMIT)
        self.buffer.encoding = encoding

    def add(self, data: bytes) -> None:
        self.buffer.add(data, len(data))


def run(test: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(test, 5))


def prefixed(message: bytes, *, flag: int = 0) -> bytes:
    return bytes([flag]) + struct.pack("!I", len(message)) + message


async def read_all(buffer: MessageBuffer) -> list[bytes]:
    messages = []
    while (message := await buffer.read()) is not None:
        messages.append(message)
    return messages


async def refusal(buffer: MessageBuffer) -> Status:
    with pytest.raises(GRPCError) as refused:
        await buffer.read()
    return refused.value.status


@given(
    st.lists(st.binary(max_size=60), max_size=6),
    st.lists(st.integers(0, 300), max_size=12),
    st.booleans(),
)
def test_messages_do_not_depend_on_how_their_bytes_were_cut(
    messages: list[bytes], places: list[int], reader_waits: bool
) -> None:
    whole = b"".join(map(prefixed, messages))
    cuts = sorted(place for place in places if place < len(whole))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    async def exchange() -> list[bytes]:
        here = Given()
        reader = asyncio.create_task(read_all(here.buffer)) if reader_waits else None
        for chunk in chunks:
            here.add(chunk)
            if reader_waits:
                await asyncio.sleep(0)
        here.buffer.eof()
        received = await (reader or read_all(here.buffer))
        assert sum(here.acked) == len(whole), "every byte is acknowledged, none twice"
        assert here.buffer.unacked_size() == 0
        return received

    assert run(exchange()) == messages


def test_bytes_are_acknowledged_when_they_are_asked_for_and_not_before() -> None:
    async def exchange() -> None:
        here = Given()
        here.add(prefixed(b"one") + prefixed(b"two"))
        here.add(prefixed(b"three"))
        assert here.acked == []
        assert await here.buffer.read() == b"one"
        assert here.acked == [16 + 10]
        here.add(b"\0\0\0\0\1")
        here.add(b"x")
        assert here.acked == [26]
        assert [await here.buffer.read() for _ in range(2)] == [b"two", b"three"]
        assert sum(here.acked) == 32

    run(exchange())


def test_a_waiting_reader_acknowledges_each_chunk_as_it_comes() -> None:
    async def exchange() -> None:
        here = Given()
        reader = asyncio.create_task(here.buffer.read())
        await asyncio.sleep(0)
        whole = prefixed(b"x" * 900)
        for at in range(0, len(whole), 300):
            here.add(whole[at : at + 300])
        assert here.acked == [300, 300, 300, 5], "a message may exceed the window"
        assert await reader == b"x" * 900

    run(exchange())


def test_padding_counts_for_flow_control_and_is_no_data() -> None:
    async def exchange() -> None:
        here = Given()
        here.buffer.add(prefixed(b"ab"), 7 + 100)
        here.buffer.add(b"", 50)
        assert await here.buffer.read() == b"ab"
        assert here.acked == [157]

    run(exchange())


def test_what_was_not_read_is_given_back_once() -> None:
    here = Given()
    here.add(b"123")
    assert [here.buffer.unacked_size(), here.buffer.unacked_size()] == [3, 0]


def test_a_cancelled_reader_leaves_the_message_to_the_next_one() -> None:
    async def exchange() -> None:
        here = Given()
        reader = asyncio.create_task(here.buffer.read())
        await asyncio.sleep(0)
        here.add(prefixed(b"kept")[:6])
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        here.add(prefixed(b"kept")[6:])
        assert await here.buffer.read() == b"kept"

    run(exchange())


@pytest.mark.parametrize(("size", "fits"), [(LIMIT, True), (LIMIT + 1, False), (2**32 - 1, False)])
def test_the_limit_is_checked_at_the_prefix(size: int, fits: bool) -> None:
    async def exchange() -> None:
        here = Given()
        here.add(b"\0" + struct.pack("!I", size))
        if fits:
            here.add(b"x" * size)
            assert await here.buffer.read() == b"x" * size
        else:
            assert await refusal(here.buffer) is Status.RESOURCE_EXHAUSTED

    run(exchange())


@pytest.mark.parametrize("data", [b"\0", b"\0\0\0\0", prefixed(b"abc")[:-1]])
def test_an_end_within_a_message_is_an_error(data: bytes) -> None:
    async def exchange() -> None:
        here = Given()
        here.add(data)
        here.buffer.eof()
        assert await refusal(here.buffer) is Status.INTERNAL

    run(exchange())


@pytest.mark.parametrize(
    ("encoding", "squeeze"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_compressed_messages_are_inflated_and_plain_ones_between_them_left(
    encoding: str, squeeze: Any
) -> None:
    async def exchange() -> None:
        here = Given(encoding)
        here.add(prefixed(squeeze(b"x" * LIMIT), flag=1))
        here.add(prefixed(b"plain"))
        here.add(prefixed(squeeze(b""), flag=1))
        assert [await here.buffer.read() for _ in range(3)] == [b"x" * LIMIT, b"plain", b""]

    run(exchange())


DAMAGED = {
    "cut": gzip.compress(b"x" * 50)[:-1],
    "followed by something": gzip.compress(b"x") + b"tail",
    "no gzip at all": b"whatever",
    "empty": b"",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_compressed_message_is_an_internal_error(name: str) -> None:
    async def exchange() -> None:
        here = Given("gzip")
        here.add(prefixed(DAMAGED[name], flag=1))
        assert await refusal(here.buffer) is Status.INTERNAL

    run(exchange())


def test_a_bomb_is_stopped_at_the_limit() -> None:
    async def exchange() -> None:
        here = Given("gzip")
        bomb = gzip.compress(bytes(200_000))
        assert len(bomb) < LIMIT
        here.add(prefixed(bomb, flag=1))
        assert await refusal(here.buffer) is Status.RESOURCE_EXHAUSTED

    run(exchange())


@pytest.mark.parametrize(
    ("encoding", "status"), [("identity", Status.INTERNAL), ("snappy", Status.UNIMPLEMENTED)]
)
def test_compression_that_was_not_announced_or_is_unknown_is_refused(
    encoding: str, status: Status
) -> None:
    async def exchange() -> None:
        here = Given(encoding)
        here.add(prefixed(b"x", flag=1))
        assert await refusal(here.buffer) is status

    run(exchange())


def test_a_prefix_says_uncompressed_and_the_length() -> None:
    assert message_prefix(b"x" * 258) == b"\0\0\0\1\2"


def test_repr_tells_what_is_held() -> None:
    here = Given()
    here.add(b"123")
    assert repr(here.buffer) == "<MessageBuffer 3 bytes held, 3 unacknowledged, open>"
