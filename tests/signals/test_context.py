from collections.abc import Callable

import pytest

from srd.signals.base import Evidence, MessageFacts, Reach, Truth
from srd.signals.context import ContextSignal, estimate_tokens

Moment = Callable[..., Evidence]


@pytest.mark.parametrize(
    ("facts", "params", "tokens"),
    [
        (MessageFacts(), {}, 0),
        (MessageFacts(text_bytes=401, messages=2), {}, 101 + 8),
        (MessageFacts(images=2), {}, 16384),
        (MessageFacts(tool_definitions=3, assistant_tool_calls=1, structured_bytes=50), {}, 82),
        (MessageFacts(), {"max_tokens": 100}, 100),
        (MessageFacts(assistant_tool_calls=1, tool_results=1, result_bytes=1000), {}, 1016),
        (MessageFacts(messages=3, by_role={"user": 2, "assistant": 1}), {}, 12 + 5),
        (MessageFacts(), {"max_completion_tokens": 300, "max_tokens": 100}, 300),
        (MessageFacts(), {"max_completion_tokens": 100, "max_tokens": 300}, 100),
        (MessageFacts(), {"max_completion_tokens": None, "max_tokens": 300}, 300),
        (MessageFacts(), {"max_completion_tokens": 0, "max_tokens": 300}, 0),
        (MessageFacts(), {"max_completion_tokens": "x", "max_tokens": 300}, 0),
        (MessageFacts(), {"max_completion_tokens": True}, 0),
        (MessageFacts(), {"max_output_tokens": 50}, 50),
        (MessageFacts(), {"max_tokens": -5}, 0),
        (MessageFacts(), {"max_tokens": "many"}, 0),
        (MessageFacts(), {"max_tokens": None}, 0),
        (MessageFacts(), {"max_tokens": 1e400}, 0),
    ],
)
def test_the_estimate_is_upstreams_floor(
    whole: Moment, facts: MessageFacts, params: dict[str, object], tokens: int
) -> None:
    assert estimate_tokens(whole(facts=facts, params=params)) == tokens


@pytest.mark.parametrize(
    ("low", "high", "value"),
    [
        (0, 999, Truth.FALSE),
        (0, 1000, Truth.TRUE),
        (1000, None, Truth.TRUE),
        (1001, None, Truth.FALSE),
        (1000, 1000, Truth.TRUE),
    ],
)
def test_both_bounds_are_included(whole: Moment, low: int, high: int | None, value: Truth) -> None:
    evidence = whole(facts=MessageFacts(text_bytes=4000))
    reading = ContextSignal("rule", Reach.BODY, low, high).read(evidence)
    assert (reading.value, reading.score) == (value, 1000)


def test_it_answers_only_when_the_body_has_ended(settled: Moment) -> None:
    assert ContextSignal("rule", Reach.BODY, 0, None).read(settled()).value is Truth.UNKNOWN
