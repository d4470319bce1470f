"""What the server's connection adds to h2's. Its life over real sockets is in test_server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h2.connection
import pytest

from srd.daemon.grpc_connection import _H2Connection

if TYPE_CHECKING:
    from h2.connection import H2Connection

REQUEST = [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "x")]


@pytest.fixture
def ends() -> tuple[H2Connection, _H2Connection]:
    """A client and our connection, greeted."""
    client, server = h2.connection.H2Connection(), _H2Connection()
    client.initiate_connection()
    server.initiate_connection()
    server.receive_data(client.data_to_send())
    return client, server


def open_stream(client: H2Connection, server: _H2Connection) -> int:
    stream: int = client.get_next_available_stream_id()
    client.send_headers(stream, REQUEST)
    server.receive_data(client.data_to_send())
    return stream


def test_streams_that_were_reset_are_forgotten_before_they_pile_up(
    ends: tuple[H2Connection, _H2Connection],
) -> None:
    client, server = ends
    for _ in range(1000):
        client.reset_stream(open_stream(client, server))
        server.receive_data(client.data_to_send())
        assert len(server.streams) <= 65


def test_open_streams_are_never_forgotten(ends: tuple[H2Connection, _H2Connection]) -> None:
    client, server = ends
    opened = set()
    for number in range(1000):
        stream = open_stream(client, server)
        if number % 2:
            opened.add(stream)
        else:
            client.reset_stream(stream)
            server.receive_data(client.data_to_send())
    assert opened <= server.streams.keys()
    assert len(server.streams) <= 2 * len(opened) + 64
