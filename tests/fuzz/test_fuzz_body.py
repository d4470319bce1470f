"""The fuzz entry itself, on the corpus: it must hold, and it must be able to fail."""

from __future__ import annotations

import pytest
from fuzz import fuzz_body


def test_the_invariant_holds_for_the_corpus_and_its_neighbours():
    assert fuzz_body.smoke() == 4 * len(fuzz_body.ALL)


def test_a_body_that_depends_on_its_cuts_is_found(monkeypatch):
    monkeypatch.setattr(fuzz_body, "_send", lambda api, pieces, *_: b"%d" % len(pieces))
    with pytest.raises(AssertionError):
        fuzz_body.smoke(rounds=0)
