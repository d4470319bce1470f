import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.signals.patterns import LiteralSet, PatternList, literal_pattern
from srd.signals.readings import RuleError


def literals(*keywords: str, case_sensitive: bool = False) -> LiteralSet:
    return LiteralSet.of(keywords, case_sensitive=case_sensitive)


@pytest.mark.parametrize(
    ("keyword", "text", "occurs"),
    [
        ("think", "think twice", True),
        ("think", "THINK!", True),
        ("think", "thinking", False),
        ("think", "rethink", False),
        ("think", "think_about", False),
        ("think", "think-about", True),
        ("step by step", "go step by step.", True),
        ("step by step", "go step  by step.", False),
        ("a.b", "a.b", True),
        ("a.b", "axb", False),
        ("思考", "请仔细思考一下", True),
        ("ai思考", "我ai思考x", True),  # one Han character switches the boundaries off
        ("!!!", "no!!!!", True),  # no letter, no boundary
        ("c++", "I like C++.", True),
        ("c++", "c++11", True),
        ("c++", "objc++", False),
        ("c#", "C#, please", True),
        ("c#", "c #", False),
        (".net", "in .NET now", True),
        (".net", "ASP.NET", True),
        (".net", ".network", False),
        ("über", "das ist Über", True),
        ("über", "darüber", False),
        ("the über", "in the überall", False),
        ("caf", "café", False),
        ("m", "5 m²", True),
        ("дума", "Моя ДУМА!", True),
        ("дума", "думай", False),
        ("дума", "—дума—", True),
        ("κόσμε", "γειά κόσμε", True),
        ("κόσ", "γειά κόσμε", False),
        ("سلام", "(سلام)", True),
        ("سلا", "سلام", False),
        ("हिन्दी", "मैं हिन्दी बोलता हूँ", True),
        ("हिन्द", "मैं हिन्दी बोलता हूँ", False),  # a vowel sign follows: a mark, no letter
        ("หมา", "ฉันรักหมามาก", True),  # no blanks between words, so no borders either
        ("python", "学习python编程", True),
        ("python", "เรียนpythonกัน", True),
        ("서울", "서울에서", True),
        ("fire", "🔥fire🔥", True),
    ],
)
def test_a_literal_occurs_between_word_borders_of_any_script(
    keyword: str, text: str, occurs: bool
) -> None:
    assert (literals(keyword).found(text, final=True) == {0}) is occurs


def test_case_counts_when_it_is_asked_to() -> None:
    assert literals("SSN", case_sensitive=True).found("my ssn", final=True) == set()
    assert literals("SSN", case_sensitive=True).found("my SSN", final=True) == {0}


def test_all_literals_are_found_in_one_pass() -> None:
    assert literals("a", "b", "c", "b c").found("c b c", final=True) == {1, 2, 3}


def test_more_literals_than_a_set_holds_keep_their_indices() -> None:
    many = literals(*(f"word{i}" for i in range(1000)))
    assert many.found("word0 word255 word256 word999 word1000", final=True) == {0, 255, 256, 999}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("please think", set()),
        ("please think ", {0}),
        ("thinking ", set()),
        ("моя дума", set()),
        ("моя дума,", {1}),
        ("in C+", set()),
        ("in C++", {2}),
        ("学think", set()),
        ("学think学", {0}),
    ],
)
def test_before_the_end_a_word_at_the_edge_does_not_count(text: str, found: set[int]) -> None:
    assert literals("think", "дума", "c++").found(text, final=False) == found


LETTERS = "ab_1 -.é—字"
WORDS = st.text(alphabet=LETTERS, max_size=8)


@given(st.lists(WORDS.filter(bool), min_size=1, max_size=4), st.text(LETTERS, max_size=40))
def test_a_set_agrees_with_one_regular_expression_each(keywords: list[str], text: str) -> None:
    expected = set()
    for index, keyword in enumerate(keywords):
        pattern = re.escape(keyword)
        if "字" not in keyword:
            before = "(?<![ab_1é])" if keyword[0] in "ab_1é" else ""
            behind = "(?![ab_1é])" if keyword[-1] in "ab_1é" else ""
            pattern = before + pattern + behind
        if re.search(pattern, text):
            expected.add(index)
    assert literals(*keywords).found(text, final=True) == expected


@given(st.lists(WORDS.filter(bool), min_size=1, max_size=4), WORDS, WORDS)
def test_what_a_beginning_holds_its_continuation_holds_too(
    keywords: list[str], start: str, rest: str
) -> None:
    matcher = literals(*keywords)
    assert matcher.found(start, final=False) <= matcher.found(start + rest, final=True)


@pytest.mark.parametrize(
    ("pattern", "text", "occurs"),
    [
        (r"\bthink\w*", "thinking", True),
        ("think", "rethinking", True),
        (r"\d{3}-\d{2}-\d{4}", "123-45-6789", True),
        ("^start", "start here", True),
        ("end$", "the end", True),
        ("THINK", "think", True),
    ],
)
def test_a_regular_expression_gets_no_boundaries(pattern: str, text: str, occurs: bool) -> None:
    patterns = PatternList.of("rule", [pattern], case_sensitive=False)
    assert (patterns.found(text, final=True) == {0}) is occurs


@pytest.mark.parametrize("pattern", ["the end$", r"the end\z", r"the en\B"])
def test_a_pattern_that_looks_at_the_end_waits_for_it(pattern: str) -> None:
    patterns = PatternList.of("rule", [pattern], case_sensitive=False)
    text = "this is the end"
    assert patterns.found(text, final=False) == set()
    assert patterns.found(text, final=True) == {0}


@pytest.mark.parametrize("pattern", ["(", "a(?=b)", r"(a)\1", "(((a{100}){100}){100})"])
def test_what_re2_refuses_is_a_rule_error(pattern: str) -> None:
    with pytest.raises(RuleError, match='rule "mine": RE2 refuses'):
        PatternList.of("mine", [pattern], case_sensitive=False)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+$", "(.*)(.*)(.*)(.*)b", "(x+x+)+y"])
def test_a_regex_bomb_finds_nothing_in_a_megabyte(pattern: str) -> None:
    patterns = PatternList.of("rule", [pattern], case_sensitive=False)
    assert patterns.found("a" * 1_000_000 + "c", final=True) == set()


def test_a_pattern_too_wide_for_the_dfa_is_still_right() -> None:
    patterns = PatternList.of("rule", ["(?s)a.{500}b.{400}$"], case_sensitive=False)
    text = "ab" * 3000
    assert patterns.found(text + "cb" + "c" * 400, final=True) == {0}
    assert patterns.found(text + "c" * 403, final=True) == set()


@pytest.mark.parametrize(
    "text", ["", "\ud800", "\0", "a" * 1_000_000, "字" * 300_000, "\u0301" * 9]
)
def test_no_text_is_too_strange(text: str) -> None:
    assert literals("think", "字典").found(text, final=True) == set()


def test_a_keyword_with_a_lone_surrogate_compiles() -> None:
    assert literals("a\ud800").found("a\ud800b", final=True) == {0}


def test_quoting_leaves_no_metacharacter() -> None:
    assert literal_pattern(".*") == rb"\.\*"
