"""What a signal type is: one entry that says all that srd must know of it.

Why this file exists: the document's section, its schema, checks, scopes, compilation and response
headers ask the same few questions of every type; here they have a type. It must not know any signal
type, nor how decisions are made of readings.

Which way the arrow points: `srd.config` is built from the table of these entries, so this file and
the modules of the types import only those parts of `srd.config` that know no signal (`base`,
`rules`, `trees`, `problems`). A document is named in annotations alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from srd.config.base import Name, Part, Scope
from srd.config.problems import Problems, join
from srd.config.rules import RuleNode
from srd.signals.base import Reach, Signal

if TYPE_CHECKING:
    from srd.config.document import Document
    from srd.signals.workshop import Workshop


#: Which text a rule reads: what a human wrote (also ""), or the message as the backend reads it,
#: with the blocks and templates that clients put around it.
Source = Literal["", "human", "raw"]


class Rule(Part, frozen=True, kw_only=True):
    """What every rule has.

    `scope` is ours: None means that of the signal type.
    """

    name: Name
    description: str = ""
    scope: Scope | None = None


R = TypeVar("R", bound=Rule)


@dataclass(frozen=True, slots=True)
class Place:
    """One rule of the document on trial: where it stands (`routing.signals.keywords[2]`), where
    its problems go, and whether a decision refers to it."""

    problems: Problems
    path: str
    used: bool

    def at(self, *keys: str | int) -> str:
        """The path of a member of the rule, of an element of it, and so on."""
        path = self.path
        for key in keys:
            path = join(path, key)
        return path


@dataclass(frozen=True, slots=True)
class Making(Generic[R]):
    """What the rule of one leaf is compiled with.

    `leaf`: the name that the leaf writes. `answer`: which of the type's answers it asks for, "" for
    a type without. `rules`: all declared rules of the type, for those that compete. `reach`: how
    far the signal must see before it may answer. `blocking`: the leaf's decision refuses requests.
    `signals_of`: the signals of a tree's leaves, as `type:name`, for the same use.
    """

    leaf: str
    answer: str
    rules: tuple[R, ...]
    reach: Reach
    blocking: bool
    shop: Workshop
    signals_of: Callable[[RuleNode], Mapping[str, Signal]]


def _name(rule: Rule) -> str:
    return rule.name


def _turns(rule: Rule) -> Reach:
    return Reach.TURNS


def _no_heads(rule: Rule) -> frozenset[str]:
    return frozenset()


def _no_composer(rule: Rule) -> RuleNode | None:
    return None


def _sound(rule: Rule, place: Place) -> None:
    return None


def _readable(rule: Rule) -> bool:
    return True


def _complete(rule: Rule) -> Iterable[tuple[str, str]]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalType(Generic[R]):
    """One signal type. Only the first three must be said; the defaults are those of a signal over
    the text of the deciding message, without a classifier, that srd does not evaluate.

    In the document:
    `name`: what a leaf's `type` says. `section`: the key of `routing.signals` that declares its
    rules. `rule`: the struct of one rule. `key`: what a leaf calls a rule. `answers`: where one
    rule answers several leaves, what a leaf writes behind it (`rule:answer`). `labels`: the labels
    of a rule that a leaf may ask for; None: its leaves take neither `label` nor `predicate`.
    `composer`: the tree that a rule demands besides. `check`: reports what is wrong with a rule
    beyond its struct. `missing`: what a rule asks for and srd does not have, as (feature, member).
    `elsewhere` and `names`, for a type that is declared outside `routing.signals`: the path of its
    part of the document, and the names that it declares.

    How it is read:
    `scope`: that of a rule that names none. `reach`: how far a rule of scope full must see.
    `heads`: the classifier heads that a rule needs. `readable`: false for a rule over what srd
    cannot read; such a leaf never matches. `module`: where under
    `global.model_catalog.modules` the operator switches the type's own head off. `compile`: the
    signal of a rule; raises RuleError. Without it the type is not
    evaluated: its leaves never match. `guards`: a fast_response over such a leaf refuses requests
    unless its decision says otherwise, and where one does, the leaf reads all that was said.

    How it is shown to a debugging client:
    `header`: the end of `x-vsr-matched-...`, which lists its matches. `score_header`: the header
    that has its score as a whole number. "" for none.
    """

    name: str
    section: str
    rule: type[R]
    key: Callable[[R], str] = _name
    answers: tuple[str, ...] = ()
    labels: Callable[[R], tuple[str, ...]] | None = None
    composer: Callable[[R], RuleNode | None] = _no_composer
    check: Callable[[R, Place], None] = _sound
    missing: Callable[[R], Iterable[tuple[str, str]]] = _complete
    elsewhere: str = ""
    names: Callable[[Document], Iterator[str]] | None = None
    scope: Scope = "window"
    reach: Callable[[R], Reach] = _turns
    heads: Callable[[R], frozenset[str]] = _no_heads
    readable: Callable[[R], bool] = _readable
    module: str = ""
    compile: Callable[[R, Making[R]], Signal | None] | None = None
    guards: bool = False
    header: str = ""
    score_header: str = ""

    def __repr__(self) -> str:
        return f"<SignalType {self.name} of {self.path}>"

    @property
    def path(self) -> str:
        """The part of the document that declares its rules."""
        return self.elsewhere or f"routing.signals.{self.section}"

    @property
    def evaluated(self) -> bool:
        """False for a type of upstream's that srd does not evaluate."""
        return self.compile is not None

    def split(self, leaf: str) -> tuple[str, str]:
        """A leaf's name as the rule's and the answer asked for: ("deep", "hard"); the whole name
        and "" where the type has no answers or the name none."""
        rule, colon, answer = leaf.rpartition(":")
        return (rule, answer) if self.answers and colon else (leaf, "")

    def find(self, rules: Iterable[R], leaf: str) -> R | None:
        """The first of the rules that a leaf of this name means."""
        name, _ = self.split(leaf)
        return next((rule for rule in rules if self.key(rule) == name), None)

    def reach_of(self, rule: R, *, blocking: bool = False) -> Reach:
        """How far this rule's signal sees. Under a blocking decision every signal waits for the
        turns, and one that guards for the body's end: a repeated member may stand anywhere."""
        if blocking and self.guards:
            return Reach.BODY
        if (rule.scope or self.scope) == "full" or blocking:
            return self.reach(rule)
        return Reach.WINDOW
