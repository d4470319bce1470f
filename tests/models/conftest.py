"""Puts the training package on the path: it lives beside srd and is not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

MODELS = Path(__file__).resolve().parents[2] / "models"
sys.path.insert(0, str(MODELS))


@pytest.fixture(scope="session")
def default_folder() -> Path:
    return MODELS / "default"
