"""HTTP/1.1 framing, on raw bytes."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from srd.backend import BackgroundBackend


@pytest.fixture
def talk(backend: BackgroundBackend):
    """Send raw pieces on one connection and return all bytes until the server closes it."""

    def exchange(*pieces: bytes, half_close: bool = False) -> bytes:
        with socket.create_connection(("127.0.0.1", backend.port), timeout=10) as link:
            for piece in pieces:
                link.sendall(piece)
            if half_close:
                link.shutdown(socket.SHUT_WR)
            answer = b""
            while data := link.recv(65536):
                answer += data
            return answer

    return exchange


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: b\r\nx-backend-echo: 1\r\n"
SHA_OF_ABCDEF = b"bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721"


def test_a_chunked_body_is_joined_without_its_framing(talk) -> None:
    answer = talk(
        HEAD,
        b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n",
        b"3;name=value\r\nabc\r\n",
        b"3\r\nde",
        b"f\r\n0\r\nx-trailer: 1\r\n\r\n",
    )
    assert b"x-backend-bytes: 6\r\n" in answer
    assert b"x-backend-sha256: " + SHA_OF_ABCDEF in answer


def test_a_body_cut_at_every_byte_arrives_the_same(talk) -> None:
    request = HEAD + b"connection: close\r\ncontent-length: 6\r\n\r\nabcdef"
    answer = talk(*(request[i : i + 1] for i in range(len(request))))
    assert b"x-backend-sha256: " + SHA_OF_ABCDEF in answer


def test_two_requests_sent_at_once_are_answered_in_order(talk) -> None:
    first = b"GET /health HTTP/1.1\r\nhost: b\r\n\r\n"
    second = b"GET /nowhere HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n"
    answer = talk(first + second)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.index(b"200 OK") < answer.index(b"404 Not Found")


def test_a_client_that_waits_for_100_continue_gets_it_before_its_body(
    backend: BackgroundBackend,
) -> None:
    with socket.create_connection(("127.0.0.1", backend.port), timeout=10) as link:
        link.sendall(HEAD + b"expect: 100-continue\r\ncontent-length: 6\r\n\r\n")
        assert link.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.sendall(b"abcdef")
        assert link.recv(1024).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET / HTTP/2.0\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"400"),
        (HEAD + b"content-length: six\r\n\r\n", b"400"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nabc\r\n", b"400"),
        (HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n", b"501"),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 200_000 + b"\r\n\r\n", b"431"),
    ],
)
def test_bytes_that_are_not_http_get_an_error_and_the_connection_closes(
    talk, request_bytes: bytes, status: bytes
) -> None:
    assert talk(request_bytes).startswith(b"HTTP/1.1 " + status)


def test_an_upload_that_breaks_off_is_recorded_as_incomplete(
    talk, backend: BackgroundBackend
) -> None:
    answer = talk(HEAD + b"content-length: 10\r\n\r\nabc", half_close=True)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert (backend.last.size, backend.last.complete) == (3, False)


def test_a_client_that_closes_between_requests_is_not_an_error(talk) -> None:
    assert talk(half_close=True) == b""
