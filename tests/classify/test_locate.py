from __future__ import annotations

import pytest

from srd.classify import locate
from srd.classify.api import ModelError


def test_a_given_folder_is_used(tiny):
    assert locate.model_dir(tiny.folder) == tiny.folder
    assert locate.model_dir(str(tiny.folder)) == tiny.folder


def test_a_given_folder_without_a_manifest_is_never_replaced_by_the_default(tmp_path):
    with pytest.raises(ModelError, match=str(tmp_path)):
        locate.model_dir(tmp_path)


def test_the_wheels_folder_goes_before_the_checkouts(tmp_path, monkeypatch):
    package = tmp_path / "srd"
    monkeypatch.setattr(locate, "__file__", str(package / "classify" / "locate.py"))
    with pytest.raises(ModelError, match=r"srd/_model.*models/default"):
        locate.model_dir()
    checkout, wheel = tmp_path / "models" / "default", package / "_model"
    for place in (checkout, wheel):
        place.mkdir(parents=True)
        (place / "manifest.json").write_text("{}")
        assert locate.model_dir() == place
