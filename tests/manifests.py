"""Judges Kubernetes manifests without a cluster: structure, CRD schemas and their CEL rules.

Why this file exists: the chart's tests and the example manifests' tests ask the same questions. The
CRDs are third-party files beside the repository; tests that need them skip where they are absent.
"""

from __future__ import annotations

import copy
import functools
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
SEED = ROOT.parent / "shared" / "seed"
CRDS = SEED / "crds"
KUBERNETES = ("1.33", "1.34", "1.35", "1.36", "1.37")
# Kubernetes' own CEL library, which the Python one lacks.
_FOREIGN_CEL = re.compile(r"\b(quantity|isQuantity|isURL|url|isIP|ip|cidr|format|oldSelf)\b")

Object = dict[str, Any]


class Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a repeated key is an error, `on` is still a boolean."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len({str(key) for key in keys}), f"repeated key at {node.start_mark}"
        return super().construct_mapping(node, deep)


def objects(text: str) -> list[Object]:
    """The objects of a stream of YAML documents, empty ones left out."""
    return [document for document in yaml.load_all(text, Loader) if document]


def helm(major: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the real helm 3 or 4; skips where it has not been fetched."""
    binary = ROOT / ".cache" / "helm" / major / "helm"
    if not binary.exists():
        pytest.skip(f"helm {major} is not fetched: python tests/charts/fetch_helm.py")
    return subprocess.run([binary, *args], capture_output=True, text=True, cwd=ROOT)


def problems(manifest: Object) -> list[str]:
    """What an API server would say against an object: of every release for its own kinds, of the
    CRD for the others."""
    if is_custom(manifest):
        return custom_problems(manifest)
    return [f"{release}: {text}" for release in KUBERNETES for text in _native(manifest, release)]


def is_custom(manifest: Object) -> bool:
    """Whether its kind comes from a CRD."""
    group, slash, _ = manifest["apiVersion"].partition("/")
    own = not slash or "." not in group or group.endswith(".k8s.io")
    return not own or group == "gateway.networking.k8s.io"


def _native(manifest: Object, release: str) -> Iterator[str]:
    name = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", manifest["apiVersion"])
    validator = _native_validator(release, f"{manifest['kind'].lower()}-{name}.json")
    for error in validator.iter_errors(manifest):
        yield f"{error.json_path}: {error.message}"


@functools.cache
def _native_validator(release: str, file: str) -> Any:
    """The strict schemas of kubernetes-validate; its own function reads megabytes at each call."""
    from jsonschema import Draft202012Validator
    from referencing import Resource

    schema = json.loads((_schemas(release) / file).read_text())
    registry = Resource.from_contents(schema) @ _definitions(release)
    return Draft202012Validator(schema, registry=registry)


@functools.cache
def _definitions(release: str) -> Any:
    from referencing import Registry, Resource

    text = (_schemas(release) / "_definitions.json").read_text()
    return Resource.from_contents(json.loads(text)) @ Registry()


def _schemas(release: str) -> Path:
    import kubernetes_validate

    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    return folder / f"v{release}.0-local-strict"


def custom_problems(manifest: Object) -> list[str]:
    """Schema and CEL problems of a custom resource; skips when its CRD is not at hand."""
    schema = _crd(manifest["apiVersion"], manifest["kind"])
    if schema is None:
        pytest.skip(f"no CRD of {manifest['kind']} beside the repository")
    validator = _crd_validator(manifest["apiVersion"], manifest["kind"])
    found = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]
    if not found:
        defaulted = copy.deepcopy(manifest)
        _default(defaulted, schema)
        found = list(_broken_rules(defaulted, schema, "$"))
    return found


@functools.cache
def _crd_validator(api_version: str, kind: str) -> Any:
    from jsonschema import Draft7Validator

    return Draft7Validator(_strict(_crd(api_version, kind)))


def has_crd(manifest: Object) -> bool:
    """Whether `custom_problems` can judge it."""
    return _crd(manifest["apiVersion"], manifest["kind"]) is not None


@functools.cache
def _crd(api_version: str, kind: str) -> Object | None:
    group, _, version = api_version.partition("/")
    for path in sorted(CRDS.glob(f"{group}_*.yaml")):
        for crd in yaml.load_all(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if crd["spec"]["names"]["kind"] == kind:
                for served in crd["spec"]["versions"]:
                    if served["name"] == version:
                        return dict(served["schema"]["openAPIV3Schema"])
    return None


def _strict(schema: Any) -> Any:
    """OpenAPI v3 as CRDs use it, in JSON Schema's words; unknown fields are refused, as by
    `kubectl apply`'s strict decoding."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: _strict(value) for key, value in schema.items() if key != "default"}
    if isinstance(out.get("properties"), dict):
        out["properties"] = {name: _strict(sub) for name, sub in schema["properties"].items()}
    if out.get("x-kubernetes-int-or-string"):
        out["type"] = ["integer", "string"]
    if out.get("nullable"):
        out["type"] = [out["type"], "null"]
    named = isinstance(out.get("properties"), dict) and out.get("type") == "object"
    if named and "additionalProperties" not in out and not out.get(_OPEN):
        if "metadata" in out["properties"] and out["properties"]["metadata"] == {"type": "object"}:
            out["properties"]["metadata"] = {}
        out["additionalProperties"] = False
    return out


_OPEN = "x-kubernetes-preserve-unknown-fields"


def _default(value: Any, schema: Object) -> None:
    """Fill in defaults, as the API server does before it evaluates rules."""
    if isinstance(value, dict):
        for name, sub in schema.get("properties", {}).items():
            if name not in value and "default" in sub:
                value[name] = copy.deepcopy(sub["default"])
            if name in value:
                _default(value[name], sub)
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            for item in value.values():
                _default(item, extra)
    elif isinstance(value, list):
        for item in value:
            _default(item, schema.get("items", {}))


def _broken_rules(value: Any, schema: Object, path: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", []):
        if not _FOREIGN_CEL.search(rule["rule"]) and not _compiled(rule["rule"]).execute(
            {"self": value}
        ):
            yield f"{path}: {rule.get('message', rule['rule'])}"
    if isinstance(value, dict):
        extra = schema.get("additionalProperties")
        for name, item in value.items():
            sub = schema.get("properties", {}).get(name, extra)
            if isinstance(sub, dict):
                yield from _broken_rules(item, sub, f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _broken_rules(item, schema.get("items", {}), f"{path}[{index}]")


@functools.cache
def _compiled(rule: str) -> Any:
    import cel

    return cel.compile(rule)
