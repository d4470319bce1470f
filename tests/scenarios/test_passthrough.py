"""What is not ours passes byte for byte, at once."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
import zstandard
from playbook import (
    PLAIN,
    body,
    chunks,
    headers,
    policy_of,
    refused,
    untouched_headers,
)

MATH = b'{"model":"auto","messages":[{"role":"user","content":"the derivative of x^3?"}]}'
ROUTED = MATH.replace(b"auto", b"math-expert")


@pytest.mark.parametrize(
    "sent",
    [
        headers("/v1/batches"),
        headers("/v1/threads/1/messages"),
        headers("/"),
        headers("/v1/audio/transcriptions", content_type="multipart/form-data; boundary=x"),
        headers(extra={"content-encoding": "snappy"}),
        headers(method="OPTIONS"),
        headers(method="PUT"),
        headers(method="DELETE"),
    ],
)
def test_061_062_063_other_requests_are_echoed_as_they_come(play, sent):
    p = play()
    p >> sent << untouched_headers()
    p >> body(b"\x00\xff{") << chunks(b"\x00\xff{")
    p >> body(b"", end=True) << chunks(b"", end=True)
    p.done(b"\x00\xff{")


def raw_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(data) + squeeze.flush()


def test_061_the_model_list_is_the_backends(play):
    p = play()
    p >> headers("/v1/models", "GET", end=True) << untouched_headers()


def test_061_or_ours_where_the_operator_asked_for_it(play):
    text = PLAIN.replace("  router:\n", "  router:\n    include_config_models_in_list: true\n")
    p = play(policy=policy_of(text))
    p >> headers("/v1/models", "GET", end=True)
    (reply,) = p.take()
    assert reply.status == 200
    assert b'"auto"' in (reply.body or b"")
    assert b'"math-expert"' in (reply.body or b"")


@pytest.mark.parametrize(
    ("encoding", "squeeze"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("br", brotli.compress),
        ("zstd", zstandard.compress),
    ],
)
def test_062_a_compressed_body_is_inflated_and_sent_on_as_identity(play, encoding, squeeze):
    packed = squeeze(MATH)
    fields = {"content-encoding": encoding, "content-length": str(len(packed))}
    p = play()
    p >> headers(extra=fields) >> body(packed[:7]) >> body(packed[7:], end=True)
    first, *_ = p.take()
    assert "content-encoding" in first.remove_headers
    p.done(ROUTED)
    length = p.gateway.request_headers.get("content-length")
    assert length in (None, str(len(ROUTED)).encode())


def test_062_a_bomb_is_refused(play):
    p = play()
    p >> headers(extra={"content-encoding": "gzip"})
    p >> body(gzip.compress(b" " * 10_000_000), end=True) << refused(413)


def test_062_a_damaged_compression_is_refused(play):
    packed = gzip.compress(MATH)
    p = play()
    p >> headers(extra={"content-encoding": "gzip"})
    p >> body(packed[:-12], end=True) << refused(400)


@pytest.mark.parametrize("extra", [{"upgrade": "websocket", "connection": "upgrade"}])
def test_064_an_upgrade_is_answered_at_once_and_its_frames_flow(play, extra):
    p = play()
    p >> headers(method="GET", extra=extra) << untouched_headers()
    p >> body(b"\x81\x05hello") << chunks(b"\x81\x05hello")


@pytest.mark.parametrize("offer", ["h2c", "TLS/1.2", "websocket"])
def test_064_a_post_that_offers_to_upgrade_is_routed(play, offer):
    p = play()
    fields = {"connection": "Upgrade, HTTP2-Settings", "upgrade": offer, "http2-settings": "AA"}
    p >> headers(extra=fields) >> body(MATH, end=True)
    p.take()
    p.done(ROUTED)


def test_065_connect_is_answered_at_once(play):
    p = play()
    p >> headers(method="CONNECT") << untouched_headers()


def test_066_an_explicit_model_ends_the_wait_and_holds_nothing(play):
    p = play()
    start = b'{"model":"law-expert","messages":[{"role":"user","content":"'
    p >> headers() >> body(start)
    first, *_ = p.take()
    assert first.header("x-selected-model") == b"law-expert"
    assert p.exchange.held == 0
    for _ in range(10):
        p >> body(b"x" * 1000) << chunks(b"x" * 1000)
        assert p.exchange.held == 0
    p >> body(b'"}]}', end=True) << chunks(b'"}]}', end=True)
    p.done()


def test_067_an_opt_out_passes_where_the_operator_allows_it(play):
    text = PLAIN.replace("  router:\n", "  router:\n    skip_processing: {enabled: true}\n")
    p = play(policy=policy_of(text))
    p >> headers(extra={"x-vsr-skip-processing": "true"}) << untouched_headers()
    p >> body(MATH, end=True) << chunks(MATH, end=True)
    p.done(MATH)


def test_067_and_is_not_heard_where_he_does_not(play):
    p = play()
    p >> headers(extra={"x-vsr-skip-processing": "true"}) >> body(MATH, end=True)
    p.take()
    p.done(ROUTED)
