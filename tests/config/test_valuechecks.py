import pytest


@pytest.mark.parametrize(
    ("text", "path", "what"),
    [
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
