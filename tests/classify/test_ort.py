from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from srd.classify import ort
from srd.classify.api import ModelError


def installed(**versions: str):
    return lambda name: versions.get(name.replace("-", "_"))


def test_one_installed_runtime_is_named():
    assert ort.check_installed(installed(onnxruntime="1.2")) == "onnxruntime 1.2"
    assert ort.check_installed(installed(onnxruntime_gpu="1.2")) == "onnxruntime-gpu 1.2"


def test_no_runtime_is_an_error_that_says_what_to_install():
    with pytest.raises(ModelError, match=r"install semantic-router-daemon\[cpu\] or "):
        ort.check_installed(installed())


def test_two_runtimes_are_an_error_that_names_both():
    with pytest.raises(ModelError, match=r"onnxruntime 1\.2 and onnxruntime-gpu 1\.3"):
        ort.check_installed(installed(onnxruntime="1.2", onnxruntime_gpu="1.3"))


def feeds():
    return {
        "input_ids": np.array([[2, 5, 7, 3]], dtype=np.int64),
        "attention_mask": np.ones((1, 4), dtype=np.int64),
    }


def test_only_the_named_outputs_come_back_in_their_order(tiny):
    session = ort.Session(tiny.folder / "encoder.onnx")
    jailbreak, domain = session.run(["jailbreak_logits", "domain_logits"], feeds())
    np.testing.assert_allclose(domain[0], tiny.weights.logits("domain", [2, 5, 7, 3]), atol=1e-5)
    assert jailbreak.shape == (1, 2)


def test_io_binding_computes_the_same(tiny):
    path = tiny.folder / "encoder.onnx"
    names = ["domain_logits", "pii_logits"]
    plain = ort.Session(path, binding=False).run(names, feeds())
    bound = ort.Session(path, binding=True).run(names, feeds())
    for one, other in zip(plain, bound, strict=True):
        np.testing.assert_array_equal(one, other)


class FakeSession:
    def __init__(self, providers):
        self._providers = providers

    def get_providers(self):
        return self._providers

    def get_inputs(self):
        return []

    get_outputs = get_inputs


class FakeRuntime:
    """An onnxruntime that lists `available` and really starts `started`, like the GPU wheel."""

    def __init__(self, available, started):
        self._available, self._started = available, started

    def get_available_providers(self):
        return self._available

    def InferenceSession(self, path, options, providers):
        return FakeSession(self._started)

    class SessionOptions:
        def add_session_config_entry(self, key, value):
            pass

    class RunOptions:
        pass


BOTH = ["CUDAExecutionProvider", "CPUExecutionProvider"]


def fake(monkeypatch, available, started):
    monkeypatch.setattr(ort, "_import", lambda: FakeRuntime(available, started))


def test_cuda_on_a_build_without_cuda_is_refused_with_the_reason(tiny):
    if "CUDAExecutionProvider" in pytest.importorskip("onnxruntime").get_available_providers():
        pytest.skip("this build has CUDA")
    with pytest.raises(ModelError, match="built without CUDA"):
        ort.Session(tiny.folder / "encoder.onnx", device="cuda")


def test_cuda_that_is_listed_but_does_not_start_is_refused(monkeypatch, tmp_path):
    fake(monkeypatch, BOTH, BOTH[1:])
    with pytest.raises(ModelError, match="could not be started"):
        ort.Session(tmp_path / "x.onnx", device="cuda")


def test_auto_falls_back_to_the_cpu_and_says_why(monkeypatch, tmp_path):
    fake(monkeypatch, BOTH, BOTH[1:])
    session = ort.Session(tmp_path / "x.onnx", device="auto")
    assert session.device == "cpu"
    assert "could not be started" in session.fallback


def test_auto_without_a_cuda_build_is_the_plan_not_a_fallback(tiny):
    session = ort.Session(tiny.folder / "encoder.onnx", device="auto")
    if session.device == "cuda":
        pytest.skip("this machine has a GPU")
    assert session.fallback == ""


def test_cuda_that_starts_is_used(monkeypatch, tmp_path):
    fake(monkeypatch, BOTH, BOTH)
    assert ort.Session(tmp_path / "x.onnx", device="auto").device == "cuda"


def test_a_file_that_is_no_graph_is_refused_by_name(tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        ort.Session(path)


SCRIPT = """
import sys, os
from srd.classify.factory import open_classifier
from srd.classify.api import Ask
classifier = open_classifier(sys.argv[1], threads=1)
heads = frozenset({"domain", "jailbreak", "pii", "embedding"})
scores = classifier.submit(Ask(text="ada", heads=heads)).result(30)
assert scores.domain and scores.pii is not None
classifier.close()
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
print("answered")
"""


def test_nothing_is_written_under_the_home_directory(tiny, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
    environment = kept | {"HOME": str(home), "TMPDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tiny.folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "answered", done.stderr
    assert list(home.rglob("*")) == []
