"""Text to token ids: bounded, off the GIL, and piece by piece while a prompt arrives.

Why this file exists: it is the only place that imports tokenizers. A tokenizer reads whatever it
is given, even when it then truncates, so every text is cut before it comes here. It must not know
heads or sessions.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from srd.classify.api import ModelError
from srd.classify.ort import prepare_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Encoded:
    """Ids without special tokens; offsets (characters) and word numbers only when asked for."""

    ids: Sequence[int]
    offsets: Sequence[tuple[int, int]] = ()
    words: Sequence[int | None] = ()


class TextTokenizer:
    """A tokenizer.json. Thread-safe.

    `prefix` and `suffix` are the ids that the tokenizer's own template puts around a text, `pad`
    its padding id, `unknown` the id of what it has no pieces for (-1: there is none).
    """

    def __init__(self, tokenizer: Any, name: str = "tokenizer") -> None:
        """Wrap a `tokenizers.Tokenizer`; its truncation and padding are switched off."""
        tokenizer.no_truncation()
        padding = tokenizer.padding
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._name = name
        self.prefix, self.suffix = self._template()
        self.pad: int = (
            padding["pad_id"] if padding else self._find("[PAD]", "<pad>", "<|padding|>")
        )
        self.unknown = self._find("[UNK]", "<unk>", default=-1)

    def __repr__(self) -> str:
        size = self._tokenizer.get_vocab_size()
        return f"<TextTokenizer {self._name}, {size} pieces, {self.specials} special per text>"

    @classmethod
    def load(cls, path: Path) -> TextTokenizer:
        """Read a tokenizer.json (Hugging Face tokenizers format); raises ModelError."""
        prepare_environment()
        tokenizers = importlib.import_module("tokenizers")
        try:
            return cls(tokenizers.Tokenizer.from_file(str(path)), path.name)
        except Exception as error:  # the library raises bare Exception
            raise ModelError(f"{path}: not a readable tokenizer: {error}") from error

    def _template(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        probe = self._tokenizer.encode("a")
        special = probe.special_tokens_mask
        body = [index for index, flag in enumerate(special) if not flag]
        if not body:
            return tuple(probe.ids), ()
        return tuple(probe.ids[: body[0]]), tuple(probe.ids[body[-1] + 1 :])

    def _find(self, *pieces: str, default: int = 0) -> int:
        for piece in pieces:
            found: int | None = self._tokenizer.token_to_id(piece)
            if found is not None:
                return found
        return default

    @property
    def specials(self) -> int:
        """How many special tokens surround a text."""
        return len(self.prefix) + len(self.suffix)

    def encode(self, text: str, *, offsets: bool = False) -> Encoded:
        """Ids of `text`, without special tokens. Never raises on any str.

        The batch calls are used for one text because `encode` holds the GIL and they do not
        (measured); the fast one computes no offsets and is up to twice as fast.
        """
        text = _well_formed(text)
        if not offsets:
            fast = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0]
            return Encoded(fast.ids)
        full = self._tokenizer.encode_batch([text], add_special_tokens=False)[0]
        return Encoded(full.ids, full.offsets, full.word_ids)

    def incremental(self) -> IncrementalTokens:
        """Start to tokenize a text that arrives in pieces."""
        added = self._tokenizer.get_added_tokens_decoder().values()
        return IncrementalTokens(self, cut=not any(" " in token.content.strip() for token in added))


class IncrementalTokens:
    """Tokenizes a growing text: the ids so far are a prefix of the ids of the whole text.

    A text may be cut before a space that follows a letter, a digit or ASCII punctuation: WordPiece
    splits at white space anyway, and byte-level and SentencePiece vocabularies keep the space with
    the word after it, so the second half encodes as it would inside the whole. What follows the
    last such place waits. Each character is tokenized once.
    """

    def __init__(self, tokenizer: TextTokenizer, *, cut: bool = True) -> None:
        """`cut=False` holds everything until `finish`: an added token contains a space."""
        self._tokenizer = tokenizer
        self._cut = cut
        self._pending: list[str] = []
        self._last = ""
        self.ids: list[int] = []

    def __repr__(self) -> str:
        waiting = sum(map(len, self._pending))
        return f"<IncrementalTokens {len(self.ids)} tokens, {waiting} characters waiting>"

    def feed(self, text: str) -> Sequence[int]:
        """Add text; return the ids that have become certain."""
        if not text:
            return ()
        place = self._place(text) if self._cut else None
        self._last = text[-1]
        if place is None:
            self._pending.append(text)
            return ()
        ready = "".join((*self._pending, text[:place]))
        self._pending = [text[place:]]
        return self._encode(ready)

    def finish(self) -> Sequence[int]:
        """The text has ended; return the remaining ids."""
        rest = "".join(self._pending)
        self._pending = []
        return self._encode(rest) if rest else ()

    def _place(self, text: str) -> int | None:
        end = len(text)
        while (space := text.rfind(" ", 0, end)) >= 0:
            before = text[space - 1] if space else self._last
            if before.isalnum() or "!" <= before <= "~":
                return space
            end = space
        return None

    def _encode(self, text: str) -> Sequence[int]:
        ids = self._tokenizer.encode(text).ids
        self.ids.extend(ids)
        return ids


def _well_formed(text: str) -> str:
    """Replace lone surrogates, which JSON can spell and UTF-8 cannot, one character for one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
