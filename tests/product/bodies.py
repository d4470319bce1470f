"""Request bodies for cases: real shapes, oddly written, the same for the same seed.

Why this file exists: members, spaces, escapes and the order of keys are the client's business, and
whatever they are must come out again. It must not know srd, nor what is right.
"""

from __future__ import annotations

import base64
import json
import math
import random
from dataclasses import dataclass

from product.axes import SIZES, Case

TURNS = {"chat": "messages", "completions": "prompt", "responses": "input", "messages": "messages"}
PATHS = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}
#: The telling words of a topic: that of the first user message, then that of the last.
TOPICS = {
    "plain": ("contract", "contract"),
    "thinks": ("derivative", "derivative"),
    "prompted": ("medicine", "medicine"),
    "default": ("weather", "weather"),
    "mixed": ("derivative", "contract"),
    "held": ("derivative", "weather"),
    "answer": ("battle", "battle"),
}
_FILL = (
    'what "of" it, said she\n', "größer als 数学 ", "\\path\\to\\file ", "a b c ", "x^3 + y^3 ",
    "über {braces} [and] brackets, ", "\u2028 \x7f ", "𝔘𝔫𝔦 ", '"model": "auto", ', "\t\t",
)  # fmt: skip

#: What keeps a conversation's subject, whatever it is.
_KEEPING = ("yes", "go on", "Shorter, please: two sentences.", "commit it")

#: What a rule blocks that does.
ATTACK = "forbidden"

#: Random bytes per block of text: a client's text packs ten times, not a thousand times.
_NOISE = 24


@dataclass(frozen=True, slots=True)
class Written:
    """A body; `names` are the values of its models, in order."""

    raw: bytes
    names: tuple[str | None, ...]


def written(case: Case) -> Written:
    """The body of a case."""
    return _Writer(case).body()


class _Writer:
    def __init__(self, case: Case) -> None:
        self.case = case
        self.rng = random.Random(f"body {case.seed}")
        low, high = SIZES[case.size]
        self.size = int(math.exp(self.rng.uniform(math.log(low), math.log(high))))
        self.odd = self.rng.random() < 0.6  # else as a serializer writes it
        first, last = TOPICS["answer" if case.decision == "answer" else case.topic]
        self.first, self.last = first, last

    def body(self) -> Written:
        front, behind, names = self._models()
        rest = self._rest()
        at = self.rng.randrange(len(rest) + 1)
        before, after = ([], rest) if self.rng.random() < 0.5 else (rest[:at], rest[at:])
        room = self.size - sum(map(len, rest)) - 60
        if self.case.shape == "tools":
            short = min(room, self.rng.choice((300, 600, 1100)))
            after = [self._tools(room - short), *after]
            room = short
        turns = self._turns(room)
        second = [self._turns(80)] if self.case.duplicate == "turns" else []
        if second and self.rng.random() < 0.3:
            behind = [*second, *behind]
            second = []
        members = [*front, *before, turns, *after, *behind, *second]
        if behind and self.rng.random() < 0.5:
            # ... so that "behind" is right behind the prompt, with members after it
            members = [*front, *before, turns, *behind, *after, *second]
        gap = self._gap
        text = "{" + gap() + (gap() + "," + gap()).join(members) + gap() + "}"
        start = "\ufeff" if self.odd and self.rng.random() < 0.05 else ""
        return Written((start + gap() + text + gap()).encode("utf-8", "surrogatepass"), names)

    def _models(self) -> tuple[list[str], list[str], tuple[str | None, ...]]:
        """Members before and behind the turns, and the names in them."""
        rng = self.rng
        auto = rng.choice(("auto", "MoM"))
        known, other = rng.sample(["law-expert", "plain-model", "modèle-数", "math-expert"], 2)
        unknown = rng.choice(("gpt-4o", "Auto", "law-expert2", "x" * 300))
        names: list[str | None]
        front: list[str | None]
        match self.case.model:
            case "auto front":
                front, names = [auto], [auto]
            case "auto behind":
                front, names = [], [auto]
            case "named front":
                front, names = [known], [known]
            case "named behind":
                front, names = [], [known]
            case "unknown front":
                front, names = [unknown], [unknown]
            case "unknown behind":
                front, names = [], [unknown]
            case "absent":
                front, names = [], []
            case "null":
                value = rng.choice((None, ""))
                names = [value]
                front = names if rng.random() < 0.5 else []
            case "two names":
                names = [known, other]
                front = names[: rng.randrange(3)]
            case "auto then named":
                names = [auto, rng.choice((known, unknown))]
                front = names[: rng.randrange(1, 3)]
            case "named then auto":
                names = [known, auto]
                front = names[: rng.randrange(3)]
            case "same twice":
                name = rng.choice((auto, known))
                names = [name, name]
                front = names[: rng.randrange(3)]
            case _:
                name = rng.choice((" ", "", "\t")) + rng.choice((auto, known)) + " "
                names = [name]
                front = names if rng.random() < 0.5 else []
        wrote = [self._member("model", json.dumps(n) if n is None else self._string(n))
                 for n in names]  # fmt: skip
        return wrote[: len(front)], wrote[len(front) :], tuple(names)

    def _rest(self) -> list[str]:
        """Members that srd has no business with, and some that it may edit."""
        rng, case = self.rng, self.case
        found = [
            self._member("stream", rng.choice(("true", "false"))),
            self._member("temperature", rng.choice(("0.7", "7E+01", "1e400", "-0", "0.10"))),
            self._member("metadata", '{"model": "auto", "user": ' + self._string("a b") + "}"),
            self._member("seed", str(rng.randrange(10**30))),
        ]
        rng.shuffle(found)
        found = found[: rng.randrange(len(found) + 1)]
        if case.api == "chat":
            if rng.random() < 0.3:
                found.append(self._member("reasoning_effort", '"low"'))
            if rng.random() < 0.3:
                value = rng.choice(('{"enable_thinking":false,"a" : 1}', "{}", '{"a":[1]}'))
                found.append(self._member("chat_template_kwargs", value))
            if rng.random() < 0.3 and case.shape != "tools":
                found.append(self._member("tools", '[{"model":"auto","messages":[]}, 1]'))
        if case.api == "responses":
            if rng.random() < 0.5:
                found.append(self._member("instructions", self._string("Be brief.")))
            if rng.random() < 0.3:
                found.append(self._member("reasoning", '{"summary" : "auto","effort":"low"}'))
        if case.api == "messages":
            found.append(self._member("max_tokens", rng.choice(("1024", "16000"))))
            if rng.random() < 0.5:
                parts = '[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}]'
                found.append(self._member("system", rng.choice((parts, self._string("Be brief.")))))
        rng.shuffle(found)
        return found

    def _turns(self, size: int) -> str:
        return self._member(TURNS[self.case.api], self._conversation(max(40, size)))

    def _conversation(self, size: int) -> str:
        rng, api, shape = self.rng, self.case.api, self.case.shape
        text = api == "responses" and shape in ("text", "tools") and rng.random() < 0.3
        if api == "completions" or text:
            bad = self.case.decision == "attack"
            one = self._text(self.first, self.last, size, bad=bad)
            return f"[{self._gap()}{one}]" if api == "completions" and rng.random() < 0.3 else one
        messages = []
        if rng.random() < 0.3 and api == "chat":
            messages.append(self._message(rng.choice(("system", "developer")), "'Be brief.'"))
        count = rng.choice((3, 5, 7, 9) if shape == "talk" else (1, 1, 3, 5))
        picture = ""
        if shape == "picture":
            size, picture = size * 3 // 10, self._picture(size * 7 // 10)
        bad = 2 * rng.randrange((count + 1) // 2) if self.case.decision == "attack" else -1
        for turn in range(count):
            share = size * (0.7 if turn == 0 else 0.3 / count) if count > 1 else size
            word = self.first if turn == 0 else self.last
            room = int(share) - 40
            if turn % 2:
                messages.append(self._message("assistant", self._text("so", "so", room)))
            elif shape == "talk" and 0 < turn < count - 1 and turn != bad and rng.random() < 0.5:
                messages.append(self._message("user", self._string(rng.choice(_KEEPING))))
            else:
                text = self._text(word, word, room, bad=turn == bad)
                messages.append(self._message("user", text, "" if turn else picture))
        separator = self._gap() + "," + self._gap()
        return "[" + self._gap() + separator.join(messages) + self._gap() + "]"

    def _message(self, role: str, text: str, picture: str = "") -> str:
        rng = self.rng
        text = self._string(text[1:-1]) if text.startswith("'") else text
        kind = {"user": "input_text", "assistant": "output_text"}.get(role, "input_text")
        kind = kind if self.case.api == "responses" else "text"
        if picture or rng.random() < 0.3:
            part = f'{{"type":"{kind}","text":{text}}}'
            text = f"[{picture}{part}]"
        parts = [self._member("role", json.dumps(role)), self._member("content", text)]
        if self.odd and rng.random() < 0.3:
            parts.reverse()
        if self.case.duplicate == "content" and role == "user":
            parts.append(self._member("content", self._string("second")))
        return "{" + (self._gap() + ",").join(parts) + self._gap() + "}"

    def _picture(self, size: int) -> str:
        """A content part with a picture of about `size` bytes, and the comma behind it."""
        data = base64.b64encode(self.rng.randbytes(max(3, size * 3 // 4))).decode()
        url = f"data:image/png;base64,{data}"
        match self.case.api:
            case "chat":
                part = f'{{"type":"image_url","image_url":{{"detail":"low","url":"{url}"}}}}'
            case "responses":
                part = f'{{"type":"input_image","image_url":"{url}"}}'
            case _:
                source = f'{{"type":"base64","media_type":"image/png","data":"{data}"}}'
                part = f'{{"type":"image","source":{source}}}'
        return part + self._gap() + ","

    def _tools(self, size: int) -> str:
        """A member of about `size` bytes behind the turns; what it speaks of is nobody's topic."""
        told = self._text("medicine", "contract", max(0, size - 80))
        if self.case.api == "completions":
            return self._member("template", told)
        return self._member("tools", f'[{{"type":"function","name":"a","description":{told}}}]')

    def _text(self, first: str, last: str, size: int, *, bad: bool = False) -> str:
        """A JSON string of about `size` bytes that says `first` soon and `last` at its end; `bad`:
        and somewhere what a rule blocks."""
        rng = self.rng
        head = f"about the {first}: "
        block = "".join(rng.choice(_FILL) for _ in range(30)) + f" the {first}, "
        head, tail = self._string(head)[1:-1], self._string(f" and the {last}?")[1:-1]
        wrote = self._string(block)[1:-1]
        block_size = len(wrote.encode()) + 2 * _NOISE
        count, part = divmod(max(0, size - len(head) - len(tail)), block_size)
        noise = rng.randbytes(_NOISE * count).hex()
        blocks = [wrote + noise[at : at + 2 * _NOISE] for at in range(0, len(noise), 2 * _NOISE)]
        if bad:
            blocks.insert(rng.randrange(len(blocks) + 1), f" {ATTACK} ")
        return f'"{head}{"".join(blocks)}{"e" * part}{tail}"'

    def _member(self, name: str, value: str) -> str:
        return self._key(name) + self._gap() + ":" + self._gap() + value

    def _key(self, name: str) -> str:
        if self.odd and self.rng.random() < 0.1:
            at = self.rng.randrange(len(name))
            return f'"{name[:at]}\\u{ord(name[at]):04x}{name[at + 1 :]}"'
        return f'"{name}"'

    def _string(self, text: str) -> str:
        plain = json.dumps(text, ensure_ascii=self.rng.random() < 0.5)
        if not self.odd or self.rng.random() < 0.5 or not text:
            return plain
        at = self.rng.randrange(len(text))
        left, char, right = text[:at], text[at], text[at + 1 :]
        if ord(char) > 0xFFFF:
            return plain
        inner = json.dumps(left)[1:-1] + f"\\u{ord(char):04X}" + json.dumps(right)[1:-1]
        return f'"{inner}"'

    def _gap(self) -> str:
        if not self.odd or self.rng.random() < 0.7:
            return ""
        return self.rng.choice((" ", "\n", "  ", "\t ", "\r\n"))
