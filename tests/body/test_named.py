"""Bodies in which nothing counts but models' names."""

from __future__ import annotations

import json

import pytest

from srd.body.body import Api, Body
from srd.body.rewrite import NO_REWRITE, Rewrite
from srd.body.shapes import BATCH, NAMED, Shape


def read(document: object, shape: Shape = BATCH, cut: int = 1 << 20) -> Body:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    body = Body(Api.CHAT, shape=shape)
    for at in range(0, len(data), cut):
        body.receive(data[at : at + cut], end=at + cut >= len(data))
        body.read()
    assert body.ended
    return body


def request(**params: object) -> dict[str, object]:
    return {"custom_id": "a", "params": params}


@pytest.mark.parametrize("cut", [1, 7, 10_000])
def test_every_name_of_a_batch_is_gathered_wherever_the_body_is_cut(cut):
    document = {
        "requests": [
            request(model="one", messages=[{"role": "user", "content": "hi"}]),
            request(max_tokens=1, model=" two\n"),
            request(model="one"),
        ],
        "model": "three",
    }
    assert list(read(document, cut=cut).names) == ["one", "two", "three"]


def test_of_repeated_members_all_count():
    raw = (
        b'{"requests":[{"params":{"model":"a","model":"b"},"params":{"model":"c"}}],'
        b'"requests":[{"params":{"model":"d"}}],"model":"e","model":"f"}'
    )
    assert list(read(raw).names) == ["a", "b", "c", "d", "e", "f"]


@pytest.mark.parametrize(
    "document",
    [
        {"requests": {"params": {"model": "x"}}},
        {"requests": [{"model": "x"}, ["params"], "params", 1, None]},
        {"requests": [[{"params": {"model": "x"}}]]},
        {"requests": [{"params": [{"model": "x"}]}, {"params": {"inner": {"model": "x"}}}]},
        {"metadata": {"model": "x"}, "params": {"model": "x"}},
        {"requests": [request(model=1), request(model=None), request(model=["x"])], "model": 2},
    ],
)
def test_a_model_anywhere_else_and_one_that_is_no_string_is_no_name(document):
    assert not read(document).names


def test_escapes_are_undone_and_a_name_beyond_any_token_is_nobodys():
    raw = rb'{"requests":[{"params":{"m\u006fdel":"\u0061uto"}},{"params":{"model":"LONG"}}]}'
    assert list(read(raw.replace(b"LONG", b"x" * 9000)).names) == ["auto"]


def test_names_are_bounded_and_one_that_is_missed_is_told():
    many = [request(model=f"m{n}") for n in range(1024)]
    assert not read({"requests": [*many, request(model="m1")]}).names_missed
    more = read({"requests": [*many, request(model="new")]})
    assert more.names_missed
    assert len(more.names) == 1024


def test_only_a_batch_is_looked_into():
    assert not read({"requests": [request(model="x")]}, NAMED).names


@pytest.mark.parametrize("shape", [NAMED, BATCH])
def test_the_first_model_is_seen_as_in_every_body(shape):
    raw = b'{"input":"x","model":" e5 ","model":"auto"}'
    body, usual = read(raw, shape), Body(Api.CHAT)
    usual.receive(raw, end=True)
    usual.read()
    assert body.model == usual.model
    assert list(body.names) == ["e5", "auto"]


def test_a_second_model_of_any_kind_does_not_become_the_first():
    for later in (b"null", b"1", b'"' + b"x" * 9000 + b'"', b"{}"):
        seen = read(b'{"model":null,"model":' + later + b"}", NAMED).model
        assert seen is not None
        assert seen.value == ""


def test_nothing_is_edited_but_models():
    """Nothing else was judged, so what a backend makes of it is its own affair."""
    raw = (
        b'{"model":"m","input":"a","input":"b","messages":[{"role":"a","role":"b"}],"model":"auto"}'
    )
    leaving = read(raw, NAMED).commit(Rewrite(model="m"))
    assert leaving.data == raw.replace(b"auto", b"m")
    untouched = read(raw, NAMED).commit(NO_REWRITE)
    assert (untouched.data, untouched.edited) == (raw, False)
