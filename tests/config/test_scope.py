import itertools

import pytest

from srd.config.rules import Leaf
from srd.config.scope import (
    Early,
    can_be_early,
    full_leaves,
    is_dead,
    may_match,
    may_outrank,
    scope_of,
    unknown_of,
)
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
    role_bindings: [{name: b, role: r, subjects: [{kind: User, name: u}]}]
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


def test_composers_that_go_in_many_circles_are_looked_at_once_each(take) -> None:
    """Followed one by one they would be 100 million trees."""
    many = ", ".join(["{type: complexity, name: 'deep:hard'}"] * 10)
    text = (TEXT % {"strategy": "priority", "decisions": "    []"}).replace(
        "composer: {type: context, name: c}", f"composer: {{operator: OR, conditions: [{many}]}}"
    )
    rule = "{name: d, modelRefs: [{model: m}], rules: {type: complexity, name: 'deep:hard'}}"
    document = take(text.replace("decisions:\n    []", f"decisions: [{rule}]"))
    assert can_be_early(document, 0) == (Early.YES, ())


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


def test_embeddings_of_pictures_are_dead(take) -> None:
    document = take(
        "routing: {signals: {embeddings: [{name: photo, query_modality: image}, {name: text}]}}"
    )
    assert is_dead(document, Leaf(type="embedding", name="photo"))
    assert not is_dead(document, Leaf(type="embedding", name="text"))


# -- blocking --------------------------------------------------------------------------------------


@pytest.mark.parametrize("leaf_type", LEAF_TYPES)
def test_under_a_blocking_decision_every_leaf_needs_the_whole_body(take, leaf_type: str) -> None:
    document = _decisions(take, K)
    assert scope_of(document, Leaf(type=leaf_type, name="x"), blocking=True) == "full"
    assert scope_of(document, Leaf(type="jailbreak", name="jw"), blocking=True) == "full"


GLOBAL = """\
global:
  router: {blocking: {on_error: %(router)s}}
  model_catalog: {modules: {prompt_guard: {%(guard)s}}}
"""
ON_UNKNOWN = ("", "no_match", "match", "fail_request")
ON_ERROR = ("", "no_match", "match")
GUARD = {"": "", "allow": "no_match", "block": "fail_request"}


@pytest.mark.parametrize("router", ["refuse", "allow"])
@pytest.mark.parametrize("guard", GUARD)
def test_what_counts_where_a_leaf_was_not_evaluated(take, router: str, guard: str) -> None:
    """The first that is written: the leaf's on_unknown, its on_error, the guard's (of jailbreak
    leaves); else a blocking decision refuses where the router does not allow."""
    document = take(GLOBAL % {"router": router, "guard": guard and f"on_error: {guard}"})
    for leaf_type, on_unknown, on_error, blocking in itertools.product(
        LEAF_TYPES, ON_UNKNOWN, ON_ERROR, (False, True)
    ):
        leaf = Leaf(type=leaf_type, name="x", on_unknown=on_unknown, on_error=on_error)
        guarded = GUARD[guard] if leaf_type == "jailbreak" else ""
        default = "fail_request" if blocking and router == "refuse" else "no_match"
        expected = on_unknown or on_error or guarded or default
        assert unknown_of(document, leaf, blocking) == expected


ANSWER = "plugins: [{type: fast_response, configuration: {message: No.}}]"


def _ranked(take, *decisions: str, strategy: str = "priority"):
    """A document of decisions, the first with the highest priority; each "rules | more"."""
    lines = []
    for n, decision in enumerate(decisions):
        rules, _, more = decision.partition(" | ")
        more = more or "modelRefs: [{model: m}]"
        lines.append(f"    - {{name: d{n}, priority: {100 - n}, rules: {rules}, {more}}}")
    return take(TEXT % {"strategy": strategy, "decisions": "\n".join(lines)})


BLOCKS_K = f"{K} | {ANSWER}"
CANNED_K = f"{K} | {ANSWER}, blocking: false"
CANNED_MATH = f"{MATH} | {ANSWER}"
BLOCKS_MATH = f"{MATH} | modelRefs: [{{model: m}}], blocking: true"


@pytest.mark.parametrize(
    ("decisions", "early", "blockers"),
    [
        # the decision itself
        ((BLOCKS_K,), "no", ("keyword:k",)),
        ((BLOCKS_MATH,), "no", ("domain:math",)),
        ((CANNED_K,), "yes", ()),
        ((CANNED_MATH,), "yes", ()),
        ((f"{JW} | {ANSWER}",), "no", ("jailbreak:jw",)),
        # what outranks it
        ((BLOCKS_K, MATH), "no", ("keyword:k",)),
        ((CANNED_K, MATH), "yes", ()),
        ((f"{_all('AND', K, '{type: authz, name: r}')} | {ANSWER}", MATH), "no",
         ("keyword:k", "authz:r")),
        ((MATH, BLOCKS_K, MATH), "no", ("keyword:k",)),
        ((f"{_all('OR', FACT, FACT)} | {ANSWER}, blocking: true", MATH), "yes", ()),
        # a leaf of a signal that srd does not have is what it says
        ((FACT.replace("}", ", on_unknown: match}"),), "yes", ()),
        ((FACT.replace("}", ", on_unknown: fail_request}"), MATH), "no",
         ("fact_check:needs_fact_check",)),
    ],
)  # fmt: skip
def test_the_last_decision_is_early_when_no_blocking_one_is_above_it(
    take, decisions: tuple[str, ...], early: str, blockers: tuple[str, ...]
) -> None:
    document = _ranked(take, *decisions)
    assert can_be_early(document, len(decisions) - 1) == (Early(early), blockers)


def test_a_decision_above_the_blocking_one_falls_early(take) -> None:
    assert can_be_early(_ranked(take, MATH, BLOCKS_K), 0) == (Early.YES, ())
    by_confidence = _ranked(take, MATH, BLOCKS_K, strategy="confidence")
    assert can_be_early(by_confidence, 0) == (Early.NO, ("keyword:k",))


def test_who_may_outrank_whom_and_who_can_match_at_all(take) -> None:
    document = _ranked(take, MATH, BLOCKS_K, FACT)
    assert may_outrank(document, 0, 1)
    assert not may_outrank(document, 1, 0)
    assert [may_match(document, index) for index in range(3)] == [True, True, False]
