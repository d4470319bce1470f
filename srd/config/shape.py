"""The shapes of values that the structs' annotations describe.

Why this file exists: decoding and the JSON Schema read the same annotations; they are interpreted
once, here, into a handful of shapes. It must not know nodes, problems or schemas.
"""

import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, Union

import msgspec

from srd.config.base import Part
from srd.signals.table import LEAF_TYPES

__all__ = [
    "Anything",
    "Choice",
    "Field",
    "ListOf",
    "MapOf",
    "Number",
    "RuleTree",
    "Shape",
    "StructOf",
    "Switch",
    "Text",
    "fields_of",
    "shape_of",
]


@dataclass(frozen=True, slots=True)
class Text:
    """A string. `word`: a bare number or boolean is taken as written."""

    min_length: int = 0
    word: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A number within bounds. `tokens`: `32K` and `1.5M` are numbers too."""

    whole: bool
    ge: float | None = None
    le: float | None = None
    tokens: bool = False


@dataclass(frozen=True, slots=True)
class Switch:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these strings."""

    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one shape."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping from free keys to one shape."""

    value: "Shape"


@dataclass(frozen=True, slots=True)
class StructOf:
    """A mapping with the keys of a struct."""

    cls: type[Part]


@dataclass(frozen=True, slots=True)
class RuleTree:
    """A leaf or a branch of `srd.config.rules`."""


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever is written."""


Shape: TypeAlias = Text | Number | Switch | Choice | ListOf | MapOf | StructOf | RuleTree | Anything


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a struct: its name in the document, the attribute, what it holds."""

    key: str
    attribute: str
    shape: Shape
    required: bool


@functools.cache
def fields_of(cls: type[Part]) -> Mapping[str, Field]:
    """The fields of a struct by their names in the document."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {
        info.encode_name: Field(
            info.encode_name, info.name, shape_of(hints[info.name]), info.required
        )
        for info in msgspec.structs.fields(cls)
    }


def shape_of(annotation: Any, meta: msgspec.Meta | None = None) -> Shape:
    """The shape of an annotation; `X | None` has the shape of X."""
    origin = typing.get_origin(annotation)
    args = typing.get_args(annotation)
    if origin is typing.Annotated:
        return shape_of(args[0], args[1])
    if origin in (Union, types.UnionType):
        inner = [arg for arg in args if arg is not type(None)]
        return shape_of(inner[0]) if len(inner) == 1 else _union(inner)
    if origin is Literal:
        return Choice(tuple(args))
    if origin is tuple:
        return ListOf(shape_of(args[0]))
    if origin is not None and issubclass(origin, Mapping):
        return MapOf(shape_of(args[1]))
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return StructOf(annotation)
    return _simple(annotation, meta)


def _union(inner: list[Any]) -> Shape:
    """The only unions of the document: rule nodes; plugin configurations go by their type."""
    if {cls.__name__ for cls in inner} == {"Leaf", "Branch"}:
        return RuleTree()
    return Anything()


def _simple(annotation: Any, meta: msgspec.Meta | None) -> Shape:
    extra: Mapping[str, Any] = (meta.extra if meta else None) or {}
    if extra.get("leaf_type"):
        return Choice(LEAF_TYPES)
    if annotation is str:
        return Text((meta.min_length if meta else 0) or 0, bool(extra.get("word")))
    if annotation is bool:
        return Switch()
    if annotation in (int, float):
        ge = meta.ge if meta else None
        le = meta.le if meta else None
        return Number(annotation is int, ge, le, bool(extra.get("tokens")))
    if annotation in (Any, object):
        return Anything()
    raise TypeError(f"the document has no shape for {annotation!r}")
