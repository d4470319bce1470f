"""What pip calls the package: nobody may be sent to a stranger's."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import srd

ROOT = Path(__file__).parents[1]
#: `pip install srd`, quoted or not, with or without extras or a version.
STRANGER = re.compile(r"install\s+(?:-\S+\s+)*['\"]?srd\b(?![-_./])|\bsrd\[[a-z-]+\]")
TEXTS = {".py", ".md", ".toml", ".yaml", ".yml", ".sh", ".txt", ".service", ""}


def test_the_distribution_has_a_name_of_its_own_and_the_import_stays_srd() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == srd.DISTRIBUTION == "semantic-router-daemon"
    assert project["scripts"] == {"srd": "srd.cli:main"}


def test_no_text_and_no_error_sends_anybody_to_the_strangers_package() -> None:
    folders = (
        "srd",
        "docs",
        "deploy",
        "otel",
        "models",
        "charts",
        "systemd",
        "benchmarks",
        "tools",
    )
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    files += [path for path in ROOT.iterdir() if path.is_file()]
    texts = [path for path in files if path.is_file() and path.suffix in TEXTS]
    assert len(texts) > 200
    sent = [str(path) for path in texts if STRANGER.search(path.read_text(errors="replace"))]
    assert sent == []
