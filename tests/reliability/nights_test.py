"""Nights that follow each other: three, and fifty; `make reliability` trains them."""

import collections
import json
import os

import numpy as np
import pytest

from components.interactions_example_gen import drift
from tests.reliability import nights, scale

NIGHTS = int(os.environ.get("NCF_NIGHTS", "50"))
takes_long = pytest.mark.skipif(
    not scale.FULL, reason="takes minutes; `make reliability` runs it"
)


def _hit_rate(night):
    return night.summary["metrics"]["hit_rate@10"]


@takes_long
def test_a_spoilt_night_stops_and_the_next_begins_with_the_served_model(tmp_path):
    folder = nights.Nights(tmp_path, settings=["train.epochs=2", "train.refit=false"])
    first = folder.next()
    assert first.stopped is None
    assert first.summary["blessed"]
    served = nights.versions(folder.out)
    assert len(served) == 1

    spoilt = folder.next(spoilt="constant")
    assert "item_share" in spoilt.stopped
    assert "Nothing was trained" in spoilt.stopped
    assert nights.versions(folder.out) == served  # It stays.

    # The night's delivery has been corrected; this one reads it, too.
    third = folder.next()
    assert third.stopped is None
    warm = third.summary["history"]["warm_start"]
    assert warm["known_users"] == nights.FIRST_USERS
    assert warm["new_users"] == 2 * nights.NEW_USERS
    assert json.loads(third.summary["data"]["spans"])["read"] == 3
    assert third.summary["num_users"] == nights.FIRST_USERS + 2 * nights.NEW_USERS


LIMITS = {"events": 4, "new_items": 0.3, "item_share": 0.25}
BREAKS = {"truncated": "events", "shuffled": "new_items", "constant": "item_share"}


def _counts(rows):
    users, items, _ = zip(*rows, strict=True)
    return drift.Counts(collections.Counter(users), collections.Counter(items))


def test_fifty_ordinary_nights_keep_the_limits_and_each_spoilt_one_breaks_its_own():
    world = nights.World(items=60)
    spans = [_counts(world.first_night())]
    for number in range(1, 50):
        rows = world.night(number)
        ordinary = drift.compare(_counts(rows), spans[-7:])
        assert all(ordinary[name] <= limit for name, limit in LIMITS.items())
        for how, name in BREAKS.items():
            spoilt = drift.compare(_counts(nights.spoil(rows, how)), spans[-7:])
            assert spoilt[name] > LIMITS[name]
        spans.append(_counts(rows))


@takes_long
def test_a_season_of_nights(tmp_path):
    # Enough items that nobody has them all, and what is popular changes slowly.
    limits = ["data.drift.popularity=null", "data.drift.new_items=0.3"]
    folder = nights.Nights(tmp_path, settings=limits, items=60)
    at = {NIGHTS * (i + 1) // 4: how for i, how in enumerate(nights.SPOILT)}
    done = []
    for number in range(NIGHTS):
        night = folder.next(spoilt=at.get(number))
        done.append(night)
        print(
            f"night {night.number}: {night.seconds:.1f} s, store "
            f"{night.store_bytes / 1e3:.0f} kB, disk {night.disk_bytes / 1e6:.1f} MB,",
            night.stopped.splitlines()[1:2]
            if night.stopped
            else f"HR@10 {_hit_rate(night):.3f}, blessed {night.summary['blessed']}",
            flush=True,
        )
        if night.spoilt:
            assert f"data.drift.{BREAKS[night.spoilt]}" in night.stopped
        else:
            assert night.stopped is None
    good = [night for night in done if not night.spoilt]
    pushed = [night for night in good if night.summary["blessed"]]
    # No night pushes a worse model: the levels in the comparisons say so.
    for night in pushed[1:]:
        for row in night.summary["comparisons"].values():
            assert row["difference"] > -0.01
    assert len(nights.versions(folder.out)) <= nights.KEEP + 1
    # Flat: the last quarter takes no more than the one before, but for a little.
    quarter = max(1, len(good) // 4)
    before, last = good[-2 * quarter : -quarter], good[-quarter:]
    old, new = (np.median([n.disk_bytes for n in of]) for of in (before, last))
    assert new < 1.5 * old
