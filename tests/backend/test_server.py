"""The running backend, through sockets."""

from __future__ import annotations

import hashlib
import http.client
import json

import pytest

from srd.backend import Backend, BackgroundBackend, Settings

CHAT = "/v1/chat/completions"


def chat(model: str = "math-expert", **fields: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "2+2?"}], **fields}


@pytest.mark.parametrize("model", Backend().models)
def test_every_served_name_answers_under_its_own_name(call, model: str) -> None:
    answer = call(CHAT, chat(model))
    assert answer.status == 200
    assert json.load(answer)["model"] == model


@pytest.mark.parametrize("model", ["auto", "Math-Expert", "", "math-expert "])
def test_any_other_name_gets_404(call, model: str) -> None:
    answer = call(CHAT, chat(model))
    assert answer.status == 404
    assert json.load(answer)["error"]["message"] == f"The model `{model}` does not exist."


def test_the_models_page_lists_base_and_adapters(call, backend) -> None:
    listed = [entry["id"] for entry in json.load(call("/v1/models"))["data"]]
    assert tuple(listed) == backend.backend.models


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_health_pages_answer_200(call, path: str) -> None:
    answer = call(path)
    assert (answer.status, answer.read()) == (200, b"")


def test_echo_headers_tell_what_arrived_and_leave_the_answer_alone(call) -> None:
    data = json.dumps(chat()).encode()
    answer = call(CHAT, data, x_backend_echo="1")
    assert answer.headers["x-backend-model"] == "math-expert"
    assert answer.headers["x-backend-bytes"] == str(len(data))
    assert answer.headers["x-backend-sha256"] == hashlib.sha256(data).hexdigest()
    assert json.load(answer)["object"] == "chat.completion"


def test_without_the_header_nothing_is_echoed(call) -> None:
    answer = call(CHAT, chat())
    answer.read()
    assert not [name for name in answer.headers if name.startswith("x-backend-")]


def test_echo_body_returns_headers_and_body_with_the_status_of_the_plain_answer(call) -> None:
    sent = chat("auto", temperature=0)
    answer = call(CHAT, sent, x_backend_echo="body", traceparent="00-1-2-01")
    told = json.load(answer)
    assert answer.status == told["status"] == 404
    assert told["body"] == sent
    assert told["traceparent"] == told["headers"]["traceparent"] == "00-1-2-01"
    assert told["first_byte_at"] <= told["last_byte_at"]


def test_a_model_name_with_line_breaks_cannot_forge_a_header(call) -> None:
    answer = call(CHAT, chat("a\r\nx-forged: 1\u2028"), x_backend_echo="1")
    answer.read()
    assert "x-forged" not in answer.headers
    assert answer.headers["x-backend-model"] == "a\\r\\nx-forged: 1\\u2028"


@pytest.mark.parametrize("fields", [{}, {"stream": True}])
def test_half_a_surrogate_pair_comes_back_as_it_was_sent(call, fields: dict[str, bool]) -> None:
    messages = [{"role": "user", "content": "half \ud800"}]
    answer = call(CHAT, chat("base-model", messages=messages, **fields))
    assert answer.status == 200
    assert b"\\ud800" in answer.read()


def test_half_a_surrogate_pair_is_echoed(call) -> None:
    told = json.load(call(CHAT, chat("half \udfff"), x_backend_echo="body"))
    assert told["body"]["model"] == "half \udfff"


def test_a_stream_ends_with_done(call) -> None:
    answer = call(CHAT, chat(stream=True), x_backend_chunk_delay_ms="1")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.read().endswith(b"data: [DONE]\n\n")


def test_an_aborted_stream_breaks_after_the_asked_number_of_events(call) -> None:
    answer = call(CHAT, chat(stream=True), x_backend_abort_after="2")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)) as broken:
        answer.read()
    partial = getattr(broken.value, "partial", b"")
    assert partial.count(b"data: ") in (0, 2)  # the reset may overtake what was sent
    assert b"[DONE]" not in partial


@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
def test_a_body_that_is_not_an_object_gets_400(call, body: bytes) -> None:
    assert call(CHAT, body).status == 400


def test_paths_and_methods_that_are_not_served_are_refused(call) -> None:
    first = call("/v1/nothing", chat())
    assert (first.status, json.load(first)) == (404, {"detail": "Not Found"})
    second = call("/v1/nothing")
    assert (second.status, json.load(second)) == (404, {"detail": "Not Found"})


def test_a_large_body_is_hashed_exactly(call, backend: BackgroundBackend) -> None:
    data = (
        b'{"messages":[{"role":"user","content":"' + b"word " * 4_000_000 + b'"}],"model":"auto"}'
    )
    answer = call(CHAT, data)
    assert answer.status == 404
    answer.read()
    assert backend.last.sha256 == hashlib.sha256(data).hexdigest()
    assert repr(backend.last).startswith(f"<Received POST {CHAT} model='auto' {len(data)}B ")


def test_metrics_count_answers_by_path_and_status(call) -> None:
    call("/health").read()
    call("/secret-scan").read()
    text = call("/metrics").read().decode()
    assert 'srd_backend_requests_total{path="/health",status="200"}' in text
    assert 'path="other",status="404"' in text
    assert "secret-scan" not in text


def test_a_stopped_backend_names_itself_so_and_has_no_port() -> None:
    backend = Backend(Settings(adapters=("one",)))
    assert repr(backend) == "<Backend stopped models=2 received=0>"
    with pytest.raises(RuntimeError, match="not started"):
        _ = backend.port
