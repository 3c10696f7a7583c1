import numpy as np
import pyarrow as pa
import pytest

from components.negative_sampling import ranked_lists, splitting
from components.negative_sampling.plan import Plan
from components.negative_sampling.records import Users
from ncf_model.config import SamplingConfig
from ncf_model.sampling.ragged import Ragged

# User -> numbers of items by time; the six items are "i0" to "i5".
USERS = {b"a": [0, 1, 2], b"b": [3, 4], b"c": [5], b"d": [4, 3, 2, 1, 0]}
COUNTS = np.array([5, 4, 3, 2, 1, 0])
ALL = {"users_not_sampled": 0}
IDS = pa.array([b"i%d" % item for item in range(6)], pa.large_binary())


def _lists(name, *, users=USERS, times=None, seed=0, **settings):
    config = SamplingConfig(**{"eval_negatives": 2} | settings)
    offsets = np.cumsum([0, *(len(items) for items in users.values())])
    items = np.array([item for items in users.values() for item in items])
    times = np.zeros(len(items), int) if times is None else np.array(times)
    batch = Users(list(users), np.arange(len(users)), Ragged(items, offsets), times)
    plan = Plan(
        config=config,
        epochs=1,
        refit=True,
        seed=seed,
        num_items=6,
        num_users=len(users),
    )
    records, found = ranked_lists.lists(
        batch,
        splitting.split(batch.items, times, config),
        name,
        plan=plan,
        vocabulary=IDS,
        counts=COUNTS,
    )
    return records.to_pylist(), found


def test_held_out_item_first_then_unseen_ones():
    records, found = _lists("eval")
    assert [record["user_id"] for record in records] == [[b"a"], [b"b"], [b"d"]]
    a, b, d = (record["candidate_ids"] for record in records)
    assert a[0] == b"i2"
    assert len(set(a[1:])) == 2
    assert set(a[1:]) <= {b"i3", b"i4", b"i5"}
    assert b[0] == b"i4"
    assert len(set(b[1:])) == 2
    assert set(b[1:]) <= {b"i0", b"i1", b"i2", b"i5"}
    # User d has one unseen item, so the list is one shorter, and is counted as short.
    assert d == [b"i0", b"i5"]
    assert found == {"eval_lists": 3, "short_lists": 1, "users_without_eval": 1} | ALL


def test_validation_ranks_the_item_before():
    records, found = _lists("validation")
    firsts = [(r["user_id"][0], r["candidate_ids"][0]) for r in records]
    assert firsts == [(b"a", b"i1"), (b"d", b"i1")]
    # The item held out for evaluation is no negative of the validation list either.
    assert set(records[0]["candidate_ids"][1:]) <= {b"i3", b"i4", b"i5"}
    assert found == {"validation_lists": 2, "short_lists": 1}


def test_popularity_of_the_candidates():
    for record in _lists("eval")[0]:
        expected = [5 - int(item[1:]) for item in record["candidate_ids"]]
        assert record["candidate_popularity"] == expected


def test_user_who_has_seen_everything_has_no_list():
    users = {b"a": [0, 1, 2, 3, 4, 5], b"b": [3, 4]}
    records, found = _lists("eval", users=users)
    assert [record["user_id"] for record in records] == [[b"b"]]
    assert found == {"eval_lists": 1, "short_lists": 0, "users_without_eval": 1} | ALL


# User a has seen three of six items, so a list of four is the longest.
@pytest.mark.parametrize(("count", "length"), [(3, 4), (4, 4)])
def test_catalogue_smaller_than_a_list(count, length):
    (record,), found = _lists("eval", users={b"a": [0, 1, 2]}, eval_negatives=count)
    assert len(record["candidate_ids"]) == length
    assert found["short_lists"] == (count > 3)


def test_nobody_to_evaluate():
    records, found = _lists("eval", users={b"c": [5]})
    assert records == []
    assert found == {"eval_lists": 0, "short_lists": 0, "users_without_eval": 1} | ALL


def test_validation_and_evaluation_draw_differently():
    users = {b"%d" % user: [0, 1, 2] for user in range(64)}
    lists = {
        name: [set(r["candidate_ids"][1:]) for r in _lists(name, users=users)[0]]
        for name in ("validation", "eval")
    }
    assert lists["validation"] != lists["eval"]


def test_a_user_is_the_same_in_any_batch():
    alone, _ = _lists("eval", users={b"b": USERS[b"b"]})
    assert _lists("eval")[0][1] == alone[0]


def test_temporal_split_makes_a_list_per_later_item():
    records, found = _lists(
        "eval",
        users={b"a": [0, 1, 2], b"b": [3]},
        times=[1, 10, 11, 12],
        split="temporal",
        split_time=10,
        eval_negatives=1,
    )
    # User b has nothing to train on, so no model could rank items for this user.
    assert [r["candidate_ids"][0] for r in records] == [b"i1", b"i2"]
    assert found == {"eval_lists": 2, "short_lists": 0, "users_without_eval": 1} | ALL
    assert all(r["candidate_ids"][1] in {b"i3", b"i4", b"i5"} for r in records)


def test_lists_of_one_user_draw_differently():
    lists = [
        _lists(
            "eval",
            users={b"a": [0, 1, 2]},
            times=[1, 10, 11],
            split="temporal",
            split_time=10,
            eval_negatives=1,
            seed=seed,
        )[0]
        for seed in range(30)
    ]
    assert any(
        first["candidate_ids"][1] != second["candidate_ids"][1]
        for first, second in lists
    )


def test_with_replacement_no_item_stands_twice():
    users = {b"%d" % user: [0, 1, 2] for user in range(200)}
    records, _ = _lists(
        "eval", users=users, eval_with_replacement=True, eval_negatives=3
    )
    lists = [record["candidate_ids"] for record in records]
    assert all(items[0] == b"i2" for items in lists)
    assert all(len(items) == len(set(items)) for items in lists)
    drawn = {item for items in lists for item in items[1:]}
    assert drawn == {b"i3", b"i4", b"i5"}
    # Repeated and held-out items are dropped from the draws, so lengths differ.
    assert {len(items) for items in lists} == {2, 3, 4}


def test_whole_catalogue():
    records, found = _lists("eval", eval_negatives="all")
    assert [record["candidate_ids"] for record in records] == [
        [b"i2"],
        [b"i4"],
        [b"i0"],
    ]
    assert [record["seen_ids"] for record in records] == [
        [b"i0", b"i1"],
        [b"i3"],
        [b"i4", b"i3", b"i2", b"i1"],
    ]
    # Unseen and more popular: than i2 and i0 no item; than i4 items i0, i1 and i2.
    assert [record["popularity_rank"] for record in records] == [[0], [3], [0]]
    assert found == {"eval_lists": 3, "short_lists": 0, "users_without_eval": 1} | ALL


def test_validation_draws_though_evaluation_ranks_all():
    records, found = _lists("validation", eval_negatives="all")
    # User a has three unseen items and user d one, both fewer than 99: all are drawn.
    a, d = (record["candidate_ids"] for record in records)
    assert a[0] == b"i1"
    assert set(a[1:]) == {b"i3", b"i4", b"i5"}
    assert d == [b"i1", b"i5"]
    assert "seen_ids" not in records[0]
    assert found == {"validation_lists": 2, "short_lists": 2}


def test_equal_popularity_ranks_before(monkeypatch):
    monkeypatch.setattr(f"{__name__}.COUNTS", np.array([1, 1, 1, 1, 2, 0]))
    records, _ = _lists("eval", users={b"a": [0, 1]}, eval_negatives="all")
    assert records[0]["popularity_rank"] == [3]  # i2 and i3 tie; i4 is higher.


def test_whole_catalogue_of_a_user_who_has_seen_it():
    users = {b"a": [0, 1, 2, 3, 4, 5], b"b": [3, 4]}
    records, found = _lists("eval", users=users, eval_negatives="all")
    assert [record["user_id"] for record in records] == [[b"b"]]
    assert found["users_without_eval"] == 1


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        # Only item 0 trains before the validation item is ranked.
        ("validation", {b"i2", b"i3", b"i4", b"i5"}),
        # Official NCF trains on all but the last item, so on the validation item too.
        ("eval", {b"i3", b"i4", b"i5"}),
    ],
)
def test_official_lists_leave_out_what_trains_and_nothing_else(name, drawn):
    users = {b"%d" % user: [0, 1, 2] for user in range(200)}
    records, _ = _lists(name, users=users, eval_with_replacement=True, eval_negatives=3)
    candidates = [record["candidate_ids"] for record in records]
    assert {item for items in candidates for item in items[1:]} == drawn


def test_a_sample_of_users_is_a_part_of_the_lists_and_changes_none():
    many = {b"u%d" % number: [0, 1, 2] for number in range(4000)}
    for name in ("validation", "eval"):
        whole, _ = _lists(name, users=many)
        some, found = _lists(name, users=many, eval_users=1000)
        more, _ = _lists(name, users=many, eval_users=2000)
        assert 900 < len(some) < 1100
        assert found[f"{name}_lists"] == len(some)
        assert [record for record in whole if record in some] == some
        assert {r["user_id"][0] for r in some} < {r["user_id"][0] for r in more}
    assert found["users_not_sampled"] == 4000 - len(some)
    assert found["users_without_eval"] == 0
    assert _lists("eval", users=many, eval_users=4000)[0] == whole


def test_the_same_users_are_in_both_samples_but_for_another_seed():
    many = {b"u%d" % number: [0, 1, 2] for number in range(400)}

    def chosen(name, seed):
        records, _ = _lists(name, users=many, eval_users=100, seed=seed)
        return {record["user_id"][0] for record in records}

    assert chosen("validation", 1) == chosen("eval", 1)
    assert chosen("eval", 1) != chosen("eval", 2)
