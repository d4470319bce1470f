"""Invariant: however a body is cut and whenever it is committed, evidence and output are the same,
what is accepted is what the json module accepts, and valid JSON stays valid JSON.

`python tests/fuzz/fuzz_body.py [libFuzzer options, corpus folders]` fuzzes with atheris where that
is installed; without it, or with `--smoke`, every body of the corpus is checked once with a few
mutations of it. The input's first bytes choose API, rewrite, cuts and the moment of the commit.
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # tests/, for the corpus

from corpus.bodies import ALL

from srd.body.body import Api, Body, BodyError
from srd.body.rewrite import Rewrite, SystemPrompt

APIS = list(Api)
REWRITES = [
    Rewrite(model='m"\\'),
    Rewrite(model="m", drop=frozenset({"user", "stream", "n"})),
    Rewrite(model="m", keep_only=frozenset({"model", "messages"})),
    Rewrite(model="m", set_members={"stream": b"true"}, cap={"n": 1}),
    Rewrite(merge={"chat_template_kwargs": {"thinking": b"true", "x": None}}),
    Rewrite(model="m", system_prompt=SystemPrompt("s\n", "insert")),
    Rewrite(model="m", system_prompt=SystemPrompt("s", "replace")),
]
HEADER = 8


def check(data: bytes) -> None:
    """Raises AssertionError when the invariant does not hold for this input."""
    header, body = data[:HEADER].ljust(HEADER, b"\0"), data[HEADER:]
    api, rewrite = APIS[header[0] % len(APIS)], REWRITES[header[1] % len(REWRITES)]
    scale = len(body) + 1
    cuts = sorted(int.from_bytes(header[at : at + 2]) % scale for at in (2, 4))
    pieces = [body[: cuts[0]], body[cuts[0] : cuts[1]], body[cuts[1] :]]
    evidence, error = _read(api, [body])
    assert _read(api, pieces) == (evidence, error)
    assert (error is None) is _json_accepts(body), error
    whole = _send(api, [body], rewrite, 0)
    assert _send(api, pieces, rewrite, header[6] % 3) == whole
    tail = _send_tail(api, [body], rewrite)
    assert _send_tail(api, pieces, rewrite) == tail
    if error is None:
        assert _json_accepts(whole)
        assert _json_accepts(tail)


def _json_accepts(data: bytes) -> bool:
    try:
        text = data.decode("utf-8-sig", "replace")
        return isinstance(json.loads(text), dict)
    except RecursionError:
        return data.count(b"[") + data.count(b"{") > 0 and _read(Api.CHAT, [data])[1] is None
    except ValueError as error:
        # Integers of thousands of digits are JSON, but Python does not convert them.
        return "integer string conversion" in str(error) and _read(Api.CHAT, [data])[1] is None


def _read(api: Api, pieces: list[bytes]) -> tuple[object, object]:
    body = Body(api, max_text_bytes=64)
    error = None
    try:
        for index, piece in enumerate(pieces):
            body.receive(piece, end=index == len(pieces) - 1)
            body.read()
    except BodyError as caught:
        error = (caught.offset, caught.problem)
    prompt = body.prompt
    texts = (prompt.first_user, prompt.last_user, prompt.prior_user, prompt.non_user)
    return (
        body.model,
        repr(body.params),  # a parameter may be infinite, but never "not a number"
        dict(body.metadata),
        body.facts,
        texts,
        prompt.spoken(),
        prompt.segments(),
        (prompt.first_user_done, prompt.turns_end, prompt.hidden, prompt.bound),
        body.counted if error is None else -1,
    ), error


def _send(api: Api, pieces: list[bytes], rewrite: Rewrite, commit: int) -> bytes:
    body = Body(api)
    out = []
    for index, piece in enumerate(pieces):
        end = index == len(pieces) - 1
        if index == commit:
            out.append(body.commit(rewrite).data)
        if index >= commit:
            out.append(body.flow(piece, end=end))
            continue
        body.receive(piece, end=end)
        with contextlib.suppress(BodyError):  # the bytes are held
            body.read()
    assert body.held == 0
    return b"".join(out)


def _send_tail(api: Api, pieces: list[bytes], rewrite: Rewrite) -> bytes:
    body = Body(api)
    out = [body.commit_tail(rewrite)]
    out += [body.flow(piece, end=i == len(pieces) - 1) for i, piece in enumerate(pieces)]
    out.append(body.settle_tail(rewrite))
    assert body.held == 0
    return b"".join(out)


def smoke(rounds: int = 3, seed: int = 0) -> int:
    """Check the corpus and `rounds` mutations of each body; returns how many were checked."""
    chance = random.Random(seed)
    checked = 0
    for case in ALL:
        body = bytearray(case.data)
        for _ in range(rounds + 1):
            header = chance.randbytes(HEADER)
            try:
                check(header + bytes(body))
            except AssertionError as error:
                raise AssertionError(f"{header + bytes(body)!r}: {error}") from error
            checked += 1
            at = chance.randrange(len(body) + 1)
            body[at : at + chance.randrange(3)] = chance.choice(
                (b"", b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b" ", b"1", b"\xff", b"\n")
            )
    return checked


def main() -> None:
    """Fuzz, or smoke where atheris is not installed."""
    try:
        import atheris
    except ImportError:
        atheris = None
    if atheris is None or "--smoke" in sys.argv:
        print(f"{smoke(rounds=20, seed=random.randrange(1 << 32))} bodies checked, no atheris")
        return
    atheris.instrument_all()
    seeds = Path(tempfile.mkdtemp(prefix="srd-fuzz-"))
    for index, case in enumerate(ALL):
        (seeds / f"{index:03}").write_bytes(bytes(HEADER) + case.data)
    atheris.Setup([*sys.argv, str(seeds)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
