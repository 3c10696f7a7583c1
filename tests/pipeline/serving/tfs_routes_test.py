"""The server answers TensorFlow Serving's REST requests, on the same paths."""

import json

import pytest

MODEL = "/v1/models/ncf"


@pytest.fixture
def client(start, shared_out):
    return start(shared_out).client


def _predict(client, body, path=MODEL):
    return client.post(f"{path}:predict", json=body)


def test_rows(client):
    rows = [{"user_id": "ann", "item_id": "i"}, {"user_id": "éve", "item_id": "i0"}]
    done = _predict(client, {"instances": rows})
    # Scores: 1 / (3 + 1 bytes of ids), 1 / (4 + 2 bytes; é has two)
    assert done.json() == {"predictions": [0.25, pytest.approx(1 / 6)]}


def test_columns(client):
    done = _predict(client, {"inputs": {"user_id": ["ann"], "item_id": ["i"]}})
    assert done.json() == {"outputs": [0.25]}


def test_another_signature_has_several_outputs(client):
    body = {"signature_name": "recommend", "inputs": {"user_id": ["ann"], "k": 2}}
    assert _predict(client, body).json() == {
        "outputs": {"item_ids": [["i0", "i1"]], "scores": [[1.0, 0.5]]}
    }


def test_a_single_input_needs_no_name(client):
    columns = _predict(client, {"signature_name": "history", "inputs": ["ann"]})
    assert columns.json() == {"outputs": [["i3", "i4"]]}
    rows = _predict(client, {"signature_name": "history", "instances": ["ann", "x"]})
    assert rows.json() == {"predictions": [["i3", "i4"], ["i3", "i4"]]}


def test_base64_stands_for_bytes(client):
    b64 = {"b64": "YW5u"}  # ann
    done = _predict(client, {"inputs": {"user_id": [b64], "item_id": ["i"]}})
    assert done.json() == {"outputs": [0.25]}
    done = _predict(client, {"signature_name": "history", "instances": [b64]})
    assert done.json() == {"predictions": [["i3", "i4"]]}


@pytest.mark.parametrize("where", ["/versions/7", "/labels/stable"])
def test_a_version_by_number_or_label(client, where):
    body = {"inputs": {"user_id": ["ann"], "item_id": ["i"]}}
    assert _predict(client, body, MODEL + where).json() == {"outputs": [0.25]}
    status = client.get(MODEL + where).json()["model_version_status"]
    assert [s["version"] for s in status] == ["7"]
    assert client.get(MODEL + where + "/metadata").status_code == 200


def test_status(client):
    assert client.get(MODEL).json() == {
        "model_version_status": [
            {
                "version": "7",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }


def test_metadata(client):
    answer = client.get(MODEL + "/metadata").json()
    assert answer["model_spec"] == {
        "name": "ncf",
        "signature_name": "",
        "version": "7",
    }
    signature = answer["metadata"]["signature_def"]["signature_def"]["recommend"]
    assert signature["inputs"]["k"]["dtype"] == "DT_INT32"
    assert signature["inputs"]["k"]["tensor_shape"] == {
        "dim": [],
        "unknown_rank": False,
    }
    assert signature["inputs"]["user_id"]["tensor_shape"]["dim"] == [
        {"size": "-1", "name": ""}
    ]
    assert signature["method_name"] == "tensorflow/serving/predict"


def _recommend(**inputs):
    return {"signature_name": "recommend", "inputs": inputs}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "must be JSON"),
        (b"[" * 100_000, "must be JSON"),
        (b'"\xff"', "must be JSON"),
        (b"3", "must be an object; got 3"),
        (b"{}", "either `instances` .* or `inputs`"),
        ({"inputs": {}, "instances": []}, "either `instances` .* or `inputs`"),
        ({"inputs": {}, "signature": "x"}, r"Unknown fields \['signature'\]"),
        ({"inputs": {}, "signature_name": 3}, "`signature_name` must be text; got 3"),
        ({"inputs": {}, "signature_name": "x"}, "has no signature 'x'; it has"),
        ({"instances": []}, "one or more rows"),
        ({"instances": {"user_id": "a"}}, "one or more rows"),
        ({"instances": ["a"]}, r"inputs \['item_id', 'user_id'\], so each must be"),
        ({"instances": [{"user_id": "a"}]}, r"`instances\[0\]` must have"),
        ({"instances": ["a", {"user_id": "a"}]}, "all be objects, or none"),
        ({"inputs": {"user_id": ["a"], "item": ["b"]}}, "`inputs` must have"),
        ({"inputs": {"user_id": ["a"], "item_id": [3]}}, "`item_id` must be DT_STRING"),
        ({"inputs": {"user_id": "a", "item_id": "b"}}, r"shape \[-1\].*; got \[\]"),
        ({"inputs": {"user_id": [["a"], []], "item_id": ["b"]}}, "must be regular"),
        ({"inputs": {"user_id": ["a", ["b"]], "item_id": ["b"]}}, "must be DT_STRING"),
        (_recommend(user_id=["a"], k=1.5), "`k` must be DT_INT32; got 1.5"),
        (_recommend(user_id=["a"], k=True), "`k` must be DT_INT32; got True"),
        (_recommend(user_id=["a"], k=2**31), "`k` must be DT_INT32"),
        (_recommend(user_id=["a"], k=0), r"`k` must be in \[1, 1000\]; got 0"),
        (_recommend(user_id=["a"], k=1001), r"`k` must be in \[1, 1000\]; got 1001"),
        (_recommend(user_id=[{"b64": "?"}], k=1), "not valid base64"),
        (_recommend(user_id=["\ud800"], k=1), "not valid Unicode"),
        (
            {"signature_name": "recommend", "instances": [{"user_id": "a", "k": 1}]},
            "`k` is one value for the whole request",
        ),
    ],
)
def test_a_request_at_fault_is_told_why(client, body, reason):
    content = body if isinstance(body, bytes) else json.dumps(body)
    done = client.post(MODEL + ":predict", content=content)
    assert done.status_code == 400
    assert done.headers["content-type"] == "application/json"
    with pytest.raises(ValueError, match=reason):
        raise ValueError(done.json()["error"])


def test_sizes_that_do_not_go_together_are_the_models_to_refuse(client):
    body = {"inputs": {"user_id": ["a", "b", "c"], "item_id": ["i", "j"]}}
    done = _predict(client, body)
    assert done.status_code == 400
    assert "Traceback" not in done.text
    body = {"signature_name": "similar_items", "inputs": {"item_id": ["xx"], "k": 1}}
    done = _predict(client, body)
    assert done.status_code == 400
    assert "could not correctly convert string: x" in done.json()["error"]


def test_too_many_rows(start, shared_out):
    client = start(shared_out, max_batch=2).client
    assert _predict(client, _recommend(user_id=["a", "b"], k=1)).status_code == 200
    done = _predict(client, _recommend(user_id=["a", "b", "c"], k=1))
    assert done.status_code == 413
    assert done.json()["error"] == "`user_id` has 3 rows; at most 2 are taken."


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models/other", 404),
        ("GET", MODEL + "/versions/8", 404),
        ("GET", MODEL + "/versions/x", 400),
        ("GET", MODEL + "/labels/canary", 404),
        ("POST", MODEL + ":classify", 400),
        ("POST", MODEL + ":regress", 400),
        ("POST", MODEL + ":x", 404),
        ("DELETE", MODEL, 405),
        ("GET", "/nowhere", 404),
    ],
)
def test_what_is_not_there(client, method, path, status):
    done = client.request(method, path)
    assert done.status_code == status
    assert done.json()["error"]
    assert done.headers.get("allow") == ("GET, HEAD" if status == 405 else None)
