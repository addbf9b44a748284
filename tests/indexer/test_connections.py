"""Connections that are opened and not used: none is held for long, none fills the memory, no address has all."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import httpx2
import pytest
from indexer.api_server import served
from ionet import guarded_http
from ionet_indexer.api.connections import Connection

GET = b"GET /v1/models HTTP/1.1\r\nhost: api\r\n"


@pytest.fixture
def api(dsn: str) -> Iterator[httpx2.Client]:
    with served(dsn) as address, httpx2.Client(base_url=address, timeout=60) as client:
        yield client


def connect(api: httpx2.Client) -> socket.socket:
    return socket.create_connection((str(api.base_url.host), api.base_url.port or 80), timeout=60)


def ended(connection: socket.socket) -> bool:
    """Whether the other side ends it, whatever it still says; not ending is a timeout, which is an error."""
    with contextlib.suppress(ConnectionError):
        while connection.recv(1 << 16):
            pass
    return True


@pytest.mark.parametrize("begun", [b"", b"GET", GET, GET + b"x-more: "], ids=["nothing", "method", "head", "header"])
def test_a_head_that_does_not_come_ends_the_connection(
    begun: bytes, api: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_http, "HEAD_SECS", 0.5)
    with connect(api) as connection:
        connection.sendall(begun)
        assert ended(connection)
    assert api.get("/v1/models").status_code == 200


def test_a_head_that_comes_drop_by_drop_is_late_too(api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_http, "HEAD_SECS", 0.5)
    with connect(api) as connection:
        connection.sendall(GET)
        connection.settimeout(0.05)
        while True:
            try:
                connection.sendall(b"x: y\r\n")
                if not connection.recv(1):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break


def test_what_comes_after_an_answer_drop_by_drop_is_late_too(
    api: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The body of a request that has none."""
    monkeypatch.setattr(guarded_http, "HEAD_SECS", 0.5)
    with connect(api) as connection:
        connection.sendall(GET + b"content-length: 1000000\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"
        while True:
            time.sleep(0.05)
            try:
                connection.sendall(b"x")
            except ConnectionError:
                break


@pytest.mark.parametrize(
    "begun",
    [b"GET /", GET + b"x-more: ", GET + b"transfer-encoding: chunked\r\n\r\n0\r\nx-trailer: "],
    ids=["path", "header", "trailer"],
)
def test_no_request_is_longer_than_it_may_be(begun: bytes, api: httpx2.Client) -> None:
    with connect(api) as connection:
        sent = 0
        with contextlib.suppress(ConnectionError):
            connection.sendall(begun)
            while sent < 64 << 20:
                connection.sendall(b"x" * (64 << 10))
                sent += 64 << 10
        assert sent < 64 << 20
    assert api.get("/v1/models").status_code == 200


def test_an_address_has_so_many_connections(api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_http, "MOST_OF_AN_ADDRESS", 3)
    monkeypatch.setattr(guarded_http, "is_near", lambda _: False)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            connection = stack.enter_context(connect(api))
            connection.sendall(GET + b"\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
        with connect(api) as fourth:
            assert ended(fourth)
    while True:  # they end, and make room
        with connect(api) as again, contextlib.suppress(ConnectionError):
            again.sendall(GET + b"\r\n")
            if again.recv(12) == b"HTTP/1.1 200":
                break
    monkeypatch.setattr(guarded_http, "is_near", lambda _: True)
    assert guarded_http.is_near("")
    assert api.get("/v1/models").status_code == 200


def test_who_is_near() -> None:
    assert all(map(guarded_http.is_near, ("127.0.0.1", "::1", "::ffff:127.0.0.1", "")))
    assert not any(map(guarded_http.is_near, ("10.0.0.1", "192.0.2.1", "2001:db8::1")))


def test_a_head_in_one_piece_is_no_longer_than_one_in_parts(api: httpx2.Client) -> None:
    for length, status in ((guarded_http.HEAD_BYTES - 200, b"200"), (guarded_http.HEAD_BYTES, b"400")):
        with connect(api) as connection:
            connection.sendall(GET + b"x-long: " + length * b"a" + b"\r\nconnection: close\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 " + status


def test_only_a_few_requests_wait_on_one_connection(api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come at once, no more are kept than may wait."""
    begun: list[int] = []
    begin = Connection.on_message_begin

    def count(connection: Connection) -> None:
        begin(connection)
        begun.append(len(connection.pipeline))

    monkeypatch.setattr(Connection, "on_message_begin", count)
    few = guarded_http.MOST_WAITING
    with connect(api) as connection:
        connection.sendall(few * (GET + b"\r\n") + GET + b"connection: close\r\n\r\n")
        answers = b""
        while part := connection.recv(1 << 16):
            answers += part
    assert answers.count(b"HTTP/1.1 200") == few + 1
    begun.clear()
    with connect(api) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(5_000 * b"GET / HTTP/1.1\r\n\r\n")
        assert ended(connection)
    assert len(begun) <= 2 * few
    assert api.get("/").status_code == 200


def test_requests_on_one_connection_are_answered_one_after_the_other(
    api: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is sent before the first is answered too, and one in two parts."""
    monkeypatch.setattr(guarded_http, "HEAD_SECS", 60.0)
    with connect(api) as connection:
        connection.sendall(GET + b"\r\n" + GET)
        connection.sendall(b"x-last: 1\r\nconnection: close\r\n\r\n")
        answers = b""
        while part := connection.recv(1 << 16):
            answers += part
    assert answers.count(b"HTTP/1.1 200") == 2
