import collections

import numpy as np

from components.interactions_example_gen import report


def _report(**values):
    return report.empty() | values


def test_adds_up():
    total = report.merge(
        [
            _report(
                rows_read=5,
                rows_skipped=collections.Counter(bad_rating=1),
                item_hashes=np.array([1, 3], np.uint64),
            ),
            _report(
                rows_read=2,
                num_users=1,
                rows_skipped=collections.Counter(bad_rating=1, blank_user=4),
                item_hashes=np.array([3, 4], np.uint64),
            ),
        ]
    )
    found = report.to_json_dict(total)
    assert (found["rows_read"], found["num_users"], found["num_items"]) == (7, 1, 3)
    assert found["rows_skipped"] == 6
    assert found["rows_skipped_by_kind"] == {"bad_rating": 2, "blank_user": 4}


def test_keeps_the_first_bad_rows_by_file_and_line():
    late = _report(bad_rows=[(1, line, f"file 1, {line}") for line in range(10)])
    early = _report(bad_rows=[(0, 99, "file 0, 99")])
    for reports in ([late, early], [early, late]):
        found = report.to_json_dict(report.merge(reports))["bad_rows"]
        assert found[:2] == ["file 0, 99", "file 1, 0"]
        assert len(found) == 10


def test_merging_merged_reports_changes_nothing():
    parts = [_report(rows_read=n, errors=[(n, 0, str(n))]) for n in range(4)]
    twice = report.merge([report.merge(parts[:1]), report.merge(parts[1:])])
    assert report.to_json_dict(twice) == report.to_json_dict(report.merge(parts))
    assert report.to_json_dict(twice)["errors"] == ["0", "1", "2", "3"]


def test_hashes_are_the_same_everywhere():
    # The digest is the output of `printf %s é | b2sum -l 64`.
    (found,) = report.stable_hashes(["é"])
    assert int(found).to_bytes(8, "little").hex() == "cb1abf8beff3192f"
