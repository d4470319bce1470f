"""What stands on the wire behind an Envoy that keeps content-length: it is exact, or absent.

With `allow_content_length_header: true` Envoy writes the length that it is told, and whatever body
follows: too small a length makes the rest of the body the next request on that connection.
"""

from __future__ import annotations

import gzip
import json
import random
from typing import TYPE_CHECKING

import pytest
from stage import CONFIG, VERSION, StageConfig, chat, large
from wiretap import OK

from srd.demo.envoy import Envoy, Listener, Mode, Processing

if TYPE_CHECKING:
    import socket

    from wiretap import Seen, Tap

pytestmark = [
    pytest.mark.envoy,
    pytest.mark.skipif(
        VERSION < (1, 38), reason="allow_content_length_header came with Envoy 1.38"
    ),
]

MODES = (Mode.FULL_DUPLEX_STREAMED, Mode.STREAMED, Mode.BUFFERED, Mode.BUFFERED_PARTIAL)
PROMPT = "You are a careful mathematician. " * 20
#: A word in the prompt chooses the model, and by that how much longer or shorter a body gets.
WORDS = {"derivative": "math-expert", "integral": "tutor", "matrix": "m"}
EDITS = (
    CONFIG.replace("[{name: math-expert}]", "[{name: math-expert}, {name: tutor}, {name: m}]")
    .replace(
        "    keywords:\n",
        "    keywords:\n"
        "      - {name: integrals, operator: OR, keywords: [integral]}\n"
        "      - {name: matrices, operator: OR, keywords: [matrix]}\n",
    )
    .replace(
        "  decisions:\n",
        f"""  decisions:
    - name: much_longer
      priority: 10
      rules: {{operator: OR, conditions: [{{type: keyword, name: integrals}}]}}
      modelRefs: [{{model: base-model, lora_name: tutor}}]
      plugins: [{{type: system_prompt, configuration: {{system_prompt: "{PROMPT}"}}}}]
    - name: shorter
      priority: 10
      rules: {{operator: OR, conditions: [{{type: keyword, name: matrices}}]}}
      modelRefs: [{{model: base-model, lora_name: m}}]
""",
    )
)
ASKED = "What is the derivative of x^3? "
MODEL_LAST = json.loads(large(1500, ASKED))
BODIES = {
    "small": chat(ASKED),
    "early": large(8000, ASKED),
    "long": chat(ASKED + random.Random(1).randbytes(30_000).hex()),  # long when packed, too
    "named": chat(ASKED, "base-model"),
    "model-last": json.dumps({"messages": MODEL_LAST["messages"], "model": "auto"}).encode(),
}


@pytest.fixture(scope="module")
def measured(processes, srd_factory, stage_tap) -> Envoy:
    """A listener for each mode, all of which keep lengths."""
    listeners = tuple(
        Listener(
            name=mode.value,
            processing=Processing(request_body=mode, allow_content_length_header=True),
            buffer_bytes=128 * 1024,
        )
        for mode in MODES
    )
    settings = StageConfig(
        processor=srd_factory(EDITS).address,
        backend=f"127.0.0.1:{stage_tap.port}",
        listeners=listeners,
    )
    return processes.enter_context(Envoy(settings))


@pytest.fixture
def behind(tap: Tap) -> bytearray:
    """What came on the upstream's connection behind a body whose framing was believed."""
    rest = bytearray()

    def answer(tap: Tap, seen: Seen, connection: socket.socket) -> None:
        tap.read_body(seen, connection)
        connection.sendall(OK)
        while data := connection.recv(65536):  # the answer ends the connection
            rest.extend(data)

    tap.answer = answer
    return rest


def opened(seen: Seen) -> dict[str, object]:
    """The document in what left. Python's own decoders say what that is."""
    raw = bytes(seen.body)
    packed = seen.headers.get("content-encoding") == "gzip"
    document: dict[str, object] = json.loads(gzip.decompress(raw) if packed else raw)
    return document


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("coding", ["", "gzip"], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("announced", [True, False], ids=["length", "chunked"])
def test_the_length_is_that_of_the_body_that_left_or_absent(
    measured, tap, upload, behind, mode, coding, name, word, announced
):
    plain = BODIES[name].replace(b"derivative", word.encode())
    body = gzip.compress(plain) if coding else plain
    fields = {"content-encoding": coding} if coding else {}
    length = len(body) if announced else None
    request = upload(measured, mode.value, length=length, headers=fields)
    half = len(body) // 2
    request.send(body[:half], body[half:])
    if not announced:
        request.end()
    assert request.status() == 200
    seen = tap.last
    tap.until(lambda: seen.finished or seen.broken, "the whole body")
    assert seen.finished
    told = seen.headers.get("content-length")
    assert told in (None, str(seen.size))
    assert seen.chunked == (told is None)
    left, came = opened(seen), json.loads(plain)
    assert left["messages"][-1:] == came["messages"][-1:]
    assert left["model"] == (came["model"] if name == "named" else WORDS[word])
    assert bytes(behind) == b""
