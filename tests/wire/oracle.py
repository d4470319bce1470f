"""Google's protobuf as the judge of our codec, in a process of its own.

Run as a script by the `oracle` fixture. It answers, for each line {"schema", "kind", "data"} on
stdin, one line: null when the bytes do not parse, else what they mean in plain values. Schema
"slim" is ours (from the committed descriptors), "full" is Envoy's, which must not share a process
with other packages that register the same files; the first line tells which are there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

INT_FOR_ENUM = "envoy.service.ext_proc.v3.HttpStatus.code"
ROOT = Path(__file__).resolve().parents[2]


def slim_types() -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    files = descriptor_pb2.FileDescriptorSet()
    files.ParseFromString((ROOT / "srd/wire/_pb/descriptors.binpb").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    package = "envoy.service.ext_proc.v3."
    return {
        kind: message_factory.GetMessageClass(pool.FindMessageTypeByName(package + name))
        for kind, name in (("request", "ProcessingRequest"), ("response", "ProcessingResponse"))
    }


def full_types() -> dict[str, Any]:
    from envoy.service.ext_proc.v3 import external_processor_pb2

    return {
        "request": external_processor_pb2.ProcessingRequest,
        "response": external_processor_pb2.ProcessingResponse,
    }


def mismatches(ours: Any, theirs: Any, seen: set[str]) -> list[str]:
    """Fields of our message that Envoy's does not have, or has with another number or type."""
    if ours.full_name in seen:
        return []
    seen.add(ours.full_name)
    wrong = []
    for field in ours.fields:
        other = theirs.fields_by_name.get(field.name)
        if other is None or field.number != other.number or field.is_repeated != other.is_repeated:
            wrong.append(field.full_name)
        elif field.message_type is not None and other.message_type is not None:
            wrong += mismatches(field.message_type, other.message_type, seen)
        elif field.type != other.type and field.full_name != INT_FOR_ENUM:
            wrong.append(field.full_name)
    return wrong


def plain(value: Any) -> Any:
    """A google.protobuf.Value; numbers as text, because NaN equals nothing."""
    kind = value.WhichOneof("kind")
    if kind in (None, "null_value"):
        return None
    if kind == "struct_value":
        return struct(value.struct_value)
    if kind == "list_value":
        return [plain(item) for item in value.list_value.values]
    return repr(value.number_value) if kind == "number_value" else getattr(value, kind)


def struct(message: Any) -> dict[str, Any]:
    return {key: plain(value) for key, value in message.fields.items()}


def headers(header_map: Any) -> list[list[str]]:
    return [[h.key.lower(), (h.raw_value or h.value.encode()).hex()] for h in header_map.headers]


def request(message: Any) -> dict[str, Any]:
    kind = message.WhichOneof("request")
    content = getattr(message, kind) if kind else None
    carried = (
        []
        if content is None or kind.endswith("body")
        else (content.trailers if kind.endswith("trailers") else content.headers)
    )
    config = message.protocol_config
    return {
        "phase": message.DESCRIPTOR.fields_by_name[kind].number if kind else 0,
        "headers": headers(carried) if carried != [] else [],
        "body": content.body.hex() if kind and kind.endswith("body") else "",
        "end_of_stream": bool(getattr(content, "end_of_stream", False)),
        "protocol_config": [
            config.request_body_mode,
            config.response_body_mode,
            config.send_body_without_waiting_for_header_response,
        ]
        if message.HasField("protocol_config")
        else None,
        "observability_mode": message.observability_mode,
        "attributes": {key: struct(value) for key, value in message.attributes.items()},
        "metadata_context": {
            key: struct(value) for key, value in message.metadata_context.filter_metadata.items()
        }
        if message.HasField("metadata_context")
        else None,
    }


def mutation(message: Any) -> dict[str, Any]:
    return {
        "set_headers": [
            [o.header.key, o.header.value, o.header.raw_value.hex(), o.HasField("append")]
            for o in message.set_headers
        ],
        "remove_headers": list(message.remove_headers),
    }


def common(message: Any) -> dict[str, Any]:
    kind = message.body_mutation.WhichOneof("mutation")
    streamed = message.body_mutation.streamed_response
    return {
        "status": int(message.status),
        "mutation": kind,
        "body": (
            streamed.body if kind == "streamed_response" else message.body_mutation.body
        ).hex(),
        "end_of_stream": streamed.end_of_stream,
        "clear_route_cache": message.clear_route_cache,
        **mutation(message.header_mutation),
    }


def response(message: Any) -> dict[str, Any]:
    kind = message.WhichOneof("response")
    content = getattr(message, kind) if kind else None
    out: dict[str, Any] = {"kind": kind, "dynamic_metadata": struct(message.dynamic_metadata)}
    if kind == "immediate_response":
        out |= {
            "status": int(content.status.code),
            "body": content.body.hex(),
            "details": content.details,
            **mutation(content.headers),
        }
    elif kind and kind.endswith("trailers"):
        out |= mutation(content.header_mutation)
    elif kind:
        out |= common(content.response)
    mode = message.mode_override
    out["mode_override"] = (
        [
            mode.request_header_mode,
            mode.response_header_mode,
            mode.request_body_mode,
            mode.response_body_mode,
            mode.request_trailer_mode,
            mode.response_trailer_mode,
        ]
        if message.HasField("mode_override")
        else None
    )
    timeout = message.override_message_timeout
    out["timeout"] = [timeout.seconds, timeout.nanos]
    return out


def main() -> None:
    types = {"slim": slim_types()}
    try:
        types["full"] = full_types()
    except ImportError as error:
        print(json.dumps({"full": str(error), "mismatches": []}), flush=True)
    else:
        wrong = [
            field
            for kind, ours in types["slim"].items()
            for field in mismatches(ours.DESCRIPTOR, types["full"][kind].DESCRIPTOR, set())
        ]
        print(json.dumps({"full": "", "mismatches": wrong}), flush=True)
    views = {"request": request, "response": response}
    for line in sys.stdin:
        order = json.loads(line)
        message = types[order["schema"]][order["kind"]]()
        try:
            message.ParseFromString(bytes.fromhex(order["data"]))
        except Exception:
            print("null", flush=True)
        else:
            print(json.dumps(views[order["kind"]](message)), flush=True)


if __name__ == "__main__":
    main()
