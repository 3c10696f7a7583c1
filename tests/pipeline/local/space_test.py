import errno
import json

import pytest
from tfx.types import standard_artifacts

from pipeline.local import space


def _free(monkeypatch, free):
    usage = space.shutil._ntuple_diskusage(100, 100 - free, free)
    monkeypatch.setattr(space.shutil, "disk_usage", lambda folder: usage)


def test_says_how_much_there_is_and_must_be(monkeypatch):
    monkeypatch.setattr(space, "SPARE_BYTES", 1_000_000)
    _free(monkeypatch, 5_000_000)
    space.check("out", 4_000_000, what="Transform")
    with pytest.raises(
        space.NoSpaceError,
        match=r"No space left on out: Transform needs about 6 MB, 5\.0 MB are free",
    ):
        space.check("out", 5_000_000, what="Transform")


def test_a_node_needs_what_it_reads(monkeypatch, tmp_path):
    monkeypatch.setattr(space, "SPARE_BYTES", 0)
    _free(monkeypatch, 999)
    examples = standard_artifacts.Examples()
    examples.set_string_custom_property("files", "3 files, 600 bytes, 6f0e")
    (tmp_path / "r.csv").write_bytes(b"x" * 400)
    space.check_node("out", [examples], {}, node="Transform")
    for inputs, properties in (
        ([examples, examples], {}),
        ([examples], {"input_base": str(tmp_path)}),
        ([examples], {"input_base": str(tmp_path / "r.csv")}),
    ):
        with pytest.raises(space.NoSpaceError, match="Transform needs about 0 MB"):
            space.check_node("out", inputs, properties, node="Transform")


def test_a_node_does_not_need_what_else_is_in_the_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(space, "SPARE_BYTES", 0)
    _free(monkeypatch, 999)
    for name, size in (("r.csv", 400), ("s.csv", 600), ("disk.img", 5000)):
        (tmp_path / name).write_bytes(b"x" * size)

    def check(pattern):
        config = json.dumps({"splits": [{"name": "interactions", "pattern": pattern}]})
        properties = {"input_base": str(tmp_path), "input_config": config}
        space.check_node("out", [], properties, node="InteractionsExampleGen")

    check("r.csv")
    check("s.csv")
    for both in ("*", "r.csv\ns.csv"):
        with pytest.raises(space.NoSpaceError, match="ExampleGen needs about 0 MB"):
            check(both)


@pytest.mark.parametrize(
    "said",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("Cannot commit: cannot commit - no transaction is active"),
        RuntimeError("database or disk is full"),
        RuntimeError("/x/y; No space left on device [[node Save]]"),
    ],
)
def test_a_full_disk_is_named_whoever_noticed_it(said, tmp_path):
    wrapped = RuntimeError("a node failed")
    wrapped.__context__ = said
    found = space.explained(wrapped, tmp_path)
    assert str(found).startswith(f"No space left on {tmp_path}: a run needs about")
    assert space.explained(RuntimeError("else"), tmp_path) is None
