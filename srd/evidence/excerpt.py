"""What of a long message is read, and what its pieces say together.

Why this file exists: the question of a long message stands in front of what was pasted or behind
it, and a window from the beginning sees the pasted text alone. So paragraphs at both ends are read
apart, and the ones that ask weigh more than those that look like code, a log or data. It must not
know a classifier: scores come from outside.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from srd.evidence.talk import subject_words
from srd.evidence.weigh import cut, tail

#: Word pieces of every text but the main one (srd.classify.api.TURN_WINDOW), and how many at most.
PIECE = 64
PIECES = 4
#: Word pieces at either end of a text that are looked at where no window was asked for.
LOOKED = 512
#: A lead over every other piece from which on a piece is read alone.
DECISIVE = 2.5
#: What being the last of several parts is worth, and being the main text.
LAST_PART, MAIN = 1.5, 0.5
#: A question is read once more by itself out of a text that fits, when it leans so far, so far
#: ahead of the other end, and when the rest is so many times longer.
ASKS, LEAD, FEW = 1.5, 1.0, 2
#: Between it and the rest is a blank line or a fence, or a mere line break beside a line that is as
#: much longer or so many lines of code or a log, looked for in so many characters: the last
#: sentence of a long question is not asked by itself.
MANY, SEAM = 6, 16
#: A part of a message of which less looks like code, and that fits, is not cut into paragraphs.
WRITTEN = 0.5
#: The power of its confidence by which a score counts, and where one text stands in the other: a
#: question cut out of its own story is seldom sure.
CONFIDENT, SURE = 2, 12

_ASKS = re.compile(
    r"(?:(?:hi|hello|hey|ok|okay|so|now|and|but|please|bitte|also|then|finally)\b[,! ]*)*"
    r"(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|can|could|would"
    r"|should|will|i need|i want|i have|i am|i'm|i'd|my|help|tell|give|show|explain|describe|define"
    r"|write|rewrite|sketch|turn|walk|fix|find|solve|compute|calculate|determine|prove|derive|compare|contrast|list"
    r"|name|summari[sz]e|translate|analy[sz]e|discuss|suggest|recommend|review|check|convert"
    r"|implement|refactor|optimi[sz]e|debug|create|generate|draft|design|evaluate|outline|identify"
    r"|estimate|simplify|classify|complete|answer|suppose"
    r"|wer|wie|warum|wann|welche[rs]?|erkläre?|schreibe?|qu'|que|qui|quel(?:le)?s?|pourquoi|comment"
    r"|explique[rz]?|qué|cuál|cómo|por qué|explica|escribe|como|qual|perch[eé]|cosa|spiega"
    r"|para qué|en qué|à quoi|wozu|was|wo|co|jak|dlaczego|czy|na czym|jaki[me]?|ile|kiedy|wyjaśnij"
    r"|napisz|kas|kaip|kodėl|ar|kok[si]|kiek"
    r"|paaiškin\w+|parašyk\w*|как|что|почему|зачем|объясни\w*|ما|كيف|لماذا|هل|متى|اشرح|اكتب)\b",
    re.IGNORECASE,
)
# How a line of a log, of data or of code begins.
_ODD_START = re.compile(
    r"\d{4}-\d\d-\d\d|\w{3} +\d+ \d\d:|\[?\d+[.:]\d+[.:]\d+|\"[^\"]+\"\s*:"
    r"|[\w.]+(?:\[[^\]]*\])?\s*[:+|-]?=|(?:DEBUG|INFO|WARN|WARNING|ERROR|FATAL|TRACE)\b"
    r"|(?:def|class|import|from|const|let|var|function|public|private|static|void|package)\s\S*\W?"
    r"|at \S+\(|File \"|return\b|else\b|(?:if|for|while)\b.*[:{(]$|[\w.]+\(.*\)$"
)
_ODD_FIRST, _ODD_LAST = tuple("[{<}])@|>+/$"), (*";{}[]\\", '",', "),", "},", "],")
_SYMBOLS = re.compile(r"[^\w\s.,;:?!'\"()\-’“”‘–—]|_|\d")
_WORDS = re.compile(r"[^\W\d_]{2,}")
# A line that leads in what is asked, and what may stand behind that.
_LABEL = re.compile(
    r"^[ \t>#*_-]{0,8}(?:(?:user|user's|human|my|the|new|final|original|follow[ -]?up)[ \t]+)?"
    r"(?:(?P<asked>question|query|q|frage|pregunta|pytanie|domanda|pergunta|klausimas|вопрос|سؤال"
    r"|问题|問題|質問|질문)|(?:helpful |final |short |your )?(?:answer|response|reply)|a|output"
    r"|context|passages?|sources?|documents?|information|instructions?|notes?|references?|history"
    r"|antwort|respuesta|réponse|kontext|contexto|contexte)"
    r"[*_]{0,2}[ \t]*[:：][*_]{0,2}[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_FENCE = re.compile("```|~~~")
_BREAK = re.compile(r"\n[^\S\n]*\n\s*|^[^\S\n]*(?:```|~~~)[^\n]*\n?", re.MULTILINE)
_LINE_BREAK = re.compile("\n")
_SENTENCE = re.compile(r"(?<=[.?!。？！؟])\s+|(?<=[。？！])")
_QUESTION = ("?", "？", "؟", "?)", '?"', "?*")
#: More is not looked at of one line, and an id longer than a line says nothing more.
_LINE = 200
#: So many characters at both ends of a piece say what it is.
_ENDS = 2000
#: So many words are more than a question usually has.
_LONG = 45


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What is read of a message: `texts[0]` is the main one (of at most the asked window), each
    further one has at most PIECE word pieces; `unread` counts the characters in none of them."""

    texts: tuple[str, ...]
    unread: int


@dataclass(frozen=True, slots=True)
class _Piece:
    part: int
    start: int
    end: int
    text: str
    lean: float


def excerpt(parts: Sequence[str], window: int) -> Excerpt:
    """What is read of one message, whose texts are `parts`, in order.

    One part of at most `window` word pieces is read as it is. Otherwise the paragraphs at both
    ends of the first and the last parts compete; one that leads by far is read alone, else up to
    PIECES of them beside the best. What stands behind a label ("Question:") is read alone, where it
    names a subject. A text that fits is read whole, and its question once more if
    that stands apart from much else. Looks at a window at either end of a part, no further.
    """
    parts = [part for part in parts if part.strip()] or [""]
    if len(parts) == 1 and cut(parts[0], window) == len(parts[0]):
        return Excerpt((parts[0], *(_short(piece).text for piece in _apart(parts[0], window))), 0)
    asked = _labelled(parts, window)
    found = [asked] if asked is not None and subject_words(asked.text) else []
    if not found:
        beside = () if asked is None else (asked,)
        found = sorted((*beside, *_candidates(parts, window)), key=lambda piece: -piece.lean)
    best = found[0]
    rest = [piece for piece in found[1:] if piece.lean > best.lean - DECISIVE]
    chosen = [best, *(_short(piece) for piece in rest[:PIECES])]
    return Excerpt(
        tuple(piece.text for piece in chosen),
        sum(map(len, parts)) - _covered(chosen),
    )


def combine(texts: Sequence[str], scores: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """One distribution of those of an excerpt's texts: their mean, weighed by how much each text
    looks like what was asked and by how sure its score is. One text keeps its own."""
    if len(scores) == 1:
        return scores[0]
    leans, sure = [lean(text) for text in texts], CONFIDENT
    if all(text in texts[0] for text in texts[1:]):
        leans[0], sure = -4.0 * _odd_share(texts[0]), SURE  # what asks in it stands for itself
    else:
        leans[0] += MAIN
    weights = [
        math.exp(value) * max(score.values(), default=0.0) ** sure
        for value, score in zip(leans, scores, strict=True)
    ]
    total = sum(weights) or 1.0
    return {
        label: sum(w * score.get(label, 0.0) for w, score in zip(weights, scores, strict=True))
        / total
        for label in scores[0]
    }


def labelled(text: str) -> str:
    """What stands behind the last label of a question ("Question:") near an end of a long text, as
    retrieval writes one; "" in a text of at most a piece or without a label."""
    if cut(text, PIECE) == len(text):
        return ""
    found = _labelled([text], LOOKED)
    return found.text if found is not None else ""


def lean(text: str) -> float:
    """How much a piece looks like what was asked: about -4 (code, a log) to 5 (a question)."""
    text = text.strip()
    if len(text) > 2 * _ENDS:
        text = f"{text[:_ENDS]}\n{text[-_ENDS:]}"
    words = len(_WORDS.findall(text))
    if words < 2 and not text.endswith(_QUESTION) and text.isascii():
        return -3.0
    value = -4.0 * _odd_share(text)
    sentences = [sentence.strip() for sentence in _SENTENCE.split(text)]
    if text.endswith(_QUESTION):
        value += 3.0
    elif any(sentence.endswith(_QUESTION) for sentence in sentences):
        value += 1.5
    if any(_ASKS.match(sentence) for sentence in (sentences[0], sentences[-1])):
        value += 1.5
    return value - (1.0 if words > _LONG else 0.0) - (1.0 if words > 2 * _LONG else 0.0)


def _odd_share(text: str) -> float:
    lines = [line for line in text.splitlines() if line.strip()]
    return sum(map(_odd, lines)) / max(1, len(lines))


def _odd(line: str) -> bool:
    """Whether a line looks like code, a log, data or markup rather than like prose."""
    line = line[:_LINE]
    bare = line.strip()
    if line[:2].isspace() or line[0] == "\t" or bare.endswith(_ODD_LAST):
        return True
    if _ASKS.match(bare) or bare.endswith(_QUESTION):
        return False
    if bare.startswith(_ODD_FIRST) or _ODD_START.match(bare):
        return True
    return 4 * len(_SYMBOLS.findall(bare)) > len(bare)


def _apart(text: str, window: int) -> list[_Piece]:
    """The question in a text that fits, where much else stands beside it; [] where none does."""
    if not ("\n" in text or _FENCE.search(text)) or cut(text, PIECE) == len(text):
        return []  # one line has nothing that stands apart
    best, *others = _candidates([text], window)
    if best.lean < ASKS or len(text) < (FEW + 1) * (best.end - best.start):
        return []
    if any(piece.lean > best.lean - LEAD for piece in others):
        return []
    before, after = text[: best.start], text[best.end :]
    pasted = sum(_odd(line) for line in (before + after).splitlines() if line.strip())
    beside = max(len(before.strip().rpartition("\n")[2]), len(after.strip().partition("\n")[0]))
    broad = beside > (FEW + 1) * (best.end - best.start)
    between = _LINE_BREAK if broad or pasted >= MANY else _BREAK
    ends = (before[-SEAM:], after[:SEAM])
    alone = all(not end.strip() or between.search(end) is not None for end in ends)
    return [best] if alone else []


def _candidates(parts: Sequence[str], window: int) -> list[_Piece]:
    """The pieces that compete, the best first; of equals the later part, then the earlier end."""
    found: list[_Piece] = []
    last = len(parts) - 1
    looked = sorted({0, *range(max(0, last - 2), last + 1)}, reverse=True)
    for index in looked:
        part, bonus = parts[index], LAST_PART if index == last and last else 0.0
        for start, end in dict.fromkeys(_paragraphs(part, window, alone=not last)):
            text = part[start:end]
            if text.strip():
                found.append(_Piece(index, start, end, text, lean(text) + bonus))
    if not found:  # nothing but fences
        text = parts[last][: cut(parts[last], window)]
        found.append(_Piece(last, 0, len(text), text, lean(text)))
    return sorted(found, key=lambda piece: -piece.lean)


def _paragraphs(part: str, window: int, *, alone: bool) -> tuple[tuple[int, int], ...]:
    """Its first and its last paragraph; all of a part that a human wrote beside others."""
    if not alone and cut(part, window) == len(part) and _odd_share(part) < WRITTEN:
        return ((0, len(part)),)
    return _front(part, window), _back(part, window)


def _labelled(parts: Sequence[str], window: int) -> _Piece | None:
    """What stands behind the last label of a question near an end of the last or first part."""
    for index in dict.fromkeys((len(parts) - 1, 0)):
        part = parts[index]
        for low, high in ((tail(part, window), len(part)), (0, cut(part, window) or 0)):
            labels = [*_LABEL.finditer(part, low, high)]
            ends = [*(label.start() for label in labels), high]
            for label, end in [*zip(labels, ends[1:], strict=False)][::-1]:
                start = label.end()
                stop = _BREAK.search(part, start, end)
                if stop is not None and end - start > (FEW + 1) * (stop.start() - start):
                    end = stop.start()
                text = part[start:end].rstrip(" \t\n*_")
                if label["asked"] and text:
                    return _Piece(index, start, start + len(text), text, lean(text))
    return None


def _front(text: str, window: int) -> tuple[int, int]:
    """Where the first paragraph lies, or what of it comes before the pasted lines."""
    end = cut(text, window) or 0
    start = len(text) - len(text.lstrip())
    if (fence := _BREAK.match(text, start, end)) is not None:
        start = fence.end()
    if (stop := _BREAK.search(text, start, end)) is not None:
        end = stop.start()
    return start, start + _plain(text[start:end])


def _plain(paragraph: str) -> int:
    """Where the lines end that do not look pasted; all of it if the first line does. Of more than
    a piece, where its first sentence or line ends that asks."""
    place = 0
    for line in paragraph.splitlines(keepends=True):
        if line.strip() and _odd(line):
            break
        place += len(line)
    place = place or len(paragraph)
    if cut(paragraph[:place], PIECE) != place:
        first, _, rest = paragraph[:place].partition("\n")
        second = rest.partition("\n")[0]
        if len(second) > FEW * len(first) or (_ASKS.match(first) and cut(rest, PIECE) != len(rest)):
            return len(first)
        for sentence in _sentences(paragraph[:place])[:3]:
            if sentence.endswith(_QUESTION):
                return paragraph.index(sentence) + len(sentence)
    return place


def _back(text: str, window: int) -> tuple[int, int]:
    """Where the last paragraph lies, or what of it comes after the pasted lines."""
    start, end = tail(text, window), len(text.rstrip())
    breaks = list(_BREAK.finditer(text, start, end))
    while breaks and breaks[-1].end() >= end:
        end = max(start, breaks.pop().start())
    if breaks:
        start = breaks[-1].end()
    paragraph = text[start:end]
    place = len(paragraph)
    for line in reversed(paragraph.splitlines(keepends=True)):
        if line.strip() and _odd(line):
            break
        place -= len(line)
    if place == len(paragraph):
        place = 0
    if cut(paragraph[place:], PIECE) != len(paragraph) - place:
        for sentence in reversed(_sentences(paragraph[place:])[-3:]):
            if sentence.endswith(_QUESTION):
                return start + paragraph.rindex(sentence), end
    return start + place, end


def _sentences(text: str) -> list[str]:
    """The sentences of a text, a line ending one too."""
    return [
        sentence.strip()
        for line in text.splitlines()
        for sentence in _SENTENCE.split(line)
        if sentence.strip()
    ]


def _short(piece: _Piece) -> _Piece:
    """At most PIECE word pieces of it: its beginning."""
    end = cut(piece.text, PIECE) or 0
    return _Piece(piece.part, piece.start, piece.start + end, piece.text[:end], piece.lean)


def _covered(pieces: Sequence[_Piece]) -> int:
    """How many characters lie in at least one piece."""
    total, part, reached = 0, -1, 0
    for piece in sorted(pieces, key=lambda piece: (piece.part, piece.start)):
        if piece.part != part:
            part, reached = piece.part, 0
        total += max(0, piece.end - max(piece.start, reached))
        reached = max(reached, piece.end)
    return total
