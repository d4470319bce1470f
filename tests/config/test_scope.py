import pytest

from srd.config.rules import Leaf
from srd.config.scope import Early, can_be_early, full_leaves, is_dead, scope_of
from srd.signals.table import BY_NAME, LEAF_TYPES

FULL = {
    "jailbreak", "pii", "context", "conversation", "structure", "reask", "user_feedback",
    "fact_check", "event", "metadata", "projection",
}  # fmt: skip

TEXT = """\
routing:
  strategy: %(strategy)s
  signals:
    keywords: [{name: k, operator: OR, keywords: [x]}, {name: kf, operator: OR, keywords: [x],
                scope: full}]
    domains: [{name: math}]
    fact_check: [{name: needs_fact_check}]
    jailbreak: [{name: j}, {name: jw, scope: window}]
    context: [{name: c}]
    complexity: [{name: deep, composer: {type: context, name: c}}]
  decisions:
%(decisions)s
"""


def _decisions(take, *rules: str, strategy: str = "priority"):
    """A document with one decision per rule, the first with the highest priority."""
    lines = [
        f"    - {{name: d{n}, priority: {100 - n}, modelRefs: [{{model: m}}], rules: {rule}}}"
        for n, rule in enumerate(rules)
    ]
    return take(TEXT % {"strategy": strategy, "decisions": "\n".join(lines)})


K, MATH = "{type: keyword, name: k}", "{type: domain, name: math}"
FACT = "{type: fact_check, name: needs_fact_check}"  # a signal that srd does not have
J, JW = "{type: jailbreak, name: j}", "{type: jailbreak, name: jw}"


def _all(operator: str, *parts: str) -> str:
    return f"{{operator: {operator}, conditions: [{', '.join(parts)}]}}"


@pytest.mark.parametrize("leaf_type", LEAF_TYPES)
def test_security_counts_and_comparisons_need_the_whole_body(leaf_type: str) -> None:
    assert BY_NAME[leaf_type].scope == ("full" if leaf_type in FULL else "window")


@pytest.mark.parametrize(
    ("leaf_type", "name", "scope"),
    [
        ("keyword", "k", "window"),
        ("keyword", "kf", "full"),
        ("jailbreak", "j", "full"),
        ("jailbreak", "jw", "window"),
        ("complexity", "deep:hard", "window"),
    ],
)
def test_a_rules_own_scope_comes_before_its_types(take, leaf_type, name, scope) -> None:
    document = _decisions(take, K)
    assert scope_of(document, Leaf(type=leaf_type, name=name)) == scope


@pytest.mark.parametrize(
    ("rules", "early", "blockers"),
    [
        # the decision itself
        ((K,), "yes", ()),
        ((JW,), "yes", ()),
        ((J,), "no", ("jailbreak:j",)),
        ((_all("OR", K, J),), "sometimes", ("jailbreak:j",)),
        ((_all("AND", K, J),), "no", ("jailbreak:j",)),
        ((_all("NOT", J),), "no", ("jailbreak:j",)),
        ((_all("NOT", K),), "yes", ()),
        ((_all("AND"),), "yes", ()),
        ((_all("OR"),), "no", ()),
        (("{type: keyword, name: kf}",), "no", ("keyword:kf",)),
        (("{type: complexity, name: 'deep:hard'}",), "no", ("context:c",)),
        ((FACT,), "no", ()),
        ((_all("OR", K, FACT),), "yes", ()),
        ((_all("NOT", FACT),), "yes", ()),
        # what outranks it
        ((FACT, K), "yes", ()),
        ((J, K), "no", ("jailbreak:j",)),
        ((_all("OR", MATH, J), K), "no", ("jailbreak:j",)),
        ((_all("AND", MATH, J), K), "sometimes", ("jailbreak:j",)),
        ((_all("AND", MATH, K), K), "yes", ()),
        ((J, "{type: context, name: c}", K), "no", ("jailbreak:j", "context:c")),
    ],
)
def test_the_last_decision_is_early_when_nothing_full_can_change_it(
    take, rules: tuple[str, ...], early: str, blockers: tuple[str, ...]
) -> None:
    document = _decisions(take, *rules)
    assert can_be_early(document, len(rules) - 1) == (Early(early), blockers)


def test_a_decision_of_lower_rank_does_not_delay(take) -> None:
    assert can_be_early(_decisions(take, K, J), 0) == (Early.YES, ())


def test_by_confidence_any_decision_may_win(take) -> None:
    document = _decisions(take, K, J, strategy="confidence")
    assert can_be_early(document, 0) == (Early.NO, ("jailbreak:j",))


def test_a_tie_in_priority_may_be_lost(take) -> None:
    text = TEXT % {
        "strategy": "priority",
        "decisions": "\n".join(
            f"    - {{name: {name}, priority: 5, modelRefs: [{{model: m}}], rules: {rule}}}"
            for name, rule in (("a", K), ("b", J))
        ),
    }
    assert can_be_early(take(text), 0) == (Early.NO, ("jailbreak:j",))


def test_with_tiers_a_lower_tier_comes_first(take) -> None:
    text = TEXT % {
        "strategy": "priority",
        "decisions": (
            f"    - {{name: a, priority: 5, tier: 1, modelRefs: [{{model: m}}], rules: {K}}}\n"
            f"    - {{name: b, priority: 1, tier: 2, modelRefs: [{{model: m}}], rules: {J}}}"
        ),
    }
    document = take(text)
    assert can_be_early(document, 0) == (Early.YES, ())
    assert can_be_early(document, 1) == (Early.NO, ("jailbreak:j",))


def test_composers_that_go_in_circles_end(take) -> None:
    text = (TEXT % {"strategy": "priority", "decisions": "    []"}).replace(
        "composer: {type: context, name: c}", "composer: {type: complexity, name: 'deep:easy'}"
    )
    document = take(text)
    assert full_leaves(document, Leaf(type="complexity", name="deep:hard")) == ()


@pytest.mark.parametrize(
    ("leaf_type", "name", "dead"),
    [
        ("jailbreak", "j", True),
        ("jailbreak", "contrastive", False),
        ("domain", "math", True),
        ("domain", "examples", False),
        ("pii", "p", True),
        ("keyword", "k", False),
        ("modality", "AR", True),
    ],
)
def test_leaves_of_classifiers_that_are_switched_off_are_dead(take, leaf_type, name, dead) -> None:
    document = take("""
routing:
  signals:
    jailbreak: [{name: j}, {name: contrastive, method: contrastive, jailbreak_patterns: [x]}]
    domains: [{name: math}, {name: examples, examples: [x]}]
    pii: [{name: p}]
    modality: [{name: AR}]
    keywords: [{name: k, operator: OR, keywords: [x]}]
global:
  model_catalog:
    modules:
      classifier: {domain: {enabled: false}, pii: {enabled: false}}
      prompt_guard: {enabled: false}
""")
    assert is_dead(document, Leaf(type=leaf_type, name=name)) is dead
