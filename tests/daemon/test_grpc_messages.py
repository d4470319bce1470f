"""Messages out of chunks: framing, limits, compression, and what is credited when."""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import given
from hypothesis import strategies as st

from srd.daemon.grpc_messages import MessageBuffer, message_prefix

LIMIT = 1000


class Given:
    """A buffer, what it credited, and how often it called."""

    def __init__(self, encoding: str = "identity") -> None:
        self.credited: list[int] = []
        self.arrived: list[int] = []
        self.calls = 0
        self.buffer = MessageBuffer(self.credited.append, LIMIT)
        self.buffer.encoding = encoding
        self.buffer.on_bytes = self.arrived.append
        self.buffer.on_ready = self._called

    def _called(self) -> None:
        self.calls += 1

    def add(self, data: bytes) -> None:
        self.buffer.add(data, len(data))

    def read(self) -> bytes | None:
        """As a reader does that deals with each message at once, and else waits."""
        taken = self.buffer.take()
        if taken is None:
            self.buffer.want()
            return None
        message, credit = taken
        self.buffer.credit(credit)
        return message

    def read_all(self) -> list[bytes]:
        messages = []
        while (message := self.read()) is not None:
            messages.append(message)
        return messages


def prefixed(message: bytes, *, flag: int = 0) -> bytes:
    return bytes([flag]) + struct.pack("!I", len(message)) + message


def refusal(here: Given) -> Status:
    with pytest.raises(GRPCError) as refused:
        here.buffer.take()
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
    here, received = Given(), []
    for chunk in chunks:
        here.add(chunk)
        if reader_waits:
            received += here.read_all()
    here.buffer.eof()
    received += here.read_all()
    assert received == messages
    assert sum(here.credited) == len(whole), "every byte is credited, none twice"
    assert sum(here.arrived) == len(whole)
    assert here.buffer.finished


def test_a_message_that_waits_is_the_peers_credit_until_its_reader_gives_it_back() -> None:
    here = Given()
    here.add(prefixed(b"one") + prefixed(b"two") + prefixed(b"three")[:6])
    assert here.buffer.take() == (b"one", 8)
    assert here.buffer.take() == (b"two", 8)
    assert here.buffer.take() is None
    assert here.credited == []
    assert here.buffer.size == 6


def test_a_message_that_is_waited_for_may_exceed_the_window() -> None:
    here = Given()
    whole = prefixed(b"x" * 900)
    here.add(whole[:100])
    assert here.credited == []
    assert here.read() is None
    for at in range(100, 900, 400):
        here.add(whole[at : at + 400])
    assert here.credited == [100, 400, 400], "as they come, once someone waits"
    here.add(whole[900:] + prefixed(b"next"))
    assert here.credited == [100, 400, 400], "the next one is not waited for"
    assert here.read() == b"x" * 900
    assert here.credited == [100, 400, 400, 5]
    assert here.read() == b"next"
    assert here.credited[4:] == [9]


def test_padding_is_credited_at_once_and_is_no_data() -> None:
    here = Given()
    here.buffer.add(prefixed(b"ab"), 7 + 100)
    here.buffer.add(b"", 50)
    assert here.credited == [100, 50]
    assert here.arrived == [7]
    assert here.read() == b"ab"
    assert here.credited == [100, 50, 7]


def test_the_reader_is_called_for_whole_messages_and_the_end_and_not_for_pieces() -> None:
    here = Given()
    whole = prefixed(b"kept")
    here.add(whole[:6])
    assert here.calls == 0
    here.add(whole[6:])
    assert here.calls == 1
    here.add(b"\0" + struct.pack("!I", LIMIT + 1))
    assert here.read() == b"kept"
    here.buffer.eof()
    assert here.calls == 3, "also for what cannot be a message, and for the end"


def test_what_was_lost_on_the_way_is_an_error_for_the_reader_from_then_on() -> None:
    here = Given()
    here.add(prefixed(b"whole"))
    here.buffer.fail(MemoryError())
    assert here.calls == 2
    for _ in range(2):
        with pytest.raises(MemoryError):
            here.buffer.take()
    assert not here.buffer.finished


def test_many_empty_messages_in_single_bytes_are_read_in_linear_time() -> None:
    here = Given()
    for _ in range(20_000):
        here.add(b"\0")
    looked = 0

    class Counted(type(here.buffer._chunks)):  # type: ignore[misc]
        def __iter__(self) -> Any:
            nonlocal looked
            for chunk in super().__iter__():
                looked += 1
                yield chunk

    here.buffer._chunks = Counted(here.buffer._chunks)
    assert here.read_all() == [b""] * 4000
    assert looked < 3 * 20_000 + 1


@pytest.mark.parametrize(("size", "fits"), [(LIMIT, True), (LIMIT + 1, False), (2**32 - 1, False)])
def test_the_limit_is_checked_at_the_prefix(size: int, fits: bool) -> None:
    here = Given()
    here.add(b"\0" + struct.pack("!I", size))
    if fits:
        here.add(b"x" * size)
        assert here.read() == b"x" * size
    else:
        assert refusal(here) is Status.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("data", [b"\0", b"\0\0\0\0", prefixed(b"abc")[:-1]])
def test_an_end_within_a_message_is_an_error(data: bytes) -> None:
    here = Given()
    here.add(data)
    here.buffer.eof()
    assert not here.buffer.finished
    assert refusal(here) is Status.INTERNAL


@pytest.mark.parametrize(
    ("encoding", "squeeze"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_compressed_messages_are_inflated_and_plain_ones_between_them_left(
    encoding: str, squeeze: Any
) -> None:
    here = Given(encoding)
    here.add(prefixed(squeeze(b"x" * LIMIT), flag=1))
    here.add(prefixed(b"plain"))
    here.add(prefixed(squeeze(b""), flag=1))
    assert here.read_all() == [b"x" * LIMIT, b"plain", b""]
    assert sum(here.credited) == sum(here.arrived), "the credit is that of the wire"


DAMAGED = {
    "cut": gzip.compress(b"x" * 50)[:-1],
    "followed by something": gzip.compress(b"x") + b"tail",
    "no gzip at all": b"whatever",
    "empty": b"",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_compressed_message_is_an_internal_error(name: str) -> None:
    here = Given("gzip")
    here.add(prefixed(DAMAGED[name], flag=1))
    assert refusal(here) is Status.INTERNAL


def test_a_bomb_is_stopped_at_the_limit() -> None:
    here = Given("gzip")
    bomb = gzip.compress(bytes(200_000))
    assert len(bomb) < LIMIT
    here.add(prefixed(bomb, flag=1))
    assert refusal(here) is Status.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("encoding", "status"), [("identity", Status.INTERNAL), ("snappy", Status.UNIMPLEMENTED)]
)
def test_compression_that_was_not_announced_or_is_unknown_is_refused(
    encoding: str, status: Status
) -> None:
    here = Given(encoding)
    here.add(prefixed(b"x", flag=1))
    assert refusal(here) is status


def test_a_prefix_says_uncompressed_and_the_length() -> None:
    assert message_prefix(b"x" * 258) == b"\0\0\0\1\2"


def test_repr_tells_what_is_held() -> None:
    here = Given()
    here.add(b"123")
    assert repr(here.buffer) == "<MessageBuffer 3 bytes held, open>"
