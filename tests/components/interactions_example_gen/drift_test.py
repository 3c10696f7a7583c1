"""Drift of the newest span from those before: figures by hand, and runs that stop."""

import numpy as np
import pytest

from components.interactions_example_gen import drift
from components.interactions_example_gen.config import DriftConfig, ReadingConfig

ORDINARY = drift.Counts({"a": 2, "b": 2}, {"x": 2, "y": 2})


def test_the_same_again_has_not_drifted():
    assert drift.compare(ORDINARY, [ORDINARY, ORDINARY]) == {
        "events": 1.0,
        "new_users": 0.0,
        "new_items": 0.0,
        "item_share": 0.0,
        "popularity": 0.0,
        "events_per_user": 0.0,
    }


def test_figures_by_hand():
    # The one item is new; three users have one event each, and two of them are new.
    newest = drift.Counts({"a": 1, "c": 1, "d": 1}, {"z": 3})
    found = drift.compare(newest, [ORDINARY, ORDINARY])
    assert found == {
        "events": pytest.approx(4 / 3, abs=1e-5),
        "new_users": pytest.approx(2 / 3, abs=1e-5),
        "new_items": 1.0,
        "item_share": 1.0,
        "popularity": 1.0,
        "events_per_user": 1.0,
    }


def test_more_is_as_far_as_fewer():
    large = drift.Counts({"a": 8, "b": 8}, {"x": 8, "y": 8})
    small = drift.Counts({"a": 1}, {"x": 1})
    assert drift.compare(large, [ORDINARY])["events"] == pytest.approx(4)
    assert drift.compare(small, [ORDINARY])["events"] == pytest.approx(4)


def test_divergence_by_hand():
    # The mixture is (3/4, 1/4); the divergence is the mean of both KL divergences.
    expected = (np.log2(1 / 0.75) + (np.log2(0.5 / 0.75) + 1) / 2) / 2
    found = drift.jensen_shannon(np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    assert found == pytest.approx(expected)


def _days(root, days):
    """Writes one file per day, numbered from 0; returns their names."""
    for number, rows in enumerate(days):
        (root / f"{number}.csv").write_text("user,item\n" + rows)
    return "\n".join(f"{number}.csv" for number in range(len(days)))


def _look(root, days, **settings):
    pattern = _days(root, days)
    names = [str(number) for number in range(len(days))]
    return drift.look(
        str(root),
        pattern,
        [1] * len(days),
        names,
        DriftConfig(**settings),
        ReadingConfig(),
    )


DAY = "a,x\na,y\nb,x\nb,y\n"


def test_only_the_last_spans_are_compared_with(tmp_path):
    found = _look(tmp_path, ["z,z\n", DAY, DAY, DAY], against=2, new_users=0)
    assert (found["span"], found["against"]) == ("3", 2)
    assert found["limits"] == {"new_users": 0}
    assert found["figures"]["events"] == 1


def test_a_figure_above_its_limit_stops_the_run(tmp_path):
    with pytest.raises(ValueError, match=r"(?s)Span 2 .*item_share: 0.5 .*at most 0.4"):
        _look(tmp_path, [DAY, DAY, "a,x\nb,x\n"], item_share=0.4)
    assert _look(tmp_path, [DAY, DAY, "a,x\nb,x\n"], item_share=0.5)["against"] == 2


def test_the_first_span_has_nothing_to_differ_from(tmp_path):
    assert _look(tmp_path, [DAY], events=1)["against"] == 0


def test_pairs_that_do_not_fit_stop_the_run(tmp_path):
    before = "".join(
        f"u{u},i{u % 2}-{i}\n" for u in range(60) for i in range(8) if (u + i) % 3
    )
    fits, swapped = (
        "".join(
            f"u{u},i{(u + moved * (u // 2)) % 2}-{i}\n"
            for u in range(60)
            for i in range(8)
            if not (u + i) % 3
        )
        for moved in (0, 1)
    )
    assert _look(tmp_path, [before, fits], misfit=0.25)["figures"]["misfit"] < 0.1
    with pytest.raises(ValueError, match=r"misfit: .* items swapped; at most 0.25"):
        _look(tmp_path, [before, swapped], misfit=0.25)


def test_a_figure_that_there_is_not_stops_nothing(tmp_path):
    found = _look(tmp_path, [DAY, DAY], misfit=0)
    assert "misfit" not in found["figures"]
