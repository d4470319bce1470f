"""GET /v1/models."""

import json

from srd.config import loads
from srd.plugins.model_list import model_list


def test_routed_names_are_listed_as_virtual(document):
    answer = model_list(document, now=5.5)
    body = json.loads(answer.body)
    assert (answer.status, body["object"]) == (200, "list")
    assert answer.headers == (("content-type", b"application/json"),)
    assert [entry["id"] for entry in body["data"]] == ["MoM", "auto", "vllm-sr/auto"]
    for entry in body["data"]:
        assert (entry["object"], entry["created"]) == ("model", 5)
        assert entry["owned_by"] == "vllm-semantic-router"
        assert entry["routing"] == {
            "resolution": "virtual",
            "selectable": True,
            "default_route": True,
        }


def test_models_and_adapters_follow_when_the_document_says_so():
    document = loads(
        """
        routing:
          modelCards: [{name: base, description: The base, loras: [{name: math}, {name: auto}]}]
        global: {router: {auto_model_names: [auto], include_config_models_in_list: true}}
        """
    ).document
    data = json.loads(model_list(document).body)["data"]
    assert [entry["id"] for entry in data] == ["auto", "base", "math"]
    assert [entry["description"] for entry in data[1:]] == ["The base", "Adapter of base"]
    assert data[1]["owned_by"] == "upstream-endpoint"
    assert data[1]["routing"]["resolution"] == "passthrough"
