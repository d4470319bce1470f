from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from srd.signals.base import Evidence, Reach, Truth
from srd.signals.readings import RuleError
from srd.signals.structure import (
    MAX_BOUND,
    MAX_COUNT,
    StructureRule,
    StructureSignal,
    compile_structure,
)

Moment = Callable[..., Evidence]


def structure(
    feature: str, source: dict[str, Any], predicate: Any = None, reach: Reach = Reach.TURNS
) -> StructureSignal:
    rule = {
        "name": "rule",
        "feature": {"type": feature, "source": source},
        "predicate": predicate,
    }
    return compile_structure(msgspec.convert(rule, StructureRule), reach)


QUESTIONS = {"type": "regex", "pattern": r"\?"}
STEPS = {"type": "sequence", "sequences": [["first", "then"], ["1.", "2."]]}


def words(*keywords: str, **more: Any) -> dict[str, Any]:
    return {"type": "keyword_set", "keywords": keywords, **more}


@pytest.mark.parametrize(
    ("feature", "source", "text", "value"),
    [
        ("count", QUESTIONS, "why? how? what", 2),
        ("exists", QUESTIONS, "why? how?", 1),
        ("exists", QUESTIONS, "because", 0),
        ("density", QUESTIONS, "why? or how?", 2 / 3),
        ("density", QUESTIONS, "?!", 0),  # no unit
        ("count", words("do", "do not"), "do not! Do it, doing", 3),
        ("count", words("Do", case_sensitive=True), "do Do", 1),
        ("count", words("über"), "Über, darüber", 1),
        ("count", words("代码"), "写代码和代码", 2),
        ("count", words("c++"), "c++, C++ and c+++", 3),
        ("count", words("python"), "学习python编程, Python!", 2),
        ("count", words("python"), "pythons", 0),
        ("count", words("go"), "go_go", 2),
        ("count", words("हिन्द"), "हिन्दी", 0),
        ("count", words("a a"), "a a a a a", 2),
        ("count", words("c++"), "c++11", 1),
        ("density", words("hi"), "hi हिन्दी ภาษา 字", 1 / 4),
        ("count", words(), "anything", 0),
        ("density", words("代码"), "写代码吧", 1 / 4),
        ("density", words("code"), "code 代码 x1", 1 / 4),
        ("sequence", STEPS, "First this, THEN that", 1),
        ("sequence", STEPS, "then this, first that", 0),
        ("sequence", STEPS, "1. a 2. b", 1),
        ("count", STEPS, "1. a 2. b first then", 1),
        ("exists", STEPS, "nothing", 0),
        ("sequence", {"type": "sequence"}, "nothing", 0),
        ("count", {"type": "text_bytes"}, "é\ud800", 5),
        ("count", {"type": "regex", "pattern": "A", "case_sensitive": True}, "aA", 1),
    ],
)
def test_features_are_measured(
    whole: Moment, feature: str, source: dict[str, Any], text: str, value: float
) -> None:
    reading = structure(feature, source).read(whole(text))
    assert reading.score == pytest.approx(value)
    assert reading.value is (Truth.TRUE if value > 0 else Truth.FALSE)


def test_the_predicate_decides(whole: Moment) -> None:
    many = structure("count", QUESTIONS, {"gte": 2})
    few = structure("count", QUESTIONS, {"lt": 2})
    assert many.read(whole("a? b?")).value is Truth.TRUE
    assert few.read(whole("a? b?")).value is Truth.FALSE
    assert few.read(whole("a?")).value is Truth.TRUE
    assert many.read(whole("a? b?")).confidence == 0.5


def test_a_blank_text_never_matches(whole: Moment) -> None:
    assert structure("count", QUESTIONS, {"lt": 2}).read(whole(" ")).value is Truth.FALSE


def test_it_answers_only_when_no_more_text_will_come(
    early: Moment, settled: Moment, whole: Moment
) -> None:
    full, window = structure("count", QUESTIONS), structure("count", QUESTIONS, reach=Reach.WINDOW)
    assert full.read(settled("a?")).value is Truth.UNKNOWN
    assert full.read(whole("a?")).value is Truth.TRUE
    assert window.read(early("a?")).value is Truth.UNKNOWN
    assert window.read(settled("a?")).value is Truth.TRUE


def test_a_bad_pattern_is_refused_at_compile_time() -> None:
    with pytest.raises(RuleError):
        structure("count", {"type": "regex", "pattern": "("})


def test_occurrences_are_counted_up_to_a_bound(whole: Moment) -> None:
    everything = {"type": "regex", "pattern": "a"}
    text = "a" * (MAX_COUNT + 5)
    assert structure("count", everything).read(whole(text)).score == MAX_COUNT
    assert structure("count", everything, {"gt": 4097}).read(whole(text)).value is Truth.TRUE
    far = structure("count", everything, {"gt": 1e300})
    assert far.read(whole("a" * (MAX_BOUND + 5))).score == MAX_BOUND


def test_density_is_that_of_the_text_that_was_counted(whole: Moment) -> None:
    every = structure("density", {"type": "regex", "pattern": "a"})
    assert every.read(whole("a b " * 10_000)).score == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize(
    "source", [words("a" * 50 + "b", "zz"), {"type": "regex", "pattern": "(a+)+b"}, STEPS]
)
@pytest.mark.parametrize("feature", ["count", "density", "exists", "sequence"])
@pytest.mark.parametrize("text", ["a" * 1_000_000, "字" * 100_000, "\ud800", "\0"])
def test_hostile_texts_end(whole: Moment, source: dict[str, Any], feature: str, text: str) -> None:
    assert structure(feature, source).read(whole(text)).value is Truth.FALSE


@pytest.mark.parametrize(("source", "count"), [("", 1), ("human", 1), ("raw", 3)])
def test_source_says_which_text_is_measured(whole: Moment, source: str, count: int) -> None:
    rule = {
        "name": "rule",
        "source": source,
        "feature": {"type": "count", "source": {"type": "regex", "pattern": "[?]"}},
    }
    signal = compile_structure(msgspec.convert(rule, StructureRule), Reach.TURNS)
    assert signal.read(whole("why?", raw="<block>??</block> why?")).score == count


def test_only_the_text_that_is_read_can_be_blank(whole: Moment) -> None:
    rule = {"name": "rule", "feature": {"type": "count", "source": {"type": "text_bytes"}}}
    for source, truth in (("human", Truth.FALSE), ("raw", Truth.TRUE)):
        signal = compile_structure(
            msgspec.convert({**rule, "source": source}, StructureRule), Reach.TURNS
        )
        assert signal.read(whole(" ", raw="<block/>")).value is truth
