"""What each type demands of its rules, as the owner of a document is told."""

import pytest

from srd.config import ConfigErrors, loads


@pytest.mark.parametrize(
    ("text", "path", "what"),
    [
        ("routing: {signals: {keywords: [{name: a, operator: OR, method: regex, "
         "keywords: ['x(', ok]}]}}", "routing.signals.keywords[0].keywords[0]",
         "does not compile"),
        (r"routing: {signals: {keywords: [{name: a, operator: OR, method: regex, "
         r"keywords: ['(a)\1']}]}}", "routing.signals.keywords[0].keywords[0]",
         "does not compile"),
        ("routing: {signals: {structure: [{name: a, feature: {type: count, source: "
         "{type: regex, pattern: '['}}}]}}", "routing.signals.structure[0].feature.source.pattern",
         "does not compile"),
        ("routing: {signals: {structure: [{name: a, feature: {type: count, source: "
         "{type: regex}}}]}}", "routing.signals.structure[0].feature.source", "needs pattern"),
        ("routing: {signals: {structure: [{name: a, feature: {type: sequence, source: "
         "{type: sequence}}}]}}", "routing.signals.structure[0].feature.source",
         "needs sequences"),
        ("routing: {signals: {structure: [{name: a, feature: {type: count, source: "
         "{type: text_bytes}}, predicate: {gt: 5, lt: 5}}]}}",
         "routing.signals.structure[0].predicate", "no number satisfies"),
        ("routing: {signals: {conversation: [{name: a, feature: {type: count, source: "
         "{type: message}}, predicate: {gte: 6, lte: 5}}]}}",
         "routing.signals.conversation[0].predicate", "no number satisfies"),
        ("routing: {signals: {context: [{name: a, min_tokens: 64K, max_tokens: 32K}]}}",
         "routing.signals.context[0].min_tokens", "more than max_tokens"),
        ("routing: {signals: {metadata: [{name: a, key: k, predicate: {}}]}}",
         "routing.signals.metadata[0].predicate", "exactly one of equals, in and exists, not 0"),
        ("routing: {signals: {metadata: [{name: a, key: k, predicate: {exists: true, in: [x]}}]}}",
         "routing.signals.metadata[0].predicate", "exactly one of equals, in and exists, not 2"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_work_is_refused(text: str, path: str, what: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        loads(text)
    [problem] = caught.value.problems
    assert problem.path == path
    assert what in problem.what


@pytest.mark.parametrize(
    "text",
    [
        r"routing: {signals: {keywords: [{name: a, operator: OR, keywords: ['x(']}]}}",
        "routing: {signals: {context: [{name: a, min_tokens: '0', max_tokens: 1.5M}]}}",
        "routing: {signals: {structure: [{name: a, feature: {type: count, source: "
        "{type: text_bytes}}, predicate: {gte: 5, lte: 5}}]}}",
        "routing: {signals: {metadata: [{name: a, key: k, predicate: {equals: 5}}]}}",
    ],
)
def test_a_value_that_can_work_is_taken(text: str) -> None:
    assert loads(text).document


def test_a_keyword_rule_without_keywords_is_warned_about() -> None:
    text = "routing: {signals: {keywords: [{name: a, operator: OR}]}}"
    assert [p.path for p in loads(text).warnings] == ["routing.signals.keywords[0].keywords"]


@pytest.mark.parametrize(
    ("word", "what"),
    [("", "an empty keyword"), ("  ", "a keyword of nothing but white space")],
)
def test_a_keyword_that_says_nothing_is_a_warning(word: str, what: str) -> None:
    rule = f"{{name: a, operator: OR, keywords: [ok, '{word}']}}"
    [warning] = loads(f"routing: {{signals: {{keywords: [{rule}]}}}}").warnings
    assert (warning.path, warning.what) == ("routing.signals.keywords[0].keywords[1]", what)
