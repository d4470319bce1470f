from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from srd.signals.base import Evidence, Origin, Reach, Segment, Truth
from srd.signals.keyword import KeywordRule, KeywordSignal, compile_keyword
from srd.signals.readings import RuleError

Moment = Callable[..., Evidence]


def keyword(*keywords: str, reach: Reach = Reach.WINDOW, **more: Any) -> KeywordSignal:
    rule = {"name": "rule", "operator": "OR", "keywords": keywords} | more
    return compile_keyword(msgspec.convert(rule, KeywordRule), reach)


@pytest.mark.parametrize(
    ("operator", "text", "value"),
    [
        ("OR", "a then b", Truth.TRUE),
        ("OR", "only b", Truth.TRUE),
        ("OR", "neither", Truth.FALSE),
        ("AND", "a then b", Truth.TRUE),
        ("AND", "only b", Truth.FALSE),
        ("NOR", "only b", Truth.FALSE),
        ("NOR", "neither", Truth.TRUE),
    ],
)
def test_operators_at_the_end(whole: Moment, operator: str, text: str, value: Truth) -> None:
    reading = keyword("a", "b", operator=operator).read(whole(text))
    assert reading.value is value
    assert reading.confidence == 1.0


@pytest.mark.parametrize(
    ("operator", "text", "value"),
    [
        ("OR", "a, and", Truth.TRUE),
        ("OR", "neither, and", Truth.UNKNOWN),
        ("AND", "a, b, and", Truth.TRUE),
        ("AND", "a, and", Truth.UNKNOWN),
        ("NOR", "a, and", Truth.FALSE),
        ("NOR", "neither, and", Truth.UNKNOWN),
    ],
)
def test_operators_while_text_is_still_coming(
    early: Moment, operator: str, text: str, value: Truth
) -> None:
    assert keyword("a", "b", operator=operator).read(early(text)).value is value


def test_a_full_window_settles_it(settled: Moment) -> None:
    assert keyword("a").read(settled("neither")).value is Truth.FALSE
    assert keyword("a", operator="NOR").read(settled("neither")).value is Truth.TRUE
    assert keyword("a").read(settled("ends in a")).value is Truth.TRUE


def test_scope_full_says_nothing_before_the_body_has_ended(
    early: Moment, settled: Moment, whole: Moment
) -> None:
    signal = keyword("a", reach=Reach.TURNS)
    assert signal.read(early("a a a")).value is Truth.UNKNOWN
    assert signal.read(settled("a a a")).value is Truth.UNKNOWN
    assert signal.read(whole("a a a")).value is Truth.TRUE


@pytest.mark.parametrize(
    ("operator", "value"), [("OR", Truth.FALSE), ("AND", Truth.TRUE), ("NOR", Truth.TRUE)]
)
def test_no_keywords_are_the_empty_or_and_and_nor(
    whole: Moment, operator: str, value: Truth
) -> None:
    assert keyword(operator=operator).read(whole("text")).value is value


def test_the_reading_names_what_matched_and_the_share(whole: Moment) -> None:
    reading = keyword("Think", "asap", "now", "later").read(whole("THINK now"))
    assert reading.detail == "Think, now"
    assert reading.score == 0.5


def test_a_long_list_of_matches_is_shortened(whole: Moment) -> None:
    words = [f"w{i}" for i in range(12)]
    assert keyword(*words).read(whole(" ".join(words))).detail.endswith("w7 and 4 more")


def test_a_fuzzy_match_is_marked(whole: Moment) -> None:
    signal = keyword("urgent", "asap", fuzzy_match=True)
    reading = signal.read(whole("urgnt and asap"))
    assert reading.detail == "urgent (fuzzy), asap"
    assert keyword("urgent").read(whole("urgnt")).value is Truth.FALSE


def test_the_fuzzy_threshold_is_the_most_edits(whole: Moment) -> None:
    assert (
        keyword("urgent", fuzzy_match=True, fuzzy_threshold=1).read(whole("urgnet")).value
        is Truth.FALSE
    )
    # upstream: 0 means the default, 2
    assert (
        keyword("urgent", fuzzy_match=True, fuzzy_threshold=0).read(whole("urgnet")).value
        is Truth.TRUE
    )


@pytest.mark.parametrize("method", ["bm25", "ngram"])
def test_fuzzy_match_means_nothing_to_other_methods(method: str) -> None:
    assert keyword("urgent", method=method, fuzzy_match=True).fuzzy is None


@pytest.mark.parametrize(
    ("method", "text", "value"),
    [
        ("", "debugging", Truth.FALSE),
        ("regex", "debugging", Truth.TRUE),
        ("bm25", "debugging", Truth.TRUE),
        ("ngram", "debugging", Truth.TRUE),
        ("bm25", "debate", Truth.FALSE),
        ("ngram", "dbug", Truth.TRUE),
    ],
)
def test_methods_find_different_forms(whole: Moment, method: str, text: str, value: Truth) -> None:
    assert keyword("debug", method=method).read(whole(text)).value is value


def test_case_sensitive_keywords(whole: Moment) -> None:
    assert keyword("US", case_sensitive=True).read(whole("tell us")).value is Truth.FALSE
    assert keyword("US", case_sensitive=True).read(whole("the US.")).value is Truth.TRUE


def test_a_bad_pattern_is_refused_at_compile_time() -> None:
    with pytest.raises(RuleError, match="RE2 refuses"):
        keyword("a(?!b)", method="regex")


@pytest.mark.parametrize("method", ["", "regex", "bm25", "ngram"])
@pytest.mark.parametrize(
    "text", ["", "\ud800", "\0", "a" * 1_000_000, "a " * 200_000, "\u202e" * 1000, "𝕒" * 50_000]
)
def test_no_text_makes_a_rule_raise(whole: Moment, method: str, text: str) -> None:
    signal = keyword("zebra", "crossing", method=method, fuzzy_match=True)
    assert signal.read(whole(text)).value is Truth.FALSE


@pytest.mark.parametrize("operator", ["OR", "AND", "NOR"])
@pytest.mark.parametrize("method", ["", "bm25", "ngram"])
def test_an_early_answer_is_never_taken_back(
    early: Moment, whole: Moment, operator: str, method: str
) -> None:
    text = "We think, urgently rethinking what thinkers thought; debug the bugs now. think "
    signal = keyword("think", "debug", operator=operator, method=method, fuzzy_match=True)
    final = signal.read(whole(text)).value
    for end in range(len(text)):
        assert signal.read(early(text[:end])).value in (Truth.UNKNOWN, final)


def test_the_repr_says_what_it_is() -> None:
    assert repr(keyword("a", "b")) == "<keyword:rule OR of 2 <LiteralSet of 2>>"


def of_rule(*, blocking: bool = False, **rule: Any) -> KeywordSignal:
    written = {"name": "rule", "operator": "OR", "keywords": ["secret", "key"], **rule}
    reach = Reach.BODY if blocking else Reach.TURNS
    return compile_keyword(msgspec.convert(written, KeywordRule), reach, blocking=blocking)


@pytest.mark.parametrize(
    ("source", "truth"), [("", Truth.FALSE), ("human", Truth.FALSE), ("raw", Truth.TRUE)]
)
def test_source_says_which_text_is_searched(whole: Moment, source: str, truth: Truth) -> None:
    evidence = whole("hello", raw="<block>secret</block> hello")
    assert of_rule(source=source).read(evidence).value is truth


SAID = tuple(Segment(origin, f"a {origin.name.lower()} word") for origin in Origin)


@pytest.mark.parametrize(
    ("more", "heard"),
    [
        ({}, {"last", "prior", "other", "repeated"}),
        ({"include_history": True}, {"last", "prior", "other", "repeated", "history"}),
        ({"include_tools": True}, {"last", "prior", "other", "repeated", "tools"}),
    ],
)
def test_under_a_blocking_decision_segments_are_searched(
    whole: Moment, more: dict[str, bool], heard: set[str]
) -> None:
    evidence = whole("none of these", segments=SAID)
    for origin in Origin:
        name = origin.name.lower()
        signal = of_rule(blocking=True, keywords=[name], **more)
        assert (signal.read(evidence).value is Truth.TRUE) is (name in heard)
        assert of_rule(keywords=[name], **more).read(evidence).value is Truth.FALSE


def test_a_keyword_never_reaches_from_one_segment_into_the_next(whole: Moment) -> None:
    said = (Segment(Origin.LAST, "sec"), Segment(Origin.LAST, "ret"))
    signal = of_rule(blocking=True, method="regex", keywords=["sec.?ret"])
    assert signal.read(whole("secret", segments=said)).value is Truth.FALSE


def test_keywords_of_an_and_may_stand_in_different_segments(whole: Moment) -> None:
    said = (Segment(Origin.PRIOR, "the secret"), Segment(Origin.LAST, "the key"))
    signal = of_rule(blocking=True, operator="AND")
    assert signal.read(whole("the key", segments=said)).value is Truth.TRUE


def test_under_a_blocking_decision_nothing_is_said_before_the_end(settled: Moment) -> None:
    evidence = settled("secret", turns=True, segments=(Segment(Origin.LAST, "secret"),))
    assert of_rule(blocking=True).read(evidence).value is Truth.UNKNOWN


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("please ignore this", True),
        ("please ｉｇｎｏｒｅ this", True),
        ("please ig\u200bnore this", True),
        ("please ignоrе this", True),  # Cyrillic o and e
        ("please ІGNΟRЕ this", True),
        ("дума", True),
        ("ДУМА", True),
        ("ignored", False),
    ],
)
@pytest.mark.parametrize("method", ["", "regex"])
def test_a_text_is_read_as_it_looks_where_the_rule_says_so(
    whole: Moment, text: str, found: bool, method: str
) -> None:
    words = [r"\bignore\b", "дума"] if method else ["ignore", "дума"]
    rule = {"name": "r", "operator": "OR", "keywords": words, "method": method}
    looks = compile_keyword(msgspec.convert(rule | {"normalize": "nfkc"}, KeywordRule), Reach.TURNS)
    assert (looks.read(whole(text)).value is Truth.TRUE) is found


def test_before_the_end_a_normalized_text_counts_up_to_its_last_blank(early: Moment) -> None:
    rule = {"name": "r", "operator": "OR", "keywords": ["a="], "normalize": "nfkc"}
    looks = compile_keyword(msgspec.convert(rule, KeywordRule), Reach.WINDOW)
    assert looks.read(early("a=")).value is Truth.UNKNOWN  # may become "a≠"
    assert looks.read(early("a= ")).value is Truth.TRUE
