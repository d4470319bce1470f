"""What becomes of a request: edits and headers, or an answer at once."""

import json
from types import SimpleNamespace

import pytest

from srd.body.rewrite import NO_REWRITE, SystemPrompt
from srd.classify.api import Scores
from srd.config import Document, load_default, loads
from srd.config.signals import DOMAIN_LABELS
from srd.decide.decision import Basis
from srd.decide.router import Router
from srd.plugins.plan import SPOOFABLE_HEADERS, Plan, plan
from srd.signals.base import Evidence
from srd.signals.catalog import compile_signals

OTHER_API = SimpleNamespace(name="RESPONSES")


@pytest.fixture
def planned(document, decide):
    def run(name, *, params=None, requested="auto", **more):
        decision = decide(name, requested_model=requested)
        return plan(decision, document, requested_model=requested, params=params or {}, **more)

    return run


def test_the_seeds_math_decision_renames_thinks_and_instructs(planned):
    made = planned("math")
    assert made.rewrite.model == "math-expert"
    assert "auto" in made.rewrite.replaceable
    assert made.rewrite.merge == {"chat_template_kwargs": {"enable_thinking": b"true"}}
    assert made.rewrite.drop == {"reasoning_effort"}
    assert made.rewrite.system_prompt == SystemPrompt("Prove it.", "replace")
    assert made.system_prompt_injected
    assert made.set_headers == (("x-selected-model", b"math-expert"),)
    assert made.immediate is None


def test_a_decision_that_does_not_think_says_so_to_the_model(planned):
    assert planned("plain").rewrite.merge == {"chat_template_kwargs": {"enable_thinking": b"false"}}


def test_the_backend_gets_its_own_id_and_the_header_our_name(planned):
    made = planned("hosted")
    assert made.rewrite.model == "org/renamed"
    assert made.set_headers == (("x-selected-model", b"renamed"),)
    assert made.rewrite.set_members == {"reasoning_effort": b'"high"'}


def test_no_decision_renames_and_leaves_the_rest_alone(planned):
    made = planned(None, params={"reasoning_effort": "high"})
    assert made.rewrite.model == "base"
    assert (made.rewrite.drop, made.rewrite.merge) == (frozenset(), {})
    assert made.rewrite.system_prompt is None


def test_every_spelling_of_auto_and_the_requested_name_are_replaced(planned):
    assert planned("math", requested="MoM").rewrite.replaceable >= {"auto", "MoM"}
    assert "auto" in planned("math", requested=None).rewrite.replaceable


def test_an_explicit_model_changes_nothing_but_headers(document):
    decision = Router(document).explicit("math-expert")
    made = plan(decision, document, requested_model="math-expert", params={})
    assert made.rewrite == NO_REWRITE
    assert made.set_headers == (("x-selected-model", b"math-expert"),)


def test_an_explicit_model_with_another_id_replaces_only_itself(document):
    decision = Router(document).explicit("renamed")
    made = plan(decision, document, requested_model="renamed", params={})
    assert (made.rewrite.model, made.rewrite.replaceable) == ("org/renamed", {"renamed"})


@pytest.mark.parametrize("name", ["math", "plain", "labelled", None])
def test_a_clients_copies_of_our_headers_are_removed_or_overwritten(planned, name):
    made = planned(name)
    touched = {*made.remove_headers, *(key for key, _ in made.set_headers)}
    assert touched >= set(SPOOFABLE_HEADERS)
    assert not set(made.remove_headers) & {key for key, _ in made.set_headers}


def test_stream_members_are_left_as_the_client_wrote_them(planned):
    made = planned("math", params={"stream": True})
    assert not {"stream", "stream_options"} & (made.rewrite.set_members.keys() | made.rewrite.drop)


def test_other_api_shapes_get_neither_system_prompt_nor_reasoning(planned):
    made = planned("math", api=OTHER_API)
    assert made.rewrite.model == "math-expert"
    assert (made.rewrite.system_prompt, made.rewrite.merge) == (None, {})
    assert not made.system_prompt_injected


def test_request_params_come_last_and_win(planned):
    made = planned("strict")
    assert made.rewrite.merge == {}
    assert made.rewrite.drop == {"logit_bias", "chat_template_kwargs", "reasoning_effort"}
    assert made.rewrite.cap["max_completion_tokens"] == 100
    assert "x_unknown" not in made.rewrite.keep_only
    assert made.rewrite.model == "base"


def test_header_mutation_goes_beside_our_own_header(planned):
    made = planned("labelled")
    assert made.set_headers == (("x-selected-model", b"base"), ("x-tier", b"gold"))
    assert made.add_headers == (("x-team", b"red"),)
    assert "x-old" in made.remove_headers


def test_a_fixed_answer_goes_nowhere(planned):
    made = planned("blocked", now=1.0)
    assert made.rewrite == NO_REWRITE
    assert json.loads(made.immediate.body)["choices"][0]["message"]["content"] == "Not “here”."


@pytest.mark.parametrize(
    ("params", "accepts_sse", "streams"),
    [
        ({}, False, False),
        ({"stream": True}, False, True),
        ({"stream": 1}, False, False),
        ({}, True, True),
    ],
)
def test_a_fixed_answer_streams_when_the_client_does(planned, params, accepts_sse, streams):
    made = planned("blocked", params=params, accepts_sse=accepts_sse)
    assert made.immediate.body.startswith(b"data: ") is streams


@pytest.mark.parametrize(("basis", "status"), [(Basis.COMPLETE, 400), (Basis.FALLBACK, 503)])
def test_without_any_model_the_request_is_refused(decide, basis, status):
    empty: Document = loads("routing: {}").document
    decision = decide(None, model="", upstream_model="", basis=basis)
    made = plan(decision, empty, requested_model="auto", params={})
    assert made.immediate.status == status
    assert b'no model is available for \\"auto\\"' in made.immediate.body


def test_the_repr_says_what_happens(planned):
    assert repr(planned("math")) == "<Plan model=math-expert set=1 system=True>"
    assert repr(Plan()) == "<Plan model=- set=0 system=False>"


#: Label -> adapter, thinks (upstream section 1.15).
SHIPPED = {
    "biology": ("science-expert", False),
    "business": ("social-expert", False),
    "chemistry": ("science-expert", True),
    "computer science": ("science-expert", False),
    "economics": ("social-expert", False),
    "engineering": ("science-expert", False),
    "health": ("science-expert", False),
    "history": ("humanities-expert", False),
    "law": ("law-expert", False),
    "math": ("math-expert", True),
    "other": ("general-expert", False),
    "philosophy": ("humanities-expert", False),
    "physics": ("science-expert", True),
    "psychology": ("humanities-expert", False),
}


@pytest.fixture(scope="module")
def shipped():
    """From a prompt and its top label to the Decision and the Plan, over the shipped document."""
    document = load_default().document
    signals = compile_signals(document, classifier=None)
    router = Router(document, signals)

    def run(text, label):
        rest = 0.1 / (len(DOMAIN_LABELS) - 1)
        scores = Scores(domain={name: 0.9 if name == label else rest for name in DOMAIN_LABELS})
        readings = signals.read(Evidence(text=text, settled=True, whole=True, scores=scores))
        verdict = router.engine.judge(readings)
        decision = router.conclude(
            verdict, basis=Basis.COMPLETE, requested_model="auto", readings=readings, scores=scores
        )
        return decision, plan(decision, document, requested_model="auto", params={})

    return run


@pytest.mark.parametrize("label", DOMAIN_LABELS)
def test_the_shipped_document_sends_every_subject_to_its_expert(shipped, label):
    decision, made = shipped("What is it?", label)
    expert, thinks = SHIPPED[label]
    flag = b"true" if thinks else b"false"
    assert (decision.category, decision.label) == (label, label)
    assert (decision.model, made.rewrite.model) == (expert, expert)
    assert made.rewrite.merge == {"chat_template_kwargs": {"enable_thinking": flag}}


def test_a_request_for_care_outranks_its_subject_in_the_shipped_document(shipped):
    decision, made = shipped("Please think: what is 2 + 2?", "math")
    assert decision.matched == ("keyword:thinking",)
    assert (decision.model, decision.category) == ("general-expert", None)
    assert made.rewrite.merge == {"chat_template_kwargs": {"enable_thinking": b"true"}}
