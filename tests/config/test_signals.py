from srd.config.signals import Signals
from srd.signals.keyword import ENTRY, KeywordRule
from srd.signals.table import LEAF_TYPES, TABLE


def test_every_leaf_type_but_projection_has_a_list_of_rules() -> None:
    sections = {entry.name for entry in TABLE if entry.section}
    assert sections == set(LEAF_TYPES) - {"projection"}
    assert {Signals().of(entry) for entry in TABLE} == {()}


def test_rules_come_with_their_types() -> None:
    rule = KeywordRule(name="k", operator="OR", keywords=("x",))
    assert list(Signals(keywords=(rule,)).rules()) == [(ENTRY, rule)]


def test_every_rule_takes_a_scope(take) -> None:
    text = "routing: {signals: {%s: [{name: %s, scope: full%s}]}}"
    needs = {
        "keywords": ", operator: OR, keywords: [x]",
        "structure": ", feature: {type: count, source: {type: text_bytes}}",
        "conversation": ", feature: {type: count, source: {type: message}}",
        "metadata": ", key: k, predicate: {exists: true}",
        "role_bindings": ", role: r",
        "kb": ", kb: k",
        "classifiers": ", type: llm",
    }
    names = {"fact_check": "needs_fact_check", "user_feedbacks": "satisfied", "modality": "BOTH"}
    for entry in (entry for entry in TABLE if entry.section):
        key = entry.section
        document = take(text % (key, names.get(key, "math"), needs.get(key, "")))
        [rule] = document.routing.signals.of(entry)
        assert rule.scope == "full", key


def test_the_example_of_each_type_in_the_reference_loads(take) -> None:
    document = take("""\
routing:
  signals:
    keywords:
      - {name: a, operator: NOR, keywords: [x, 5, true], case_sensitive: true, method: ngram,
         fuzzy_match: true, fuzzy_threshold: 1, bm25_threshold: 0.2, ngram_threshold: 0.5,
         ngram_arity: 2}
    embeddings:
      - {name: a, threshold: 0.7, candidates: [x], aggregation_method: any, query_modality: text}
    context: [{name: a, min_tokens: 0, max_tokens: 1.5M, description: d}]
    structure:
      - name: a
        feature: {type: sequence, source: {type: sequence, sequences: [[a, b], [c]],
                  case_sensitive: true}}
        predicate: {gt: 0.08, lte: 1}
    conversation:
      - {name: a, feature: {type: exists, source: {type: message, role: user}},
         predicate: {gte: 1}}
    events:
      - {name: a, event_types: [e], severities: [critical, low], action_codes: [x], temporal: true}
    metadata: [{name: a, key: k, predicate: {in: [x, 5]}}]
    jailbreak:
      - {name: a, method: contrastive, threshold: 0.1, include_history: true,
         jailbreak_patterns: [x], benign_patterns: [y]}
    pii: [{name: a, threshold: 0.4, pii_types_allowed: [EMAIL], include_history: true}]
""").routing.signals
    assert document.keywords[0].keywords == ("x", "5", "true")
    assert document.context[0].max_tokens == 1_500_000
    assert document.structure[0].feature.source.sequences == (("a", "b"), ("c",))
    assert document.metadata[0].predicate.in_ == ("x", "5")
    assert document.events[0].severities == ("critical", "low")
