"""Whole runs in an output folder that was damaged or that another run is using."""

import shutil

import pytest

from ncf_model.serving import versions
from tests.reliability import real_runs, scale

pytestmark = pytest.mark.skipif(
    not scale.FULL, reason="takes half an hour; `make reliability` runs it"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Returns a folder with data and a finished run.

    A second run in the same folder was tried, and refused, while the first one ran.
    """
    folder = tmp_path_factory.mktemp("scenarios")
    real_runs.write_data(folder / "tastes.csv")
    first = real_runs.Run(folder / "tastes.csv", folder / "out")
    assert first.wait_for_node("ImportSchemaGen")
    second = real_runs.Run(folder / "tastes.csv", folder / "out")
    status, said = second.wait()
    assert status == 2, said
    assert f"process {first.process.pid} on host" in said.replace("\n", " ")
    assert "Traceback" not in said
    status, said = first.wait()
    assert status == 0, said
    return folder


def _damage(file, how):
    content = file.read_bytes()
    if how == "deleted":
        file.unlink()
    elif how == "empty":
        file.write_bytes(b"")
    else:
        file.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("how", ["deleted", "empty", "cut off"])
def test_damaged_records_and_the_way_out(whole, tmp_path, how):
    out = tmp_path / "out"
    shutil.copytree(whole / "out", out)
    before = versions.newest(out / "serving")
    _damage(out / "metadata.sqlite", how)
    artifacts = sorted(out.glob("pipeline_root/*/*/*"))
    status, said = real_runs.Run(whole / "tastes.csv", out).wait()
    assert status == 2, said
    assert "--fresh-metadata" in said
    assert "Traceback" not in said
    assert sorted(out.glob("pipeline_root/*/*/*")) == artifacts
    run = real_runs.Run(whole / "tastes.csv", out, options=["--fresh-metadata"])
    status, said = run.wait()
    assert status == 0, said
    summary = real_runs.summary(out)
    assert summary["metrics"] == real_runs.summary(whole / "out")["metrics"]
    newest = versions.newest(out / "serving")
    assert (newest and newest.path) == summary["pushed_to"]
    numbers = [version.number for version in versions.look(out / "serving").versions]
    assert newest.number >= before.number
    assert before.number in numbers
    [aside] = out.glob("before-*")
    moved = {path.name for path in aside.iterdir()}
    assert {"pipeline_root", "report"} <= moved


def test_users_with_two_items_each(tmp_path):
    with open(tmp_path / "two.csv", "w") as f:
        f.write("user,item,timestamp\n")
        for user in range(200):
            for place in range(2):
                item = (user * 7 + place * 13) % 40
                f.write(f"u{user},i{item},{1_000_000_000 + place}\n")
    status, said = real_runs.Run(tmp_path / "two.csv", tmp_path / "out").wait()
    assert "Traceback" not in said
    assert status == 0, said
    assert real_runs.summary(tmp_path / "out")["num_users"] == 200
