from __future__ import annotations

import msgspec
import pytest

from srd.classify.api import ModelError
from srd.classify.catalog import upstream_folders
from srd.config.catalog import ModelCatalog

ALL = frozenset({"domain", "jailbreak", "pii", "embedding"})


def folders(root, document, heads=ALL):
    return upstream_folders(msgspec.convert(document, ModelCatalog), heads, root)


@pytest.fixture
def root(tmp_path):
    for name in ("a", "b", "models/mine"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def test_an_empty_catalog_names_nothing(root):
    assert folders(root, {}) == ({}, [])


def test_system_paths_name_the_folders(root):
    named, _ = folders(root, {"system": {"domain_classifier": "models/mine", "prompt_guard": "a"}})
    assert {head: one.path for head, one in named.items()} == {
        "domain": root / "models/mine",
        "jailbreak": root / "a",
    }


def test_a_modules_model_id_wins_over_the_system_path_and_brings_its_mapping(root):
    named, _ = folders(
        root,
        {
            "system": {"pii_classifier": "a"},
            "modules": {"classifier": {"pii": {"model_id": "b", "pii_mapping_path": "b/m.json"}}},
        },
    )
    assert (named["pii"].path, named["pii"].mapping) == (root / "b", root / "b/m.json")


def test_a_model_ref_points_at_a_system_entry(root):
    document = {
        "system": {"pii_classifier": "a", "feedback_detector": "b"},
        "modules": {"classifier": {"pii": {"model_ref": "feedback_detector"}}},
    }
    assert folders(root, document)[0]["pii"].path == root / "b"
    document["modules"]["classifier"]["pii"]["model_ref"] = "nobody"
    with pytest.raises(ModelError, match=r"'nobody' is not one of prompt_guard, domain_classifier"):
        folders(root, document)


def test_the_guards_positive_labels_come_along(root):
    named, _ = folders(
        root, {"modules": {"prompt_guard": {"model_id": "a", "positive_labels": ["x", "y"]}}}
    )
    assert named["jailbreak"].positive == ("x", "y")


def test_embeddings_follow_the_model_type(root):
    semantic = {
        "bert_model_path": "a",
        "mmbert_model_path": "b",
        "embedding_config": {"model_type": "bert", "target_dimension": 256, "target_layer": 6},
    }
    named, _ = folders(root, {"embeddings": {"semantic": semantic}})
    found = named["embedding"]
    assert (found.path, found.dimensions, found.layer) == (root / "a", 256, 6)
    semantic["embedding_config"] = {"model_type": "qwen3"}
    semantic["qwen3_model_path"] = "a"
    with pytest.raises(ModelError, match="qwen3_model_path: srd reads mean-pooled encoders only"):
        folders(root, {"embeddings": {"semantic": semantic}})


def test_heads_that_nobody_needs_are_not_looked_for(root):
    document = {"system": {"domain_classifier": "nowhere"}}
    assert folders(root, document, frozenset({"pii"})) == ({}, [])
    with pytest.raises(ModelError, match=r"nowhere: no such folder \(the model for domain\)"):
        folders(root, document)


def test_a_folder_that_upstream_would_download_falls_back_with_a_note(root):
    path = "models/mmbert32k-intent-classifier-merged"
    named, notes = folders(root, {"system": {"domain_classifier": path}})
    assert named == {}
    assert notes == [
        f"{root / path} is not there and srd downloads nothing: "
        "the model inside the package answers domain."
    ]
    (root / path).mkdir()
    named, notes = folders(root, {"system": {"domain_classifier": path}})
    assert (named["domain"].path, notes) == (root / path, [])
