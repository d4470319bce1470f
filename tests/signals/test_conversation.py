from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from srd.signals.base import Evidence, MessageFacts, Reach, Truth
from srd.signals.conversation import ConversationRule, ConversationSignal, compile_conversation

Moment = Callable[..., Evidence]

FACTS = MessageFacts(
    messages=6,
    by_role={"system": 1, "user": 3, "assistant": 1, "tool": 1},
    images=2,
    tool_definitions=4,
    assistant_tool_calls=3,
    tool_results=1,
    last_role="user",
)


def conversation(feature: str, predicate: Any = None, **source: str) -> ConversationSignal:
    rule = {
        "name": "rule",
        "feature": {"type": feature, "source": source},
        "predicate": predicate,
    }
    return compile_conversation(msgspec.convert(rule, ConversationRule), Reach.TURNS)


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ({"type": "message"}, 6),
        ({"type": "message", "role": "user"}, 3),
        ({"type": "message", "role": "developer"}, 0),
        ({"type": "message", "role": "non_user"}, 3),
        ({"type": "tool_definition"}, 4),
        ({"type": "assistant_tool_call"}, 3),
        ({"type": "assistant_tool_cycle"}, 1),
        ({"type": "active_tool_loop"}, 1),
        ({"type": "image_content"}, 2),
    ],
)
def test_sources_are_counted(whole: Moment, source: dict[str, str], count: int) -> None:
    evidence = whole(facts=FACTS)
    assert conversation("count", **source).read(evidence).score == count
    assert conversation("exists", **source).read(evidence).score == float(count > 0)


@pytest.mark.parametrize(
    ("facts", "active"),
    [
        (MessageFacts(), False),
        (MessageFacts(assistant_tool_calls=1, tool_results=1, last_role="tool"), True),
        (MessageFacts(assistant_tool_calls=1, tool_results=1, last_role="user"), False),
        (
            MessageFacts(assistant_tool_calls=1, tool_results=1, last_role="user", tool_loop=True),
            True,
        ),
        (MessageFacts(assistant_tool_calls=2, tool_results=1, last_role="assistant"), True),
    ],
)
def test_a_tool_loop_is_active_while_results_are_unused_or_due(
    whole: Moment, facts: MessageFacts, active: bool
) -> None:
    reading = conversation("exists", type="active_tool_loop").read(whole(facts=facts))
    assert (reading.value is Truth.TRUE) is active


def test_the_predicate_decides(whole: Moment) -> None:
    evidence = whole(facts=FACTS)
    assert conversation("count", {"gte": 7}, type="message").read(evidence).value is Truth.FALSE
    assert conversation("count", {"lte": 6}, type="message").read(evidence).value is Truth.TRUE


def test_it_answers_only_when_the_body_has_ended(settled: Moment) -> None:
    signal = conversation("count", type="message")
    assert signal.read(settled(facts=FACTS)).value is Truth.UNKNOWN
