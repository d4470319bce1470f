"""The document's JSON Schema, for editors.

Why this file exists: an editor that knows the schema completes keys and marks typos before `srd
check` does. It is built from the same annotations that decoding uses, so the two cannot differ.
msgspec's own schema is no help: it neither knows the rule tree (a union of two structs) nor
forbids unknown keys.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import msgspec

from srd.config.base import OpenPart, Part
from srd.config.document import Document
from srd.config.plugins import PLUGIN_ALIASES, PLUGIN_TYPES, Plugin
from srd.config.rules import Branch, Leaf
from srd.config.shape import (
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

__all__ = ["schema"]

#: Text that holds an environment variable may stand for a number or a boolean.
_VARIABLE = {"type": "string", "pattern": r"\$"}
_TOKENS = r"^\s*(\d+(\.\d*)?|\.\d+)\s*[kKmM]?\s*$|\$"
_RULE = "#/$defs/RuleNode"


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the document; under `config:` in a Helm values file."""
    writer = _Writer()
    writer.struct(Document)
    writer.rules()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "srd configuration (version v0.3)",
        "$ref": "#/$defs/Document",
        "$defs": dict(sorted(writer.definitions.items())),
    }


class _Writer:
    """Collects one definition per struct."""

    def __init__(self) -> None:
        self.definitions: dict[str, dict[str, Any]] = {}

    def struct(self, cls: type[Part]) -> dict[str, Any]:
        name = cls.__name__
        if name not in self.definitions:
            self.definitions[name] = {}  # a placeholder ends the recursion of rule trees
            self.definitions[name] = self._definition(cls)
        return {"$ref": f"#/$defs/{name}"}

    def rules(self) -> None:
        leaf, branch = self.struct(Leaf), self.struct(Branch)
        empty = {"type": "object", "maxProperties": 0, "description": "Always true."}
        self.definitions["RuleNode"] = {"anyOf": [leaf, branch, empty]}

    def _definition(self, cls: type[Part]) -> dict[str, Any]:
        if cls is Plugin:
            return self._plugin()
        fields = fields_of(cls)
        defaults = {info.encode_name: info.default for info in msgspec.structs.fields(cls)}
        properties: dict[str, Any] = {}
        for key, field in fields.items():
            properties[key] = self._shape(field.shape)
            if isinstance(default := defaults[key], bool | int | float | str) and default != "":
                properties[key]["default"] = default
        definition: dict[str, Any] = {
            "type": "object",
            "description": inspect.cleandoc(cls.__doc__ or ""),
            "properties": properties,
        }
        if required := [key for key, field in fields.items() if field.required]:
            definition["required"] = required
        if not issubclass(cls, OpenPart):
            definition["additionalProperties"] = False
        return definition

    def _plugin(self) -> dict[str, Any]:
        names = {kind: [kind] for kind in PLUGIN_TYPES}
        for alias, kind in PLUGIN_ALIASES.items():
            names[kind].append(alias)
        cases = [
            {
                "properties": {"type": {"enum": names[kind]}, "configuration": self.struct(cls)},
                "required": ["type"],
                "additionalProperties": False,
            }
            for kind, cls in PLUGIN_TYPES.items()
        ]
        return {
            "type": "object",
            "description": inspect.cleandoc(Plugin.__doc__ or ""),
            "oneOf": cases,
        }

    def _shape(self, shape: Shape) -> dict[str, Any]:
        match shape:
            case StructOf(cls):
                return self.struct(cls)
            case RuleTree():
                return {"$ref": _RULE}
            case ListOf(item):
                return {"type": "array", "items": self._shape(item)}
            case MapOf(value):
                return {"type": "object", "additionalProperties": self._shape(value)}
            case Choice(options):
                return {"enum": [option for option in options if option] + _blank(options)}
            case Switch():
                return {"anyOf": [{"type": "boolean"}, dict(_VARIABLE)]}
            case Number():
                return _number(shape)
            case Text():
                return _text(shape)
        return {}


def _blank(options: tuple[str, ...]) -> list[str]:
    return [""] if "" in options else []


def _number(shape: Number) -> dict[str, Any]:
    number: dict[str, Any] = {"type": "integer" if shape.whole else "number"}
    bounds: Mapping[str, float | None] = {"minimum": shape.ge, "maximum": shape.le}
    number.update((key, bound) for key, bound in bounds.items() if bound is not None)
    text = {"type": "string", "pattern": _TOKENS} if shape.tokens else dict(_VARIABLE)
    return {"anyOf": [number, text]}


def _text(shape: Text) -> dict[str, Any]:
    text: dict[str, Any] = {"type": ["string", "number", "boolean"] if shape.word else "string"}
    if shape.min_length:
        text["minLength"] = shape.min_length
    return text
