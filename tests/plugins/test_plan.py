"""What becomes of a request: edits and headers, or an answer at once."""

import json

import pytest

from srd.body.body import Body
from srd.body.rewrite import NO_REWRITE, Rewrite, SystemPrompt
from srd.body.shapes import Api
from srd.classify.api import Scores
from srd.config import Document, load_default, loads
from srd.config.plugins import RequestParamsConfig
from srd.decide.decision import Basis
from srd.decide.router import Router
from srd.plugins.entry import PluginEdits, document_plugin
from srd.plugins.plan import SPOOFABLE_HEADERS, Plan, answers, plan
from srd.plugins.table import TABLE
from srd.signals.base import Evidence
from srd.signals.catalog import compile_signals
from srd.signals.domain import DOMAIN_LABELS


@pytest.fixture
def planned(document, decide):
    def run(name, *, params=None, **more):
        return plan(decide(name), document, params=params or {}, **more)

    return run


@pytest.fixture
def sent(planned):
    """A body as it leaves, by the plan of the named decision."""

    def run(name, api, asked):
        body = Body(api)
        body.receive(json.dumps(asked).encode(), end=True)
        body.read()
        made = planned(name, api=api, params=body.params)
        return json.loads(body.commit(made.rewrite).data), made

    return run


# -- chat completions


def test_the_seeds_math_decision_renames_thinks_and_instructs(planned):
    made = planned("math")
    assert made.rewrite == Rewrite(
        model="math-expert",
        drop=frozenset({"reasoning_effort"}),
        merge={"chat_template_kwargs": {"enable_thinking": b"true"}},
        system_prompt=SystemPrompt("Prove it.", "replace"),
    )
    assert made.set_headers == (("x-selected-model", b"math-expert"),)
    assert made.immediate is None
    assert (made.reasoning, made.system_prompt_injected) == ("on", True)
    assert made.plugins == ("reasoning", "system_prompt")
    assert made.not_carried_out == ()


def test_a_decision_that_does_not_think_says_so_to_the_model(planned):
    made = planned("plain")
    assert made.rewrite.merge == {"chat_template_kwargs": {"enable_thinking": b"false"}}
    assert made.reasoning == "off"


def test_the_backend_gets_its_own_id_and_the_header_our_name(planned):
    made = planned("hosted")
    assert made.rewrite.model == "org/renamed"
    assert made.set_headers == (("x-selected-model", b"renamed"),)
    assert made.rewrite.set_members == {"reasoning_effort": b'"high"'}


def test_no_decision_renames_and_leaves_the_rest_alone(planned):
    made = planned(None, params={"reasoning_effort": "high"})
    assert made.rewrite == Rewrite(model="base")
    assert (made.reasoning, made.plugins) == ("", ())


@pytest.mark.parametrize(
    ("name", "target"), [("math-expert", "math-expert"), ("renamed", "org/renamed")]
)
def test_an_explicit_model_leaves_under_the_name_that_its_backend_knows(document, name, target):
    made = plan(Router(document).explicit(name), document, params={})
    assert made.rewrite == Rewrite(model=target)
    assert made.set_headers == (("x-selected-model", name.encode()),)


@pytest.mark.parametrize("name", ["math", "plain", "labelled", None])
def test_a_clients_copies_of_our_headers_are_removed_or_overwritten(planned, name):
    made = planned(name)
    touched = {*made.remove_headers, *(key for key, _ in made.set_headers)}
    assert touched >= set(SPOOFABLE_HEADERS)
    assert not set(made.remove_headers) & {key for key, _ in made.set_headers}


def test_stream_members_are_left_as_the_client_wrote_them(planned):
    made = planned("math", params={"stream": True}, stream=True)
    assert not {"stream", "stream_options"} & (made.rewrite.set_members.keys() | made.rewrite.drop)


def test_header_mutation_goes_beside_our_own_header(planned):
    made = planned("labelled")
    assert made.set_headers == (("x-selected-model", b"base"), ("x-tier", b"gold"))
    assert made.add_headers == (("x-team", b"red"),)
    assert "x-old" in made.remove_headers


def test_our_own_header_comes_first(planned):
    for name in ("math", "labelled", None):
        assert planned(name).set_headers[0][0] == "x-selected-model"


# -- every API


CHAT = {"model": "auto", "messages": [{"role": "user", "content": "?"}]}
PROMPT = {"model": "auto", "prompt": "?"}
INPUT = {"model": "auto", "input": "?"}
MESSAGES = {"model": "auto", "max_tokens": 9000, "messages": CHAT["messages"]}
THINKS = {"chat_template_kwargs": {"enable_thinking": True}}
BUDGET = {"thinking": {"type": "enabled", "budget_tokens": 2048}}
NAMED = {"model": "math-expert"}


@pytest.mark.parametrize(
    ("api", "asked", "leaves"),
    [
        (
            Api.CHAT,
            CHAT,
            CHAT
            | NAMED
            | THINKS
            | {"messages": [{"role": "system", "content": "Prove it."}, *CHAT["messages"]]},
        ),
        (Api.COMPLETIONS, PROMPT, PROMPT | NAMED),
        (
            Api.RESPONSES,
            INPUT | {"reasoning": {"effort": "low", "summary": "auto"}},
            INPUT
            | NAMED
            | THINKS
            | {"instructions": "Prove it.", "reasoning": {"effort": "medium", "summary": "auto"}},
        ),
        (
            Api.RESPONSES,
            INPUT | {"instructions": "Be brief."},
            INPUT
            | NAMED
            | THINKS
            | {"instructions": "Prove it.", "reasoning": {"effort": "medium"}},
        ),
        (Api.ANTHROPIC, MESSAGES, MESSAGES | NAMED | THINKS | BUDGET | {"system": "Prove it."}),
        (
            Api.ANTHROPIC,
            MESSAGES | {"system": [{"type": "text", "text": "Be brief."}], "thinking": None},
            MESSAGES | NAMED | THINKS | BUDGET | {"system": "Prove it."},
        ),
    ],
)
def test_every_api_is_edited_in_its_own_place(sent, api, asked, leaves):
    assert sent("math", api, asked)[0] == leaves


@pytest.mark.parametrize(
    ("api", "asked", "place", "leaves"),
    [
        (Api.RESPONSES, INPUT, "instructions", "Be kind."),
        (Api.RESPONSES, INPUT | {"instructions": "A"}, "instructions", "Be kind.\n\nA"),
        (Api.ANTHROPIC, MESSAGES, "system", "Be kind."),
        (Api.ANTHROPIC, MESSAGES | {"system": "A"}, "system", "Be kind.\n\nA"),
        (
            Api.ANTHROPIC,
            MESSAGES | {"system": [{"type": "text", "text": "A", "cache_control": {}}]},
            "system",
            [
                {"type": "text", "text": "Be kind.\n\n"},
                {"type": "text", "text": "A", "cache_control": {}},
            ],
        ),
    ],
)
def test_an_inserted_system_prompt_comes_before_the_clients(
    document, decide, sent, api, asked, place, leaves
):
    only = [entry for entry in TABLE if entry.name == "system_prompt"]
    made = plan(decide("polite"), document, params={}, api=api, table=only)
    body = Body(api)
    body.receive(json.dumps(asked).encode(), end=True)
    assert json.loads(body.commit(made.rewrite).data)[place] == leaves


def test_a_decision_that_does_not_think_says_so_on_every_api(sent):
    off = {"chat_template_kwargs": {"enable_thinking": False}}
    assert sent("plain", Api.RESPONSES, INPUT | {"reasoning": {"effort": "high"}})[0] == (
        INPUT | {"model": "base", "reasoning": {}} | off
    )
    assert sent("plain", Api.ANTHROPIC, MESSAGES | {"thinking": {"type": "adaptive"}})[0] == (
        MESSAGES | {"model": "base", "thinking": {"type": "disabled"}} | off
    )
    assert sent("plain", Api.COMPLETIONS, PROMPT)[0] == PROMPT | {"model": "base"}


def test_stripped_requests_keep_what_srd_writes(document, decide):
    stripping = document_plugin(
        "request_params",
        RequestParamsConfig,
        lambda config, situation: PluginEdits(keep_only=frozenset({"model", "input"})),
    )
    thinking = [entry for entry in TABLE if entry.name == "reasoning"]
    table = [*thinking, stripping]
    made = plan(decide("strict"), document, params={}, api=Api.RESPONSES, table=table)
    assert made.rewrite.keep_only == {"model", "input", "chat_template_kwargs"}


# -- what cannot be carried out


def test_what_completions_have_no_place_for_is_said_and_not_claimed(sent):
    leaves, made = sent("math", Api.COMPLETIONS, PROMPT)
    assert made.not_carried_out == (
        "reasoning: completions has no place for it",
        "system_prompt: completions has no place for it",
    )
    assert (made.reasoning, made.system_prompt_injected, made.plugins) == ("", False, ())
    assert leaves == PROMPT | NAMED


def test_what_another_plugin_drops_is_not_claimed(planned):
    made = planned("strict")
    assert made.rewrite.merge == {}
    assert made.rewrite.drop == {"logit_bias", "chat_template_kwargs", "reasoning_effort"}
    assert made.rewrite.cap["max_completion_tokens"] == 100
    assert "x_unknown" not in made.rewrite.keep_only
    assert made.plugins == ("request_params",)
    assert made.not_carried_out == ("reasoning: request_params drops what it writes",)


@pytest.mark.parametrize("api", [Api.RESPONSES, Api.ANTHROPIC])
def test_a_system_prompt_whose_place_is_blocked_is_not_claimed(sent, api):
    asked = INPUT if api is Api.RESPONSES else MESSAGES
    leaves, made = sent("polite", api, asked | {"system": "A", "instructions": "B"})
    assert not {"system", "instructions"} & leaves.keys()
    assert made.not_carried_out == ("system_prompt: request_params drops what it writes",)
    assert not made.system_prompt_injected


def test_thinking_that_does_not_fit_is_said(planned):
    made = planned("thoughtful", api=Api.ANTHROPIC, params={"max_tokens": 1000})
    assert made.not_carried_out == ("reasoning: max_tokens of 1000 leaves no room for thinking",)
    assert made.reasoning == ""


def test_a_model_without_a_family_is_not_said_to_think(planned):
    made = planned("hopeful")
    assert made.not_carried_out == ("reasoning: the model has no reasoning family",)
    assert made.reasoning == ""


def test_the_decision_is_stamped_with_what_is_carried_out(document, decide):
    decision = decide("math")
    done = plan(decision, document, params={}).stamped(decision)
    assert (done.reasoning, done.system_prompt_injected) == (decision.reasoning, True)
    assert (done.plugins, done.not_carried_out) == (("reasoning", "system_prompt"), ())
    missed = plan(decision, document, params={}, api=Api.COMPLETIONS).stamped(decision)
    assert (missed.reasoning, missed.system_prompt_injected) == (None, False)
    assert len(missed.not_carried_out) == 2
    assert (missed.model, missed.name) == (decision.model, decision.name)


def test_a_decision_that_does_not_think_keeps_saying_so(document, decide):
    decision = decide("plain")
    for api in Api:
        made = plan(decision, document, params={}, api=api)
        assert not made.stamped(decision).reasoning.enabled
        assert made.not_carried_out == ()


# -- answers


def test_a_fixed_answer_goes_nowhere(planned):
    made = planned("blocked", now=1.0)
    assert made.rewrite == NO_REWRITE
    assert json.loads(made.immediate.body)["choices"][0]["message"]["content"] == "Not “here”."
    assert made.plugins == ("fast_response",)


@pytest.mark.parametrize(
    ("stream", "streams"),
    [(None, False), (False, False), (True, True)],
)
def test_a_fixed_answer_streams_when_the_body_says_so(planned, stream, streams):
    made = planned("blocked", stream=stream)
    assert made.immediate.body.startswith(b"data: ") is streams


def test_it_is_known_beforehand_which_decisions_answer(document, decide):
    names = [rule.name for rule in document.routing.decisions]
    assert [name for name in names if answers(decide(name), document)] == ["blocked"]
    assert not answers(decide(None), document)


@pytest.mark.parametrize(("basis", "status"), [(Basis.COMPLETE, 400), (Basis.FALLBACK, 503)])
def test_without_any_model_the_request_is_refused(decide, basis, status):
    empty: Document = loads("routing: {}").document
    decision = decide(None, model="", upstream_model="", basis=basis)
    made = plan(decision, empty, params={})
    assert made.immediate.status == status
    assert b'no model is available for \\"auto\\"' in made.immediate.body


# -- the table


def test_a_new_plugin_is_one_entry(document, decide):
    toy = document_plugin(
        "request_params",
        RequestParamsConfig,
        lambda config, situation: PluginEdits(set_members={"n": b"%d" % config.max_n}),
        no_place={Api.ANTHROPIC: "one answer is all it gives"},
    )
    made = plan(decide("strict"), document, params={}, table=[toy])
    assert made.rewrite == Rewrite(model="base", set_members={"n": b"1"})
    assert made.plugins == ("request_params",)
    missed = plan(decide("strict"), document, params={}, api=Api.ANTHROPIC, table=[toy])
    assert missed.rewrite == Rewrite(model="base")
    assert missed.not_carried_out == ("request_params: one answer is all it gives",)


def test_a_fault_in_a_plugin_reaches_the_caller(document, decide):
    def faulty(config, situation):
        raise ZeroDivisionError

    toy = document_plugin("request_params", RequestParamsConfig, faulty)
    with pytest.raises(ZeroDivisionError):
        plan(decide("strict"), document, params={}, table=[*TABLE, toy])


def test_the_repr_says_what_happens(planned):
    assert repr(planned("math")) == "<Plan model=math-expert plugins=reasoning,system_prompt>"
    assert repr(planned("hopeful")) == "<Plan model=plainest plugins=- missed=1>"
    assert repr(Plan()) == "<Plan model=- plugins=->"


#: Label -> adapter, thinks: as upstream ships it.
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
        return decision, plan(decision, document, params={})

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
