"""How many processes work on a node, and that their number changes no record."""

import glob
import json
import re
import types

import pytest
import tensorflow as tf
import typer
from apache_beam.runners.portability import local_job_service
from ml_metadata.proto.metadata_store_pb2 import Execution
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline

from components.interactions_example_gen.component import InteractionsExampleGen
from components.interactions_example_gen.config import ReadingConfig
from pipeline import options
from pipeline.local import dag_runner, running
from pipeline.local.beam import workers as beam_workers

GB = 1 << 30


def _artifact(kind, num_bytes):
    files = f"3 files, {num_bytes} bytes, 6f0e"
    return types.SimpleNamespace(
        type_name=kind, get_string_custom_property={"files": files}.get
    )


@pytest.mark.parametrize(
    ("kind", "num_bytes", "cores", "free", "expected"),
    [
        ("Examples", beam_workers.FROM_BYTES - 1, 8, 64 * GB, 1),
        ("Examples", beam_workers.FROM_BYTES, 8, 64 * GB, 8),
        ("Examples", beam_workers.FROM_BYTES, 8, 5 * GB, 4),
        ("Examples", beam_workers.FROM_BYTES, 8, GB, 1),
        ("Examples", GB, 8, 14 * GB, 2),
        ("Examples", GB, 8, 10 * GB, 1),
        ("Examples", beam_workers.FROM_BYTES, 1, 64 * GB, 1),
        ("Model", beam_workers.FROM_BYTES, 8, 64 * GB, 1),
    ],
)
def test_much_input_is_shared_by_all_cores(
    monkeypatch, kind, num_bytes, cores, free, expected
):
    monkeypatch.setattr(beam_workers.cores, "usable", lambda: cores)
    monkeypatch.setattr(beam_workers.free_memory, "free_bytes", lambda: free)
    inputs = [_artifact(kind, num_bytes)]
    assert beam_workers.choose(None, inputs, {}) == expected
    assert beam_workers.choose(3, inputs, {}) == 3


@pytest.mark.parametrize("given", ["data/a.csv", "data"])
def test_large_files_are_read_by_all_cores(tmp_path, monkeypatch, given):
    """Each process writes a file of Examples, which the next nodes share."""
    monkeypatch.setattr(beam_workers.cores, "usable", lambda: 2)
    monkeypatch.setattr(beam_workers.free_memory, "free_bytes", lambda: 64 * GB)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "_SUCCESS").write_bytes(b"0" * 1_000)
    for size, expected in ((299, 1), (300, 2)):
        monkeypatch.setattr(beam_workers, "FROM_BYTES", 100)
        (tmp_path / "data" / "a.csv").write_bytes(b"0" * size)
        base = {"input_base": str(tmp_path / given)}
        assert beam_workers.choose(None, [], base) == expected
    assert beam_workers.choose(None, [], {"input_base": "gs://bucket/a.csv"}) == 1


@pytest.mark.parametrize(
    ("pattern", "expected"), [("a.csv", 1), ("a.csv\nday-2/b.csv", 2), ("day-*/*", 1)]
)
def test_only_files_that_are_read_count(tmp_path, monkeypatch, pattern, expected):
    """A small file may have large ones beside it, and a day a folder of its own."""
    monkeypatch.setattr(beam_workers.cores, "usable", lambda: 2)
    monkeypatch.setattr(beam_workers.free_memory, "free_bytes", lambda: 64 * GB)
    monkeypatch.setattr(beam_workers, "FROM_BYTES", 100)
    (tmp_path / "day-2").mkdir()
    for name, size in (("a.csv", 200), ("day-2/b.csv", 100), ("large.csv", 5000)):
        (tmp_path / name).write_bytes(b"0" * size)
    config = json.dumps({"splits": [{"name": "interactions", "pattern": pattern}]})
    given = {"input_base": str(tmp_path), "input_config": config}
    assert beam_workers.choose(None, [], given) == expected


def _records(folder, workers):
    """Runs InteractionsExampleGen; returns its files, their records, and its states."""
    store = metadata.sqlite_metadata_connection_config(str(folder / "m.sqlite"))
    reading = ReadingConfig(columns={"user": "u", "item": "i"})
    runner = dag_runner.Runner(
        root=str(folder / "root"), serving=str(folder / "serving"), beam_workers=workers
    )
    runner.run(
        tfx_pipeline.Pipeline(
            "test",
            str(folder / "root"),
            components=[InteractionsExampleGen(str(folder / "data"), reading=reading)],
            metadata_connection_config=store,
            beam_pipeline_args=list(running.BEAM_ARGS),
            enable_cache=True,
        )
    )
    files = glob.glob(str(folder / "root" / "*" / "examples" / "*" / "*" / "*.gz"))
    records = tf.data.TFRecordDataset(sorted(files), "GZIP").as_numpy_iterator()
    with metadata.Metadata(store) as handle:
        states = [e.last_known_state for e in handle.store.get_executions()]
    return [re.sub(r".*/", "", f) for f in files], sorted(records), states


def test_any_number_of_processes_writes_the_same_records(tmp_path, monkeypatch):
    found, started = [], []
    run = local_job_service.SubprocessSdkWorker.run
    monkeypatch.setattr(
        local_job_service.SubprocessSdkWorker,
        "run",
        lambda self: started.append(len(found)) or run(self),
    )
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        (folder / "data").mkdir(parents=True)
        for number in range(4):
            rows = [f"u{number}{k},i{j}" for k in range(5) for j in range(k + 2)]
            text = "\n".join(["u,i", *rows])
            (folder / "data" / f"{number}.csv").write_text(text)
        found.append(_records(folder, workers))
    (_, expected, _), (files, records, states) = found
    assert started == [1, 1]  # Two processes in the second run.
    assert records == expected
    assert len(records) == 20
    # A cached result is found whatever the number of processes that made it.
    again, _, more = _records(tmp_path / "2", 1)
    assert again == files
    assert states == [Execution.COMPLETE]
    assert more == [Execution.COMPLETE, Execution.CACHED]


@pytest.mark.parametrize(("text", "workers"), [("auto", None), ("1", 1), ("16", 16)])
def test_the_option_is_read(text, workers):
    assert options.workers(text) == workers


@pytest.mark.parametrize("text", ["", "0", "-1", "257", "two", "1.5", "²"])
def test_any_other_option_is_refused(text, capsys):
    with pytest.raises(typer.Exit):
        options.workers(text)
    assert "must be `auto` or a number from 1 to 256" in capsys.readouterr().err
