"""The competitor: an external processor that waits for the end of the body, as every router does.

Written for the benchmark, with srd's own server, wire codec and classifier, so that what differs is
the waiting. It does what the upstream router's code does in full duplex (its behaviour is described
in the project's notes): headers are answered at once, every chunk is kept, at the end the body is
cloned and parsed, the last user message is classified with at most 512 tokens, the document is
written again, and one message carries all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json

from srd.classify.api import Ask
from srd.classify.factory import open_classifier
from srd.config import load_default
from srd.daemon.grpc_stream import ProcessStream
from srd.daemon.server import ExtProcServer, ServerOptions
from srd.wire import codec
from srd.wire.messages import Phase

DOCUMENT = load_default().document
MODELS = {
    leaf.name: decision.model_refs[0].selected
    for decision in DOCUMENT.routing.decisions
    for leaf in getattr(decision.rules, "conditions", ())
    if leaf.type == "domain" and decision.model_refs
}


class Accumulate:
    def __init__(self) -> None:
        self.classifier = open_classifier(None, heads=frozenset({"domain"}))

    async def __call__(self, stream: ProcessStream) -> None:
        buffer = bytearray()
        while (data := await stream.recv()) is not None:
            request = codec.decode_request(data)
            if request.phase is Phase.REQUEST_HEADERS:
                await stream.send(codec.encode_headers_reply("request"))
            elif request.phase is Phase.REQUEST_BODY:
                buffer += request.body
                if request.end_of_stream:
                    out = await self.route(bytes(buffer))
                    await stream.send(codec.encode_streamed_body("request", out, True))
            elif request.phase is Phase.RESPONSE_HEADERS:
                await stream.send(codec.encode_headers_reply("response"))

    async def route(self, body: bytes) -> bytes:
        document = json.loads(body)
        if document.get("model") != "auto":
            return body
        text = [m["content"] for m in document["messages"] if m["role"] == "user"][-1]
        ask = Ask(text=text, heads=frozenset({"domain"}), window=512)
        scores = self.classifier.quick(ask)
        if scores is None:
            scores = await asyncio.wrap_future(self.classifier.submit(ask))
        labels = scores.domain or {}
        label = max(labels, key=lambda name: labels[name])
        document["model"] = MODELS.get(label, DOCUMENT.default_model)
        return json.dumps(document).encode()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default="127.0.0.1:0")
    options = parser.parse_args()
    server = ExtProcServer(Accumulate(), ServerOptions(listen=options.listen))
    await server.start()
    server.health.set_ready(True)
    print(server.addresses[0], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
