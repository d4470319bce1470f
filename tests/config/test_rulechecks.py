import pytest

from srd.config.rules import LEAF_TYPES, leaves

LEAF = '{type: keyword, name: "urgent"}'


@pytest.mark.parametrize("leaf_type", LEAF_TYPES)
def test_a_leaf_may_name_a_declared_rule_of_its_type(take, one_leaf, leaf_type: str) -> None:
    [leaf] = leaves(take(one_leaf(leaf_type)).routing.decisions[0].rules)
    assert leaf.type == leaf_type


@pytest.mark.parametrize("leaf_type", LEAF_TYPES)
def test_a_leaf_that_names_no_rule_is_refused(one_leaf, refuse, leaf_type: str) -> None:
    name = "nobody:hard" if leaf_type == "complexity" else "nobody"
    [problem] = refuse(one_leaf(leaf_type, name))
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
def test_the_nearest_name_is_suggested(
    one_leaf, refuse, leaf_type: str, name: str, problem: str
) -> None:
    [found] = refuse(one_leaf(leaf_type, name))
    assert f"{found.what} ({found.hint})" == problem


def test_leaves_deep_in_a_tree_are_checked_with_their_paths(one_leaf, refuse) -> None:
    deep = (
        "{operator: NOT, conditions: [{operator: AND, conditions: [{type: keyword, name: urgent},"
        " {type: keyword, name: x9}]}]}"
    )
    text = one_leaf("keyword").replace(LEAF, deep)
    assert [problem.path for problem in refuse(text)] == [
        "routing.decisions[0].rules.conditions[0].conditions[0].conditions[1].name"
    ]


def test_composers_are_checked_as_decisions_are(one_leaf, refuse) -> None:
    text = one_leaf("domain", "math").replace(
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
    one_leaf, refuse, take, labels: str, problems: list[str]
) -> None:
    text = one_leaf("domain", "coding").replace("[computer science]", labels)
    if not problems:
        assert take(text)
        return
    found = refuse(text)
    assert [f"{p.what} ({p.hint})" for p in found] == problems
    assert found[0].path == "routing.signals.domains[1].mmlu_categories[0]"


def test_an_unlike_label_gets_the_list_of_labels(one_leaf, refuse) -> None:
    text = one_leaf("domain", "coding").replace("[computer science]", "[zzz]")
    assert "philosophy" in refuse(text)[0].hint


def test_a_domain_that_never_matches_is_warned_about(one_leaf, warned) -> None:
    text = one_leaf("domain", "coding").replace(", mmlu_categories: [computer science]", "")
    paths = [problem.path for problem in warned(text)]
    assert "routing.signals.domains[1].name" in paths
    examples = text.replace("{name: coding}", "{name: coding, examples: [write a loop]}")
    assert "routing.signals.domains[1].name" not in [p.path for p in warned(examples)]


@pytest.mark.parametrize("leaf_type", ["keyword", "domain", "pii", "authz"])
def test_two_rules_of_one_type_and_name_are_refused(one_leaf, refuse, leaf_type: str) -> None:
    twins = {
        "keyword": ("keywords: [", "{name: urgent, operator: OR}, "),
        "domain": ("domains: [", "{name: math}, "),
        "pii": ("pii: [", "{name: personal}, "),
        "authz": ("role_bindings: [", "{name: admins, role: admin}, "),
    }
    where, twin = twins[leaf_type]
    text = one_leaf(leaf_type).replace(where, where + twin, 1)
    [problem] = refuse(text)
    assert problem.what.startswith(f"there are two {leaf_type} rules named")


def test_two_types_may_share_a_name(one_leaf, take) -> None:
    text = one_leaf("keyword", "math").replace("{name: urgent,", "{name: math,")
    assert take(text).routing.signals.keywords[0].name == "math"


def test_several_bindings_may_give_the_same_role(one_leaf, take) -> None:
    text = one_leaf("authz", "admin").replace(
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
         "on_error is for leaves that need a classifier, and keyword needs none "
         "(on_unknown says what counts where it was not evaluated)"),
    ],
)  # fmt: skip
def test_a_leaf_says_only_what_its_type_has(one_leaf, refuse, leaf: str, problem: str) -> None:
    [found] = refuse(one_leaf("keyword").replace(LEAF, leaf))
    assert f"{found.what} ({found.hint})" == problem


_CLASSIFIED = [
    "domain", "embedding", "complexity", "jailbreak", "pii", "classifier", "fact_check",
    "user_feedback", "reask", "preference", "modality", "kb",
]  # fmt: skip


@pytest.mark.parametrize("leaf_type", LEAF_TYPES)
def test_a_leaf_whose_signal_needs_a_classifier_may_say_what_its_failure_counts_as(
    one_leaf, take, refuse, leaf_type: str
) -> None:
    text = one_leaf(leaf_type).replace("}]}\n", ", on_error: match}]}\n")
    if leaf_type in _CLASSIFIED:
        [leaf] = leaves(take(text).routing.decisions[0].rules)
        assert leaf.on_error == "match"
    else:
        assert [problem.path for problem in refuse(text)] == [
            "routing.decisions[0].rules.conditions[0].on_error"
        ]


@pytest.mark.parametrize("leaf_type", LEAF_TYPES)
def test_every_leaf_may_say_what_counts_where_it_was_not_evaluated(
    one_leaf, take, leaf_type: str
) -> None:
    text = one_leaf(leaf_type).replace("}]}\n", ", on_unknown: fail_request}]}\n")
    [leaf] = leaves(take(text).routing.decisions[0].rules)
    assert leaf.on_unknown == "fail_request"


def test_inside_a_composer_nobody_asks_what_unknown_counts_as(one_leaf, warned) -> None:
    leaf = "{type: context, name: long, on_unknown: match}"
    text = one_leaf("domain", "math").replace(
        "easy: {candidates: [b]}",
        f"easy: {{candidates: [b]}}, composer: {{operator: NOT, conditions: [{leaf}]}}",
    )
    assert (
        "routing.signals.complexity[0].composer.conditions[0].on_unknown",
        "on_unknown does nothing in a composer",
    ) in [(problem.path, problem.what) for problem in warned(text)]


def test_no_name_and_no_label_may_look_like_the_key_of_a_blocking_use(one_leaf, refuse) -> None:
    text = one_leaf("keyword", "x@block").replace("{name: urgent,", "{name: x@block,")
    [problem] = refuse(text)
    assert problem.path == "routing.signals.keywords[0].name"
    assert problem.what == '"x@block" ends in @block, which srd writes itself'
    labelled = (
        one_leaf("classifier")
        .replace("labels: [low", 'labels: ["l@block"')
        .replace('"risk"}', '"risk", label: "l@block"}')
    )
    assert [problem.path for problem in refuse(labelled)] == [
        "routing.decisions[0].rules.conditions[0].label"
    ]
