"""Bodies that come compressed: how they leave, in every coding, cut and damage.

What must hold is told by Python's json module and the packages' one-shot decoders.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import tracemalloc
import zlib

import brotli
import pytest
import zstandard

from srd.body.body import STEP, Api, Body, BodyError, Leaving, Unsendable
from srd.body.inflate import Caps, InflateError, InflateLimit
from srd.body.rewrite import NO_REWRITE, Rewrite, SystemPrompt


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def zstd(data):
    """With a check sum, and in blocks, so that something is seen before the end."""
    packer = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    out = packer.compress(data[:40]) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return out + packer.compress(data[40:]) + packer.flush()


PACKERS = {
    "gzip": gzip.compress,
    "GZIP ": lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "br": brotli.compress,
    "zstd": zstd,
    "identity, zstd": lambda data: zstd(data[:29]) + zstd(data[29:]),
    "br, gzip": lambda data: gzip.compress(brotli.compress(data)),
    "gzip, identity, zstd": lambda data: zstd(gzip.compress(data)),
}
UNPACKERS = {
    "gzip": gzip.decompress,
    "GZIP ": gzip.decompress,
    "deflate": zlib.decompress,
    "Deflate": lambda data: zlib.decompress(data, -15),
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    "identity, zstd": lambda data: unzstd_all(data),
    "br, gzip": lambda data: brotli.decompress(gzip.decompress(data)),
    "gzip, identity, zstd": lambda data: gzip.decompress(UNPACKERS["zstd"](data)),
}


def unzstd_all(data):
    out = b""
    while data:
        decoder = zstandard.ZstdDecompressor().decompressobj()
        out += decoder.decompress(data)
        data = decoder.unused_data
    return out


USER = b'{"role":"user","content":"hi {there}"}'
BODY = b'{"model":"m","n":1,"messages":[' + USER + b',{"role":"user","content":[{"text":"x"}]}]}'
EDITS = {
    "nothing": (NO_REWRITE, BODY),
    "the same model": (Rewrite(model="m"), BODY),
    "another model": (Rewrite(model="other"), BODY.replace(b'"m"', b'"other"')),
    "an absent member": (Rewrite(model="m", drop=frozenset({"absent"})), BODY),
    "a dropped member": (Rewrite(model="m", drop=frozenset({"n"})), BODY.replace(b'"n":1,', b"")),
    "a new member": (Rewrite(set_members={"a": b"2"}), BODY[:-1] + b',"a":2}'),
    "a prompt": (
        Rewrite(system_prompt=SystemPrompt("s", "insert")),
        BODY.replace(b"[", b'[{"role":"system","content":"s"},', 1),
    ),
}  # fmt: skip


def leave(body, data, at, rewrite, *, plain=False, size=None):
    """What leaves when the commit comes `at` bytes into the body, and how."""
    body.receive(data[:at], end=at == len(data))
    body.read()
    leaving = body.commit(rewrite, plain=plain)
    out = [leaving.data, *finish(body)]
    size = size or len(data)
    for start in range(at, len(data), size):
        out.append(body.flow(data[start : start + size], end=start + size >= len(data)))
        out += finish(body)
    assert body.held == 0
    assert body.ended
    assert body.length_delta == sum(map(len, out)) - len(data)
    return b"".join(out), leaving


def finish(body, data=None):
    out = [] if data is None else [body.flow(data, end=True)]
    while body.more:
        out.append(body.flow(b""))
    return out


@pytest.mark.parametrize("coding", PACKERS)
@pytest.mark.parametrize("edit", EDITS)
def test_a_body_is_edited_or_leaves_as_it_came_in_every_cut(coding, edit):
    data = PACKERS[coding](BODY)
    rewrite, expected = EDITS[edit]
    for at in range(len(data) + 1):
        for size in (1, len(data)) if at % 8 == 0 else (50,):
            out, leaving = leave(Body(Api.CHAT, coding=coding), data, at, rewrite, size=size)
            if leaving.packed:
                assert out == data
                assert UNPACKERS[coding](out) == expected
                assert not leaving.edited
            else:
                assert out == expected
                assert json.loads(out)
            assert leaving.final == (at == len(data))
    # Where the whole body was there, an unedited one leaves as it came.
    assert leaving.packed == (expected == BODY)


@pytest.mark.parametrize("coding", PACKERS)
def test_a_server_that_does_not_inflate_gets_plain_bytes(coding):
    data = PACKERS[coding](BODY)
    for at in range(0, len(data) + 1, 7):
        body = Body(Api.CHAT, coding=coding)
        out, leaving = leave(body, data, at, NO_REWRITE, plain=True)
        assert out == BODY
        assert (leaving.packed, leaving.edited) == (False, True)


def trickle(body, data):
    for at in range(len(data)):
        yield body.flow(data[at : at + 1], end=at == len(data) - 1)


@pytest.mark.parametrize("coding", PACKERS)
@pytest.mark.parametrize(
    "data",
    [
        b'{"model":"m","x":"' + random.Random(2).randbytes(300).hex().encode() + b'","model":"n"}',
        b'{"model":"m","messages":[1],"y":"'
        + random.Random(2).randbytes(300).hex().encode()
        + b'","messages":[2]}',
    ],
)
def test_a_repeat_in_a_body_that_leaves_packed_ends_it_before_that_piece(coding, data):
    packed = PACKERS[coding](data)
    body = Body(Api.CHAT, coding=coding)
    body.receive(packed[: len(packed) // 2])
    body.read()
    leaving = body.commit(Rewrite(model="m"))
    assert leaving == Leaving(packed[: len(packed) // 2], True, False, False)
    out = [leaving.data]
    with pytest.raises(Unsendable, match="would have to be edited"):
        out.extend(trickle(body, packed[len(packed) // 2 :]))
    assert packed.startswith(b"".join(out))
    assert len(b"".join(out)) < len(packed)
    with pytest.raises(Unsendable):
        body.flow(b"")
    assert body.notes.duplicates


# -- damage


def damaged(coding):
    """Ways to damage a packed body, by name."""
    data = PACKERS[coding](BODY)
    for missing in (1, 2, 4, 9, len(data) // 2):
        yield f"without the last {missing}", data[:-missing]
    yield "with more behind it", data + b"more"
    for at in range(len(data)):
        yield f"byte {at} flipped", data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def is_damaged(coding, data):
    try:
        return UNPACKERS[coding](data) != BODY
    except (zlib.error, gzip.BadGzipFile, EOFError, brotli.error, zstandard.ZstdError):
        return True


def is_whole(data):
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "br, gzip", "gzip, identity, zstd"])
@pytest.mark.parametrize("rewrite", [Rewrite(model="other"), Rewrite(drop=frozenset({"n"}))])
def test_no_damaged_body_leaves_as_a_whole_document(coding, rewrite):
    for name, data in damaged(coding):
        for at in (0, 1, len(data) // 2, len(data) - 9, len(data) - 1):
            body = Body(Api.CHAT, coding=coding)
            out, ended_well = [], False
            with contextlib.suppress(Unsendable, InflateError, InflateLimit, BodyError):
                body.receive(data[:at])
                body.read()
                out.append(body.commit(rewrite, plain=True).data)
                out += finish(body)
                for start in range(at, len(data), 20):
                    end = start + 20 >= len(data)
                    out.append(body.flow(data[start : start + 20], end=end))
                    out += finish(body)
                ended_well = True
            left = b"".join(out)
            if ended_well:
                # A flipped byte in a name or a time of the header damages nothing.
                assert not is_damaged(coding, data), name
            elif "more" not in name:
                assert not is_whole(left), (name, at)


@pytest.mark.parametrize("coding", PACKERS)
def test_a_truncated_body_is_refused_while_nothing_has_left(coding):
    data = PACKERS[coding](BODY)[:-1]
    body = Body(Api.CHAT, coding=coding)
    body.receive(data, end=True)
    with pytest.raises(InflateError, match="ends early"):
        body.read()
    assert not body.ended
    assert body.passthrough() == data


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("announced", [True, False])
def test_the_last_brace_waits_for_the_check_and_for_the_end_or_for_who_cannot(coding, announced):
    data = PACKERS[coding](BODY)
    for at in range(len(data)):
        body = Body(Api.CHAT, coding=coding)
        body.receive(data[:at])
        out = body.commit(Rewrite(model="m"), plain=True).data
        for start in range(at, len(data)):
            assert not is_whole(out)
            out += body.flow(data[start : start + 1])
        assert not is_whole(out)  # something could still follow that shows the body to be damaged
        # Where no end is announced the document must be whole all the same.
        out += body.flow(b"", end=True) if announced else body.let_go()
        assert out == BODY


def test_a_packed_body_that_turns_out_damaged_goes_on_as_it_came():
    data = gzip.compress(BODY)
    broken = data[:-5] + b"\xff" + data[-4:]
    for at in range(30, len(data)):
        body = Body(Api.CHAT, coding="gzip")
        body.receive(broken[:at])
        with contextlib.suppress(InflateError):
            body.read()
        leaving = body.commit(NO_REWRITE)
        assert leaving.packed
        assert leaving.data + body.flow(broken[at:], end=True) == broken


def test_damage_that_reading_did_not_come_to_is_told_by_the_commit():
    body = Body(Api.CHAT, coding="gzip")
    body.receive(gzip.compress(BODY)[:20] + b"\xff" * 100)
    for _ in range(2):
        with pytest.raises(InflateError):
            body.commit(Rewrite(model="other"))
    assert body.held == 120


# -- bounds

NOISE = random.Random(5).randbytes(60_000).hex().encode()
TURN = b'{"role":"user","content":"' + NOISE + b'"}'
LONG = b'{"model":"m","messages":[' + b",".join([TURN] * 100) + b"]}"


@pytest.mark.parametrize("coding", ["zstd", "br", "gzip"])
def test_a_long_body_is_held_packed_and_leaves_step_by_step(coding):
    packed = PACKERS[coding](LONG) if coding != "br" else brotli.compress(LONG, quality=3)
    body = Body(Api.CHAT, coding=coding)
    body.receive(packed, end=True)
    for until in range(0, len(LONG), 1_500_000):
        body.read(until)
        assert body.bytes_read == until
        assert body.held < len(packed) + STEP
    body.read()
    assert body.ended
    assert body.held == len(packed)
    tracemalloc.start()
    try:
        parts = [body.commit(Rewrite(model="other")).data]
        while body.more:
            parts.append(body.flow(b""))
            assert body.held <= len(packed) + STEP
            assert len(parts[-1]) < 2 * STEP
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert b"".join(parts) == LONG.replace(b'"m"', b'"other"')
    assert len(parts) > 8
    assert peak < len(LONG) + 6 * STEP


def test_a_packed_body_is_looked_at_step_by_step():
    packed = zstandard.compress(LONG)
    start = 100
    body = Body(Api.CHAT, coding="zstd")
    body.receive(packed[:start])
    assert body.commit(NO_REWRITE) == Leaving(packed[:start], True, False, False)
    assert body.flow(packed[start:], end=True) == b""
    steps = 0
    out = b""
    while body.more:
        assert out == b""
        out = body.flow(b"")
        steps += 1
    assert out == packed[start:]
    assert steps > 8


@pytest.mark.parametrize(
    ("caps", "message"),
    [(Caps(max_bytes=1_000_000), "more than 1000000"), (Caps(max_ratio=2), "more than 2 times")],
)
@pytest.mark.parametrize("plain", [False, True])
def test_caps_hold_before_and_behind_a_commit(caps, message, plain):
    bomb = gzip.compress(b'{"model":"m","x":"' + b" " * (20 << 20) + b'"}')
    body = Body(Api.CHAT, coding="gzip", caps=caps)
    body.receive(bomb, end=True)
    with pytest.raises(InflateLimit, match=message):
        body.read()
    late = Body(Api.CHAT, coding="gzip", caps=caps)
    late.receive(bomb[:200])
    late.commit(NO_REWRITE, plain=plain)
    with pytest.raises(Unsendable, match=message):
        finish(late, bomb[200:])


def test_a_brotli_body_in_one_message_is_read_whole():
    data = b'{"model":"m","messages":[{"role":"user","content":"' + NOISE * 28 + b'"}]}'
    body = Body(Api.CHAT, coding="br")
    body.receive(brotli.compress(data), end=True)
    body.read()
    assert (body.ended, body.bytes_read) == (True, len(data))


def test_the_end_of_a_body_is_seen_at_an_offset_in_every_coding():
    for coding in ("", *PACKERS):
        body = Body(Api.CHAT, coding=coding)
        body.receive(PACKERS[coding](BODY) if coding else BODY, end=True)
        body.read(len(BODY))
        assert body.ended
        assert body.drained


# -- what cannot wait


@pytest.mark.parametrize("coding", ["", "gzip", "br, gzip"])
def test_only_an_unverified_brace_stays_when_everything_must_leave(coding):
    data = PACKERS[coding](BODY) if coding else BODY
    for at in range(len(data)):
        body = Body(Api.CHAT, coding=coding)
        out = body.commit(Rewrite(model="other", drop=frozenset({"n"})), plain=True).data
        out += body.flow(data[:at]) + body.let_go()
        assert body.held <= (1 if coding else 0)
        out += body.flow(data[at:], end=True)
        found = json.loads(out)
        assert found["model"] == "other"
        assert found.get("n") is None
        assert found["messages"] == json.loads(BODY)["messages"]


def test_the_rest_of_a_compressed_body_cannot_pass_by_itself_behind_a_plain_front():
    body = Body(Api.CHAT, coding="gzip")
    body.receive(gzip.compress(BODY)[:40])
    body.commit(Rewrite(model="other"))
    with pytest.raises(Unsendable):
        body.cut()
    for way in ("passthrough", "commit"):
        packed = Body(Api.CHAT, coding="zstd")
        packed.receive(zstd(BODY)[:-9])
        packed.read()
        _ = packed.passthrough() if way == "passthrough" else packed.commit(Rewrite(model="m"))
        assert packed.cut() == packed.let_go() == b""
