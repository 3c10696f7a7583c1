"""Makes hundreds of millions of interactions in minutes, with little memory.

`pipeline.data.latent_factors` looks at every pair of a user and an item, which is too
slow for a hundred million interactions. In the data of this script each user belongs to
a group. The popularity of items in a group follows Zipf's law, with a part of the
catalogue that the group prefers, so that a model can learn what groups like.

Usage: python benchmarks/made_up.py FILE.parquet MILLIONS USERS ITEMS
"""

import pathlib
import sys

import numpy as np
import pyarrow as pa
from pyarrow import parquet

_GROUPS = 64
_USERS_AT_A_TIME = 8_192
_PREFERRED = 30.0  # How many times as likely an item is in the group that prefers it.
_START, _SPAN = 1_420_070_400, 2 * 365 * 86_400
_SCHEMA = pa.schema(
    [
        ("user_id", pa.int32()),
        ("item_id", pa.int32()),
        ("rating", pa.float32()),
        ("timestamp", pa.int64()),
    ]
)


def file_name(rows: int, users: int, items: int) -> str:
    """Returns a name for the file; files of different content have different names."""
    return f"made-up-1-u{users}-i{items}-n{rows}.parquet"


def write(path: pathlib.Path, *, rows: int, users: int, items: int) -> int:
    """Writes the interactions in order of user and time; returns how many there are.

    Args:
        path: the file, which appears only when it is complete.
        rows: about how many interactions are wanted. There are somewhat fewer, because
            repeated pairs of a user and an item are dropped.
        users: the number of users; each has 3 interactions or more.
        items: the number of items in the catalogue.
    """
    rng = np.random.default_rng(20240601)
    activity = rng.lognormal(0, 1.0, users)
    wanted = 3 + activity / activity.sum() * (rows - 3 * users)
    sizes = np.minimum(wanted.astype(np.int64), items // 4)
    ends = _ends(items, rng)
    partial = path.with_name(path.name + ".partial")
    written = 0
    with parquet.ParquetWriter(partial, _SCHEMA, compression="zstd") as writer:
        for start in range(0, users, _USERS_AT_A_TIME):
            block = _block(start, sizes[start : start + _USERS_AT_A_TIME], ends, rng)
            writer.write_table(block)
            written += block.num_rows
    partial.replace(path)
    return written


def _ends(items: int, rng: np.random.Generator) -> np.ndarray:
    """Returns each group's cumulative distribution of items: [groups, items]."""
    popularity = 1 / (1.0 + rng.permutation(items)) ** 0.8
    preferred = rng.integers(_GROUPS, size=items) == np.arange(_GROUPS)[:, None]
    weights = popularity * np.where(preferred, _PREFERRED, 1.0)
    ends = np.cumsum(weights, axis=1)
    result: np.ndarray = ends / ends[:, -1:]
    return result


def _block(
    first: int, sizes: np.ndarray, ends: np.ndarray, rng: np.random.Generator
) -> pa.Table:
    """Returns the rows of consecutive users, the first of whom is number `first`."""
    items = ends.shape[1]
    # A quarter more than needed is drawn, because a user's repeats are dropped.
    owners = np.repeat(np.arange(len(sizes)), sizes + sizes // 4 + 2)
    groups = rng.integers(_GROUPS, size=len(sizes))[owners]
    draws = rng.random(len(owners))
    drawn = np.empty(len(owners), np.int64)
    for group in range(_GROUPS):
        mine = np.flatnonzero(groups == group)
        drawn[mine] = np.searchsorted(ends[group], draws[mine])
    drawn = np.minimum(drawn, items - 1)
    owners, drawn = np.divmod(np.unique(owners * items + drawn), items)
    order = np.lexsort((rng.random(len(owners)), owners))
    owners, drawn = owners[order], drawn[order]
    starts = np.searchsorted(owners, np.arange(len(sizes)))
    kept = np.arange(len(owners)) - starts[owners] < sizes[owners]
    owners, drawn = owners[kept], drawn[kept]
    begun = _START + rng.integers(_SPAN, size=len(sizes))
    gaps = rng.integers(1, 86_400, size=len(owners))
    times = np.cumsum(gaps)
    times -= times[np.searchsorted(owners, np.arange(len(sizes)))][owners]
    columns = [
        (first + owners).astype(np.int32),
        drawn.astype(np.int32),
        rng.integers(1, 6, size=len(owners)).astype(np.float32),
        begun[owners] + times,
    ]
    return pa.Table.from_arrays([pa.array(c) for c in columns], schema=_SCHEMA)


def main() -> None:
    """Makes the file that the command line describes."""
    path, millions, users, items = sys.argv[1:]
    rows = round(float(millions) * 1e6)
    made = write(pathlib.Path(path), rows=rows, users=int(users), items=int(items))
    print(f"{made:,} interactions in {path}")


if __name__ == "__main__":
    main()
