"""What a plugin is: one entry that says all that the router must know of it.

Why this file exists: planning, `srd check`, metrics and debug headers ask the same few questions of
every plugin; here they have a type. It must not know any plugin, nor how edits become bytes.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

from srd.body.rewrite import SystemPrompt
from srd.body.shapes import Api

if TYPE_CHECKING:
    from srd.config import Document
    from srd.config.decisions import DecisionRule
    from srd.decide.decision import Decision
    from srd.plugins.errors import Immediate

Pairs = tuple[tuple[str, bytes], ...]
C = TypeVar("C")


class Phase(enum.Enum):
    """When a plugin acts. One that answers is asked first, and then nothing else acts."""

    ANSWER = "answer"
    REQUEST = "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One request as a plugin sees it.

    `params` are the scalar top-level members of the body that were read before the decision; one
    that is missing may still follow. `stream` is the body's own, None while it is not known. `now`
    is Unix time in seconds.
    """

    decision: Decision
    document: Document
    rule: DecisionRule | None
    api: Api
    params: Mapping[str, object]
    stream: bool | None
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginEdits:
    """What one plugin, or several in order, make of a request.

    The body: members to drop, the only ones to keep (None: all), members to set, members to merge
    into a top-level object (None removes one), upper bounds of numbers, a system prompt and the
    member that it goes into. The headers: `add` appends, `update` overwrites, `delete` removes.
    `immediate` answers instead. `not_carried_out` is why there is none of all this.
    """

    drop: frozenset[str] = frozenset()
    keep_only: frozenset[str] | None = None
    set_members: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    merge: Mapping[str, Mapping[str, bytes | None]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    cap: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    system_prompt: SystemPrompt | None = None
    system_place: str = ""
    add: Pairs = ()
    update: Pairs = ()
    delete: tuple[str, ...] = ()
    immediate: Immediate | None = None
    not_carried_out: str = ""

    @property
    def written(self) -> frozenset[str]:
        """The top-level members that get a value, or a part of one."""
        merged = {
            name
            for name, inner in self.merge.items()
            if any(value is not None for value in inner.values())
        }
        place = {self.system_place} if self.system_prompt else set()
        return frozenset(self.set_members.keys() | merged | place)

    def then(self, later: PluginEdits) -> PluginEdits:
        """These edits with `later` ones over them: a member that those drop stays dropped, one
        that they set stays set. A member that is written is kept even where others are stripped."""
        gone = later.drop
        kept = self.keep_only if later.keep_only is None else later.keep_only
        merge = {name: dict(inner) for name, inner in self.merge.items() if name not in gone}
        for name, inner in later.merge.items():
            merge[name] = {**merge.get(name, {}), **inner}
        prompt, place = self.system_prompt, self.system_place
        if place in gone:
            prompt, place = None, ""
        if later.system_prompt is not None:
            prompt, place = later.system_prompt, later.system_place
        return replace(
            later,
            drop=(self.drop - later.written) | gone,
            keep_only=kept,
            set_members=_without(self.set_members, gone) | dict(later.set_members),
            merge=merge,
            cap=_without(self.cap, gone) | dict(later.cap),
            system_prompt=prompt,
            system_place=place,
            add=(*self.add, *later.add),
            update=(*self.update, *later.update),
            delete=(*self.delete, *later.delete),
            immediate=later.immediate or self.immediate,
        )


V = TypeVar("V")


def _without(members: Mapping[str, V], gone: frozenset[str]) -> dict[str, V]:
    return {name: value for name, value in members.items() if name not in gone}


NO_EDITS = PluginEdits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Generic[C]):
    """One plugin.

    `asks`: does a decision of the document ask for it. `of`: its configuration in one situation,
    None when it does not act there. `edits`: what it does; it may raise, which costs the request
    its decision, not its body. `no_place`: the APIs that it cannot be carried out for, and why.
    `metric`: its label in `llm_plugin_execution`, "" when it is counted elsewhere.
    `debug_header`: the response header that tells a debugging client that it acted, or "".
    """

    name: str
    config: type[C]
    asks: Callable[[DecisionRule], bool]
    of: Callable[[Situation], C | None]
    edits: Callable[[C, Situation], PluginEdits]
    phase: Phase = Phase.REQUEST
    no_place: Mapping[Api, str] = field(default_factory=lambda: MappingProxyType({}))
    metric: str = ""
    debug_header: str = ""

    def __repr__(self) -> str:
        return f"<Entry {self.name} {self.phase.value}>"

    def plan(self, situation: Situation) -> PluginEdits | None:
        """What becomes of it here; None when nobody asks for it."""
        configuration = self.of(situation)
        if configuration is None:
            return None
        if (why := self.no_place.get(situation.api)) is not None:
            return PluginEdits(not_carried_out=why)
        return self.edits(configuration, situation)


def document_plugin(
    name: str,
    config: type[C],
    edits: Callable[[C, Situation], PluginEdits],
    *,
    acts: Callable[[C], bool] = lambda configuration: True,
    phase: Phase = Phase.REQUEST,
    no_place: Mapping[Api, str] = MappingProxyType({}),
    debug_header: str = "",
) -> Entry[C]:
    """The entry of a plugin that stands under `decisions[].plugins` as `name`, counted under it.

    `acts` is False for a configuration that switches it off.
    """

    def of_rule(rule: DecisionRule) -> C | None:
        found = rule.plugin(config)
        return found if found is not None and acts(found) else None

    def of(situation: Situation) -> C | None:
        return None if situation.rule is None else of_rule(situation.rule)

    return Entry(
        name=name,
        config=config,
        asks=lambda rule: of_rule(rule) is not None,
        of=of,
        edits=edits,
        phase=phase,
        no_place=no_place,
        metric=name,
        debug_header=debug_header,
    )
