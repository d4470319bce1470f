"""The vocabulary of signals: evidence in, a three-valued reading out.

Why this file exists: every signal type, the decision engine and the renderings speak these few
values. It must not know where evidence comes from (body, gateway, clock), nor who asks.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from srd.classify.api import Scores
from srd.config.trees import Truth as Truth


class Reach(enum.Enum):
    """How far a signal must see before it may answer.

    WINDOW: a deterministic beginning of the deciding text (scope window). TURNS: all turns (scope
    full, over what was said in them). BODY: everything (scope full, over what may stand behind the
    turns: metadata, parameters, tools, a system text, a repeated member).
    """

    WINDOW = "window"
    TURNS = "turns"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one signal says at one moment.

    `confidence` (0..1) belongs to a TRUE reading; `score` is the raw measure for traces and
    predicates; `detail` names what matched (a keyword, a label), never prompt text beyond it.
    """

    value: Truth
    confidence: float = 1.0
    score: float | None = None
    detail: str = ""


UNKNOWN = Reading(Truth.UNKNOWN, confidence=0.0)


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """Counts over the message array so far; final once `Evidence.whole`.

    A message that carries nothing but tool results is the tool's, whatever its role says.
    `text_bytes` is what was said but for tool results, which are `result_bytes`;
    `structured_bytes` are the calls and definitions of tools.
    """

    messages: int = 0
    by_role: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    images: int = 0
    tool_definitions: int = 0
    assistant_tool_calls: int = 0
    tool_results: int = 0
    has_assistant_text: bool = False
    text_bytes: int = 0
    structured_bytes: int = 0
    result_bytes: int = 0
    last_role: str = ""
    #: The last message holds a tool's call or result, or is the user's right after a result.
    tool_loop: bool = False


class Origin(enum.Enum):
    """Who wrote a segment, as far as a rule's scope cares."""

    LAST = "the last user message"
    PRIOR = "an earlier user message"
    OTHER = "a role that nobody knows"  # a backend may read it as the user's
    HISTORY = "system, developer or assistant"
    TOOLS = "a tool's result, definition or call"
    REPEATED = "a repeated member"  # it never leaves; a parser of the backend's might have read it


@dataclass(frozen=True, slots=True)
class Segment:
    """One text as the backend reads it, blocks and templates included."""

    origin: Origin
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything a signal may look at, at one moment of the upload.

    `text` is the evaluation text of routing signals: what a human wrote in the deciding user
    message (the last one when `turns`, else a deterministic beginning of the first). `raw` is that
    message as the backend reads it, harness blocks and templates included. `segments` is all that
    was said, each text by itself; complete for the turns once `turns`, for all once `whole`.

    `settled`: no scope-window signal may stay UNKNOWN for want of text (window full, message ended,
    budget spent, or whole). `turns`: all turns are known, so full-scope signals that read turns
    only must answer. `whole`: the body has ended, so all signals must answer; it implies `turns`.
    `forced`: nobody waits any longer; UNKNOWN readings then count as each leaf says
    (`srd.config.scope.unknown_of`).

    `scores` is the classifier's answer for `text` and `segments`, or None while it is out.
    """

    text: str = ""
    raw: str = ""
    segments: tuple[Segment, ...] = ()
    settled: bool = False
    turns: bool = False
    whole: bool = False
    forced: bool = False
    scores: Scores | None = None
    facts: MessageFacts = MessageFacts()
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    params: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if self.whole and not self.turns:
            object.__setattr__(self, "turns", True)


class Signal(Protocol):
    """One configured rule of one signal type.

    Properties: `type` and `name` as in the document (a decision leaf is `type:name`), `reach`, and
    `heads`, the classifier heads it needs ("domain", "jailbreak", "pii", "embedding"). `read` is
    pure, O(len(text)) and never raises on any text.
    """

    @property
    def type(self) -> str:
        """The leaf type: "keyword", "domain", ..."""
        ...

    @property
    def name(self) -> str:
        """The name that a leaf writes."""
        ...

    @property
    def reach(self) -> Reach:
        """How much of the body it needs."""
        ...

    @property
    def heads(self) -> frozenset[str]:
        """The classifier heads it reads."""
        ...

    def read(self, evidence: Evidence) -> Reading:
        """What it says of this evidence."""
        ...
