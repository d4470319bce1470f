import pytest

from srd.config.rulechecks import walk
from srd.config.rules import Branch, Leaf

SIGNALS = """\
routing:
  signals:
    keywords: [{name: urgent, operator: OR, keywords: [now]}]
    domains: [{name: math}, {name: coding, mmlu_categories: [computer science]}]
    embeddings: [{name: near, candidates: [a]}]
    complexity: [{name: deep, threshold: 0.1, hard: {candidates: [a]}, easy: {candidates: [b]}}]
    language: [{name: "no"}]
    context: [{name: long, min_tokens: 32K}]
    structure: [{name: many, feature: {type: count, source: {type: text_bytes}}}]
    conversation: [{name: turns, feature: {type: count, source: {type: message}}}]
    events: [{name: outage, event_types: [outage]}]
    metadata: [{name: gold, key: tier, predicate: {equals: gold}}]
    jailbreak: [{name: attack, threshold: 0.6}]
    pii: [{name: personal}]
    fact_check: [{name: needs_fact_check}]
    user_feedbacks: [{name: wrong_answer}]
    reasks: [{name: again}]
    preferences: [{name: terse}]
    modality: [{name: AR}]
    role_bindings: [{name: admins, role: admin, subjects: [{kind: Group, name: ops}]}]
    kb: [{name: private, kb: privacy_kb}]
    classifiers: [{name: risk, type: local, labels: [low, high]}]
  projections:
    mappings: [{name: m, source: s, outputs: [{name: band}]}]
  decisions:
    - name: one
      modelRefs: [{model: any}]
      rules: {operator: OR, conditions: [{type: TYPE, name: NAME}]}
"""

GOOD = {
    "keyword": "urgent",
    "domain": "math",
    "embedding": "near",
    "complexity": "deep:hard",
    "language": "no",
    "context": "long",
    "structure": "many",
    "conversation": "turns",
    "event": "outage",
    "metadata": "gold",
    "jailbreak": "attack",
    "pii": "personal",
    "fact_check": "needs_fact_check",
    "user_feedback": "wrong_answer",
    "reask": "again",
    "preference": "terse",
    "modality": "AR",
    "authz": "admin",
    "kb": "private",
    "classifier": "risk",
    "projection": "band",
}


def _text(leaf_type: str, name: str) -> str:
    return SIGNALS.replace("TYPE", leaf_type).replace("NAME", f'"{name}"')


@pytest.mark.parametrize(("leaf_type", "name"), GOOD.items())
def test_a_leaf_may_name_a_declared_rule_of_its_type(take, leaf_type: str, name: str) -> None:
    tree = take(_text(leaf_type, name)).routing.decisions[0].rules
    assert tree == Branch(operator="OR", conditions=(Leaf(type=leaf_type, name=name),))


@pytest.mark.parametrize("leaf_type", GOOD)
def test_a_leaf_that_names_no_rule_is_refused(refuse, leaf_type: str) -> None:
    name = "nobody:hard" if leaf_type == "complexity" else "nobody"
    [problem] = refuse(_text(leaf_type, name))
    assert problem.path == "routing.decisions[0].rules.conditions[0].name"
    assert problem.what == f'there is no {leaf_type} rule "nobody"'
    assert problem.hint


@pytest.mark.parametrize(
    ("leaf_type", "name", "problem"),
    [
        ("keyword", "urgnt", 'there is no keyword rule "urgnt" (did you mean "urgent"?)'),
        ("domain", "maths", 'there is no domain rule "maths" (did you mean "math"?)'),
        ("complexity", "deep", 'a complexity leaf names rule:level (write "deep:hard")'),
        ("complexity", "deep:hart", '"hart" is no level (did you mean "hard"?)'),
        ("complexity", "dep:easy", 'there is no complexity rule "dep" (did you mean "deep"?)'),
        ("authz", "admins", 'there is no authz rule "admins" (did you mean "admin"?)'),
    ],
)
def test_the_nearest_name_is_suggested(refuse, leaf_type: str, name: str, problem: str) -> None:
    [found] = refuse(_text(leaf_type, name))
    assert f"{found.what} ({found.hint})" == problem


def test_leaves_deep_in_a_tree_are_checked_with_their_paths(refuse) -> None:
    deep = (
        "{operator: NOT, conditions: [{operator: AND, conditions: [{type: keyword, name: urgent},"
        " {type: keyword, name: x9}]}]}"
    )
    text = SIGNALS.replace("{type: TYPE, name: NAME}", deep)
    assert [problem.path for problem in refuse(text)] == [
        "routing.decisions[0].rules.conditions[0].conditions[0].conditions[1].name"
    ]


def test_composers_are_checked_as_decisions_are(refuse) -> None:
    text = _text("domain", "math").replace(
        "easy: {candidates: [b]}", "easy: {candidates: [b]}, composer: {type: context, name: log}"
    )
    [problem] = refuse(text)
    assert str(problem) == (
        'routing.signals.complexity[0].composer.name: there is no context rule "log" '
        '(did you mean "long"?)'
    )


@pytest.mark.parametrize(
    ("labels", "problems"),
    [
        ("[math]", []),
        ("[Math, computer science]", []),
        ("[maths]", ['"maths" is not a label of the domain classifier (did you mean "math"?)']),
        ("[computer_science]",
         ['"computer_science" is not a label of the domain classifier '
          '(did you mean "computer science"?)']),
    ],
)  # fmt: skip
def test_domains_map_labels_of_the_classifier(
    refuse, take, labels: str, problems: list[str]
) -> None:
    text = _text("domain", "coding").replace("[computer science]", labels)
    if not problems:
        assert take(text)
        return
    found = refuse(text)
    assert [f"{p.what} ({p.hint})" for p in found] == problems
    assert found[0].path == "routing.signals.domains[1].mmlu_categories[0]"


def test_an_unlike_label_gets_the_list_of_labels(refuse) -> None:
    text = _text("domain", "coding").replace("[computer science]", "[zzz]")
    assert "philosophy" in refuse(text)[0].hint


def test_a_domain_that_never_matches_is_warned_about(warned) -> None:
    text = _text("domain", "coding").replace(", mmlu_categories: [computer science]", "")
    paths = [problem.path for problem in warned(text)]
    assert "routing.signals.domains[1].name" in paths
    examples = text.replace("{name: coding}", "{name: coding, examples: [write a loop]}")
    assert "routing.signals.domains[1].name" not in [p.path for p in warned(examples)]


@pytest.mark.parametrize("leaf_type", ["keyword", "domain", "pii", "authz"])
def test_two_rules_of_one_type_and_name_are_refused(refuse, leaf_type: str) -> None:
    twins = {
        "keyword": ("keywords: [", "{name: urgent, operator: OR}, "),
        "domain": ("domains: [", "{name: math}, "),
        "pii": ("pii: [", "{name: personal}, "),
        "authz": ("role_bindings: [", "{name: admins, role: admin}, "),
    }
    where, twin = twins[leaf_type]
    text = _text(leaf_type, GOOD[leaf_type]).replace(where, where + twin, 1)
    [problem] = refuse(text)
    assert problem.what.startswith(f"there are two {leaf_type} rules named")


def test_two_types_may_share_a_name(take) -> None:
    text = _text("keyword", "math").replace("{name: urgent,", "{name: math,")
    assert take(text).routing.signals.keywords[0].name == "math"


def test_several_bindings_may_give_the_same_role(take) -> None:
    text = _text("authz", "admin").replace(
        "role_bindings: [", "role_bindings: [{name: bosses, role: admin}, "
    )
    assert len(take(text).routing.signals.role_bindings) == 2


@pytest.mark.parametrize(
    ("leaf", "problem"),
    [
        ("{type: classifier, name: risk, label: hihg}",
         'classifier "risk" has no label "hihg" (did you mean "high"?)'),
        ("{type: keyword, name: urgent, predicate: {gt: 1}}",
         "predicate belongs to classifier leaves only ()"),
        ("{type: keyword, name: urgent, on_error: match}",
         "on_error belongs to classifier leaves only ()"),
    ],
)  # fmt: skip
def test_label_predicate_and_on_error_belong_to_classifiers(
    refuse, leaf: str, problem: str
) -> None:
    [found] = refuse(SIGNALS.replace("{type: TYPE, name: NAME}", leaf))
    assert f"{found.what} ({found.hint})" == problem


def test_walking_a_tree_gives_leaves_in_document_order() -> None:
    one, two, three = (Leaf(type="keyword", name=name) for name in "abc")
    tree = Branch(operator="AND", conditions=(one, Branch(operator="OR", conditions=(two,)), three))
    assert list(walk(tree, "r")) == [
        (one, "r.conditions[0]"),
        (two, "r.conditions[1].conditions[0]"),
        (three, "r.conditions[2]"),
    ]
