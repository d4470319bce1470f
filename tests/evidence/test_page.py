from __future__ import annotations

import re
from pathlib import Path

import msgspec
import yaml

from srd.config.globals import EvidenceRules
from srd.evidence.human import Harness
from srd.evidence.templates import HARNESS_BLOCKS, TALKS, TEMPLATES, WRAPPERS

PAGE = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text()


def test_the_settings_that_the_page_shows_do_what_it_says() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    written = yaml.safe_load(block)["global"]["router"]["evidence"]
    mine = Harness.of(msgspec.convert(written, EvidenceRules))
    assert mine.read("<company_notice>x</company_notice>[draft] Why?").text == "Why?"
    assert mine.read("Injected by the portal: x").text == ""
    assert mine.read("Answer from these pages.\nx\nAsked: Why?\nReply:").text == "Why?"


def test_what_the_page_names_is_in_the_lists() -> None:
    unknown = set(re.findall(r"`<([\w-]+)>`", PAGE)) - {"name"}
    unknown -= {entry[1:-1] for entry in HARNESS_BLOCKS} | {*WRAPPERS, *TALKS}
    assert unknown == set()
    starts = [start for template in TEMPLATES for start in template.starts]
    quoted = re.findall(r"`([A-Z#][\w ,#.'-]+?)(?: \.\.\.)?`", PAGE)
    openings = [each for each in quoted if each.count(" ") > 2]
    assert openings
    known = [*starts, *HARNESS_BLOCKS]
    unlisted = [
        each
        for each in openings
        if not any(entry.startswith(each) or each.startswith(entry) for entry in known)
    ]
    assert unlisted == []
