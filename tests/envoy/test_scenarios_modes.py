"""Scenarios 69 to 76 of the protocol with a real Envoy: the other ways to hand over."""

from __future__ import annotations

import pytest
from stage import LATE, MATH, chat, large, routed

pytestmark = pytest.mark.envoy

NAMED = chat("2", "math-expert")


def test_069_a_buffered_body_gets_its_exact_length(stage, tap, upload):
    body = large(100_000)
    assert upload(stage, "buffered", length=len(body)).send(body).status() == 200
    assert tap.last.body == routed(body)
    assert tap.last.headers["content-length"] == str(len(routed(body)))


def test_069_a_chunked_upload_may_be_buffered_as_well(stage, tap, upload):
    assert upload(stage, "buffered").send(MATH[:9], MATH[9:]).end().status() == 200
    assert tap.last.body == routed(MATH)


def test_070_a_buffered_body_with_nothing_to_change_stays_as_it_is(stage, tap, upload):
    assert upload(stage, "buffered", length=len(NAMED)).send(NAMED).status() == 200
    assert tap.last.body == NAMED
    assert tap.last.headers["content-length"] == str(len(NAMED))


@pytest.mark.parametrize("listener", ["buffered", "partial"])
@pytest.mark.parametrize("body", [MATH, NAMED], ids=["routed", "named"])
def test_071_a_buffered_body_with_trailers(stage, tap, upload, listener, body):
    request = upload(stage, listener).send(body).end({"x-checksum": "17"})
    assert request.status() == 200
    assert tap.last.body == routed(body)
    assert tap.last.trailers == {"x-checksum": "17"}


def test_072_087_within_envoys_200_ms_a_late_classifier_means_the_default(
    stage_factory, tap, upload
):
    _, envoy = stage_factory(LATE)
    body = chat("Is a contract enforceable when one party was a minor? " * 30)
    request = upload(envoy, "hasty", length=len(body)).send(body)
    assert request.status() == 200
    assert request.response().headers["x-vsr-decision-basis"] == "fallback"
    assert tap.last.body == body.replace(b"auto", b"base-model", 1)


@pytest.mark.parametrize("listener", ["duplex", "streamed"])
def test_087_without_scores_the_default_model_gets_the_whole_body(
    stage_factory, tap, upload, listener
):
    _, envoy = stage_factory(LATE)
    body = large(30_000, "Is a contract enforceable when one party was a minor? " * 5)
    request = upload(envoy, listener).send(body[:9000], body[9000:]).end()
    assert request.status() == 200
    assert request.response().headers["x-vsr-decision-basis"] == "fallback"
    assert tap.last.body == body.replace(b"auto", b"base-model", 1)


def test_073_a_prefix_is_spliced_and_the_rest_follows(stage, tap, upload):
    body = large(200_000)  # the listener buffers 64 KiB
    assert upload(stage, "partial", length=len(body)).send(body).status() == 200
    assert tap.last.body == routed(body)
    assert tap.last.headers["x-selected-model"] == "math-expert"


def test_073_a_body_that_fits_is_no_prefix(stage, tap, upload):
    assert upload(stage, "partial", length=len(MATH)).send(MATH).status() == 200
    assert tap.last.body == routed(MATH)


@pytest.mark.parametrize("listener", ["streamed", "impatient"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_074_076_streamed_keeps_every_byte(stage, tap, upload, listener, size):
    body = large(20 * size + 200)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    assert upload(stage, listener).send(*pieces).end().status() == 200
    assert tap.last.body == routed(body)
    answered = stage.stats(f"http.{listener}.ext_proc.spurious_msgs_received")
    assert not any(answered.values())


@pytest.mark.parametrize("listener", ["streamed", "impatient"])
def test_075_a_name_in_two_pieces_comes_out_whole(stage, tap, upload, listener):
    cut = MATH.index(b"auto") + 2
    request = upload(stage, listener).send(MATH[:cut])
    seen = tap.next(0)  # the head is out, so Envoy has handed the first piece over
    assert request.send(MATH[cut:]).end().status() == 200
    assert seen.body == routed(MATH)
