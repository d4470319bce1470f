"""Scenarios 1 to 26 of the protocol that need a real Envoy: order, ends and trailers."""

from __future__ import annotations

import json
import time

import pytest
from stage import MATH, chat, large, routed

from srd.demo.process import get

pytestmark = pytest.mark.envoy

LARGE = large(8000)


def deliver(upload, stage, tap, body: bytes, *pieces: bytes, listener: str = "duplex", **options):
    """Send a body in pieces, chunked; return what the upstream saw."""
    request = upload(stage, listener, **options).send(*(pieces or (body,))).end()
    assert request.status() == 200
    return tap.last


def test_001_a_get_passes_at_once(stage, tap, upload):
    assert upload(stage, "duplex", method="GET", path="/v1/files").status() == 200
    assert tap.last.line == "GET /v1/files HTTP/1.1"
    assert not tap.last.body


def test_002_content_length_zero_is_no_body(stage, tap, upload):
    assert upload(stage, "duplex", length=0, path="/v1/files").status() == 200
    assert tap.last.size == 0
    assert tap.last.finished


@pytest.mark.parametrize("listener", ["duplex", "both", "buffered", "partial", "streamed"])
def test_003_a_named_model_arrives_byte_for_byte(stage, tap, upload, listener):
    body = b'{ "model":"math-expert",\n"messages":[{"role":"user","content":"\\u00e4"}], "n":1e400}'
    assert deliver(upload, stage, tap, body, listener=listener).body == body


def test_004_the_end_may_come_alone(stage, tap, upload):
    request = upload(stage, "duplex").send(MATH)
    request.end()
    assert request.status() == 200
    assert tap.last.body == routed(MATH)


def test_005_head_and_body_may_come_apart(stage, tap, upload):
    # Envoy 1.36 then begins the body with an empty message.
    request = upload(stage, "duplex", length=len(MATH))
    request.send(MATH)
    assert request.status() == 200
    assert tap.last.body == routed(MATH)


@pytest.mark.parametrize("body", [MATH, LARGE], ids=["undecided", "flowing"])
def test_008_a_client_that_goes_away_leaves_nothing_behind(stage_srd, stage, tap, upload, body):
    srd = stage_srd
    with upload(stage, "duplex") as request:
        request.send(body[:-1])
        srd.until(lambda: state(srd)["open_streams"] == 1, "see the stream")
    srd.until(lambda: state(srd)["open_streams"] == 0, "end the stream")
    assert state(srd)["held_bytes"] == 0
    assert "Traceback" not in srd.log.read_text()


def state(srd):
    return json.loads(get(srd.admin_port, "/debug/state")[1])


@pytest.mark.parametrize("listener", ["duplex", "buffered", "partial", "streamed"])
def test_013_auto_is_decided_at_the_end_of_a_small_body(stage, tap, upload, listener):
    seen = deliver(upload, stage, tap, MATH, MATH[:20], MATH[20:], listener=listener)
    assert seen.body == routed(MATH)
    if listener != "streamed":
        assert seen.headers["x-selected-model"] == "math-expert"


def test_014_015_a_large_body_leaves_before_it_has_come(stage, tap, upload):
    request = upload(stage, "duplex").send(LARGE[:4000])
    seen = tap.next(0)
    assert seen.headers["x-selected-model"] == "math-expert"
    grown = len(routed(LARGE)) - len(LARGE)
    for end in range(4000, len(LARGE), 500):
        # Each piece is waited for upstream before the next is sent.
        tap.until_size(seen, min(end, len(LARGE)) + grown)
        request.send(LARGE[end : end + 500])
    assert not seen.finished
    assert request.end().status() == 200
    assert seen.body == routed(LARGE)


def test_016_the_header_reply_may_take_its_time(stage, tap, upload):
    request = upload(stage, "duplex", length=len(MATH)).send(MATH[:30])
    time.sleep(1.1)  # the scenario is the second: no message timer may run in full duplex
    assert not tap.seen
    assert request.send(MATH[30:]).status() == 200
    assert tap.last.body == routed(MATH)


TRAILERS = {"x-checksum": "17"}


@pytest.mark.parametrize(
    ("body", "path"),
    [(b"any bytes", "/v1/files"), (chat("2", "math-expert"), "/v1/chat/completions")],
    ids=["not ours", "named"],
)
def test_021_025_trailers_pass_unchanged_behind_a_whole_body(stage, tap, upload, body, path):
    request = upload(stage, "duplex", path=path).send(body)
    assert request.end(TRAILERS).status() == 200
    assert tap.last.body == body
    assert tap.last.trailers == TRAILERS


@pytest.mark.parametrize("body", [MATH, LARGE], ids=["small", "large"])
def test_023_024_trailers_force_the_decision_and_follow_the_rewritten_body(
    stage, tap, upload, body
):
    assert upload(stage, "duplex").send(body).end(TRAILERS).status() == 200
    assert tap.last.headers["x-selected-model"] == "math-expert"
    assert tap.last.body == routed(body)
    assert tap.last.trailers == TRAILERS


@pytest.mark.parametrize("size", [1000, 100_000])
def test_026_only_the_value_of_model_differs(stage, tap, upload, size):
    body = large(size)
    assert deliver(upload, stage, tap, body).body == routed(body)
