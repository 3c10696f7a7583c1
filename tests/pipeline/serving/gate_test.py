"""The API key, limits, access log and metrics, which apply to every request."""

import json
import logging

import pytest

KEY = "0123456789abcdef"


def access_lines(caplog) -> list[dict]:
    """The lines of the server's own access log, without the HTTP client's."""
    return [json.loads(r.message) for r in caplog.records if r.name == "ncf.access"]


def test_only_this_machine_may_name_the_server(start, shared_out):
    client = start(shared_out).client
    for host in ("localhost:8501", "127.0.0.1", "[::1]:80", "[::1]"):
        assert client.get("/readyz", headers={"host": host}).status_code == 200
    for host in ("evil.example", "evil.example:8501", "127.0.0.1.evil.example", ""):
        assert client.get("/readyz", headers={"host": host}).status_code == 421


def test_a_key_is_asked_for(start, shared_out):
    client = start(shared_out, host="0.0.0.0", api_key=KEY).client
    for path in ("/recommend?user=a", "/metrics", "/v1/models/ncf", "/users"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"x-api-key": KEY[:-1]}).status_code == 401
        assert client.get(path, headers={"x-api-key": KEY}).status_code == 200
        for scheme in ("Bearer", "bearer"):
            bearer = {"authorization": f"{scheme} {KEY}"}
            assert client.get(path, headers=bearer).status_code == 200
        for no_bearer in (KEY, f"Basic {KEY}"):
            headers = {"authorization": no_bearer}
            assert client.get(path, headers=headers).status_code == 401
    for path in ("/", "/docs", "/openapi.json", "/healthz", "/readyz"):
        assert client.get(path, headers={"host": "shop.example"}).status_code == 200


def test_head_is_answered_as_get_without_the_body(start, shared_out, caplog):
    client = start(shared_out).client
    for path in ("/", "/healthz", "/recommend?user=ann&k=1", "/v1/models/ncf"):
        got = client.get(path)
        with caplog.at_level(logging.INFO, "ncf.access"):
            caplog.clear()
            done = client.head(path)
        assert done.status_code == 200
        assert done.content == b""
        assert done.headers["content-length"] == got.headers["content-length"]
        (line,) = access_lines(caplog)
        assert (line["method"], line["bytes"]) == ("HEAD", 0)
    assert client.head("/nowhere").status_code == 404
    assert 'method="HEAD",route="/healthz",status="200"' in client.get("/metrics").text


def test_a_body_has_its_limit_on_both_sides(start, shared_out):
    client = start(shared_out, max_body_bytes=100).client
    head = b'{"user": "a"}'
    fits = head + b" " * (100 - len(head))
    assert client.post("/recommend", content=fits).status_code == 200
    done = client.post("/recommend", content=fits + b" ")
    assert done.status_code == 413
    assert done.json() == {"error": "A body may have 100 bytes at most."}
    # In pieces, without a Content-Length.
    pieces = (piece for piece in (fits, b" "))
    assert client.post("/recommend", content=pieces).status_code == 413


def test_more_requests_than_allowed_are_sent_away(start, shared_out):
    server = start(shared_out, max_concurrency=1)
    server.client.app._in_flight = 1
    done = server.client.get("/recommend?user=a")
    assert done.status_code == 503
    assert done.headers["retry-after"] == "1"
    # A probe is answered all the same.
    assert server.client.get("/readyz").status_code == 200
    server.client.app._in_flight = 0
    assert server.client.get("/recommend?user=a").status_code == 200


def test_a_line_of_json_per_request_and_nobody_named(start, shared_out, caplog):
    client = start(shared_out).client
    with caplog.at_level(logging.INFO, "ncf.access"):
        client.get("/recommend?user=ann", headers={"x-request-id": "abc"})
        client.get("/nowhere")
    lines = access_lines(caplog)
    assert [(line["path"], line["status"], line["version"]) for line in lines] == [
        ("/recommend", 200, 7),
        ("/nowhere", 404, None),
    ]
    assert lines[0]["request_id"] == "abc"
    assert "ann" not in json.dumps(lines)


@pytest.mark.parametrize("given", ["x" * 65, "a\x80b", ""])
def test_a_request_id_that_is_no_good_is_replaced(start, shared_out, given):
    answer = start(shared_out).client.get(
        "/readyz", headers={"x-request-id": given.encode("latin-1")}
    )
    assert len(answer.headers["x-request-id"]) == 32


def test_metrics(start, shared_out):
    client = start(shared_out).client
    client.get("/recommend?user=ann")
    client.get("/recommend?user=ann&k=0")
    client.get("/nowhere")
    text = client.get("/metrics").text
    for line in (
        'ncf_requests_total{method="GET",route="/recommend",status="200"} 1.0',
        'ncf_requests_total{method="GET",route="/recommend",status="400"} 1.0',
        'ncf_requests_total{method="GET",route="other",status="404"} 1.0',
        'ncf_request_seconds_count{route="/recommend"} 2.0',
        'ncf_model_seconds_count{signature="recommend"} 1.0',
        "ncf_requests_in_flight 1.0",
        "ncf_model_version 7.0",
        'ncf_model_loads_total{result="loaded"} 1.0',
    ):
        assert line in text.splitlines()


def test_a_failure_is_logged_and_not_shown(start, shared_out, monkeypatch):
    server = start(shared_out)

    def fail(*_):
        raise RuntimeError("a secret")

    monkeypatch.setattr(server.service.store.current, "recommend", fail)
    done = server.client.get("/recommend?user=ann")
    assert done.status_code == 500
    assert done.json() == {"error": "Something failed; see the log."}
    assert 'status="500"' in server.client.get("/metrics").text


def test_the_list_of_paths(start, shared_out):
    client = start(shared_out).client
    assert "/v1/models/{name}:{verb}" in client.get("/openapi.json").json()["paths"]
    page = client.get("/docs")
    assert page.status_code == 200
    assert "default-src &#39;none&#39;" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    for path in ("/recommend", "/similar", "/readyz"):
        assert f"<code>{path}</code>" in page.text
