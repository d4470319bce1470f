"""The pages name files, commands and flags that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from srd.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_files_that_it_names_exist(page: Path) -> None:
    text = page.read_text()
    named = re.findall(r"(?<![\w/])((?:deploy|charts|systemd|otel|srd)/[-\w./]*[\w/])", text)
    links = [(page.parent / link).resolve() for link in re.findall(r"\]\(([^)#:]+)\)", text)]
    installed = {"srd/srd.service.d/", "srd/srd.yaml", "srd/srd.service.d/gpu.conf"}
    missing = [name for name in named if not (ROOT / name).exists() and name not in installed]
    assert missing == []
    assert [str(link) for link in links if not link.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_srd_commands_that_it_shows_have_these_flags(page: Path) -> None:
    for line in commands(page):
        words = shlex.split(line.split("-- srd ", 1)[-1], comments=True) if "srd" in line else []
        if words[:1] == ["srd"]:
            words = words[1:]
        elif "-- srd " not in line:
            continue
        context = click.Context(main)
        command = main.get_command(context, words[0])
        assert command is not None, line
        known = {opt for param in command.params for opt in param.opts}
        assert {word for word in words[1:] if word.startswith("-")} <= known, line
