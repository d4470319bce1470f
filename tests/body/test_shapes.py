"""The table of API shapes."""

from __future__ import annotations

from srd.body.shapes import SHAPES, Api


def test_every_api_has_a_shape():
    assert set(SHAPES) == set(Api)


def test_a_system_text_has_one_place_at_most():
    for shape in SHAPES.values():
        assert not (shape.system_message and shape.system)
