"""Scenarios 27 to 64 and 94 with a real Envoy: lengths, headers, refusals, what is not ours."""

from __future__ import annotations

import json

import pytest
from stage import CAPPED, CONFIG, GUARDED, MATH, VERSION, chat, large, routed
from wiretap import OK

pytestmark = pytest.mark.envoy

since_138 = pytest.mark.xfail(
    VERSION < (1, 38),
    reason="allow_content_length_header came with Envoy 1.38",
    raises=KeyError,
    strict=True,
)
# Nothing that we may send helps: an empty body answer before any body is a 500 in the others.
waits_in_139 = pytest.mark.xfail(
    VERSION[:2] == (1, 39),
    reason="Envoy 1.39 takes the header reply and holds the request until the first body answer",
    strict=True,
)


@pytest.mark.parametrize("body", [MATH, large(8000)], ids=["small", "large"])
def test_027_a_longer_name_makes_the_upload_chunked(stage, tap, upload, body):
    assert upload(stage, "duplex", length=len(body)).send(body).status() == 200
    assert tap.last.chunked
    assert "content-length" not in tap.last.headers
    assert tap.last.body == routed(body)


@since_138
@pytest.mark.parametrize("body", [MATH, large(8000)], ids=["small", "large"])
def test_029_a_kept_content_length_is_that_of_the_rewritten_body(stage, tap, upload, body):
    def answer(tap, seen, connection):
        tap.read_body(seen, connection)
        connection.settimeout(0.2)
        try:
            seen.headers["rest"] = connection.recv(100).decode()
        except TimeoutError:
            seen.headers["rest"] = ""
        connection.sendall(OK)

    tap.answer = answer
    assert upload(stage, "measured", length=len(body)).send(body).status() == 200
    seen = tap.last
    assert seen.body == routed(body)
    assert seen.headers.get("content-length", str(seen.size)) == str(seen.size)
    assert seen.headers["rest"] == ""


@since_138
def test_029_the_length_of_an_untouched_body_is_kept(stage, tap, upload):
    body = chat("2", "math-expert")
    assert upload(stage, "measured", length=len(body)).send(body).status() == 200
    assert tap.last.headers["content-length"] == str(len(body))
    assert tap.last.body == body


@pytest.mark.parametrize("listener", ["duplex", "buffered", "partial"])
def test_044_the_upstream_sees_what_was_decided(stage, tap, upload, listener):
    assert upload(stage, listener, length=len(MATH)).send(MATH).status() == 200
    assert tap.last.headers["x-selected-model"] == "math-expert"
    # Envoy sets a header to nothing where a reply gives its value in the wrong field.
    assert all(tap.last.headers.values())


SPOOFED = {
    "x-selected-model": "forged",
    "X-Selected-Model": "forged again",  # a second line of it
    "X-VSR-Selected-Decision": "forged",
    "x-vsr-selected-model": "forged",
}


@pytest.mark.parametrize("listener", ["duplex", "buffered", "partial", "streamed", "impatient"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/files"])
def test_045_forged_decision_headers_never_reach_the_upstream(stage, tap, upload, listener, path):
    request = upload(stage, listener, length=len(MATH), headers=SPOOFED, path=path)
    assert request.send(MATH).status() == 200
    assert not [value for value in tap.last.headers.values() if "forged" in value]


def test_046_a_decision_chooses_the_route_again(stage, tap, upload):
    assert upload(stage, "rerouting", length=len(MATH)).send(MATH).status() == 299
    other = chat("hello")
    assert upload(stage, "rerouting", length=len(other)).send(other).status() == 200
    assert len(tap.seen) == 1


def test_047_envoy_rejects_none_of_our_header_mutations(stage, tap, upload):
    listeners = ("duplex", "buffered", "partial", "streamed", "rerouting")
    for listener in listeners:
        upload(stage, listener, length=len(MATH), headers=SPOOFED).send(MATH).status()
    rejected = stage.stats("rejected_header_mutations")
    assert {f"http.{name}.ext_proc.rejected_header_mutations" for name in listeners} <= set(
        rejected
    )
    assert not any(rejected.values())


@pytest.fixture
def capped(stage_factory):
    return stage_factory(CAPPED)[1]


def test_053_a_length_over_the_cap_is_refused_before_any_body(capped, tap, upload):
    request = upload(capped, "duplex", length=60_000)
    response = request.response()
    assert response.status == 413
    assert response.headers["content-type"].startswith("application/json")
    assert json.loads(response.read().decode())["error"]
    assert not tap.seen


def test_054_056_a_body_that_outgrows_the_cap_undecided_is_refused(capped, tap, upload):
    body = large(60_000)
    request = upload(capped, "duplex").send(body[:55_000])
    assert request.response().status == 413
    assert json.loads(request.response().read())["error"]
    assert not tap.seen


def test_056_what_follows_a_refusal_is_read_and_dropped(stage_factory, capped, tap, upload):
    request = upload(capped, "duplex", length=60_000)
    assert request.status() == 413
    try:
        for _ in range(60):
            request.send(b"x" * 1000)
    except OSError:
        pass  # Envoy may close on an upload that it has answered
    assert upload(capped, "duplex").send(MATH).end().status() == 200
    srd, _ = stage_factory(CAPPED)
    assert "Traceback" not in srd.log.read_text()


@pytest.mark.parametrize("listener", ["duplex", "buffered", "partial"])
def test_059_an_answer_at_the_end_of_the_body_keeps_it_from_the_upstream(
    stage, tap, upload, listener
):
    body = chat("a forbidden word")
    request = upload(stage, listener, length=len(body)).send(body)
    answer = json.loads(request.response().read())
    assert answer["choices"][0]["message"]["content"] == "No."
    assert request.response().headers["x-vsr-fast-response"] == "true"
    assert not tap.seen


def test_059_an_answer_by_the_first_window_comes_before_the_upload_ends(stage, tap, upload):
    body = large(100_000, "a forbidden word ").replace(b"{", b'{"stream":false,', 1)
    request = upload(stage, "duplex").send(body[:4000])
    assert json.loads(request.response().read())["choices"][0]["message"]["content"] == "No."
    assert not tap.seen


@pytest.mark.parametrize("listener", ["duplex", "buffered", "streamed"])
@pytest.mark.parametrize("place", [0, 100_000, 200_000])
def test_059_where_a_rule_blocks_no_byte_leaves_before_all_was_read(
    stage_factory, tap, upload, listener, place
):
    filler = "filler " * 30_000
    said = filler[:place] + " a forbidden word " + filler[place:]
    assert blocked(stage_factory, upload, listener, said) == 200
    assert not any(seen.body for seen in tap.seen)
    assert listener == "streamed" or not tap.seen  # there the headers leave before the body comes
    harmless = said.replace("forbidden", "friendly")
    assert blocked(stage_factory, upload, listener, harmless) == 200
    assert json.loads(tap.last.body)["messages"][0]["content"] == harmless


def test_059_what_a_rule_that_blocks_sees_half_of_is_refused(stage_factory, tap, upload):
    assert blocked(stage_factory, upload, "partial", "filler " * 30_000) == 503
    assert not tap.seen


def blocked(stage_factory, upload, listener: str, said: str) -> int:
    """The status that a body gets where a rule blocks; it comes in three pieces."""
    body = chat(said)
    _, envoy = stage_factory(GUARDED)
    request = upload(envoy, listener, length=len(body))
    return request.send(body[:5000], body[5000:150_000], body[150_000:]).status()


def test_061_another_method_on_our_path_is_the_backends_to_refuse(stage, tap, upload):
    request = upload(stage, "duplex", method="PUT", length=4).send(b"what")
    assert request.status() == 200
    assert tap.last.body == b"what"


def test_061_what_is_not_ours_passes_byte_for_byte(stage, tap, upload):
    raw = bytes(range(256)) * 40
    request = upload(stage, "duplex", path="/v1/files").send(raw[:5000])
    tap.until_size(tap.next(0), 5000)
    assert request.send(raw[5000:]).end().status() == 200
    assert tap.last.body == raw


@waits_in_139
@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/v1/files", "application/json"),
        ("/v1/threads/t/messages", "text/plain"),
        ("/v1/audio/transcriptions", "multipart/form-data; boundary=x"),
    ],
)
def test_061_what_is_not_ours_flows_from_the_first_byte(stage, tap, upload, path, content_type):
    raw = bytes(range(256)) * 40
    request = upload(stage, "duplex", path=path, headers={"content-type": content_type})
    seen = tap.next(0)  # before any byte of the body
    request.send(raw[:5000])
    tap.until_size(seen, 5000)
    assert request.send(raw[5000:]).end().status() == 200
    assert seen.body == raw


@waits_in_139
def test_064_a_websocket_opens_at_once_and_its_frames_flow_both_ways(stage, tap, upload):
    def answer(tap, seen, connection):
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n"
        )
        while data := connection.recv(100):
            connection.sendall(data.upper())

    tap.answer = answer
    wanted = {"connection": "Upgrade", "upgrade": "websocket"}
    request = upload(stage, "duplex", method="GET", headers=wanted)
    connection = request.connection
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    assert head.startswith(b"HTTP/1.1 101")
    for frame in (b"one", b"two"):
        connection.sendall(frame)
        assert connection.recv(100) == frame.upper()


def test_094_a_message_over_the_limit_fails_one_request_and_not_the_process(
    stage_factory, stage, tap, upload
):
    body = large(400_000)
    assert upload(stage, "buffered", length=len(body)).send(body).status() == 500
    assert not tap.seen
    srd, _ = stage_factory(CONFIG)
    srd.check()
    assert upload(stage, "buffered", length=len(MATH)).send(MATH).status() == 200
