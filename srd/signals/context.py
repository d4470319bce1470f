"""`context`: how many tokens the backend will have to hold.

Why this file exists: the estimate is upstream's (section 1.16), so that its thresholds mean the
same here; without the calibration that upstream learns from usage it sees. It must not know where
the counts come from.
"""

from dataclasses import dataclass

from srd.config.base import TokenCount
from srd.signals.base import UNKNOWN, Evidence, Reach, Reading
from srd.signals.entry import Making, Place, Rule, SignalType
from srd.signals.readings import is_final, yes_or_no

BYTES_PER_TOKEN = 4
TOKENS_PER_IMAGE = 8192
TOKENS_PER_MESSAGE = 4
TOKENS_PER_TOOL = 8
# The first one given counts; the last is what Responses calls it.
_OUTPUT_PARAMS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


class ContextRule(Rule, frozen=True, kw_only=True):
    """An estimate of tokens, both bounds included; `max_tokens` None means no upper bound."""

    min_tokens: TokenCount = 0
    max_tokens: TokenCount | None = None


def estimate_tokens(evidence: Evidence) -> int:
    """Upstream's floor.

    ceil(text bytes / 4) + structured bytes (tool schemas, arguments and results, a token each: such
    text is dense) + 8192 an image + framing (4 a message, 8 a tool call, result or definition) +
    output reserve. The names of the roles are text.
    """
    facts = evidence.facts
    tools = facts.assistant_tool_calls + facts.tool_results + facts.tool_definitions
    roles = sum(len(role) * times for role, times in facts.by_role.items())
    return (
        -(-(facts.text_bytes + roles) // BYTES_PER_TOKEN)
        + facts.structured_bytes
        + facts.result_bytes
        + TOKENS_PER_IMAGE * facts.images
        + TOKENS_PER_MESSAGE * facts.messages
        + TOKENS_PER_TOOL * tools
        + _output_reserve(evidence)
    )


def _output_reserve(evidence: Evidence) -> int:
    """What the client lets the model say; 0 without a limit, or where the one that counts is no
    count."""
    limits = (evidence.params.get(name) for name in _OUTPUT_PARAMS)
    wanted = next((limit for limit in limits if limit is not None), 0)
    return wanted if type(wanted) is int and wanted > 0 else 0


@dataclass(frozen=True, slots=True, repr=False)
class ContextSignal:
    """True when the estimate lies in [min_tokens, max_tokens]; None is no upper bound."""

    name: str
    reach: Reach
    min_tokens: int
    max_tokens: int | None
    type: str = "context"
    heads: frozenset[str] = frozenset()

    def read(self, evidence: Evidence) -> Reading:
        """`score` is the estimate. Final only with the text it counts."""
        if not is_final(self.reach, evidence):
            return UNKNOWN
        tokens = estimate_tokens(evidence)
        inside = tokens >= self.min_tokens and (
            self.max_tokens is None or tokens <= self.max_tokens
        )
        return yes_or_no(inside, 1.0, float(tokens), f"{tokens} tokens")

    def __repr__(self) -> str:
        upper = "" if self.max_tokens is None else self.max_tokens
        return f"<context:{self.name} {self.min_tokens}..{upper}>"


def _check(rule: ContextRule, place: Place) -> None:
    if rule.max_tokens is not None and rule.min_tokens > rule.max_tokens:
        what = f"min_tokens {rule.min_tokens} is more than max_tokens {rule.max_tokens}"
        place.problems.error(place.at("min_tokens"), what)


def _compile(rule: ContextRule, making: Making[ContextRule]) -> ContextSignal:
    return ContextSignal(rule.name, making.reach, rule.min_tokens, rule.max_tokens)


ENTRY = SignalType(
    name="context",
    section="context",
    rule=ContextRule,
    check=_check,
    scope="full",
    reach=lambda rule: Reach.BODY,
    compile=_compile,
    header="context",
    score_header="x-vsr-context-token-count",
)
