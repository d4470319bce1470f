"""Every set of values renders objects that every supported Kubernetes takes, and a document that
srd takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import manifests
import pytest
import yaml
from click.testing import CliRunner

from srd.cli.check import check
from srd.cli.serve import serve

TLS = {"enabled": True, "existingSecret": "srd-tls"}
POLICY: dict[str, Any] = {"create": True}
MATRIX: dict[str, Any] = {
    "nothing": {},
    "guide": manifests.SEED / "values-agentgateway.yaml",
    "ai-gateway": manifests.SEED / "values-ai-gateway.yaml",
    "streaming": manifests.SEED / "values-streaming.yaml",
    "tls": {"tls": TLS},
    "mtls without api": {"tls": TLS | {"clientAuth": True}, "service": {"api": {"enabled": False}}},
    "policy": {"agentgateway": {"policy": POLICY}},
    "policy buffered": {"agentgateway": {"policy": POLICY | {"mode": "Buffered"}}},
    "policy elsewhere": {
        "agentgateway": {
            "policy": POLICY
            | {
                "namespace": "gateways",
                "phase": "PreRouting",
                "failureMode": "FailOpen",
                "responseHeaders": False,
                "requestAttributes": {"source.address": "source.address"},
                "metadataContext": {"agentgateway.dev": {"tenant": "jwt.sub"}},
            }
        }
    },
    "gpu": {"gpu": {"enabled": True, "runtimeClassName": "nvidia"}, "threads": 2},
    "scaled": {
        "autoscaling": {
            "enabled": True,
            "targetMemoryUtilizationPercentage": 80,
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
        },
        "podDisruptionBudget": {"minAvailable": "50%", "maxUnavailable": None},
    },
    "closed": {
        "networkPolicy": {
            "enabled": True,
            "from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}],
            "metricsFrom": [{"podSelector": {}}],
            "egress": [],
        }
    },
    "traced": {
        "otel": {
            "endpoint": "http://collector:4317",
            "sampler": "parentbased_traceidratio",
            "samplerArg": "0.1",
            "resourceAttributes": {"deployment.environment": "test"},
            "headersSecret": {"name": "otlp"},
        }
    },
    "watched": {"metrics": {"dashboard": {"enabled": True}}},
    "bare": {
        "service": {
            "api": {"enabled": False},
            "metrics": {"enabled": False},
            "headless": {"enabled": False},
        },
        "podDisruptionBudget": {"enabled": False},
        "serviceAccount": {"create": False},
        "topologySpreadConstraints": [],
        "drain": {"preStopSeconds": 0},
        "resources": None,
    },
    "crowded": {
        "commonLabels": {"team": "llm"},
        "podLabels": {"sidecar.istio.io/inject": "false"},
        "podAnnotations": {"example.com/a": "b"},
        "imagePullSecrets": [{"name": "pull"}],
        "image": {"registry": "registry.example.com", "digest": "sha256:" + "a" * 64},
        "extraEnv": [{"name": "A", "value": "b"}],
        "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
        "extraVolumes": [{"name": "models", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "models", "mountPath": "/models"}],
        "extraContainers": [{"name": "side", "image": "side:1"}],
        "initContainers": [{"name": "first", "image": "first:1"}],
        "extraArgs": ["--model-dir=/models"],
        "hostAliases": [{"ip": "127.0.0.1", "hostnames": ["a.example.com"]}],
        "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "high",
        "extraObjects": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "{{ .Release.Name }}-x"},
            },
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}",
        ],
    },
    "upstream": {
        "args": ["--secure=false"],
        "env": [{"name": "LD_LIBRARY_PATH", "value": "/app/lib"}],
        "envFromSecrets": ["hf-token-secret"],
        "persistence": {"enabled": True, "size": "10Gi"},
        "initContainer": {"enabled": False},
        "dependencies": {"redis": {"enabled": False}},
        "ingress": {"enabled": False},
        "autoscaling": {"enabled": False},
        "global": {"imageRegistry": "mirror.example.com"},
    },
}


@pytest.fixture(params=MATRIX, ids=[name.replace(" ", "-") for name in MATRIX])
def values(request: pytest.FixtureRequest) -> Any:
    chosen = MATRIX[request.param]
    if isinstance(chosen, Path) and not chosen.exists():
        pytest.skip("the guide's values files are not beside the repository")
    return chosen


def test_helm_lints_without_a_warning(chart: Any, values: Any) -> None:
    chart.lint(values)


def test_every_object_fits_every_supported_kubernetes_and_its_crd(chart: Any, values: Any) -> None:
    for rendered in chart.render(values):
        if not manifests.is_custom(rendered) or manifests.has_crd(rendered):
            assert manifests.problems(rendered) == [], rendered["kind"]


def test_srd_takes_the_rendered_document(chart: Any, values: Any, tmp_path: Path) -> None:
    document = tmp_path / "config.yaml"
    document.write_text(chart.document(values))
    result = CliRunner().invoke(check, [str(document)])
    assert result.exit_code == 0, result.output


def test_srd_serve_takes_the_rendered_arguments(
    chart: Any, values: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verb, *args = chart.container(values)["args"]
    assert verb == "serve"
    for folder in ("/etc/srd-tls", "/etc/srd", "/models"):
        args = [arg.replace(f"{folder}/", f"{tmp_path}/") for arg in args]
    for name in ("config.yaml", "tls.crt", "tls.key", "ca.crt"):
        (tmp_path / name).touch()
    args = [arg.replace("$(CPU_LIMIT)", "2") for arg in args]
    assert serve.make_context("srd serve", list(args)).params["grace"] == 30.0


def test_both_helms_render_the_same(both_charts: Any, values: Any) -> None:
    three, four = both_charts
    assert three.render(values) == four.render(values)


def test_labels_select_the_pods(chart: Any, values: Any) -> None:
    objects = chart.render(values)
    (deployment,) = (o for o in objects if o["kind"] == "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    selectors = [deployment["spec"]["selector"]["matchLabels"]]
    selectors += [o["spec"]["selector"] for o in objects if o["kind"] == "Service"]
    selectors += [
        o["spec"]["selector"]["matchLabels"] for o in objects if o["kind"] == "PodDisruptionBudget"
    ]
    for selector in selectors:
        assert selector.items() <= labels
    for pod in (o for o in objects if o["kind"] == "Pod"):
        assert not selectors[0].items() <= pod["metadata"]["labels"].items()


def test_nothing_asks_for_rights_on_the_api_server(chart: Any, values: Any) -> None:
    objects = chart.render(values)
    assert not [o for o in objects if "rbac" in o["apiVersion"]]
    (pod,) = (o["spec"]["template"]["spec"] for o in objects if o["kind"] == "Deployment")
    assert pod["automountServiceAccountToken"] is False


def test_the_guides_document_arrives_unchanged(chart: Any, seed_values: Path) -> None:
    given = yaml.safe_load(seed_values.read_text())["config"]
    assert yaml.safe_load(chart.document(seed_values)) == given
