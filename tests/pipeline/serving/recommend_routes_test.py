"""Lists with titles, for users, baskets and items."""

import re

import pytest


@pytest.fixture
def client(start, shared_out):
    return start(shared_out).client


def test_a_user_gets_items_with_titles(client):
    assert client.get("/recommend", params={"user": "ann", "k": 2}).json() == {
        "version": 7,
        "known": True,
        "items": [
            {"item_id": "i0", "title": "Alien (1979)", "score": 1.0},
            {"item_id": "i1", "title": "Brazil (1985)", "score": 0.5},
        ],
    }


def test_an_unknown_user_is_named_so(client):
    answer = client.get("/recommend?user=nobody").json()
    assert answer["known"] is False
    # Ten were asked for, and there are five.
    assert [item["item_id"] for item in answer["items"]] == [f"i{i}" for i in range(5)]
    assert answer["items"][4]["title"] == ""


def test_posted_users_and_one_posted_user(client):
    answer = client.post("/recommend", json={"users": ["éve", "x"], "k": 1}).json()
    assert [(part["user"], part["known"]) for part in answer["lists"]] == [
        ("éve", True),
        ("x", False),
    ]
    one = client.post("/recommend", content='{"user": "ann", "k": 2}')
    assert one.json() == client.get("/recommend?user=ann&k=2").json()


def test_a_basket(client):
    answer = client.post("/recommend", json={"items": ["i2", "new"], "k": 2}).json()
    assert answer == {
        "version": 7,
        "known": True,
        "unknown_items": ["new"],
        "items": [
            {"item_id": "i3", "title": "", "score": 1.0},
            {"item_id": "i4", "title": "", "score": 0.5},
        ],
    }


def test_who_came_after_the_training_is_counted(client):
    def counted():
        found = re.findall(
            r"ncf_unknown_ids_total\{(.*?)\} (\S+)", client.get("/metrics").text
        )
        return {labels: float(value) for labels, value in found}

    client.post("/recommend", json={"users": ["ann", "x", "y"], "k": 1})
    client.post("/recommend", json={"items": ["i2", "new"], "k": 2})
    client.post("/recommend", json={"items": ["i3", "new", "newer"], "k": 2})
    # The model knows no item of this basket and recommends the most popular.
    answer = client.post("/recommend", json={"items": ["x2", "new"], "k": 1}).json()
    assert (answer["known"], answer["unknown_items"]) == (False, ["x2", "new"])
    assert len(answer["items"]) == 1
    assert counted() == {
        'answered="popular",kind="user"': 2,
        'answered="history",kind="basket"': 2,
        'answered="popular",kind="basket"': 1,
        'answered="left out",kind="item"': 5,
    }


def test_similar_items(client):
    answer = client.get("/similar?item=i4&k=1").json()
    assert answer["items"] == [{"item_id": "i0", "title": "Alien (1979)", "score": 1.0}]


def test_history_has_the_latest_first(client):
    answer = client.get("/history?user=ann&k=1").json()
    assert answer["items"] == [{"item_id": "i4", "title": ""}]
    assert answer["total"] == 2


def test_finds_items_by_words_in_order_of_popularity(client):
    def found(q, **params):
        return [
            i["item_id"] for i in client.get("/items", params={"q": q} | params).json()
        ]

    assert found("alien") == ["i0", "i2"]
    assert found("86 ALIEN") == ["i2"]
    assert found("i3") == ["i3"]
    assert found("", limit=1) == ["i0"]
    assert found("nothing") == []


def test_finds_users_by_how_they_begin(client):
    assert client.get("/users?q=é").json() == ["éve"]
    assert client.get("/users?limit=2").json() == ["ann", "bob"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/recommend", "`user`: Field required"),
        ("/recommend?user=a&k=x", "`k`: Input should be a valid integer"),
        ("/recommend?user=a&k=0", r"`k` must be in \[1, 1000\]; got 0"),
        ("/similar?item=i1&k=1001", r"`k` must be in \[1, 1000\]; got 1001"),
        ("/history?user=a&k=-1", r"`k` must be in \[1, 1000\]; got -1"),
    ],
)
def test_a_query_at_fault(client, path, reason):
    done = client.get(path)
    assert done.status_code == 400
    assert re.search(reason, done.json()["error"])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "Invalid JSON"),
        ("[]", "valid dictionary|object"),
        ("{}", r"exactly one of .*; got \[\]"),
        ('{"user": "a", "items": ["i1"]}', r"got \['user', 'items'\]"),
        ('{"user": 3}', "`user`: Input should be a valid string"),
        ('{"user": "a", "k": "2"}', "`k`: Input should be a valid integer"),
        ('{"user": "a", "n": 2}', "`n`: Extra inputs are not permitted"),
        ('{"users": []}', "`users` must have one entry or more"),
        ('{"items": []}', "`items` must have one entry or more"),
        ('{"user": "a", "k": 0}', r"`k` must be in \[1, 1000\]"),
    ],
)
def test_a_body_at_fault(client, body, reason):
    done = client.post("/recommend", content=body)
    assert done.status_code == 400
    assert re.search(reason, done.json()["error"]), done.text


def test_the_methods_of_all_routes_of_a_path_are_named(client):
    done = client.delete("/recommend")
    assert (done.status_code, done.headers["allow"]) == (405, "GET, HEAD, POST")
    done = client.post("/healthz")
    assert (done.status_code, done.headers["allow"]) == (405, "GET, HEAD")


def test_too_many_at_once(start, shared_out):
    client = start(shared_out, max_batch=2).client
    for name in ("users", "items"):
        assert client.post("/recommend", json={name: ["i1"] * 2}).status_code == 200
        assert client.post("/recommend", json={name: ["i1"] * 3}).status_code == 413


def test_what_the_model_was_exported_without_is_not_implemented(start, tmp_path, push):
    push(tmp_path / "serving", 1, without=("recommend_for_items", "similar_items"))
    client = start(tmp_path).client
    done = client.post("/recommend", json={"items": ["i1"]})
    assert done.status_code == 501
    assert "without the signature 'recommend_for_items'" in done.json()["error"]
    assert client.get("/similar?item=i1").status_code == 501
    assert client.get("/recommend?user=ann").status_code == 200
