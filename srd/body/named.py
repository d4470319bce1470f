"""What the reader makes of a body in which nothing counts but models' names.

Why this file exists: some paths are never routed, but their bodies may not ask to be: every name in
them is gathered, and all else is skipped. It must not know which names are special.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srd.body.context import Context
from srd.body.contexts import Root
from srd.body.listener import Want

if TYPE_CHECKING:
    from srd.body.reader import PromptReader

_OBJECT, _ARRAY, _STRING = b'{["'


class NamedRoot(Root):
    """The body itself: its models, the first as in every body, and those at `shape.names_below`."""

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        self._name, self._offset = name, offset
        if name == b"model":
            first = b"model" not in self._met
            want = self._begin_model(reader, kind, offset)
            return Want.TOKEN if not first and kind == _STRING else want
        return _step(reader, reader.shape.names_below, name, kind)

    def token(self, reader: PromptReader, raw: bytes | None) -> None:
        reader.add_name(raw)
        if self._model_open:
            super().token(reader, raw)


class _Below(Context):
    """A container on the way to further names; `path` leads on from it."""

    def __init__(self, path: tuple[bytes | None, ...]) -> None:
        self._path = path

    def begin(self, reader: PromptReader, name: bytes | None, kind: int, offset: int) -> Want:
        return _step(reader, self._path, name, kind)

    def token(self, reader: PromptReader, raw: bytes | None) -> None:
        reader.add_name(raw)


def _step(
    reader: PromptReader, path: tuple[bytes | None, ...], name: bytes | None, kind: int
) -> Want:
    """What a member `name` (None in arrays) is to somebody who follows `path`."""
    if not path or name != path[0]:
        return Want.SKIP
    if len(path) == 1:
        return Want.TOKEN if kind == _STRING else Want.SKIP
    return reader.enter(_Below(path[1:])) if kind in (_OBJECT, _ARRAY) else Want.SKIP
