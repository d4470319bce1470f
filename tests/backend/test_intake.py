"""Counting, hashing and skimming a body as it passes."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.backend.intake import KEEP_BYTES, LOG_BODY_BYTES, Intake, Skim

WANTED = frozenset({"model", "stream"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=20)


def skim(data: bytes, step: int) -> dict[str, object]:
    reader = Skim(WANTED)
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
    return reader.found


def taken(data: bytes, step: int = 65536):
    intake = Intake()
    for at in range(0, len(data), step):
        intake.feed(data[at : at + step])
    return intake.finish("POST", "/v1/chat/completions", {})


@given(
    others=st.dictionaries(st.text(max_size=8), JSON, max_size=4),
    model=SCALARS,
    stream=SCALARS,
    ascii_only=st.booleans(),
    step=st.integers(1, 9),
)
def test_skimming_finds_what_a_whole_parse_finds_however_it_is_cut(
    others, model, stream, ascii_only, step
) -> None:
    document = {**others, "model": model, "nested": {"model": "no"}, "stream": stream}
    data = json.dumps(document, ensure_ascii=ascii_only).encode()
    assert skim(data, step) == {"model": model, "stream": stream}


@given(st.binary(max_size=64), st.integers(1, 5))
def test_skimming_bytes_that_are_not_json_raises_nothing(data: bytes, step: int) -> None:
    skim(data, step)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"model":"a","model":"b"}', {"model": "b"}),
        (b'{"model":{"model":"x"}}', {"model": None}),
        (b'[{"model":"x"}]', {}),
        (b'{"mod\\u0065l" : "auto" }', {"model": "auto"}),
        (b'{"model":"' + b"x" * 5000 + b'"}', {"model": None}),
    ],
)
def test_the_last_top_level_value_of_a_key_counts(data: bytes, found: dict[str, object]) -> None:
    assert skim(data, 3) == found


def test_a_body_over_the_kept_size_is_hashed_and_skimmed_but_not_held() -> None:
    data = b'{"messages":"' + b"x" * KEEP_BYTES + b'","model":"math-expert","stream":true}'
    record = taken(data)
    assert record.model == "math-expert"
    assert record.fields == {"model": "math-expert", "stream": True}
    assert (record.size, record.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert record.body is None
    with pytest.raises(ValueError, match="not kept"):
        record.json()


def test_a_small_body_is_kept_byte_for_byte() -> None:
    data = b'{ "model":"a", "temperature":1e400 }'
    record = taken(data, step=1)
    assert record.body == data
    assert record.json()["model"] == "a"
    assert record.first_byte_at is not None
    assert record.head_at <= record.first_byte_at <= record.last_byte_at


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_a_json_object_has_no_fields(data: bytes) -> None:
    record = taken(data)
    assert record.fields is None
    assert record.model is None


def test_the_log_keeps_small_bodies_only() -> None:
    assert taken(b"x" * LOG_BODY_BYTES).body is not None
    assert taken(b"x" * (LOG_BODY_BYTES + 1)).body is None


def test_unfinished_strings_at_the_end_of_a_piece_are_carried_over() -> None:
    data = (
        b'{"a":[["\\"]","x\\\\"],{"model":"[{\\"","b":"'
        + b"\\\\" * 9
        + b'"}],"model":"m","stream":1}'
    )
    assert json.loads(data)["model"] == "m"
    for step in range(1, len(data)):
        assert skim(data, step) == {"model": "m", "stream": 1}
