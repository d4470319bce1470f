import pytest

TEXT = """\
routing:
  strategy: %(strategy)s
  modelCards: [{name: m}]
  signals:
    keywords: [{name: k, operator: OR, keywords: [x]}]
    jailbreak: [{name: j}, {name: jw, scope: window}]
    domains: [{name: law}]
    kb: [{name: private, kb: p}]
    role_bindings: [{name: admins, role: admin, subjects: [{kind: Group, name: ops}]}]
    complexity: [{name: deep, scope: window%(composer)s}]
  decisions:
%(decisions)s
providers: {defaults: {default_model: m}}
global: {%(settings)s}
"""

ANSWER = "plugins: [{type: fast_response, configuration: {message: No.}}]"
J, K = "{type: jailbreak, name: j}", "{type: keyword, name: k}"
BLOCK = f"name: block, priority: 9, rules: {J}, {ANSWER}"
ALL = "router: {blocking_applies_to: all}"
LAW = "rules: {type: domain, name: law}, modelRefs: [{model: m}]"


@pytest.fixture
def said(warned):
    """path -> what, of the warnings about documents with these decisions."""

    def _said(
        *decisions: str, settings: str = ALL, strategy: str = "priority", composer: str = ""
    ) -> dict[str, str]:
        parts = {
            "decisions": "\n".join(f"    - {{{decision}}}" for decision in decisions),
            "settings": settings,
            "strategy": strategy,
            "composer": composer,
        }
        known = ("routing.signals.kb",)  # which srd does not have
        return {p.path: p.what for p in warned(TEXT % parts) if p.path not in known}

    return _said


def test_a_document_without_blocking_decisions_is_not_warned_about(said) -> None:
    assert said(f"name: a, {LAW}", settings="") == {}


def test_a_named_model_is_not_inspected_unless_all_requests_are(said) -> None:
    path = "global.router.blocking_applies_to"
    what = "a request that names a model is not inspected, and decisions block: block"
    assert said(BLOCK, settings="") == {path: what}
    assert said(BLOCK, settings="router: {blocking_applies_to: auto}") == {path: what}
    assert said(BLOCK) == {}


@pytest.mark.parametrize(
    ("other", "strategy", "outranks"),
    [
        (f"name: law, priority: 10, {LAW}", "priority", True),
        (f"name: law, priority: 9, {LAW}", "priority", True),  # a tie goes by confidence
        (f"name: law, priority: 8, {LAW}", "priority", False),
        (f"name: law, priority: 8, {LAW}", "confidence", True),
        (f"name: law, priority: 10, blocking: true, {LAW}", "priority", False),
        (f"name: law, priority: 10, rules: {K}, {ANSWER}, blocking: false", "priority", True),
        ("name: law, priority: 10, rules: {type: kb, name: private}, modelRefs: [{model: m}]",
         "priority", False),  # it never matches
    ],
)  # fmt: skip
def test_a_blocking_decision_that_can_be_outranked_does_not_block(
    said, other: str, strategy: str, outranks: bool
) -> None:
    what = 'the blocking decision "block" does not block where "law" wins'
    expected = {"routing.decisions[0].priority": what} if outranks else {}
    assert said(BLOCK, other, strategy=strategy) == expected


def test_of_many_that_outrank_it_three_are_named(said) -> None:
    others = [f"name: o{n}, priority: 20, {LAW}" for n in range(5)]
    [what] = said(BLOCK, *others).values()
    assert what.endswith('where "o0", "o1", "o2" and 2 more wins')


def test_a_leaf_that_srd_cannot_evaluate_is_told_where_it_should_block(said) -> None:
    rules = f"{{operator: OR, conditions: [{K}, {{type: kb, name: private%s}}]}}"
    text = f"name: block, priority: 9, rules: {rules}, {ANSWER}"
    assert said(text % "") == {
        "routing.decisions[0].rules.conditions[1]": (
            'srd cannot evaluate kb:private, so in the blocking decision "block" it does not match'
        )
    }
    assert said(text % ", on_unknown: no_match") == {}
    assert said(text % "" + ", blocking: false") == {}


@pytest.mark.parametrize(
    ("leaf", "more"),
    [
        ("{type: jailbreak, name: jw}", ""),
        ("{type: complexity, name: 'deep:hard'}", ", blocking: true"),
    ],
)
def test_a_window_does_not_narrow_what_a_blocking_decision_reads(
    said, leaf: str, more: str
) -> None:
    [(path, what)] = said(f"name: b, rules: {leaf}, {ANSWER}{more}").items()
    assert path == "routing.decisions[0].rules"
    assert what.startswith("scope: window of ")
    assert said(f"name: b, rules: {leaf}, {ANSWER}, blocking: false") == {}


ROLE = "name: a, rules: {type: authz, name: admin}, modelRefs: [{model: m}]"
ROLES = "roles are read from request headers, which a client can write where nothing in front of "


@pytest.mark.parametrize(
    ("identity", "warns"),
    [
        ("", True),
        ("services: {authz: {fail_open: true}}", True),
        ("services: {authz: {identity: {user_id_header: x-me}}}", True),
        ("services: {authz: {identity: {trusted: true}}}", False),
        ("services: {authz: {identity: {trusted: false}}}", False),
    ],
)
def test_whether_identities_are_trusted_must_be_said_where_a_role_decides(
    said, identity: str, warns: bool
) -> None:
    found = said(ROLE, settings=identity)
    assert found == ({"routing.decisions[0].rules": f"{ROLES}srd removes them"} if warns else {})
    composed = said(
        f"name: a, {LAW}", settings=identity, composer=", composer: {type: authz, name: admin}"
    )
    assert list(composed) == (["routing.signals.complexity"] if warns else [])
