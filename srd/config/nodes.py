"""YAML and JSON text to a tree of nodes that remember where they stand.

Why this file exists: problems name lines, so the document is walked as nodes and becomes values
only under the types that expect them. Hostile text costs bounded memory and time: aliases are
shared, never copied, and the expanded size, the depth and the text are bounded. It must not know
what the document means.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from srd.config.problems import Position

__all__ = ["Map", "Node", "Scalar", "Seq", "Unreadable", "parse_yaml"]

MAX_DEPTH = 64
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
#: Nodes after aliases are followed: a document of a thousand decisions has some 50,000.
MAX_NODES = 1_000_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(_TAG + kind for kind in ("int", "float", "bool", "null"))


class Unreadable(Exception):  # noqa: N818 - the name says what the text is
    """The author's: the text is not one YAML or JSON document, or is built to exhaust us."""

    def __init__(self, what: str, position: Position | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.position = position


@dataclass(slots=True)
class Scalar:
    """Text as written. `plain` means unquoted: it may be a number, true, false or null."""

    text: str
    plain: bool
    position: Position
    size: int = 1


@dataclass(slots=True)
class Seq:
    """A list."""

    position: Position
    items: list["Node"] = field(default_factory=list)
    size: int = 1


@dataclass(slots=True)
class Map:
    """A mapping.

    `repeated` holds the later occurrences of keys that stand twice, `odd` the keys that are not
    text.
    """

    position: Position
    entries: dict[str, "Node"] = field(default_factory=dict)
    keys: dict[str, Position] = field(default_factory=dict)
    repeated: list[tuple[str, Position]] = field(default_factory=list)
    odd: list[tuple[str, Position]] = field(default_factory=list)
    size: int = 1


Node: TypeAlias = Scalar | Seq | Map


def parse_yaml(text: str, more: list[Position] | None = None) -> Node:
    """The first document in `text`. Raises Unreadable. Iterative: depth costs no stack.

    Where a second document begins, its position is added to `more` and the rest stays unread, as
    Helm and Go's YAML do it.
    """
    try:
        return _Builder([] if more is None else more).build(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = None if mark is None else (mark.line + 1, mark.column + 1)
        if "nesting depth" in (error.problem or ""):
            # PyYAML's own bound (6.0.4 on): its scanner reads ahead of the events that we count.
            raise Unreadable(_TOO_DEEP, position) from None
        what = ": ".join(part for part in (error.context, error.problem) if part)
        raise Unreadable(f"not YAML: {what}", position) from None
    except yaml.YAMLError as error:
        raise Unreadable(f"not YAML: {str(error).splitlines()[0]}") from None


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    node: Seq | Map
    anchor: str | None
    key: Node | None = None
    merged: list[tuple[Node, Position]] = field(default_factory=list)


class _Builder:
    """Folds a stream of YAML events into nodes."""

    def __init__(self, more: list[Position]) -> None:
        self._more = more
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._pending: set[str] = set()
        self._root: Node | None = None
        self._documents = 0

    def build(self, events: Iterator[Any]) -> Node:
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self._add(_scalar(event), event.anchor)
            elif isinstance(event, yaml.AliasEvent):
                self._add(self._resolve(event), None)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._open(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close()
            elif isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    self._more.append(_at(event))
                    break
        if self._root is None:
            raise Unreadable("the file is empty", (1, 1))
        return self._root

    def _resolve(self, event: Any) -> Node:
        if event.anchor in self._pending:
            raise Unreadable(f"anchor &{event.anchor} contains itself", _at(event))
        if event.anchor not in self._anchors:
            raise Unreadable(f"alias *{event.anchor} has no anchor", _at(event))
        return self._anchors[event.anchor]

    def _open(self, event: Any) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise Unreadable(_TOO_DEEP, _at(event))
        is_map = isinstance(event, yaml.MappingStartEvent)
        expected = _TAG + ("map" if is_map else "seq")
        if event.tag not in (None, "!", expected):
            raise Unreadable(f"tag {event.tag} is not supported", _at(event))
        node: Seq | Map = Map(_at(event)) if is_map else Seq(_at(event))
        if event.anchor is not None:
            self._pending.add(event.anchor)
        self._stack.append(_Open(node, event.anchor))

    def _close(self) -> None:
        done = self._stack.pop()
        if isinstance(done.node, Map):
            for source, position in done.merged:
                _merge(done.node, source, position)
        if done.anchor is not None:
            self._pending.discard(done.anchor)
        self._add(done.node, done.anchor)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        top.node.size += node.size
        if top.node.size > MAX_NODES:
            raise Unreadable(
                f"more than {MAX_NODES} values once aliases are followed", top.node.position
            )
        if isinstance(top.node, Seq):
            top.node.items.append(node)
        elif top.key is None:
            top.key = node
        else:
            key, top.key = top.key, None
            if isinstance(key, Scalar) and key.plain and key.text == "<<":
                top.merged.append((node, key.position))
            else:
                add_entry(top.node, key, node)


def add_entry(target: Map, key: Node, value: Node) -> None:
    """Put a member into a mapping, noting keys that repeat or are not text."""
    if not isinstance(key, Scalar):
        target.odd.append(("a list or mapping", key.position))
    elif key.plain and _is_not_text(key.text):
        target.odd.append((key.text or "null", key.position))
    elif key.text in target.entries:
        target.repeated.append((key.text, key.position))
    else:
        target.entries[key.text] = value
        target.keys[key.text] = key.position


def _merge(target: Map, source: Node, position: Position) -> None:
    """YAML's `<<`: members that the mapping does not have itself; the first source wins."""
    sources = source.items if isinstance(source, Seq) else [source]
    for part in sources:
        if not isinstance(part, Map):
            raise Unreadable("<< takes a mapping or a list of mappings", position)
        for key, value in part.entries.items():
            if key not in target.entries:
                target.entries[key] = value
                target.keys[key] = part.keys[key]


def _scalar(event: Any) -> Scalar:
    tag = event.tag
    if tag in (None, "!", _TAG + "str"):
        plain = tag is None and event.implicit[0]
    elif tag in _PLAIN_TAGS:
        plain = True
    else:
        raise Unreadable(f"tag {tag} is not supported", _at(event))
    return Scalar(event.value, plain, _at(event))


def _is_not_text(text: str) -> bool:
    kind = yaml.SafeLoader.yaml_implicit_resolvers.get(text[:1], ())
    return text in ("", "~", "null", "true", "false") or any(
        pattern.match(text) for tag, pattern in kind if tag in (_TAG + "int", _TAG + "float")
    )


def _at(event: Any) -> Position:
    return (event.start_mark.line + 1, event.start_mark.column + 1)
