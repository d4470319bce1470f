"""The example manifests: what an API server would take, and how the steps fit together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import manifests
import pytest
import yaml

DEPLOY = manifests.ROOT / "deploy"
AGENTGATEWAY = sorted((DEPLOY / "agentgateway").glob("[0-9]*.yaml"))
STANDALONE = sorted((DEPLOY / "agentgateway").glob("standalone-*.yaml"))
OTHERS = sorted(
    path
    for name in ("envoy-gateway", "ai-gateway", "istio")
    for path in (DEPLOY / name).glob("*.yaml")
)


def read(path: Path) -> list[manifests.Object]:
    return manifests.objects(path.read_text())


@pytest.mark.parametrize("path", AGENTGATEWAY, ids=lambda path: path.stem)
def test_an_api_server_would_take_it(path: Path) -> None:
    for manifest in read(path):
        assert manifests.problems(manifest) == [], manifest["kind"]


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_kinds_without_a_crd_at_hand_have_the_shape_of_an_object(path: Path) -> None:
    for manifest in read(path):
        assert manifest["apiVersion"].count("/") == 1
        assert manifest["metadata"]["name"]
        assert "namespace" in manifest["metadata"] or manifest["kind"] == "GatewayClass"
        if manifests.has_crd(manifest):
            assert manifests.problems(manifest) == []


@pytest.mark.parametrize("path", STANDALONE, ids=lambda path: path.stem)
def test_standalone_agentgateway_takes_its_configuration(path: Path) -> None:
    schema_file = manifests.SEED / "agentgateway-config-schema.json"
    if not schema_file.exists():
        pytest.skip("AgentGateway's configuration schema is not beside the repository")
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(json.loads(schema_file.read_text()))
    config = yaml.safe_load(path.read_text())
    assert [error.message for error in validator.iter_errors(config)] == []
    mode = config["binds"][0]["listeners"][0]["policies"]["extProc"]["processingOptions"]
    mode["requestBodyMode"] = "streamed"
    assert not validator.is_valid(config), "the schema judges nothing"


def test_the_manifests_name_each_other() -> None:
    objects = [o for path in AGENTGATEWAY for o in read(path)]

    def one(kind: str) -> Any:
        return next(o for o in objects if o["kind"] == kind)

    gateway, route, backend = one("Gateway"), one("HTTPRoute"), one("AgentgatewayBackend")
    assert route["spec"]["parentRefs"][0]["name"] == gateway["metadata"]["name"]
    assert route["spec"]["rules"][0]["backendRefs"][0]["name"] == backend["metadata"]["name"]
    service = one("Service")["metadata"]
    host = backend["spec"]["ai"]["provider"]["host"]
    assert host == f"{service['name']}.{service['namespace']}.svc.cluster.local"
    for policy in (o for o in objects if o["kind"] == "AgentgatewayPolicy"):
        assert policy["spec"]["targetRefs"][0]["name"] == gateway["metadata"]["name"]
        assert policy["metadata"]["namespace"] == gateway["metadata"]["namespace"]


def test_the_demo_server_serves_the_models_of_the_guides_values() -> None:
    values = manifests.SEED / "values-agentgateway.yaml"
    if not values.exists():
        pytest.skip("the guide's values files are not beside the repository")
    decisions = yaml.safe_load(values.read_text())["config"]["routing"]["decisions"]
    wanted = {ref["lora_name"] for decision in decisions for ref in decision["modelRefs"]}
    (deployment, _) = read(DEPLOY / "agentgateway" / "20-demo-llm.yaml")
    args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert wanted == {json.loads(arg)["name"] for arg in args if arg.startswith("{")}


def test_the_buffered_policy_is_the_guides() -> None:
    guide = manifests.SEED / "install-with-agentgateway.txt"
    if not guide.exists():
        pytest.skip("the guide is not beside the repository")
    (policy,) = read(DEPLOY / "agentgateway" / "50-policy-buffered.yaml")
    text = guide.read_text()
    for key, value in policy["spec"]["traffic"]["extProc"]["processingOptions"].items():
        said = str(value).lower() if isinstance(value, bool) else value
        assert f"{key}: {said}" in text


@pytest.mark.parametrize("mode", ["full-duplex", "buffered"])
def test_istio_asks_as_plain_envoy_does(mode: str) -> None:
    (envoy_filter,) = read(DEPLOY / "istio" / f"envoyfilter-{mode}.yaml")
    config = envoy_filter["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]
    envoy = yaml.safe_load((DEPLOY / "envoy" / f"{mode}.yaml").read_text())
    listener = envoy["static_resources"]["listeners"][0]
    filters = listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
    plain = filters[0]["typed_config"]
    for key in ("@type", "processing_mode", "failure_mode_allow", "message_timeout"):
        assert config[key] == plain[key]
