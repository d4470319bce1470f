import pytest

from srd.config import loads


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
        ("global: {router: {streamed_body: {early_decision: {min_tokens: 600}}}}",
         "global.router.streamed_body.early_decision.min_tokens", "more than max_tokens 512"),
        ("global: {router: {streamed_body: {early_decision: {confidence: 1.5}}}}",
         "global.router.streamed_body.early_decision.confidence", "between 0 and 1"),
        ("global: {router: {limits: {max_streams: 0}}}", "global.router.limits.max_streams",
         "at least 1"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_work_is_refused(refuse, text: str, path: str, what: str) -> None:
    [problem] = refuse(text)
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
def test_a_value_that_can_work_is_taken(take, text: str) -> None:
    assert take(text)


def test_a_keyword_rule_without_keywords_is_warned_about(warned) -> None:
    text = "routing: {signals: {keywords: [{name: a, operator: OR}]}}"
    assert [p.path for p in warned(text)] == ["routing.signals.keywords[0].keywords"]


def _plugin(configuration: str) -> str:
    plugin = f"{{type: header_mutation, configuration: {configuration}}}"
    return f"routing: {{decisions: [{{name: a, modelRefs: [{{model: m}}], plugins: [{plugin}]}}]}}"


@pytest.mark.parametrize(
    ("configuration", "path"),
    [
        ("{add: [{name: 'bad name', value: x}]}", "add[0].name"),
        ('{update: [{name: x, value: "a\\r\\nb: c"}]}', "update[0].value"),
        ("{delete: ['a:b']}", "delete[0]"),
        ("{delete: ['']}", "delete[0]"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused(refuse, configuration: str, path: str) -> None:
    [problem] = refuse(_plugin(configuration))
    assert problem.path == f"routing.decisions[0].plugins[0].configuration.{path}"


def test_headers_that_can_be_sent_are_taken(take) -> None:
    text = _plugin("{add: [{name: X-A, value: 5}], delete: [':authority', x_b]}")
    assert take(text).routing.decisions[0].plugins[0].configuration.add[0].value == "5"


@pytest.mark.parametrize(
    ("annotations", "what"),
    [
        ("{" + ", ".join(f"k{n}: v" for n in range(33)) + "}", "more than 32"),
        ("{k: " + "v" * 5000 + "}", "more than 4096 bytes"),
    ],
)
def test_annotations_are_bounded(refuse, annotations: str, what: str) -> None:
    decision = f"{{name: a, modelRefs: [{{model: m}}], annotations: {annotations}}}"
    text = f"routing: {{decisions: [{decision}]}}"
    [problem] = refuse(text)
    assert what in problem.what


@pytest.mark.parametrize(
    ("word", "what"),
    [("", "an empty keyword"), ("  ", "a keyword of nothing but white space")],
)
def test_a_keyword_that_says_nothing_is_a_warning(word: str, what: str) -> None:
    rule = f"{{name: a, operator: OR, keywords: [ok, '{word}']}}"
    [warning] = loads(f"routing: {{signals: {{keywords: [{rule}]}}}}").warnings
    assert (warning.path, warning.what) == ("routing.signals.keywords[0].keywords[1]", what)
