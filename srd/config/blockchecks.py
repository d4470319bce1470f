"""Where a document blocks less, or trusts more, than its owner may think: warnings.

Why this file exists: a rule that refuses requests is relied on, and each of these is a way in which
one that reads well does not. It must not know how a rule is evaluated or a request refused.
"""

from collections.abc import Iterator

from srd.config.decisions import Kind, kind_of
from srd.config.document import Document
from srd.config.problems import Problems, join, quote
from srd.config.rules import Leaf, leaf_key, leaves, walk
from srd.config.scope import is_dead, may_match, may_outrank
from srd.signals.table import BY_NAME

__all__ = ["warn_of_blocking"]

_DECISIONS = "routing.decisions"


def warn_of_blocking(document: Document, problems: Problems) -> None:
    """Warn of blocking decisions that are walked past, and of roles that anybody can claim. The
    document must be free of errors."""
    _named_models(document, problems)
    _outranked(document, problems)
    for index, rule in enumerate(document.routing.decisions):
        if kind_of(rule) is Kind.BLOCK:
            for leaf, path in _placed(document, index):
                _unevaluated(document, problems, rule.name, leaf, path)
                _narrowed(document, problems, rule.name, leaf, path)
    _identity(document, problems)


def _placed(document: Document, index: int) -> Iterator[tuple[Leaf, str]]:
    """The leaves of a decision with their paths."""
    root = join(join(_DECISIONS, index), "rules")
    for place in walk(document.routing.decisions[index].rules):
        if isinstance(place.node, Leaf):
            yield place.node, place.path(root)


def _named_models(document: Document, problems: Problems) -> None:
    if document.blocking and document.global_.router.blocking_applies_to == "auto":
        problems.warn(
            "global.router.blocking_applies_to",
            "a request that names a model is not inspected, and decisions block: "
            + ", ".join(sorted(document.blocking)),
            "all lets it wait for the blocking rules; auto is upstream's way",
        )


def _outranked(document: Document, problems: Problems) -> None:
    rules = document.routing.decisions
    for index, rule in enumerate(rules):
        if kind_of(rule) is not Kind.BLOCK:
            continue
        above = [
            other.name
            for number, other in enumerate(rules)
            if kind_of(other) is not Kind.BLOCK
            and may_outrank(document, number, index)
            and may_match(document, number)
        ]
        if above:
            names = ", ".join(map(quote, above[:3])) + (
                f" and {len(above) - 3} more" if len(above) > 3 else ""
            )
            problems.warn(
                join(join(_DECISIONS, index), "priority"),
                f"the blocking decision {quote(rule.name)} does not block where {names} wins",
                "rank blocking decisions above all others",
            )


def _unevaluated(document: Document, problems: Problems, name: str, leaf: Leaf, path: str) -> None:
    if is_dead(document, leaf) and not leaf.on_unknown:
        problems.warn(
            path,
            f"srd cannot evaluate {leaf_key(leaf)}, so in the blocking decision {quote(name)} it "
            "does not match",
            "write on_unknown: no_match, match or fail_request",
        )


def _narrowed(document: Document, problems: Problems, name: str, leaf: Leaf, path: str) -> None:
    entry = BY_NAME[leaf.type]
    rule = entry.find(document.routing.signals.of(entry), leaf.name)
    if rule is not None and rule.scope == "window":
        problems.warn(
            path,
            f"scope: window of {leaf_key(leaf)} does not count in the blocking decision "
            f"{quote(name)}: it reads the whole body",
            "blocking: false makes the decision answer without blocking",
        )


def _identity(document: Document, problems: Problems) -> None:
    authz = document.global_.services.authz
    identity = authz.identity if authz else None
    if identity is not None and identity.trusted is not None:
        return
    trees = [entry.composer(rule) for entry, rule in document.routing.signals.rules()]
    composed = any(leaf.type == "authz" for tree in trees if tree for leaf in leaves(tree))
    found = [
        path
        for index in range(len(document.routing.decisions))
        for leaf, path in _placed(document, index)
        if leaf.type == "authz"
    ]
    if found or composed:
        problems.warn(
            found[0] if found else "routing.signals.complexity",
            "roles are read from request headers, which a client can write where nothing in front "
            "of srd removes them",
            "say global.services.authz.identity.trusted: true or false",
        )
