"""Reports of reading and grouping: counts that add up over files and partitions."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

FILE_NAME = "reading.json"
SHOWN_BAD_ROWS = 10
COUNTS = (
    "rows_read",
    "rows_below_min_rating",
    "duplicates_dropped",
    "users_dropped_by_filter",
    "num_users",
    "num_interactions",
)


def empty() -> dict[str, Any]:
    """Returns an empty report.

    A report has the keys of `COUNTS`; `rows_skipped`, by kind; `bad_rows`, the first
    bad rows, as `[file number, row, message]`; `errors` in the same form, which stop
    the run; and `item_hashes`, uint64, one per distinct item.
    """
    return dict.fromkeys(COUNTS, 0) | {
        "rows_skipped": Counter(),
        "bad_rows": [],
        "errors": [],
        "item_hashes": np.empty(0, np.uint64),
    }


def merge(reports: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Adds reports up; the order of `reports` makes no difference."""
    total = empty()
    for report in reports:
        for name in COUNTS:
            total[name] += report[name]
        total["rows_skipped"] += report["rows_skipped"]
        for name in ("bad_rows", "errors"):
            rows = sorted([*total[name], *report[name]])
            total[name] = rows[:SHOWN_BAD_ROWS]
        total["item_hashes"] = np.union1d(total["item_hashes"], report["item_hashes"])
    return total


def to_json_dict(total: dict[str, Any]) -> dict[str, Any]:
    """Returns the contents of the file that is written beside the Examples."""
    skipped = dict(sorted(total["rows_skipped"].items()))
    return {name: total[name] for name in COUNTS} | {
        "num_items": len(total["item_hashes"]),
        "rows_skipped": sum(skipped.values()),
        "rows_skipped_by_kind": skipped,
        "bad_rows": [message for _, _, message in total["bad_rows"]],
        "errors": [message for _, _, message in total["errors"]],
    }


def stable_hashes(values: Iterable[str]) -> np.ndarray:
    """Returns uint64 hashes that are the same in every process and on every machine.

    Python's `hash()` would not do: it is salted per process, so workers would disagree.
    """
    digests = b"".join(
        hashlib.blake2b(value.encode(), digest_size=8).digest() for value in values
    )
    return np.frombuffer(digests, "<u8")
