from srd.config.domains import domain_leaves
from srd.signals.domain import DomainRule

DECISIONS = """\
routing:
  decisions:
    - name: a
      modelRefs: [{model: m}]
      rules: {operator: OR, conditions: [{type: domain, name: math}, {type: domain, name: rest}]}
    - name: b
      modelRefs: [{model: m}]
      rules: {type: domain, name: math}
"""


def test_domains_declare_themselves_when_none_is_declared(take) -> None:
    document = take(DECISIONS)
    assert document.routing.signals.domains == (
        DomainRule(name="math"),
        DomainRule(name="rest", mmlu_categories=("other",)),
    )
    assert [leaf.name for leaf in domain_leaves(document)] == ["math", "rest", "math"]


def test_one_declared_domain_means_that_all_must_be(refuse) -> None:
    text = DECISIONS + "  signals: {domains: [{name: math}]}\n"
    [problem] = refuse(text)
    assert problem.path == "routing.decisions[0].rules.conditions[1].name"
