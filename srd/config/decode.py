"""A tree of nodes to the document's structs, reporting everything that does not fit.

Why this file exists: msgspec stops at the first error and knows neither lines nor suggestions;
people fix a configuration faster when they see all of it. What is wrong is reported and replaced
by a default, so that the checks after this one still see the rest. It must not know references
between parts.
"""

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from srd.config.base import OpenPart, Part
from srd.config.document import Document
from srd.config.environment import expand
from srd.config.legacy import LEGACY_KEYS
from srd.config.nodes import Map, Node, Scalar, Seq
from srd.config.plugins import PLUGIN_ALIASES, PLUGIN_TYPES, Plugin
from srd.config.problems import Position, Problems, closest, join, nearest, quote
from srd.config.rules import ALWAYS, Branch, Leaf
from srd.config.scalars import Mismatch, described, is_null, natural, read_scalar
from srd.config.shape import (
    Anything,
    Choice,
    ListOf,
    MapOf,
    Number,
    RuleTree,
    Shape,
    StructOf,
    Switch,
    Text,
    fields_of,
)

__all__ = ["MAX_TEXT", "Decoder"]

#: Bound on a document, before and after environment variables are replaced.
MAX_TEXT = 16 * 1024 * 1024


#: How like a known key an unknown one must be to be a slip where unknown keys are let through.
_ALMOST_EQUAL = 0.85


class _Bad:
    """Stands for a value that was reported and cannot be used."""


BAD = _Bad()


class Decoder:
    """Decodes one document. Problems go into `problems`; every path met is placed there."""

    def __init__(self, problems: Problems, env: Mapping[str, str]) -> None:
        self._problems = problems
        self._env = env
        self._expanded = 0

    def document(self, root: Node) -> Document:
        """The document, with defaults where it is wrong or silent."""
        self._problems.place("", root.position)
        value = self.value(root, StructOf(Document), "")
        return value if isinstance(value, Document) else Document()

    def value(self, node: Node, shape: Shape, path: str, at: Position | None = None) -> Any:
        """The value of a node under a shape, or BAD after reporting.

        `at` is where a problem with it is shown: its key, where it has one.
        """
        self._problems.place(path, at or node.position)
        match shape:
            case StructOf(cls) if cls is Plugin:
                return self._plugin(node, path)
            case StructOf(cls):
                return self._struct(node, cls, path)
            case RuleTree():
                return self._rule(node, path)
            case ListOf(item):
                return self._list(node, item, path)
            case MapOf(value):
                return self._map(node, value, path)
            case Anything():
                return self._anything(node, path)
        if not isinstance(node, Scalar):
            self._mismatch(node, shape, path)
            return BAD
        text, expanded = self._expand(node, path)
        try:
            return read_scalar(text, node.plain, expanded, shape)
        except Mismatch as error:
            self._problems.error(path, error.what, error.hint)
            return BAD

    # -- mappings ---------------------------------------------------------------------------------

    def _struct(self, node: Node, cls: type[Part], path: str) -> Any:
        if not isinstance(node, Map):
            self._mismatch(node, StructOf(cls), path)
            return BAD
        self._keys(node, path)
        fields = fields_of(cls)
        values: dict[str, Any] = {}
        slips: set[str | None] = set()
        for key, child in node.entries.items():
            spec = fields.get(key)
            if spec is None:
                slips.add(self._unknown(cls, path, key, node))
            elif not _absent(child):
                value = self.value(child, spec.shape, join(path, key), node.keys[key])
                if value is not BAD:
                    values[spec.attribute] = value
                elif spec.required:
                    values[spec.attribute] = placeholder(spec.shape)
        for spec in fields.values():
            if spec.required and spec.attribute not in values:
                if spec.key not in slips:
                    self._missing(path, spec.key, spec.shape)
                values[spec.attribute] = placeholder(spec.shape)
        return cls(**values)

    def _missing(self, path: str, key: str, shape: Shape) -> None:
        hint = described(shape) if isinstance(shape, Choice) else ""
        self._problems.error(path, f"{quote(key)} is missing", hint)

    def _unknown(self, cls: type[Part], path: str, key: str, node: Map) -> str | None:
        """Report an unknown key; returns the known key that it is most likely a slip of."""
        where = join(path, key)
        instead = LEGACY_KEYS.get(re.sub(r"\[\d+\]", "[]", where))
        if instead is not None:
            self._problems.error(where, "this key is no longer taken", instead, node.keys[key])
        elif not issubclass(cls, OpenPart) or nearest(key, fields_of(cls), _ALMOST_EQUAL):
            hint = _shortened(key, fields_of(cls)) or elsewhere(key)
            hint = hint or closest(key, fields_of(cls))
            self._problems.error(where, "unknown key", hint, node.keys[key])
            return nearest(key, fields_of(cls))
        return None

    def _keys(self, node: Map, path: str) -> None:
        """Report keys that stand twice or are not text."""
        for key, position in node.repeated:
            first = node.keys[key][0]
            self._problems.error(
                join(path, key), "the key stands twice", f"first in line {first}", position
            )
        for shown, position in node.odd:
            self._problems.error(
                path, f"a key must be text, got {shown}", "write it in quotes", position
            )

    def _map(self, node: Node, shape: Shape, path: str) -> Any:
        if not isinstance(node, Map):
            self._mismatch(node, MapOf(shape), path)
            return BAD
        self._keys(node, path)
        found: dict[str, Any] = {}
        for key, child in node.entries.items():
            value = self.value(child, shape, join(path, key), node.keys[key])
            if value is not BAD:
                found[key] = value
        return found

    def _list(self, node: Node, shape: Shape, path: str) -> Any:
        if not isinstance(node, Seq):
            self._mismatch(node, ListOf(shape), path)
            return BAD
        values: list[Any] = []
        for index, child in enumerate(node.items):
            value = self.value(child, shape, join(path, index))
            # Lists are addressed by index afterwards: a bad struct keeps its place.
            values.append(placeholder(shape) if value is BAD else value)
        return tuple(values)

    # -- the parts whose shape depends on their content -------------------------------------------

    def _plugin(self, node: Node, path: str) -> Any:
        if not isinstance(node, Map):
            self._mismatch(node, StructOf(Plugin), path)
            return BAD
        self._keys(node, path)
        for key in node.entries.keys() - {"type", "configuration"}:
            self._unknown(Plugin, path, key, node)
        kind = self._plugin_type(node, path)
        if kind is None:
            return BAD
        cls = PLUGIN_TYPES[kind]
        body = node.entries.get("configuration")
        if body is None or _absent(body):
            body = Map(node.position)
        at = node.keys.get("configuration", node.position)
        configuration = self.value(body, StructOf(cls), join(path, "configuration"), at)
        if configuration is BAD:
            configuration = placeholder(StructOf(cls))
        return Plugin(type=kind, configuration=configuration)

    def _plugin_type(self, node: Map, path: str) -> str | None:
        given = node.entries.get("type")
        where = join(path, "type")
        if given is None or _absent(given):
            self._problems.error(path, '"type" is missing')
            return None
        kind = self.value(given, Text(min_length=1), where, node.keys["type"])
        if kind is BAD:
            return None
        if kind in PLUGIN_ALIASES:
            self._problems.warn(
                where, f"{quote(kind)} is an old name", f"write {PLUGIN_ALIASES[kind]}"
            )
        kind = PLUGIN_ALIASES.get(kind, kind)
        if kind not in PLUGIN_TYPES:
            hint = closest(kind, PLUGIN_TYPES)
            if kind in ("jailbreak", "pii"):
                hint = f"{kind} is a signal; block with a decision and a fast_response plugin"
            self._problems.error(where, f"there is no plugin {quote(kind)}", hint)
            return None
        return str(kind)

    def _rule(self, node: Node, path: str) -> Any:
        if not isinstance(node, Map):
            self._mismatch(node, RuleTree(), path)
            return BAD
        keys = node.entries.keys()
        if not keys and not node.odd:
            return ALWAYS
        if "type" in keys and ("operator" in keys or "conditions" in keys):
            self._problems.error(
                path, "a rule is a leaf (type, name) or a branch (operator, conditions), not both"
            )
            return BAD
        leaf_keys, branch_keys = fields_of(Leaf).keys(), fields_of(Branch).keys()
        leaf = "type" in keys or ("operator" not in keys and "conditions" not in keys)
        if leaf and not keys & leaf_keys and any(nearest(key, branch_keys) for key in keys):
            leaf = False
        value = self._struct(node, Leaf if leaf else Branch, path)
        if isinstance(value, Branch) and value.operator == "NOT" and len(value.conditions) != 1:
            self._problems.error(
                path, f"NOT takes exactly one condition, not {len(value.conditions)}"
            )
        return value

    def _anything(self, node: Node, path: str) -> Any:
        if isinstance(node, Map):
            return self._map(node, Anything(), path)
        if isinstance(node, Seq):
            return self._list(node, Anything(), path)
        text, expanded = self._expand(node, path)
        return natural(text, node.plain or expanded)

    # -- scalars ----------------------------------------------------------------------------------

    def _expand(self, node: Scalar, path: str) -> tuple[str, bool]:
        if "$" not in node.text or self._expanded > MAX_TEXT:
            return node.text, False
        text, unset = expand(node.text, self._env)
        self._expanded += len(text)
        if self._expanded > MAX_TEXT:
            self._problems.error(path, "environment variables make the document larger than 16 MiB")
            return "", True
        for name in sorted(unset):
            self._problems.warn(
                path,
                f"environment variable {name} is not set, so nothing stands in its place",
                f"set it, give a default as ${{{name}:-default}}, or write $$ for a dollar",
            )
        return text, text != node.text

    def _mismatch(self, node: Node, shape: Shape, path: str) -> None:
        kind = {Map: "a mapping", Seq: "a list"}.get(type(node))
        if isinstance(node, Scalar):
            kind = "nothing" if is_null(node.text, node.plain) else quote(node.text)
        hint = ""
        if isinstance(shape, ListOf) and not isinstance(node, Seq):
            hint = "begin each item with a dash"
        self._problems.error(path, f"expected {described(shape)}, got {kind}", hint)


def _absent(node: Node) -> bool:
    """An empty value counts as not written, as upstream's zero values do."""
    return isinstance(node, Scalar) and is_null(node.text, node.plain)


def placeholder(shape: Shape) -> Any:
    """A value that keeps the checks going in the place of one that was refused."""
    match shape:
        case StructOf(cls) if cls is Plugin:
            return Plugin(type="", configuration=placeholder(StructOf(PLUGIN_TYPES["tools"])))
        case StructOf(cls):
            required = (spec for spec in fields_of(cls).values() if spec.required)
            return cls(**{spec.attribute: placeholder(spec.shape) for spec in required})
        case RuleTree():
            return ALWAYS
        case Text() | Choice():
            return ""
        case Number():
            return 0
        case Switch():
            return False
        case ListOf():
            return ()
        case MapOf():
            return {}
    return None


def _shortened(key: str, known: Iterable[str]) -> str:
    """`did you mean NAME?` when `key` is some of the words of exactly one known key."""
    words = set(key.split("_"))
    longer = [name for name in known if words < set(name.split("_"))]
    return f"did you mean {quote(longer[0])}?" if len(longer) == 1 else ""


def elsewhere(key: str) -> str:
    """`it belongs to PATH` when exactly one part of the document has this key; else ""."""
    places = _places().get(key, ())
    return f"it belongs to {places[0]}" if len(places) == 1 else ""


@functools.cache
def _places() -> Mapping[str, tuple[str, ...]]:
    """Every key of the document with the paths of the parts that have it."""
    found: dict[str, tuple[str, ...]] = {}
    stack: list[tuple[Shape, str]] = [(StructOf(Document), "")]
    while stack:
        shape, path = stack.pop()
        if isinstance(shape, ListOf):
            stack.append((shape.item, path + "[]"))
        elif isinstance(shape, StructOf):
            for spec in fields_of(shape.cls).values():
                found[spec.key] = (*found.get(spec.key, ()), path or "the top level")
                stack.append((spec.shape, join(path, spec.key)))
    return found
