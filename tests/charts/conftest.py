"""Rendering of the chart with the real helm, once for each set of values."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import manifests
import pytest
import yaml

CHART = "charts/srd"
RELEASE, NAMESPACE = "semantic-router", "agentgateway-system"


class Chart:
    """`render(values)` gives the objects, `refusal(values)` what helm says against the values."""

    def __init__(self, major: str) -> None:
        self.major = major

    def render(
        self, values: dict[str, Any] | Path | None = None, *flags: str
    ) -> list[manifests.Object]:
        text = _rendered(self.major, _text(values), flags)
        return manifests.objects(text)

    def one(self, kind: str, values: Any = None, name: str = RELEASE) -> manifests.Object:
        (found,) = (
            o for o in self.render(values) if (o["kind"], o["metadata"]["name"]) == (kind, name)
        )
        return found

    def container(self, values: Any = None) -> Any:
        return self.one("Deployment", values)["spec"]["template"]["spec"]["containers"][0]

    def document(self, values: Any = None) -> str:
        data = self.one("ConfigMap", values, f"{RELEASE}-config")["data"]
        return str(data["config.yaml"])

    def refusal(self, values: Any, *flags: str) -> str:
        done = _helm(self.major, "template", _text(values), flags)
        assert done.returncode != 0, "helm accepted the values"
        return done.stderr

    def notes(self, values: Any = None) -> str:
        done = _helm(self.major, "install", _text(values), ("--dry-run=client",))
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("NOTES:")[2]

    def lint(self, values: Any = None) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(_text(values))
            file.flush()
            done = manifests.helm(self.major, "lint", "--strict", CHART, "-f", file.name)
        assert done.returncode == 0, done.stdout + done.stderr


def _text(values: Any) -> str:
    return values.read_text() if isinstance(values, Path) else json.dumps(values or {})


def _helm(major: str, verb: str, values: str, flags: tuple[str, ...]) -> Any:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(values)
        file.flush()
        args = (verb, RELEASE, CHART, "-n", NAMESPACE, "-f", file.name, *flags)
        return manifests.helm(major, *args)


@functools.cache
def _rendered(major: str, values: str, flags: tuple[str, ...]) -> str:
    done = _helm(major, "template", values, flags)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.fixture(scope="session", params=["3", "4"], ids=["helm3", "helm4"])
def chart(request: pytest.FixtureRequest) -> Chart:
    manifests.helm(request.param, "version")  # skips where it is not fetched
    return Chart(request.param)


@pytest.fixture(scope="session")
def both_charts() -> list[Chart]:
    for major in ("3", "4"):
        manifests.helm(major, "version")  # skips where it is not fetched
    return [Chart("3"), Chart("4")]


@pytest.fixture(scope="session")
def helm4() -> Chart:
    """Only helm 4 renders notes without a cluster."""
    manifests.helm("4", "version")
    return Chart("4")


@pytest.fixture(scope="session")
def seed_values() -> Path:
    path = manifests.SEED / "values-agentgateway.yaml"
    if not path.exists():
        pytest.skip("the guide's values files are not beside the repository")
    return path


@pytest.fixture(scope="session")
def default_values() -> Any:
    return yaml.safe_load((manifests.ROOT / CHART / "values.yaml").read_text())


@pytest.fixture(scope="session")
def values_schema() -> Any:
    return json.loads((manifests.ROOT / CHART / "values.schema.json").read_text())
