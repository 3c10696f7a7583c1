"""Heads above 64 KiB, and what is no HTTP, are refused, over real connections."""

import http.client
import json
import socket
import threading
import time

import pytest

from pipeline.serving import server
from pipeline.serving.settings import ServeSettings

MEGABYTE = 1 << 20
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def address(shared_out):
    """Returns host and port of a server whose bodies may have a megabyte."""
    settings = ServeSettings(
        serving=str(shared_out / "serving"),
        titles=shared_out / "titles.csv",
        host="127.0.0.1",
        port=0,
        max_body_bytes=MEGABYTE,
    )
    service = server.make_service(settings)
    service.store.refresh()
    running = server._server(service)
    with server.listen(running.config) as listening:
        thread = threading.Thread(target=running.run, args=([listening],))
        thread.start()
        yield listening.getsockname()
        running.should_exit = True
        thread.join()


def _exchange(address, parts):
    """Returns all that the server sends until it closes the connection."""
    with socket.create_connection(address, timeout=30) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except OSError:
            pass  # It was closed while we sent.
        answer = b""
        try:
            while received := connection.recv(1 << 16):
                answer += received
        except ConnectionError:
            pass  # Closed, with what we sent unread.
    return answer


def _head_of(size):
    """Returns a request's head with that many bytes, which closes the connection."""
    rest = GET + b"Connection: close\r\nX-Long: " + b"\r\n\r\n"
    return rest[:-4] + b"a" * (size - len(rest)) + b"\r\n\r\n"


def _trickle(line):
    for _ in range(100):
        yield line
        time.sleep(0.001)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([GET, b"X-Long: " + b"a" * MEGABYTE, b"\r\n\r\n"], id="header"),
        pytest.param([b"GET /" + b"a" * MEGABYTE + b" HTTP/1.1\r\n\r\n"], id="line"),
        pytest.param([GET, b"X-A: b\r\n" * 20_000], id="many headers, no end"),
        pytest.param([b"\r\n" * 100_000], id="empty lines before a request"),
    ],
)
def test_a_head_above_the_limit_is_refused_and_the_connection_closed(address, parts):
    answer = _exchange(address, parts)
    assert answer.startswith(b"HTTP/1.1 431 ")
    body = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    assert body == {"error": "The head of a request may have 65536 bytes at most."}
    assert _exchange(address, [_head_of(100)]).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "start", [b"GET /", GET + b"X-Long: ", GET], ids=["line", "header", "headers"]
)
def test_a_head_that_trickles_without_end(address, start):
    def parts():
        yield start
        yield from _trickle(b"X-A: b\r\n" * 128 if start == GET else b"a" * 1024)

    assert _exchange(address, parts()).startswith(b"HTTP/1.1 431 ")


def test_the_limit_on_both_sides(address):
    assert _exchange(address, [_head_of(65_536)]).startswith(b"HTTP/1.1 200 ")
    assert _exchange(address, [_head_of(65_537)]).startswith(b"HTTP/1.1 431 ")


def test_trailers_without_end_close_the_connection(address):
    head = b"POST /recommend HTTP/1.1\r\nHost: localhost\r\n"
    chunked = b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    answer = _exchange(address, [head + chunked, b"X-Long: " + b"a" * MEGABYTE])
    assert answer == b""


def test_requests_of_one_connection_are_counted_each_on_its_own(address):
    connection = http.client.HTTPConnection(*address, timeout=30)
    for _ in range(4):
        connection.request("GET", "/healthz", headers={"X-Long": "a" * 40_000})
        answer = connection.getresponse()
        assert answer.status == 200
        assert json.loads(answer.read()) == {"status": "alive"}
    connection.close()


def test_requests_sent_together_are_each_answered(address):
    together = (GET + b"X-Long: " + b"a" * 5_000 + b"\r\n\r\n") * 30
    answer = _exchange(address, [together + _head_of(100)])
    assert answer.count(b"HTTP/1.1 200 ") == 31


def test_whole_requests_before_a_head_above_the_limit_are_answered(address):
    whole = (GET + b"\r\n") * 2
    answer = _exchange(address, [whole + GET + b"X-Long: " + b"a" * MEGABYTE])
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert answer.count(b"HTTP/1.1 ") <= 3


@pytest.mark.parametrize(("size", "status"), [(MEGABYTE, 200), (MEGABYTE + 1, 413)])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_does_not_count(address, size, status, chunked):
    text = b'{"user": "ann"'
    body = text + b" " * (size - len(text) - 1) + b"}"
    head = b"POST /recommend HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += b"Content-Type: application/json\r\n"
    if chunked:
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        head += b"Transfer-Encoding: chunked\r\n\r\n"
    else:
        head += b"Content-Length: %d\r\n\r\n" % len(body)
    answer = _exchange(address, [head + body])
    assert answer.startswith(b"HTTP/1.1 %d " % status)


def test_what_is_no_http_is_answered_in_json(address):
    unquoted = "GET /recommend?user=\u00c4nne HTTP/1.1\r\n\r\n".encode()
    answer = _exchange(address, [unquoted])
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    body = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    assert "must be percent-encoded" in body["error"]


def test_an_upgrade_is_answered_as_a_request(address):
    head = _head_of(100).replace(b"close", b"close, upgrade")
    head = head.replace(b"X-Long:", b"Upgrade: websocket\r\nX-Long:")
    assert _exchange(address, [head]).startswith(b"HTTP/1.1 200 ")
