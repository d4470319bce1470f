from __future__ import annotations

import pytest

from srd.classify.api import ModelError
from srd.classify.manifest import Combine, DomainCalibration, read_manifest


def test_a_folder_of_ours_is_read(tiny):
    manifest = read_manifest(tiny.folder)
    assert manifest.labels["domain"] == ["biology", "law", "math"]
    assert manifest.encoder.outputs["pii"] == "pii_logits"
    assert manifest.first_stage is not None
    assert manifest.first_stage.confidence == 0.9
    assert manifest.calibration.jailbreak.temperature == 1.0


def test_a_missing_key_is_refused_with_file_and_place(tiny):
    del tiny.manifest["encoder"]["file"]
    tiny.write()
    with pytest.raises(ModelError, match=r"manifest\.json.*`file`.*encoder"):
        read_manifest(tiny.folder)


def test_a_missing_manifest_is_refused(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        read_manifest(tmp_path)


def test_a_head_without_labels_is_refused(tiny):
    del tiny.manifest["labels"]["jailbreak"]
    tiny.write()
    with pytest.raises(ModelError, match="'jailbreak' has an output but no labels"):
        read_manifest(tiny.folder)


def test_the_weight_of_the_linear_stage_falls_as_pieces_grow_longer():
    combine = Combine(weight=0.1, by_density=[(2.0, 0.8), (3.0, 0.4)])
    assert [combine.at(d) for d in (0.0, 2.0, 2.5, 3.0, 9.0)] == pytest.approx(
        [0.8, 0.8, 0.6, 0.4, 0.4]
    )
    assert Combine(weight=0.1).at(2.5) == 0.1


def test_densities_that_do_not_rise_are_refused(tiny):
    tiny.manifest["combine"] = {"domain": {"by_density": [[3.0, 0.4], [3.0, 0.8]]}}
    tiny.write()
    with pytest.raises(ModelError, match=r"combine\.domain\.by_density does not rise"):
        read_manifest(tiny.folder)


def test_a_weight_beyond_one_is_refused(tiny):
    tiny.manifest["combine"] = {"domain": {"by_density": [[3.0, 1.4]]}}
    tiny.write()
    with pytest.raises(ModelError, match=r"weights are from 0 to 1, not \[0\.0, 1\.4\]"):
        read_manifest(tiny.folder)


def test_the_temperature_is_that_of_the_smallest_window_not_below():
    calibration = DomainCalibration(encoder={"512": 4.0, "64": 1.0, "128": 2.0})
    assert [calibration.temperature(n) for n in (16, 64, 65, 200, 512, 4096)] == [1, 1, 2, 4, 4, 4]
    assert DomainCalibration().temperature(64) == 1.0
