"""Any protobuf message as its fields: for messages that are read seldom and never hot.

Why this file exists: a generated message is lenient about damaged input and knows one type; here a
message is refused when it is not well-formed, and looked at by field numbers.
"""

from __future__ import annotations

from srd.wire.primitives import LEN, VARINT, WireError, read_span, read_tag, read_varint, skip


class Fields:
    """The fields of one message, by number: every value in order, submessages as bytes.

    WireError when the bytes are not a message. Fixed-width fields are skipped.
    """

    def __init__(self, data: bytes) -> None:
        self._values: dict[int, list[int | bytes]] = {}
        self.order: list[int] = []
        pos, end = 0, len(data)
        try:
            while pos < end:
                tag, pos = read_tag(data, pos)
                value: int | bytes
                if tag & 7 == LEN:
                    start, pos = read_span(data, pos, end)
                    value = data[start:pos]
                elif tag & 7 == VARINT:
                    value, pos = read_varint(data, pos)
                else:
                    pos = skip(data, pos, end, tag)
                    continue
                self.order.append(tag >> 3)
                self._values.setdefault(tag >> 3, []).append(value)
        except IndexError:
            raise WireError("message is truncated") from None
        if pos != end:
            raise WireError("message is truncated")

    def many(self, number: int) -> list[bytes]:
        """Every length-delimited value of the field."""
        return [value for value in self._values.get(number, ()) if isinstance(value, bytes)]

    def raw(self, number: int) -> bytes | None:
        """The last length-delimited value, None when there is none."""
        values = self.many(number)
        return values[-1] if values else None

    def message(self, number: int) -> Fields | None:
        """The submessage, None when absent; repeated ones merge."""
        values = self.many(number)
        return Fields(b"".join(values)) if values else None

    def number(self, number: int) -> int:
        """The last varint, 0 when there is none."""
        values = [value for value in self._values.get(number, ()) if isinstance(value, int)]
        return values[-1] if values else 0
