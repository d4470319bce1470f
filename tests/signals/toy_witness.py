"""Run by test_table.py beside a copy of the package that has a signal type more: prints what each
reader of the table makes of it."""

import json

import click

from srd.cli.explain import render
from srd.config import ConfigErrors, loads
from srd.config.rules import Leaf
from srd.config.schema import schema
from srd.config.scope import can_be_early, scope_of
from srd.config.summary import summary
from srd.exchange.offline import chat_body, run_body
from srd.exchange.policy import build_policy
from srd.plugins.response_headers import response_headers

TEXT = """
providers: {{defaults: {{default_model: calm}}}}
routing:
  modelCards: [{{name: calm}}, {{name: loud}}]
  signals: {{shouts: [{{name: rage, marks: {marks}}}]}}
  decisions:
    - name: shouting
      rules: {{operator: OR, conditions: [{{type: shout, name: {leaf}}}]}}
      modelRefs: [{{model: loud}}]
"""


def problems(marks: int, leaf: str) -> list[str]:
    try:
        loads(TEXT.format(marks=marks, leaf=leaf))
    except ConfigErrors as errors:
        return [str(problem) for problem in errors.problems]
    return []


def main() -> None:
    document = loads(TEXT.format(marks=2, leaf="rage")).document
    policy = build_policy(document, None)
    body = chat_body("now!!!")
    outcome = run_body(policy, body, None)
    assert outcome.decision is not None
    headers = response_headers(outcome.decision, status=200, debug=True)
    definitions = schema()["$defs"]
    explained = click.unstyle("\n".join(render(document, outcome, body))).splitlines()
    seen = {
        "rules": [rule.marks for rule in document.routing.signals.shouts],
        "checked": problems(200, "rage"),
        "misnamed": problems(2, "rag"),
        "scope": scope_of(document, Leaf(type="shout", name="rage")),
        "early": can_be_early(document, 0)[1],
        "summary": [f"{s.type}:{s.name} {s.scope}" for s in summary(document).signals],
        "compiled": [repr(signal.reach) for signal in policy.signals.signals],
        "schema": [
            "shout" in definitions["Leaf"]["properties"]["type"]["enum"],
            "shouts" in definitions["Signals"]["properties"],
            "marks" in definitions["ShoutRule"]["properties"],
        ],
        "model": outcome.decision.model,
        "facts": [f"{s.type}:{s.name} {s.value}" for s in outcome.decision.signals],
        "headers": {name: value.decode() for name, value in headers if "shout" in name},
        "explained": [line.strip() for line in explained if "rage" in line],
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
