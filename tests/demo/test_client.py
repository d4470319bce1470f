"""The timing client, against the demo backend."""

from __future__ import annotations

import http.client

import pytest

from srd.backend import BackgroundBackend
from srd.demo.client import Client


@pytest.fixture(scope="module")
def backend():
    with BackgroundBackend() as running:
        yield running


@pytest.fixture
def client(backend):
    with Client(backend.port) as opened:
        yield opened


def test_a_document_is_sent_as_json_and_timed(client, backend) -> None:
    answer = client.chat({"model": "base-model", "messages": []}, {"X-Backend-Echo": "1"})
    assert answer.status == 200
    assert answer.first_byte_ms > 0
    assert answer.headers["x-backend-model"] == "base-model"
    assert backend.last.headers["content-type"] == "application/json"
    assert repr(answer).startswith(f"<Answer 200 {len(answer.body)}B ")


def test_bytes_are_sent_as_they_are_on_the_same_connection(client, backend) -> None:
    client.chat(b'{"model":"base-model"}')
    client.chat(b'{ "model" : "base-model" }')
    assert [r.body for r in backend.received[-2:]] == [
        b'{"model":"base-model"}',
        b'{ "model" : "base-model" }',
    ]


def test_an_iterable_is_sent_in_chunks(client, backend) -> None:
    answer = client.chat(iter([b'{"model":', b'"base-model"}']))
    assert answer.status == 200
    assert backend.last.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in backend.last.headers


def test_a_stream_is_read_to_its_end(client) -> None:
    answer = client.chat({"model": "base-model", "messages": [], "stream": True})
    assert answer.body.endswith(b"data: [DONE]\n\n")


def test_a_broken_answer_raises_and_the_next_request_opens_a_new_connection(client) -> None:
    document = {"model": "base-model", "messages": [], "stream": True}
    with pytest.raises((OSError, http.client.HTTPException)):
        client.chat(document, {"x-backend-abort-after": "1"})
    client.close()
    assert client.chat(document).status == 200
