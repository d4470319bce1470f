"""What the chart promises: names, defaults, refusals, notes."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from typing import Any

import manifests
import pytest
import yaml

import srd

TLS = {"enabled": True, "existingSecret": "srd-tls"}
CHART = manifests.ROOT / "charts" / "srd"


# -- drop-in ---------------------------------------------------------------------------------------


def test_the_guides_install_gives_a_service_semantic_router_with_grpc_on_50051(
    chart: Any, seed_values: Any
) -> None:
    service = chart.one("Service", seed_values)
    assert service["metadata"]["namespace"] == "agentgateway-system"
    ports = {port["name"]: port for port in service["spec"]["ports"]}
    assert ports["grpc"]["port"] == 50051
    assert ports["grpc"]["appProtocol"] == "kubernetes.io/h2c"
    assert ports["classify-api"]["port"] == 8080
    metrics = chart.one("Service", seed_values, "semantic-router-metrics")
    assert metrics["spec"]["ports"][0]["port"] == 9190
    headless = chart.one("Service", seed_values, "semantic-router-headless")
    assert headless["spec"]["clusterIP"] == "None"


def test_the_guides_wait_finds_a_deployment_semantic_router(chart: Any, seed_values: Any) -> None:
    assert chart.one("Deployment", seed_values)["spec"]["replicas"] == 2


def test_large_numbers_are_not_written_as_floats(chart: Any) -> None:
    document = chart.document(
        {"config": {"global": {"router": {"streamed_body": {"max_bytes": 10485760}}}}}
    )
    assert "max_bytes: 10485760" in document


def test_config_override_is_merged_over_config(chart: Any) -> None:
    values = {
        "config": {"version": "v0.3", "global": {"router": {"strategy": "priority"}}},
        "configOverride": {"global": {"router": {"clear_route_cache": False}}},
    }
    router = yaml.safe_load(chart.document(values))["global"]["router"]
    assert router == {"strategy": "priority", "clear_route_cache": False}


def test_skip_processing_reaches_the_document(chart: Any, seed_values: Any) -> None:
    values = yaml.safe_load(seed_values.read_text()) | {
        "router": {"skipProcessing": {"enabled": True}}
    }
    router = yaml.safe_load(chart.document(values))["global"]["router"]
    assert router == {"strategy": "priority", "skip_processing": {"enabled": True}}


def test_without_a_config_the_built_in_document_is_used(chart: Any) -> None:
    built_in = (manifests.ROOT / "srd" / "config" / "default.yaml").read_text()
    assert yaml.safe_load(chart.document()) == yaml.safe_load(built_in)


def test_names_can_be_overridden_and_never_grow_too_long(chart: Any) -> None:
    objects = chart.render({"fullnameOverride": "a" * 63})
    names = [o["metadata"]["name"] for o in objects]
    assert all(len(name) <= 63 for name in names)
    assert len(set(names)) >= 5
    assert chart.one("Deployment", {"nameOverride": "b"}, "semantic-router-b")


# -- the pod ---------------------------------------------------------------------------------------


def test_the_pod_meets_pod_security_restricted(chart: Any) -> None:
    pod = chart.one("Deployment")["spec"]["template"]["spec"]
    test = chart.one("Pod", None, "semantic-router-test")["spec"]
    for spec in (pod, test):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_the_document_is_mounted_as_a_directory_and_does_not_roll_the_pods(chart: Any) -> None:
    mounts = chart.container()["volumeMounts"]
    assert {"name": "config", "mountPath": "/etc/srd", "readOnly": True} in mounts
    template = chart.one("Deployment")["spec"]["template"]
    assert "checksum/config" not in template["metadata"]["annotations"]


def test_a_checksum_rolls_the_pods_when_asked_for(chart: Any) -> None:
    def checksum(config: dict[str, Any]) -> str:
        values = {"restartOnConfigChange": True, "config": config}
        template = chart.one("Deployment", values)["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/config"])

    first, second = checksum({"version": "v0.3"}), checksum({"listeners": []})
    assert first != second


def test_an_existing_configmap_is_mounted_in_place_of_ours(chart: Any) -> None:
    values = {"existingConfigMap": "mine", "configKey": "router.yaml"}
    assert not [o for o in chart.render(values) if o["kind"] == "ConfigMap"]
    volumes = chart.one("Deployment", values)["spec"]["template"]["spec"]["volumes"]
    assert {"name": "config", "configMap": {"name": "mine"}} in volumes
    assert "--config=/etc/srd/router.yaml" in chart.container(values)["args"]


def test_the_pod_has_time_to_drain(chart: Any) -> None:
    pod = chart.one("Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > 5 + 30
    assert chart.container()["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert "--grace=30" in chart.container()["args"]


def test_probes_ask_grpc_in_plaintext(chart: Any) -> None:
    container = chart.container()
    assert container["readinessProbe"]["grpc"] == {"port": 50051, "service": "readiness"}
    assert container["livenessProbe"]["grpc"] == {"port": 50051, "service": "liveness"}


def test_probes_do_not_need_a_client_certificate_under_mtls(chart: Any) -> None:
    mtls = TLS | {"clientAuth": True}
    container = chart.container({"tls": mtls})
    assert container["livenessProbe"]["httpGet"] == {"path": "/health", "port": "api"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "api"}
    hidden = chart.container({"tls": mtls, "service": {"api": {"enabled": False}}})
    assert hidden["readinessProbe"]["exec"]["command"][:2] == ["srd", "healthcheck"]
    assert "--admin=127.0.0.1:8080" in hidden["args"]


def test_tls_comes_from_the_secret_and_drops_the_h2c_hint(chart: Any) -> None:
    values = {"tls": TLS | {"clientAuth": True}}
    args = chart.container(values)["args"]
    assert {"--tls-cert=/etc/srd-tls/tls.crt", "--tls-key=/etc/srd-tls/tls.key"} <= set(args)
    assert "--tls-client-ca=/etc/srd-tls/ca.crt" in args
    assert "appProtocol" not in chart.one("Service", values)["spec"]["ports"][0]


def test_a_gpu_brings_its_image_its_device_and_its_limit(chart: Any) -> None:
    container = chart.container({"gpu": {"enabled": True, "count": 2}})
    assert container["image"] == f"localhost/srd:{srd.__version__}-gpu"
    assert "--device=cuda" in container["args"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 2


def test_otel_values_become_the_sdks_variables(chart: Any) -> None:
    values = {"otel": {"endpoint": "http://c:4317", "resourceAttributes": {"a": "b"}}}
    env = {e["name"]: e.get("value") for e in chart.container(values)["env"]}
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://c:4317"
    assert env["OTEL_SERVICE_NAME"] == "semantic-router"
    attributes = env["OTEL_RESOURCE_ATTRIBUTES"].split(",")
    assert {"k8s.pod.name=$(POD_NAME)", "a=b"} <= set(attributes)
    names = [e["name"] for e in chart.container(values)["env"]]
    # Kubernetes replaces $(X) only by variables defined before.
    assert names.index("POD_NAME") < names.index("OTEL_RESOURCE_ATTRIBUTES")


def test_without_an_endpoint_nothing_is_exported(chart: Any) -> None:
    assert not [e for e in chart.container()["env"] if e["name"].startswith("OTEL_")]


def test_onnx_runtimes_telemetry_is_off(chart: Any) -> None:
    assert {"name": "ORT_DISABLE_TELEMETRY", "value": "1"} in chart.container()["env"]


# -- policies --------------------------------------------------------------------------------------


def test_the_buffered_policy_is_the_guides_own(chart: Any) -> None:
    values = {"agentgateway": {"policy": {"create": True, "mode": "Buffered"}}}
    spec = chart.one("AgentgatewayPolicy", values, "semantic-router-extproc")["spec"]
    assert spec["targetRefs"] == [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "agentgateway-proxy"}
    ]
    assert spec["traffic"]["extProc"] == {
        "backendRef": {
            "name": "semantic-router",
            "namespace": "agentgateway-system",
            "port": 50051,
        },
        "processingOptions": {
            "requestHeaderMode": "Send",
            "requestBodyMode": "Buffered",
            "responseHeaderMode": "Send",
            "responseBodyMode": "Buffered",
            "allowModeOverride": True,
        },
    }


def test_the_full_duplex_policy_leaves_answers_streaming(chart: Any) -> None:
    values = {"agentgateway": {"policy": {"create": True}}}
    spec = chart.one("AgentgatewayPolicy", values, "semantic-router-extproc")["spec"]
    options = spec["traffic"]["extProc"]["processingOptions"]
    assert options["requestBodyMode"] == "FullDuplexStreamed"
    assert options["requestTrailerMode"] == "Send"
    assert options["responseBodyMode"] == "None"
    assert options["allowModeOverride"] is False
    assert "failureMode" not in spec["traffic"]["extProc"]  # unknown to v1.3


def test_a_policy_in_another_namespace_brings_its_reference_grant(chart: Any) -> None:
    values = {"agentgateway": {"policy": {"create": True, "namespace": "gateways"}}}
    grant = chart.one("ReferenceGrant", values, "semantic-router-extproc")
    assert grant["metadata"]["namespace"] == "agentgateway-system"
    assert grant["spec"]["from"][0]["namespace"] == "gateways"
    here = {"agentgateway": {"policy": {"create": True}}}
    assert not [o for o in chart.render(here) if o["kind"] == "ReferenceGrant"]


def test_envoy_gateways_policy_is_full_duplex(chart: Any) -> None:
    values = {"envoyGateway": {"extensionPolicy": {"create": True}}}
    spec = chart.one("EnvoyExtensionPolicy", values, "semantic-router-extproc")["spec"]
    assert spec["extProc"][0]["processingMode"]["request"] == {"body": "FullDuplexStreamed"}


# -- refusals --------------------------------------------------------------------------------------


def _typos(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """A path to a misspelt key in every map of the default values that has fixed keys."""
    free = {"commonLabels", "podLabels", "podAnnotations", "annotations", "labels", "requests"}
    free |= {"limits", "nodeSelector", "resourceAttributes", "requestAttributes", "metadataContext"}
    free |= {"global", "configOverride", "seccompProfile"}
    free |= {"persistence", "rbac", "initContainer", "toolsDb", "knowledgeBases", "ingress"}
    free |= {"dashboard", "dependencies"} if not path else set()
    yield (*path, "enabeld")
    for key, value in values.items():
        if isinstance(value, dict) and key not in free:
            yield from _typos(value, (*path, key))


def test_a_typo_is_refused_at_every_level(values_schema: Any, default_values: Any) -> None:
    from jsonschema import Draft7Validator

    validator = Draft7Validator(values_schema)
    paths = list(_typos(default_values))
    assert len(paths) >= 40
    for path in paths:
        values: Any = True
        for key in reversed(path):
            values = {key: values}
        assert not validator.is_valid(values), ".".join(path)


def test_the_default_values_and_the_schema_have_the_same_keys(
    values_schema: Any, default_values: Any
) -> None:
    assert default_values.keys() == values_schema["properties"].keys()
    for key in ("image", "service", "tls", "otel", "metrics", "gpu", "autoscaling", "drain"):
        assert default_values[key].keys() == values_schema["properties"][key]["properties"].keys()


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"replicas": 3}, "replicas"),
        ({"service": {"grpc": {"prt": 1}}}, "prt"),
        ({"service": {"grpc": {"port": "50051"}}}, "port"),
        ({"service": {"grpc": {"port": 70000}}}, "port"),
        ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
        ({"config": {"routng": {}}}, "routng"),
        ({"config": {"global": {"router": {"streamed_body": {"max_byte": 1}}}}}, "max_byte"),
        ({"config": {"routing": {"decisions": [{"nam": "x"}]}}}, "nam"),
        ({"routing": {"decisions": []}}, "routing"),
        ({"agentgateway": {"policy": {"mode": "Streamed"}}}, "mode"),
        ({"agentgateway": {"policy": {"create": "yes"}}}, "create"),
        ({"log": {"level": "loud"}}, "level"),
        ({"otel": {"endpoint": "collector:4317"}}, "endpoint"),
        ({"resources": {"limit": {}}}, "limit"),
        ({"livenessProbe": {"periodSecond": 1}}, "periodSecond"),
        ({"extraEnv": [{"name": "A", "vaule": "b"}]}, "vaule"),
    ],
)
def test_helm_names_what_it_refuses(chart: Any, values: Any, word: str) -> None:
    assert word in chart.refusal(values)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"tls": {"enabled": True}}, "tls.enabled needs tls.existingSecret"),
        ({"tls": {"clientAuth": True}}, "tls.clientAuth needs tls.enabled"),
        ({"existingConfigMap": "a", "config": {"version": "v0.3"}}, "exclude each other"),
        ({"global": {"router": {}}}, "write it as config.global.router"),
        ({"podDisruptionBudget": {"minAvailable": 1}}, "exactly one of minAvailable"),
        ({"autoscaling": {"enabled": True, "minReplicas": 20}}, "minReplicas is more than"),
    ],
)
def test_impossible_combinations_are_refused_with_a_sentence(
    chart: Any, values: Any, sentence: str
) -> None:
    assert sentence in chart.refusal(values)


# -- notes -----------------------------------------------------------------------------------------


def test_the_notes_warn_of_a_missing_config(helm4: Any) -> None:
    assert "WARNING: no `config` was given" in helm4.notes()


def test_the_notes_say_what_to_curl(helm4: Any, seed_values: Any) -> None:
    notes = helm4.notes(seed_values)
    assert "/api/v1/eval" in notes
    assert "curl -i localhost:8080/v1/chat/completions" in notes
    assert "WARNING" not in notes
    assert "without effect" not in notes


def test_the_notes_name_the_keys_of_the_other_chart_that_do_nothing(helm4: Any) -> None:
    notes = helm4.notes({"persistence": {"enabled": True}, "toolsDb": [{"a": 1}]})
    assert "without effect: persistence, toolsDb." in notes


def test_upstreams_environment_is_honoured_and_its_insecure_flag_dropped(chart: Any) -> None:
    container = chart.container(
        {"args": ["--secure=false"], "env": [{"name": "A", "value": "b"}], "envFromSecrets": ["s"]}
    )
    assert "--secure=false" not in container["args"]
    assert {"name": "A", "value": "b"} in container["env"]
    assert container["envFrom"] == [{"secretRef": {"name": "s"}}]


# -- the files -------------------------------------------------------------------------------------


def test_the_copies_in_the_chart_are_up_to_date() -> None:
    path = manifests.ROOT / "charts" / "assemble.py"
    spec = importlib.util.spec_from_file_location("assemble", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stale = [str(p) for p, text in module.assembled().items() if p.read_text() != text]
    assert stale == [], "run: python charts/assemble.py"


def test_the_app_version_is_the_packages() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == srd.__version__
    assert "dependencies" not in chart


def test_the_values_file_stays_short() -> None:
    assert len((CHART / "values.yaml").read_text().splitlines()) < 300


def test_the_schema_is_one_that_every_helm_understands(values_schema: Any) -> None:
    from jsonschema import Draft7Validator

    Draft7Validator.check_schema(values_schema)
    assert "unevaluatedProperties" not in json.dumps(values_schema)
