"""Values that have the right type and still cannot work.

Why this file exists: part of `srd.config.checks`; patterns that do not compile, bounds that cross,
headers that cannot be sent. It must not know references.
"""

import re
from collections.abc import Iterable

import re2

from srd.config.document import Document
from srd.config.plugins import Header, HeaderMutationConfig
from srd.config.problems import Problems, join, quote
from srd.config.rules import Predicate

__all__ = ["check_values"]

_HEADER_NAME = re.compile(r":?[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MAX_ANNOTATIONS = 32
_MAX_ANNOTATION_BYTES = 4096


def check_values(document: Document, problems: Problems) -> None:
    """Report values that no request could ever be served with."""
    _early_decision(document, problems)
    _keywords(document, problems)
    _numbers(document, problems)
    _metadata(document, problems)
    for index, decision in enumerate(document.routing.decisions):
        path = f"routing.decisions[{index}]"
        _annotations(problems, join(path, "annotations"), decision.annotations)
        for number, plugin in enumerate(decision.plugins):
            if isinstance(plugin.configuration, HeaderMutationConfig):
                where = f"{path}.plugins[{number}].configuration"
                _headers(problems, where, plugin.configuration)


def _early_decision(document: Document, problems: Problems) -> None:
    early = document.global_.router.streamed_body.early_decision
    if early.min_tokens > early.max_tokens:
        problems.error(
            "global.router.streamed_body.early_decision.min_tokens",
            f"min_tokens {early.min_tokens} is more than max_tokens {early.max_tokens}",
        )


def _keywords(document: Document, problems: Problems) -> None:
    for index, rule in enumerate(document.routing.signals.keywords):
        path = join(f"routing.signals.keywords[{index}]", "keywords")
        if not rule.keywords and rule.name and not problems.broken(path):
            problems.warn(path, f"keyword rule {quote(rule.name)} has no keywords")
        for number, word in enumerate(rule.keywords):
            if not word.strip() and problems.written(join(path, number)):
                what = "an empty keyword" if not word else "a keyword of nothing but white space"
                problems.warn(join(path, number), what, "it is probably not what you want")
            if rule.method == "regex":
                _pattern(problems, join(path, number), word)
    for index, shape in enumerate(document.routing.signals.structure):
        source = shape.feature.source
        path = f"routing.signals.structure[{index}].feature.source"
        needed = {"regex": "pattern", "keyword_set": "keywords", "sequence": "sequences"}
        key = needed.get(source.type)
        if key and not getattr(source, key) and not problems.broken(join(path, key)):
            problems.error(path, f"a source of type {source.type} needs {key}")
        if source.type == "regex" and source.pattern:
            _pattern(problems, join(path, "pattern"), source.pattern)


def _pattern(problems: Problems, path: str, pattern: str) -> None:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        shown = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        problems.error(
            path,
            f"the pattern {quote(pattern)} does not compile: {shown}",
            "patterns are RE2: no look-around, no back-references",
        )


def _numbers(document: Document, problems: Problems) -> None:
    signals = document.routing.signals
    for index, rule in enumerate(signals.context):
        if rule.max_tokens is not None and rule.min_tokens > rule.max_tokens:
            problems.error(
                f"routing.signals.context[{index}].min_tokens",
                f"min_tokens {rule.min_tokens} is more than max_tokens {rule.max_tokens}",
            )
    for key, predicates in (
        ("structure", [rule.predicate for rule in signals.structure]),
        ("conversation", [rule.predicate for rule in signals.conversation]),
    ):
        for index, predicate in enumerate(predicates):
            if predicate is not None and _impossible(predicate):
                path = f"routing.signals.{key}[{index}].predicate"
                problems.error(path, "no number satisfies this predicate")


def _impossible(predicate: Predicate) -> bool:
    lows = [bound for bound in (predicate.gt, predicate.gte) if bound is not None]
    highs = [bound for bound in (predicate.lt, predicate.lte) if bound is not None]
    if not lows or not highs:
        return False
    low, high = max(lows), min(highs)
    return low > high or (low == high and (low == predicate.gt or high == predicate.lt))


def _metadata(document: Document, problems: Problems) -> None:
    for index, rule in enumerate(document.routing.signals.metadata):
        predicate = rule.predicate
        given = (predicate.equals, predicate.in_, predicate.exists)
        count = sum(value is not None for value in given)
        path = f"routing.signals.metadata[{index}].predicate"
        if count != 1 and problems.written(path) and not problems.broken(path):
            problems.error(path, f"give exactly one of equals, in and exists, not {count}")


def _annotations(problems: Problems, path: str, annotations: Iterable[str]) -> None:
    pairs = dict(annotations) if isinstance(annotations, dict) else {}
    size = sum(len(key.encode()) + len(str(value).encode()) for key, value in pairs.items())
    if len(pairs) > _MAX_ANNOTATIONS:
        problems.error(path, f"more than {_MAX_ANNOTATIONS} annotations")
    elif size > _MAX_ANNOTATION_BYTES:
        problems.error(path, f"annotations take more than {_MAX_ANNOTATION_BYTES} bytes")


def _headers(problems: Problems, path: str, mutation: HeaderMutationConfig) -> None:
    for key, headers in (("add", mutation.add), ("update", mutation.update)):
        for index, header in enumerate(headers):
            _header(problems, join(join(path, key), index), header)
    for index, name in enumerate(mutation.delete):
        if name and not _HEADER_NAME.fullmatch(name):
            problems.error(join(join(path, "delete"), index), f"{quote(name)} is not a header name")


def _header(problems: Problems, path: str, header: Header) -> None:
    if header.name and not _HEADER_NAME.fullmatch(header.name):
        problems.error(join(path, "name"), f"{quote(header.name)} is not a header name")
    if any(char in header.value for char in "\r\n\0"):
        problems.error(join(path, "value"), "a header's value must stand on one line")
