from __future__ import annotations

import subprocess
import sys

import pytest

from srd.classify.api import ModelError
from srd.classify.factory import open_classifier, positive_columns
from srd.classify.service import NullClassifier


def test_a_head_that_the_model_lacks_is_refused_with_those_it_has(opened, tiny):
    del tiny.manifest["encoder"]["outputs"]["pii"]
    with pytest.raises(ModelError, match="no head pii; it has domain, embedding, jailbreak"):
        opened()
    assert opened(heads=frozenset({"domain"})).heads == {"domain"}


def test_thresholds_version_and_device_are_there_to_be_shown(opened):
    classifier = opened(device="cpu")
    assert dict(classifier.thresholds) == {"jailbreak": 0.7, "pii": 0.5}
    assert (classifier.version, classifier.device, classifier.fallback) == ("tiny", "cpu", "")
    assert "tiny on cpu" in repr(classifier)


def test_positive_labels_that_the_model_does_not_know_are_refused_with_both_lists():
    assert positive_columns(["benign", "jailbreak", "injection"], ["injection", "jailbreak"]) == (
        2,
        1,
    )
    with pytest.raises(ModelError, match=r"INJECTION.*benign, jailbreak"):
        positive_columns(["benign", "jailbreak"], ["INJECTION"])


def test_without_a_head_nothing_is_loaded():
    assert isinstance(open_classifier("/nowhere", heads=frozenset()), NullClassifier)
    script = (
        "import sys; from srd.classify.factory import open_classifier; "
        "open_classifier(heads=frozenset()); "
        "print({'onnxruntime', 'tokenizers'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "set()"
