"""Evasions by what a request says of itself: its type, its path, its coding, its grammar.

Why this file exists: one kind of row per module. It must not know srd.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable

from evasion.row import MALFORMED, PLAIN, UNREADABLE, Row, asked


def rows() -> list[Row]:
    return [*_types(), *_paths(), *_codings(), *_lenient()]


def _types() -> list[Row]:
    def kind(value: str, **more: object) -> dict[str, object]:
        fields = {"content-type": value.encode()}
        return {"headers": fields, "codings": PLAIN, "body": asked, **more}

    wide = {
        f"type-{label}-in-{charset}": kind(
            value, body=lambda t, c=charset: asked(t).decode().encode(c), expect=expect
        )
        for charset in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le")
        for label, value, expect in (
            ("json", "application/json", MALFORMED),
            ("declared", f"application/json; charset={charset}", MALFORMED),
            ("text", "text/plain", UNREADABLE),
        )
    }
    rows: dict[str, dict[str, object]] = {
        "type-text": kind("text/plain"),
        "type-text-utf-8": kind("text/plain; charset=utf-8"),
        "type-form": kind("application/x-www-form-urlencoded"),
        "type-none": kind(""),
        "type-blank": kind(" "),
        "type-unknown": kind("application/x-unknown"),
        "type-multipart": kind("multipart/form-data; boundary=x"),
        "type-octets": kind("application/octet-stream"),
        "type-upper-case": kind("APPLICATION/JSON"),
        "type-declared-utf-16-in-utf-8": kind("application/json; charset=utf-16"),
        "type-declared-utf-7": kind("application/json; charset=utf-7", expect=UNREADABLE),
        "type-real-form": kind(
            "application/x-www-form-urlencoded", expect=UNREADABLE,
            body=lambda t: b"messages=" + t.replace(" ", "+").encode(),
        ),
        "type-real-multipart": kind(
            "multipart/form-data; boundary=x", expect=UNREADABLE,
            body=lambda t: b'--x\r\ncontent-disposition: form-data; name="messages"\r\n\r\n'
            + t.encode() + b"\r\n--x--\r\n",
        ),
        **wide,
    }  # fmt: skip
    return [Row(name=name, **row) for name, row in rows.items()]  # type: ignore[arg-type]


def _paths() -> list[Row]:
    written = (
        "/v1/chat/%63ompletions", "/%76%31/chat/completions", "/v1/chat%2Fcompletions",
        "//v1/chat/completions", "/v1//chat///completions", "/v1/chat/completions/",
        "/v1/chat/completions//", "/v1/chat/completions?a=b", "/v1/chat/completions/?a=/upload",
        "/v1/chat/completions#x", "/V1/CHAT/COMPLETIONS", "/v1/Chat/Completions",
        "/v1/chat/%43ompletions", "/v1/./chat/completions", "/v1/%2e/chat/completions",
        "/v1/x/../chat/completions", "/v1/x/%2E%2E/chat/completions",
        "/v1/x/..;/chat/completions", "/v1/chat/completions;v=1", "/v1;a/chat;b/completions;c",
        "/v1/chat/completions%3Bv=1", "/v1/chat/%2563ompletions", "/v1/chat/completions%3Fa=b",
        "/v1/chat/completions%00", "/v1/chat/completions%20", "/v1\\chat\\completions",
        "/v1%5Cchat%5Ccompletions", "/openai/v1/chat/completions", "/v1/v1/chat/completions",
    )  # fmt: skip
    return [Row(name=f"path {path}", path=path, body=asked, codings=PLAIN) for path in written]


def _codings() -> list[Row]:
    def twice(text: str) -> bytes:
        return gzip.compress(gzip.compress(asked(text)))

    def once(text: str) -> bytes:
        return gzip.compress(asked(text))

    def coding(value: bytes, body: Callable[[str], bytes], **more: object) -> dict[str, object]:
        return {"headers": {"content-encoding": value}, "body": body, "codings": PLAIN, **more}

    rows: dict[str, dict[str, object]] = {
        "coding-identity-identity": coding(b"identity, identity", asked),
        "coding-gzip-gzip": coding(b"gzip, gzip", twice),
        "coding-gzip-gzip-once": coding(b"gzip, gzip", once, expect=MALFORMED),
        "coding-identity-gzip": coding(b"identity, gzip", once),
        "coding-upper-case": coding(b"GZIP", once),
        "coding-utf-8": coding(b"utf-8", asked),
        "coding-unknown": coding(b"snappy", asked, expect=UNREADABLE),
        "coding-gzip-and-unknown": coding(b"gzip, snappy", once, expect=UNREADABLE),
        "coding-quoted": coding(b'"gzip"', once, expect=UNREADABLE),
        "coding-thrice": coding(b"gzip, gzip, gzip", twice, expect=UNREADABLE),
        "coding-said-but-not-done": coding(b"gzip", asked, expect=MALFORMED),
        "coding-done-but-not-said": {"body": once, "codings": PLAIN, "expect": MALFORMED},
        "coding-cut": coding(b"gzip", lambda t: once(t)[:-9], expect=MALFORMED),
        "coding-cut-of-another-type": {
            "headers": {"content-encoding": b"gzip", "content-type": b"text/plain"},
            "body": lambda t: once(t)[:-9], "codings": PLAIN, "expect": UNREADABLE,
        },
    }  # fmt: skip
    return [Row(name=name, **row) for name, row in rows.items()]  # type: ignore[arg-type]


# -- what only a lenient parser takes


def _lenient() -> list[Row]:
    broken: dict[str, Callable[[str], bytes]] = {
        "trailing-comma": lambda t: asked(t)[:-1] + b",}",
        "trailing-comma-inside": lambda t: asked(t).replace(b"}]", b"},]"),
        "comment-before": lambda t: b"// hello\n" + asked(t),
        "comment-inside": lambda t: b"{/* hello */" + asked(t)[1:],
        "comment-behind": lambda t: asked(t) + b" // hello",
        "two-documents": lambda t: asked("Hello.") + asked(t),
        "two-lines": lambda t: asked("Hello.") + b"\n" + asked(t),
        "single-quotes": lambda t: asked(t).replace(b'"', b"'"),
        "bare-keys": lambda t: asked(t).replace(b'"messages"', b"messages"),
        "in-an-array": lambda t: b"[" + asked(t) + b"]",
        "newline-in-a-string": lambda t: asked("@").replace(b"@", b"\n" + t.encode()),
        "hexadecimal": lambda t: asked(t).replace(b"{", b'{"n":0x1,', 1),
        "two-marks": lambda t: b"\xef\xbb\xbf" * 2 + asked(t),
        "never-closed": lambda t: asked(t)[:-1],
        "nul-behind": lambda t: asked(t) + b"\0",
    }
    taken: dict[str, Callable[[str], bytes]] = {
        "mark": lambda t: b"\xef\xbb\xbf" + asked(t),
        "nan": lambda t: asked(t).replace(b"{", b'{"temperature":NaN,', 1),
        "infinity": lambda t: asked(t).replace(b"{", b'{"x":[Infinity,{"y":-Infinity}],', 1),
        "minus-infinity": lambda t: asked(t)[:-1] + b',"top_p":-Infinity}',
        "blanks-around": lambda t: b" \r\n\t" + asked(t) + b" \r\n\t" * 50,
    }
    text = {"content-type": b"text/plain"}
    return [
        *(Row(name=f"lenient-{n}", body=body, expect=MALFORMED) for n, body in broken.items()),
        *(
            Row(name=f"lenient-{n}-as-text", body=body, headers=text, expect=UNREADABLE,
                codings=PLAIN)
            for n, body in broken.items()
        ),
        *(Row(name=f"lenient-{n}", body=body) for n, body in taken.items()),
    ]  # fmt: skip
