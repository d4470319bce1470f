"""`conversation`: counts over the message array.

Why this file exists: sources name what is counted, predicates what is enough. It must not know how
messages are written.
"""

from dataclasses import dataclass
from typing import Literal

from srd.config.base import Part
from srd.config.rules import Predicate
from srd.signals.base import UNKNOWN, Evidence, MessageFacts, Reach, Reading
from srd.signals.checks import check_predicate
from srd.signals.entry import Place, Rule, SignalType
from srd.signals.predicates import keeps
from srd.signals.readings import is_final, yes_or_no

NON_USER = "non_user"


class ConversationSource(Part, frozen=True, kw_only=True):
    """What is counted in the message array."""

    type: Literal[
        "message",
        "tool_definition",
        "assistant_tool_call",
        "assistant_tool_cycle",
        "active_tool_loop",
        "image_content",
    ]
    role: str = ""


class ConversationFeature(Part, frozen=True, kw_only=True):
    """How it is counted."""

    type: Literal["exists", "count"]
    source: ConversationSource


class ConversationRule(Rule, frozen=True, kw_only=True):
    """The shape of a conversation."""

    feature: ConversationFeature
    predicate: Predicate | None = None


def count_of(source: ConversationSource, facts: MessageFacts) -> int:
    """How often the source occurs.

    Messages of role `non_user` are all but the user's. A cycle is a tool call with its result. A
    loop is active (1) while results are due, when the last message is a result, and when it is
    what the user says right after one: the model has not answered with the result in hand yet. All
    of it as upstream.
    """
    counts = {
        "message": _messages(source.role, facts),
        "tool_definition": facts.tool_definitions,
        "assistant_tool_call": facts.assistant_tool_calls,
        "assistant_tool_cycle": min(facts.assistant_tool_calls, facts.tool_results),
        "active_tool_loop": int(
            facts.tool_loop
            or facts.last_role == "tool"
            or facts.assistant_tool_calls > facts.tool_results
        ),
        "image_content": facts.images,
    }
    return counts[source.type]


def _messages(role: str, facts: MessageFacts) -> int:
    if role == NON_USER:
        return facts.messages - facts.by_role.get("user", 0)
    return facts.by_role.get(role, 0) if role else facts.messages


@dataclass(frozen=True, slots=True, repr=False)
class ConversationSignal:
    """A count, or its presence, against the predicate; without one, at least one."""

    name: str
    reach: Reach
    feature: str
    source: ConversationSource
    predicate: Predicate | None
    type: str = "conversation"
    heads: frozenset[str] = frozenset()

    def read(self, evidence: Evidence) -> Reading:
        """`score` is the count. Answers only when no more messages will come."""
        if not is_final(self.reach, evidence):
            return UNKNOWN
        count = count_of(self.source, evidence.facts)
        value = float(count > 0) if self.feature == "exists" else float(count)
        return yes_or_no(keeps(value, self.predicate), 1.0, value, f"{self.source.type} {count}")

    def __repr__(self) -> str:
        return f"<conversation:{self.name} {self.feature} of {self.source.type}>"


def compile_conversation(rule: ConversationRule, reach: Reach) -> ConversationSignal:
    """The rule, ready to be read."""
    feature = rule.feature
    return ConversationSignal(rule.name, reach, feature.type, feature.source, rule.predicate)


def _reach(rule: ConversationRule) -> Reach:
    """Tools are declared anywhere in the body; all else is counted in the turns."""
    return Reach.BODY if rule.feature.source.type == "tool_definition" else Reach.TURNS


def _check(rule: ConversationRule, place: Place) -> None:
    check_predicate(place.problems, place.at("predicate"), rule.predicate)


ENTRY = SignalType(
    name="conversation",
    section="conversation",
    rule=ConversationRule,
    check=_check,
    scope="full",
    reach=_reach,
    compile=lambda rule, making: compile_conversation(rule, making.reach),
    header="conversation",
)
