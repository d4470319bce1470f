from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from srd.classify.api import Scores, SegmentScores
from srd.config import Document, loads
from srd.signals.base import Evidence, Origin, Reach, Signal, Truth
from srd.signals.catalog import SignalSet, compile_signals
from srd.signals.complexity import ComplexitySignal
from srd.signals.domain import Category, DomainSignal, ExampleDomainSignal
from srd.signals.embedding import EmbeddingSignal
from srd.signals.examples import BACKGROUND
from srd.signals.jailbreak import JailbreakSignal
from srd.signals.keyword import KeywordRule, KeywordSignal
from srd.signals.pii import PiiSignal
from srd.signals.readings import RuleError
from srd.signals.unsupported import UnsupportedSignal

Moment = Callable[..., Evidence]


def document(signals: str, *leaves: str, more: str = "") -> Document:
    """A document whose decisions use the leaves, written "type name"."""
    conditions = "".join(
        f"\n          - {{type: {leaf.split(' ', 1)[0]}, name: {leaf.split(' ', 1)[1]!r}}}"
        for leaf in leaves
    )
    text = f"""
version: v0.3
providers: {{defaults: {{default_model: m}}}}
routing:
  modelCards: [{{name: m}}]
  signals:
{signals}
  decisions:
    - name: d
      modelRefs: [{{model: m}}]
      rules:
        operator: OR
        conditions:{conditions or " []"}
{more}
"""
    return loads(text).document


ALL = """
    keywords:
      - {name: urgent, operator: OR, keywords: [asap]}
      - {name: spare, operator: OR, keywords: [never]}
    domains:
      - {name: math, mmlu_categories: [math, physics]}
      - {name: law}
      - {name: cooking, description: cook, examples: [cook cook code]}
    embeddings:
      - {name: coding, threshold: 0.7, candidates: [code], aggregation_method: max}
      - {name: kitchen, threshold: 0.7, candidates: [cook], aggregation_method: mean}
      - {name: pictures, threshold: 0.7, candidates: [cat], query_modality: image}
    complexity:
      - name: need
        threshold: 0.1
        hard: {candidates: [hard]}
        easy: {candidates: [easy]}
        composer: {operator: AND, conditions: [{type: domain, name: law}]}
    language: [{name: de}]
    context: [{name: long, min_tokens: 32K, max_tokens: 1M}]
    structure:
      - name: asking
        feature: {type: count, source: {type: regex, pattern: "[?]"}}
        predicate: {gte: 2}
    conversation:
      - name: tools
        feature: {type: exists, source: {type: tool_definition}}
    events: [{name: incident, event_types: [outage]}]
    metadata: [{name: red, key: team, predicate: {equals: red}}]
    jailbreak:
      - {name: guard, threshold: 0.6}
      - {name: history, include_history: true}
      - {name: near, method: contrastive, jailbreak_patterns: [attack], benign_patterns: [law]}
    pii: [{name: private, pii_types_allowed: [person]}]
    modality: [{name: AR}]
    role_bindings: [{name: b, role: admin, subjects: [{kind: User, name: ann}]}]
"""
LEAVES = (
    "keyword urgent",
    "domain math",
    "domain law",
    "domain cooking",
    "embedding coding",
    "embedding kitchen",
    "embedding pictures",
    "complexity need:hard",
    "complexity need:easy",
    "language de",
    "context long",
    "structure asking",
    "conversation tools",
    "event incident",
    "metadata red",
    "jailbreak guard",
    "jailbreak history",
    "jailbreak near",
    "pii private",
    "modality AR",
    "authz admin",
)


def only(document: Document, classifier: Any = None) -> Signal:
    (signal,) = compile_signals(document, classifier=classifier).signals
    return signal


@pytest.fixture
def everything(topics: Any) -> SignalSet:
    return compile_signals(document(ALL, *LEAVES), classifier=topics)


def test_every_leaf_has_a_signal_of_its_type_and_name(everything: SignalSet, whole: Moment) -> None:
    keys = [leaf.replace(" ", ":", 1) for leaf in LEAVES]
    assert [f"{s.type}:{s.name}" for s in everything.signals] == keys
    assert list(everything.read(whole("text"))) == keys


def test_rules_that_no_decision_uses_are_left_out(everything: SignalSet) -> None:
    assert "keyword:spare" not in repr(everything)


def test_a_leaf_used_twice_is_compiled_once() -> None:
    twice = document(ALL, "keyword urgent", "keyword urgent")
    assert len(compile_signals(twice, classifier=None).signals) == 1


def test_scopes_are_the_types_own() -> None:
    signals = compile_signals(document(ALL, *LEAVES), classifier=None).signals
    full = {s.type for s in signals if s.reach is not Reach.WINDOW}
    assert full == {
        "context",
        "structure",
        "conversation",
        "event",
        "metadata",
        "jailbreak",
        "pii",
    }


@pytest.mark.parametrize(
    ("signals", "leaf", "reach"),
    [
        ("    jailbreak: [{name: g, scope: window}]", "jailbreak g", Reach.WINDOW),
        (
            "    keywords: [{name: k, operator: OR, keywords: [a], scope: full}]",
            "keyword k",
            Reach.TURNS,
        ),
    ],
)
def test_a_rule_can_name_its_scope(signals: str, leaf: str, reach: Reach) -> None:
    assert only(document(signals, leaf)).reach is reach


def test_heads_are_those_that_the_reaches_need(everything: SignalSet) -> None:
    assert everything.heads(Reach.WINDOW) == {"domain", "embedding"}
    assert everything.heads(Reach.TURNS, Reach.BODY) == {"jailbreak", "embedding", "pii"}
    assert everything.heads() == {"domain", "jailbreak", "embedding", "pii"}


def test_keywords_alone_need_no_classifier() -> None:
    signals = compile_signals(document(ALL, "keyword urgent"), classifier=None)
    assert signals.heads() == set()


def test_everything_is_read_at_once(everything: SignalSet, whole: Moment, topics: Any) -> None:
    scores = topics.scores(
        "hard cook",
        domain={"law": 0.9, "math": 0.1},
        segments=(SegmentScores(jailbreak=0.65, pii=()),),
    )
    evidence = whole(
        "ASAP? An outage?",
        scores=scores,
        metadata={"team": "red"},
        headers={"x-authz-user-id": "ann"},
    )
    values = {key: reading.value for key, reading in everything.read(evidence).items()}
    assert {key for key, value in values.items() if value is Truth.TRUE} == {
        "keyword:urgent",
        "domain:law",
        "domain:cooking",
        "embedding:kitchen",
        "complexity:need:hard",
        "structure:asking",
        "event:incident",
        "metadata:red",
        "jailbreak:guard",
        "authz:admin",
    }
    assert Truth.UNKNOWN not in values.values()


def test_the_beginning_of_an_empty_body_decides_nothing_learned(
    everything: SignalSet, early: Moment
) -> None:
    readings = everything.read(early())
    assert {key for key, reading in readings.items() if reading.value is not Truth.UNKNOWN} == {
        "embedding:pictures",
        "modality:AR",
        "authz:admin",
    }


def test_the_category_is_the_classifiers_top_label(everything: SignalSet, early: Moment) -> None:
    scores = Scores(domain={"law": 0.4, "math": 0.35, "other": 0.25})
    category = everything.category(early("text", scores=scores))
    assert category == Category("law", 0.4, pytest.approx(0.05))
    assert everything.category(early("text")) is None
    assert everything.category(early("text", scores=Scores())) is None


GLOBAL = """
global:
  router: {streamed_body: {early_decision: {confidence: 0.6}}}
  model_catalog:
    embeddings:
      semantic:
        embedding_config: {top_k: 0, min_score_threshold: 0.3, enable_soft_matching: false}
    modules:
      prompt_guard: {threshold: 0.55}
      classifier:
        domain: {threshold: 0.25, fallback_category: other}
        pii: {threshold: 0.45}
"""


def test_thresholds_come_from_the_rule_else_from_the_document() -> None:
    def jailbreak(leaf: str, more: str = "") -> float:
        signal = only(document(ALL, leaf, more=more))
        assert isinstance(signal, JailbreakSignal)
        return signal.threshold

    assert jailbreak("jailbreak guard", GLOBAL) == 0.6
    assert jailbreak("jailbreak history", GLOBAL) == 0.55
    assert jailbreak("jailbreak history") == 0.7
    assert jailbreak("jailbreak near", GLOBAL) == 0.1
    private = only(document(ALL, "pii private", more=GLOBAL))
    assert isinstance(private, PiiSignal)
    assert (private.threshold, private.allowed) == (0.45, {"PERSON"})


def test_domains_take_the_documents_policy() -> None:
    law = only(document(ALL, "domain law", more=GLOBAL))
    assert isinstance(law, DomainSignal)
    assert (law.policy.threshold, law.policy.fallback) == (0.25, "other")
    assert law.policy.early_confidence == 0.6


def test_the_embedding_contest_takes_the_documents_policy(topics: Any) -> None:
    coding = only(document(ALL, "embedding coding", more=GLOBAL), topics)
    assert isinstance(coding, EmbeddingSignal)
    contest = coding.contest
    assert (contest.top_k, contest.min_score, contest.soft) == (0, 0.3, False)


def test_all_declared_text_rules_compete_used_or_not(topics: Any) -> None:
    coding = only(document(ALL, "embedding coding"), topics)
    assert isinstance(coding, EmbeddingSignal)
    assert [rival.name for rival in coding.contest.rivals] == ["coding", "kitchen"]


def test_examples_are_embedded_once_and_with_the_description(topics: Any) -> None:
    cooking = only(document(ALL, "domain cooking"), topics)
    assert isinstance(cooking, ExampleDomainSignal)
    assert topics.embedded == [BACKGROUND, ("cook cook code", "cook")]
    compile_signals(
        document(ALL, "complexity need:hard", "complexity need:easy"), classifier=topics
    )
    assert topics.embedded[2:] == [("hard",), ("easy",)]


def test_without_a_classifier_learned_signals_stay_unknown(whole: Moment) -> None:
    signals = compile_signals(document(ALL, *LEAVES), classifier=None)
    readings = signals.read(whole("text"))
    learned = {"domain", "embedding", "complexity", "jailbreak", "pii"} - {"embedding:pictures"}
    for signal in signals.signals:
        reading = readings[f"{signal.type}:{signal.name}"]
        is_learned = signal.type in learned and not isinstance(signal, UnsupportedSignal)
        assert (reading.value is Truth.UNKNOWN) is is_learned


@pytest.mark.parametrize("leaf", ["embedding pictures", "modality AR"])
def test_what_srd_cannot_read_is_a_named_stub(leaf: str) -> None:
    signal = only(document(ALL, leaf))
    assert isinstance(signal, UnsupportedSignal)
    assert f"{signal.type} {signal.name}" == leaf


def test_an_undeclared_domain_stands_for_its_label(whole: Moment) -> None:
    law = only(document("    keywords: []", "domain law"))
    assert law.read(whole("text", scores=Scores(domain={"law": 1.0}))).value is Truth.TRUE


def test_a_signal_of_a_blocking_and_a_routing_decision_is_compiled_for_each(
    topics: Any, whole: Moment, early: Moment
) -> None:
    text = """
    keywords: [{name: k, operator: OR, keywords: [asap]}]
    context: [{name: long, min_tokens: 1}]
    complexity:
      - name: deep
        threshold: 0.1
        hard: {candidates: [hard]}
        easy: {candidates: [easy]}
        composer: {type: keyword, name: k}
"""
    once = document(text, "keyword k", "complexity deep:hard")
    [rule] = once.routing.decisions
    twice = (rule, msgspec.structs.replace(rule, name="stop", blocking=True))
    routing = msgspec.structs.replace(once.routing, decisions=twice)
    signals = compile_signals(msgspec.structs.replace(once, routing=routing), classifier=topics)
    keys = ("keyword:k", "complexity:deep:hard")
    assert signals.keys == (*keys, *(f"{key}@block" for key in keys))
    windows = [signal.reach is Reach.WINDOW for signal in signals.signals]
    assert windows == [True, True, False, False]
    read = signals.read(early("asap asap"))
    assert read["keyword:k"].value is Truth.TRUE
    assert read["keyword:k@block"].value is Truth.UNKNOWN
    assert signals.read(whole("asap asap"))["keyword:k@block"].value is Truth.TRUE


def test_a_composer_that_leads_back_to_its_rule_ends(topics: Any, whole: Moment) -> None:
    looping = """
    complexity:
      - name: loop
        threshold: 0.1
        hard: {candidates: [hard]}
        easy: {candidates: [easy]}
        composer: {operator: OR, conditions: [{type: complexity, name: "loop:hard"}]}
"""
    signals = compile_signals(document(looping, "complexity loop:hard"), classifier=topics)
    evidence = whole("hard", scores=topics.scores("hard"))
    assert signals.read(evidence)["complexity:loop:hard"].value is Truth.FALSE


def test_a_pattern_that_re2_refuses_names_its_rule() -> None:
    loaded = document(ALL, "keyword urgent")
    bad = KeywordRule(name="urgent", operator="OR", method="regex", keywords=("(",))
    signals = msgspec.structs.replace(loaded.routing.signals, keywords=(bad,))
    routing = msgspec.structs.replace(loaded.routing, signals=signals)
    unchecked = msgspec.structs.replace(loaded, routing=routing)
    with pytest.raises(RuleError, match='rule "urgent"'):
        compile_signals(unchecked, classifier=None)


def test_no_decisions_need_no_signals(whole: Moment) -> None:
    signals = compile_signals(document(ALL), classifier=None)
    assert signals.read(whole("asap")) == {}
    assert repr(signals) == "<SignalSet empty>"


def test_the_streaming_examples_keywords_hit(whole: Moment) -> None:
    seed = """
    keywords:
      - {name: code_keywords, operator: OR, method: bm25, bm25_threshold: 0.1,
         keywords: [code, function, implement, debug, algorithm, compile, syntax, loop]}
      - {name: urgent_request, operator: OR, method: ngram, ngram_threshold: 0.4, ngram_arity: 3,
         keywords: [urgent, immediate, asap, emergency]}
      - {name: sensitive_data, operator: AND, keywords: [SSN, credit card]}
"""
    leaves = ["keyword code_keywords", "keyword urgent_request", "keyword sensitive_data"]
    signals = compile_signals(document(seed, *leaves), classifier=None)

    def true(text: str) -> list[str]:
        readings = signals.read(whole(text)).items()
        return [key for key, reading in readings if reading.value is Truth.TRUE]

    assert true("Implementing functions in C") == ["keyword:code_keywords"]
    assert true("An urgnt matter") == ["keyword:urgent_request"]
    assert true("my ssn and my credit card") == ["keyword:sensitive_data"]
    assert true("my ssn only") == []
    for signal in signals.signals:
        assert isinstance(signal, KeywordSignal)


@pytest.mark.parametrize(
    ("modules", "off"),
    [
        ("{classifier: {domain: {enabled: false}}}", {"domain:law"}),
        ("{classifier: {pii: {enabled: false}}}", {"pii:p"}),
        ("{prompt_guard: {enabled: false}}", {"jailbreak:j"}),
    ],
)
def test_a_classifier_that_is_switched_off_is_not_asked(modules: str, off: set[str]) -> None:
    signals = """
    domains: [{name: law}, {name: cooking, examples: [cook]}]
    pii: [{name: p}]
    jailbreak: [{name: j}, {name: c, method: contrastive, jailbreak_patterns: [x]}]
"""
    leaves = ("domain law", "domain cooking", "pii p", "jailbreak j", "jailbreak c")
    more = f"global: {{model_catalog: {{modules: {modules}}}}}"
    compiled = compile_signals(document(signals, *leaves, more=more), classifier=None).signals
    unsupported = {f"{s.type}:{s.name}" for s in compiled if isinstance(s, UnsupportedSignal)}
    assert unsupported == off


USES = """
version: v0.3
providers: {defaults: {default_model: m}}
routing:
  modelCards: [{name: m}]
  signals:
    keywords: [{name: k, operator: OR, keywords: [x]}]
    domains: [{name: law}]
    complexity:
      - {name: c, composer: {type: keyword, name: k}}
    jailbreak: [{name: j, scope: window}]
  decisions:
    - name: stop
      rules:
        operator: OR
        conditions:
          - {type: keyword, name: k}
          - {type: domain, name: law}
          - {type: complexity, name: "c:hard"}
          - {type: jailbreak, name: j}
      plugins: [{type: fast_response, configuration: {message: "No."}}]
    - name: route
      modelRefs: [{model: m}]
      rules: {operator: OR, conditions: [{type: keyword, name: k}, {type: jailbreak, name: j}]}
"""


def test_a_leaf_in_both_uses_is_two_signals_and_the_blocking_one_waits() -> None:
    compiled = compile_signals(loads(USES).document, classifier=None)
    reaches = {key: s.reach for key, s in zip(compiled.keys, compiled.signals, strict=True)}
    assert reaches == {
        "keyword:k@block": Reach.BODY,
        "domain:law@block": Reach.TURNS,
        "complexity:c:hard@block": Reach.TURNS,
        "jailbreak:j@block": Reach.BODY,
        "keyword:k": Reach.WINDOW,
        "jailbreak:j": Reach.WINDOW,
    }


def test_a_composer_is_of_the_same_use_as_its_rule() -> None:
    compiled = compile_signals(loads(USES).document, classifier=None)
    by_key = dict(zip(compiled.keys, compiled.signals, strict=True))
    complexity = by_key["complexity:c:hard@block"]
    assert isinstance(complexity, ComplexitySignal)
    assert complexity.composer is not None
    assert complexity.composer.signals["keyword:k"] is by_key["keyword:k@block"]


def test_tools_and_history_are_read_where_a_rule_includes_them() -> None:
    rules = "    jailbreak: [{name: j, include_tools: true}]\n    pii: [{name: p}]"
    tools, plain = compile_signals(document(rules, "jailbreak j", "pii p"), classifier=None).signals
    assert isinstance(tools, JailbreakSignal)
    assert (tools.reach, tools.origins) == (Reach.BODY, {Origin.LAST, Origin.TOOLS})
    assert isinstance(plain, PiiSignal)
    assert (plain.reach, plain.origins) == (Reach.TURNS, {Origin.LAST})


def test_a_contrastive_rule_is_told_that_it_reads_one_text_only() -> None:
    rule = "{name: j, method: contrastive, jailbreak_patterns: [x], include_history: true}"
    [warning] = loads(f"routing: {{signals: {{jailbreak: [{rule}]}}}}").warnings
    assert warning.path == "routing.signals.jailbreak[0].include_history"
    assert "include_history of contrastive jailbreak rules" in warning.what
