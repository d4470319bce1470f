"""The codec's public face: what the daemon and the exchange's driver import.

Why this file exists: decoding, encoding and the values live in files of their own; whoever speaks
ExtProc should need one import.
"""

from srd.wire.decode import decode_request
from srd.wire.encode import (
    CONTINUE_BODY,
    CONTINUE_HEADERS,
    CONTINUE_TRAILERS,
    Direction,
    encode_body_reply,
    encode_headers_reply,
    encode_immediate,
    encode_message_timeout,
    encode_streamed_body,
    encode_trailers_reply,
    is_header_name,
    sanitise_value,
)
from srd.wire.messages import (
    BodyMode,
    HeaderMode,
    Headers,
    ModeOverride,
    Phase,
    ProtocolConfig,
    Request,
)
from srd.wire.primitives import WireError

__all__ = [
    "CONTINUE_BODY",
    "CONTINUE_HEADERS",
    "CONTINUE_TRAILERS",
    "BodyMode",
    "Direction",
    "HeaderMode",
    "Headers",
    "ModeOverride",
    "Phase",
    "ProtocolConfig",
    "Request",
    "WireError",
    "decode_request",
    "encode_body_reply",
    "encode_headers_reply",
    "encode_immediate",
    "encode_message_timeout",
    "encode_streamed_body",
    "encode_trailers_reply",
    "is_header_name",
    "sanitise_value",
]
