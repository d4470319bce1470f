"""What an answer's documents say, read whole or listened to."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.body.figures import MAX_MODEL, MAX_REASON, Figures
from srd.body.scanner import Scanner

KEYS = (
    "usage", "usageMetadata", "model", "message", "response", "delta", "choices", "x_groq",
    "finish_reason", "stop_reason", "finishReason", "status", "tokens", "input_tokens",
    "prompt_tokens", "completion_tokens", "output_tokens", "thoughtsTokenCount", "cached_tokens",
    "prompt_tokens_details", "cache_read_input_tokens", "cache_creation_input_tokens",
    "prompt_eval_count", "eval_count", "amazon-bedrock-invocationMetrics", "other",
)  # fmt: skip
VALUES = st.sampled_from(
    [0, 7, 12.0, 1.5, -3, "8", "x", "", "in_progress", "completed", None, True, "\ud800", 10**30]
)
DOCUMENTS = st.dictionaries(
    st.sampled_from(KEYS),
    st.recursive(
        VALUES,
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
        ),
        max_leaves=12,
    ),
    max_size=5,
)


def said(figures):
    return (
        figures.model,
        figures.finish_reason,
        figures.prompt_tokens,
        figures.completion_tokens,
        figures.cached_tokens,
        figures.cache_write_tokens,
        figures.fresh_tokens,
    )


def listened(data, figures=None, step=None):
    figures = figures or Figures()
    figures.restart()
    scanner = Scanner(figures, strict=False)
    for start in range(0, len(data), step or len(data)):
        scanner.feed(data[start : start + (step or len(data))])
    scanner.finish()
    return said(figures)


@given(document=DOCUMENTS, step=st.integers(1, 9))
def test_reading_and_listening_say_the_same(document, step):
    data = json.dumps(document).encode()
    figures = Figures()
    assert figures.read(data)
    assert said(figures) == listened(data) == listened(data, step=step)


@given(document=DOCUMENTS, compact=st.booleans())
def test_what_is_not_worth_hearing_says_nothing(document, compact):
    data = json.dumps(document, separators=(",", ":") if compact else None).encode()
    if not Figures().may_hear(data):
        assert listened(data) == (None,) * 7


@pytest.mark.parametrize("data", [b"[]", b"7", b'{"a":1', b"{} {}", b"\xff", b"[" * 100_000])
def test_what_is_not_one_object_is_not_read(data):
    figures = Figures()
    assert not figures.read(data)
    assert said(figures) == (None,) * 7


def test_the_largest_figure_counts_the_first_model_and_the_last_reason():
    figures = Figures()
    for document in (
        {"model": "", "finish_reason": "", "usage": {"input_tokens": 3}},
        {"model": "a", "finish_reason": "tool", "usage": {"input_tokens": 12}},
        {"model": "b", "finish_reason": "stop", "usage": {"input_tokens": 0}},
        {"model": None, "finish_reason": None, "usage": None},
    ):
        listened(json.dumps(document).encode(), figures)
    assert (figures.model, figures.finish_reason, figures.prompt_tokens) == ("a", "stop", 12)
    assert repr(figures) == "<Figures a 12+None>"


def test_texts_are_bounded_and_can_be_written_anywhere():
    document = {"model": "\ud800" + "m" * 1000, "finish_reason": "r" * 1000}
    figures = Figures()
    assert figures.read(json.dumps(document).encode())
    assert figures.model == "\ufffd" + "m" * (MAX_MODEL - 1)
    assert figures.finish_reason == "r" * MAX_REASON


def test_only_the_first_choice_is_looked_at():
    choices = [{"finish_reason": "stop"}, {"finish_reason": "length", "usage": {"tokens": 1}}]
    data = json.dumps({"choices": choices}).encode()
    assert listened(data)[1] == "stop"


def test_a_figure_of_an_unknown_split_is_never_negative():
    figures = Figures()
    assert figures.read(b'{"usage":{"prompt_tokens":3,"cached_tokens":9}}')
    assert figures.fresh_tokens == 0
