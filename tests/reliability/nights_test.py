"""Tests of nightly retraining over three and over fifty nights.

Only `make reliability` runs the tests that train.
"""

import json
import os
import re

import numpy as np
import pyarrow as pa
import pytest
from typer import testing

from components.interactions_example_gen import drift, misfit
from pipeline import cli
from tests.reliability import nights, scale

NIGHTS = int(os.environ.get("NCF_NIGHTS", "50"))
takes_long = pytest.mark.skipif(
    not scale.FULL, reason="takes minutes; `make reliability` runs it"
)


def _told(night):
    """Returns a night's row of the table in docs/retraining.md."""
    cells = [night.number, f"{night.cpu_seconds:.0f}"]
    cells += [f"{night.store_bytes / 1e3:.0f}", f"{night.disk_bytes / 1e6:.1f}"]
    if night.stopped:
        rule = re.search(r"`data\.drift\.\w+`", night.stopped)
        cells += [f"{night.spoilt}: stopped by {rule[0] if rule else night.stopped}"]
    else:
        summary = night.summary
        both = [summary[of]["hit_rate@10"] for of in ("metrics", "baseline")]
        cells += [f"{night.start_up:.1f}", summary["num_users"], summary["num_items"]]
        cells += [*(f"{of:.3f}" for of in both), "yes" if summary["blessed"] else "no"]
    return " | ".join(map(str, cells))


@takes_long
def test_a_spoilt_night_stops_and_the_next_begins_with_the_served_model(tmp_path):
    settings = ["train.epochs=2", "train.refit=false", "evaluation.served=true"]
    folder = nights.Nights(tmp_path, settings=settings)
    first = folder.next()
    assert first.stopped is None
    assert first.summary["blessed"]
    assert "no served model" in first.summary["served"]["why_not"]
    served = nights.versions(folder.out)
    assert len(served) == 1

    spoilt = folder.next(spoilt="constant")
    assert "item_share" in spoilt.stopped
    assert "Nothing was trained" in spoilt.stopped
    assert nights.versions(folder.out) == served

    # The spoilt delivery has been replaced by the correct one; the third night reads
    # both.
    third = folder.next()
    assert third.stopped is None
    warm = third.summary["history"]["warm_start"]
    assert warm["known_users"] == nights.FIRST_USERS
    assert warm["new_users"] == 2 * nights.NEW_USERS
    assert json.loads(third.summary["data"]["spans"])["read"] == 3
    assert third.summary["num_users"] == nights.FIRST_USERS + 2 * nights.NEW_USERS
    # The run has evaluated the served model on the two nights after its training.
    # `ncf evaluate` gives the same figures.
    since = third.summary["served"]
    assert since["new_users"] == 2 * nights.NEW_USERS
    assert len(since["by_time"]) == 2
    asked = ["--dataset", folder.path, "--model", served[0], "--out", folder.out]
    said = testing.CliRunner().invoke(cli.app, ["evaluate", *map(str, asked), "--json"])
    by_hand = json.loads(said.stdout)
    for name in ("lists", "metrics", "errors", "baseline"):
        assert by_hand[name] == pytest.approx(since[name]), name


LIMITS = {"events": 4, "misfit": 0.35, "item_share": 0.25}
BREAKS = {"truncated": "events", "shuffled": "misfit", "constant": "item_share"}


def _pairs(rows):
    columns = list(zip(*rows, strict=True))[:2]
    encoded = (pa.array(column).dictionary_encode() for column in columns)
    return misfit.UserItemPairs(*(pa.chunked_array([column]) for column in encoded))


def _figures(newest, before):
    newest, before = _pairs(newest), [_pairs(rows) for rows in before]
    fit = misfit.misfit(newest, misfit.joined(before))
    counted = drift.compare(drift.count(newest), [drift.count(of) for of in before])
    return counted | ({} if fit is None else {"misfit": fit})


def test_fifty_ordinary_nights_keep_the_limits_and_each_spoilt_one_breaks_its_own():
    world = nights.World(items=60)
    spans = [world.first_night()]
    for number in range(1, 50):
        rows = world.night(number)
        ordinary = _figures(rows, spans[-7:])
        assert all(ordinary[name] <= limit for name, limit in LIMITS.items())
        for how, name in BREAKS.items():
            spoilt = _figures(nights.spoil(rows, how), spans[-7:])
            assert spoilt[name] > LIMITS[name]
        spans.append(rows)


@takes_long
def test_a_season_of_nights(tmp_path, capsys):
    # There are so many items that no user has all of them, and popularity changes
    # slowly.
    limits = ["data.drift.popularity=null", "data.drift.misfit=0.35"]
    # These settings leave out work that does not matter for a sequence of nights.
    cheap = ["train.epochs=3", "train.refit=false", "evaluation.top_k=[10]"]
    cheap += ["model.history.linear_l2=[30,300]", "model.history.ials_shares=[0]"]
    folder = nights.Nights(tmp_path, settings=[*limits, *cheap], items=60)
    at = {5 * (i + 1): how for i, how in enumerate(nights.SPOILT)}
    done = []
    for number in range(NIGHTS):
        night = folder.next(spoilt=at.get(number))
        done.append(night)
        with capsys.disabled():  # Each night's row is printed at once.
            print(_told(night), flush=True)
        if night.spoilt:
            assert f"data.drift.{BREAKS[night.spoilt]}" in night.stopped
        else:
            assert night.stopped is None
    good = [night for night in done if not night.spoilt]
    pushed = [night for night in good if night.summary["blessed"]]
    # The comparisons with older models show that no night pushed a worse model.
    for night in pushed[1:]:
        for row in night.summary["comparisons"].values():
            assert row["difference"] > -0.01
    assert len(nights.versions(folder.out)) <= nights.KEEP + 1
    if NIGHTS < 20:  # Sizes grow until there are a dozen models to compare with.
        return
    # Sizes no longer grow: those of the last quarter are hardly above the quarter
    # before.
    quarter = len(good) // 4
    before, last = good[-2 * quarter : -quarter], good[-quarter:]
    for of in ("disk_bytes", "store_bytes"):
        old, new = (
            np.median([getattr(n, of) for n in some]) for some in (before, last)
        )
        assert new < 1.2 * old, of
