"""Values that have the right type and still cannot work.

Why this file exists: part of `srd.config.checks`; bounds that cross, headers that cannot be sent.
It must not know references, nor signals: what their rules demand, their types check.
"""

import re
from collections.abc import Iterable

from srd.config.document import Document
from srd.config.plugins import Header, HeaderMutationConfig
from srd.config.problems import Problems, join, quote

__all__ = ["check_values"]

_HEADER_NAME = re.compile(r":?[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MAX_ANNOTATIONS = 32
_MAX_ANNOTATION_BYTES = 4096


def check_values(document: Document, problems: Problems) -> None:
    """Report values that no request could ever be served with."""
    _early_decision(document, problems)
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
