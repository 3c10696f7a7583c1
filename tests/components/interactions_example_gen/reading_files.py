"""Writes files of interactions for tests, and reads them with the component."""

import gzip

import pyarrow as pa
import pytest

from components.interactions_example_gen import reading
from components.interactions_example_gen.config import ReadingConfig

HEADER = "userId,movieId,rating,timestamp\n"
SKIP = ReadingConfig(bad_rows="skip")


def write(tmp_path, content, name="r.csv"):
    path = tmp_path / name
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return str(path)


def read_rows(path, config=ReadingConfig(), **kwargs):  # noqa: B008 (immutable)
    blocks = list(reading.read_blocks(path, config, **kwargs))
    table = pa.Table.from_batches([b.rows for b in blocks])
    columns = table.to_pydict()
    columns["time"] = [t / 1e6 for t in columns["time"]]
    return list(zip(*columns.values(), strict=True))


def refusal(path, config=ReadingConfig()):  # noqa: B008
    with pytest.raises(ValueError, match=r"r\.") as caught:
        list(reading.read_blocks(path, config))
    return str(caught.value)
