"""The guards that the table is tried against: documents with one blocking decision each.

Why this file exists: the same evasion must fail whichever kind of leaf blocks, so a guard has one
leaf alone, and nothing else may mask what it misses.
"""

from __future__ import annotations

import functools

from evasion.row import ATTACK
from product.play import score

from srd.classify.api import Ask, Scores, SegmentScores
from srd.config import loads
from srd.exchange import Policy
from srd.exchange.policy import build_policy

_DOCUMENT = """
version: v0.3
providers:
  defaults: {default_model: base-model}
  models: [{name: base-model, backend_refs: [{name: local, endpoint: "127.0.0.1:8000"}]}]
routing:
  modelCards: [{name: base-model, loras: [{name: math-expert}]}]
  signals:
    domains: [{name: math}]
    keywords:
      - {name: forbidden, operator: OR, keywords: ["launch codes"]WIDE}
    jailbreak:
      - {name: forbidden, threshold: 0.7WIDE}
  decisions:
    - name: guard
      priority: 100
      rules: {operator: OR, conditions: [{type: LEAF, name: forbidden}]}
      plugins: [{type: fast_response, configuration: {message: "This is not answered here."}}]
    - name: math_decision
      priority: 10
      rules: {operator: OR, conditions: [{type: domain, name: math}]}
      modelRefs: [{model: base-model, lora_name: math-expert}]
    - name: other_decision
      priority: 1
      rules: {operator: OR, conditions: []}
      modelRefs: [{model: base-model}]
global:
  router:
    blocking_applies_to: APPLIES
    limits: {max_request_bytes_held: HELD}
"""

_WIDE = ", include_history: true, include_tools: true"


@functools.cache
def guard(leaf: str, variant: str) -> Policy:
    """`variant`: plain, wide (history and tools too), all (named models wait as well), tight (not
    much may be held). One policy for a whole run: what it remembers may let no attack pass."""
    text = (
        _DOCUMENT.replace("LEAF", leaf)
        .replace("WIDE", _WIDE if variant == "wide" else "")
        .replace("APPLIES", "all" if variant == "all" else "auto")
        .replace("HELD", "100000" if variant == "tight" else "33554432")
    )
    return build_policy(loads(text).document, None)


def risk(text: str) -> float:
    return 0.99 if ATTACK in text else 0.01


def marks(ask: Ask) -> Scores:
    """A stand-in for the classifier that knows the attack wherever it stands, and nothing else:
    what fails with it was never shown to it."""
    scores = score(ask)
    return Scores(
        domain=scores.domain,
        jailbreak=risk(ask.text),
        turns=tuple(scores.domain or {} for _ in ask.turns),
        segments=tuple(SegmentScores(jailbreak=risk(segment)) for segment in ask.segments),
        tokens=scores.tokens,
        window=ask.window,
    )
