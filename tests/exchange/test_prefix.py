"""What the one message of BUFFERED_PARTIAL holds, told by its bytes."""

from __future__ import annotations

import gzip

import brotli
import pytest
import zstandard

from srd.body.body import Api, Body, BodyError
from srd.body.inflate import Caps
from srd.exchange.prefix import Prefix, look_ahead

RAW = b'{"model":"auto","messages":[{"role":"user","content":"hello"}]}'
PACK = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstandard.compress}


def look(data: bytes, coding: str = "", **options: object) -> Prefix:
    body = Body(Api.CHAT, coding=coding, **options)  # type: ignore[arg-type]
    return look_ahead(body, data, packed=bool(coding))


def test_a_closed_document_is_whole_with_blanks_behind_it_or_without():
    assert look(RAW) is Prefix.WHOLE
    assert look(RAW + b" \n") is Prefix.WHOLE


def test_a_front_can_be_routed_by_where_the_model_has_passed():
    assert look(RAW[:-1]) is Prefix.NAMED
    assert look(RAW[:12]) is Prefix.BLIND
    assert look(b"") is Prefix.BLIND


@pytest.mark.parametrize("coding", PACK)
def test_what_is_packed_is_whole_once_its_decoder_has_verified_the_end(coding):
    packed = PACK[coding](RAW)
    assert look(packed, coding) is Prefix.WHOLE
    for cut in range(len(packed)):
        assert look(packed[:cut], coding) is Prefix.BLIND


def test_what_is_damaged_or_too_large_once_opened_cannot_be_routed_by():
    packed = bytearray(gzip.compress(RAW))
    packed[-6] ^= 1
    assert look(bytes(packed), "gzip") is Prefix.BLIND
    assert look(gzip.compress(RAW), "gzip", caps=Caps(max_bytes=20)) is Prefix.BLIND


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_what_is_no_json_is_told(coding):
    with pytest.raises(BodyError):
        look(gzip.compress(b"{]") if coding else b"{]", coding)
