"""Makes damaged copies of valid files of interactions, drawn from a seed."""

import bz2
import gzip
import io
import json
import lzma
import random
from collections.abc import Iterator

import pyarrow as pa
from pyarrow import parquet

from tests.reliability import odd_files


def mutations(count: int, seed: int) -> Iterator["odd_files.Case"]:
    """Yields damaged copies of valid files: cut, flipped, doubled, mixed up."""
    rng = random.Random(seed)
    rows = [f"u{i % 7},i{i * 5 % 11},{i % 5 + 1},{1000 + i}" for i in range(40)]
    text = (odd_files.HEADER + "\n".join(rows) + "\n").encode()
    lines = b"".join(
        json.dumps({"user": f"u{i}", "item": i, "rating": 1.5}).encode() + b"\n"
        for i in range(20)
    )
    table = io.BytesIO()
    parquet.write_table(pa.table({"user": [1, 2, 3], "item": ["a", "b", "c"]}), table)
    sources = {
        "r.csv": text,
        "r.dat": text.replace(b",", b"::"),
        "r.csv.gz": gzip.compress(text, mtime=0),
        "r.csv.bz2": bz2.compress(text),
        "r.csv.xz": lzma.compress(text),
        "r.zip": odd_files.zipped(("r.csv", text.decode())),
        "r.jsonl": lines,
        "r.parquet": table.getvalue(),
    }
    for number in range(count):
        name = rng.choice(sorted(sources))
        content = bytearray(sources[name])
        done = [_mutate(content, rng) for _ in range(rng.choice((1, 1, 2, 5)))]
        id_ = f"mutation {number}: {name}, {', '.join(done)}"
        yield odd_files.Case(id_, name, odd_files.write(name, bytes(content)), None)


def _mutate(content: bytearray, rng: random.Random) -> str:
    """Damages `content` in place; returns a word for the damage and its position."""
    how = rng.choice(("cut", "flip", "double", "insert", "drop", "zeros"))
    start = rng.randrange(len(content) + 1)
    end = min(len(content), start + rng.randrange(1, 40))
    if how == "cut":
        del content[start:]
    elif how == "flip":
        for place in range(start, min(end, start + 3)):
            content[place] ^= 1 << rng.randrange(8)
    elif how == "double":
        content[start:start] = content[start:end]
    elif how == "insert":
        content[start:start] = rng.choice(
            (b'"', b"\xff", b"\x1b[2J", b"1e999", b",", b"\r", b"[/red]", b"-")
        )
    elif how == "drop":
        del content[start:end]
    else:
        content[start:end] = bytes(end - start)
    return f"{how} at {start}"
