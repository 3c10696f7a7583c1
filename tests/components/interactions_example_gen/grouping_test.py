import numpy as np
import pyarrow as pa
import pytest

from components.interactions_example_gen import grouping
from components.interactions_example_gen.config import ReadingConfig

ANY = ReadingConfig()
U_DIGEST = "0638590ce167d208"


def _chunk(*rows):
    """Makes rows from (user, item, time in seconds, rating)."""
    users, items, times, ratings = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(users),
            pa.array(items),
            pa.array([t * 1_000_000 for t in times], pa.int64()),
            pa.array(ratings, pa.float32()),
        ],
        names=["user", "item", "time", "rating"],
    )


def _group(chunks, config=ANY):
    """Returns user -> [(item, seconds, rating)], and counts of dropped rows."""
    users, dropped = grouping.group(chunks, config)
    rows = list(
        zip(
            users.item_ids.to_pylist(),
            (users.times / 1e6).tolist(),
            users.ratings.tolist(),
            strict=True,
        )
    )
    bounds = users.offsets.tolist()
    names = users.user_ids.to_pylist()
    assert len(bounds) == len(names) + 1
    return {n: rows[bounds[i] : bounds[i + 1]] for i, n in enumerate(names)}, dropped


def test_sorts_each_user_by_time():
    found, _ = _group([_chunk(("u", "b", 2, 5), ("v", "x", 9, 1), ("u", "a", 1, 4))])
    assert found == {"u": [("a", 1, 4), ("b", 2, 5)], "v": [("x", 9, 1)]}


def test_ties_keep_the_order_of_input_over_chunks():
    chunks = [_chunk(("u", "c", 1, 0), ("u", "z", 0, 0)), _chunk(("u", "a", 1, 0))]
    found, _ = _group(chunks)
    assert [item for item, _, _ in found["u"]] == ["z", "c", "a"]


def test_a_pair_seen_again_counts_once_at_its_first_time():
    found, dropped = _group(
        [
            _chunk(("u", "a", 5, 1), ("u", "b", 3, 2), ("u", "a", 2, 3)),
            _chunk(("u", "a", 2, 4), ("v", "a", 9, 5)),
        ]
    )
    # Two rows of (u, a) have time 2; the row read first is kept.
    assert found == {"u": [("a", 2, 3), ("b", 3, 2)], "v": [("a", 9, 5)]}
    assert dropped["duplicates_dropped"] == 2


# Users a, b, c with 1, 2 and 3 distinct items; c has one of them twice.
THREE = _chunk(
    *[("a", "1", 1, 3), ("b", "1", 1, 4), ("b", "2", 2, 5)],
    *[("c", "1", 1, 2), ("c", "1", 2, 5), ("c", "2", 3, 5), ("c", "3", 4, 3.5)],
)


@pytest.mark.parametrize(
    ("least", "most", "users"),
    [
        *[(1, None, "abc"), (2, None, "bc"), (3, None, "c"), (4, None, "")],
        *[(1, 3, "abc"), (1, 2, "ab"), (1, 1, "a"), (2, 2, "b")],
    ],
)
def test_users_with_too_few_or_too_many_items(least, most, users):
    config = ReadingConfig(min_interactions=least, max_interactions=most)
    found, dropped = _group([THREE], config)
    assert "".join(found) == users
    assert dropped["users_dropped_by_filter"] == 3 - len(users)


def test_min_rating_goes_first_and_includes_its_limit():
    config = ReadingConfig(min_rating=3.5, min_interactions=2)
    found, dropped = _group([THREE], config)
    # Of c's two rows with item 1, the first is rated too low, so the second counts.
    assert found == {
        "b": [("1", 1, 4), ("2", 2, 5)],
        "c": [("1", 2, 5), ("2", 3, 5), ("3", 4, 3.5)],
    }
    assert dropped == {
        "rows_below_min_rating": 2,
        "duplicates_dropped": 0,
        "users_dropped_by_filter": 0,  # User a had no row left.
    }


def test_min_rating_that_float32_rounds():
    # The float32 nearest to 3.3 is less than 3.3.
    found, _ = _group([_chunk(("u", "i", 1, 3.3))], ReadingConfig(min_rating=3.3))
    assert list(found) == ["u"]


def test_nothing_left():
    found, _ = _group([THREE], ReadingConfig(min_rating=6))
    assert found == {}


def _random_rows(count, seed=0):
    rng = np.random.default_rng(seed)
    return _chunk(
        *zip(
            [f"user {u}" for u in rng.integers(40, size=count)],
            [f"item {i}" for i in rng.integers(30, size=count)],
            rng.integers(20, size=count).tolist(),
            rng.integers(5, size=count).tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize("num_partitions", [2, 7, 64])
@pytest.mark.parametrize("chunk_rows", [13, 1000])
def test_partitions_and_chunks_make_no_difference(num_partitions, chunk_rows):
    rows = _random_rows(1000)
    expected, expected_dropped = _group([rows])

    partitions = {}
    for start in range(0, len(rows), chunk_rows):
        chunk = rows.slice(start, chunk_rows)
        for key, part in grouping.partition(chunk, num_partitions):
            partitions.setdefault(key, []).append(part)
    assert set(partitions) <= set(range(num_partitions))
    assert len(partitions) > 1
    found, dropped = {}, {"duplicates_dropped": 0}
    for chunks in partitions.values():
        users, counts = _group(chunks)
        assert not users.keys() & found.keys()
        found |= users
        dropped["duplicates_dropped"] += counts["duplicates_dropped"]

    assert found == expected
    assert dropped["duplicates_dropped"] == expected_dropped["duplicates_dropped"]


def test_partition_is_the_same_everywhere():
    # `b2sum -l 64` gives the digest of "u"; little-endian, modulo 7, it is the key.
    ((key, _),) = grouping.partition(_chunk(("u", "i", 1, 1)), 7)
    assert key == int.from_bytes(bytes.fromhex(U_DIGEST), "little") % 7


def test_groups_agree_with_a_plain_loop():
    rows = _random_rows(2000, seed=1)
    expected = {}
    ordered = sorted(
        enumerate(rows.to_pylist()), key=lambda pair: (pair[1]["time"], pair[0])
    )
    for _, row in ordered:
        items = expected.setdefault(row["user"], {})
        items.setdefault(row["item"], (row["time"] / 1e6, row["rating"]))
    found, _ = _group([rows])
    assert found == {
        user: [(item, *rest) for item, rest in items.items()]
        for user, items in expected.items()
    }
