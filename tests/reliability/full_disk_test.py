"""Pushes and runs on a disk that becomes full, a tmpfs that only root may mount.

With any amount of space left, a push or a run either fails cleanly or ends with a
complete result. When there is space again, the same push or run gives the result that
it gives without a full disk.
"""

import errno
import os
import pathlib
import random
import subprocess
import time

import pytest
from typer import testing

from ncf_model.serving import folders, versions
from pipeline import cli
from pipeline.local import space
from tests.reliability import ncf_folder, real_runs, run_server, scale, toy

KB = 1 << 10


def _mount(folder, kilobytes):
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(folder)]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.fixture
def disk(tmp_path, request):
    """Yields a folder on a disk of 4 MB, or of as many kilobytes as the parameter."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not _mount(folder, getattr(request, "param", 4096)):
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(disk, spare):
    """Fills the disk until `spare` bytes are free, rounded to whole pages.

    Another process may write to the disk meanwhile, so filling is tried repeatedly.
    """
    (disk / "filler").unlink(missing_ok=True)
    for _ in range(100):
        usage = os.statvfs(disk)
        size = usage.f_bavail * usage.f_frsize - spare
        try:
            with open(disk / "filler", "wb") as f:
                if size > 0:
                    os.posix_fallocate(f.fileno(), 0, size)
            return
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    raise AssertionError("another process took the space first, a hundred times")


def test_push(disk, tmp_path, monkeypatch):
    # Without this patch the check for free space would refuse the push beforehand.
    monkeypatch.setattr(folders, "free_bytes", lambda folder: None)
    sizes = {"saved_model.pb": 300, "assets/ids.txt": 200 * KB}
    for name in ("old", "new"):
        for file, size in sizes.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"\x12\xa9\x02" + name[:1].encode() * (size - 3))
    serving = disk / "serving"
    old = versions.push(serving, tmp_path / "old").version
    failed = []
    for pages in range(64):
        _fill(disk, pages * 4 * KB)
        try:
            pushed = versions.push(serving, tmp_path / "new").version
            break
        except OSError as error:
            failed.append(error)
        assert versions.newest(serving) == old
        assert not versions.look(serving).broken
    assert {error.errno for error in failed} == {errno.ENOSPC}
    assert len(failed) >= 50  # 200 KB are 50 pages.
    assert versions.newest(serving) == pushed
    assert folders.digest(pushed.path) == folders.digest(str(tmp_path / "new"))


def _served(folder):
    newest = versions.newest(folder / "serving")
    if newest is None:
        return None
    content = pathlib.Path(newest.path, "saved_model.pb").read_bytes()
    return toy.unpack(content)["quality"]


def test_run(disk, monkeypatch):
    """With any space left a blessed model is served; with more space all is well."""
    monkeypatch.setattr(space, "SPARE_BYTES", 0)
    monkeypatch.setattr(folders, "free_bytes", lambda folder: None)
    rng = random.Random(scale.SEED)
    toy.run(disk, quality=3, seed=0, code="0")
    assert _served(disk) == 3
    failed = []
    for seed in range(1, scale.of(quick=5, full=60)):
        worse = {"quality": 2, "seed": seed, "code": "0"}
        _fill(disk, rng.randrange(0, 48, 4) * KB)
        try:
            toy.run(disk, **worse)
        except Exception as error:
            failed.append(error)
        assert _served(disk) == 3  # The worse model never replaces the served one.
        assert not versions.look(disk / "serving").broken
        (disk / "filler").unlink()
        toy.run(disk, **worse)
        assert _served(disk) == 3
    assert failed
    assert all(space.explained(error, disk) for error in failed), failed
    toy.run(disk, quality=4, seed=0, code="0")
    assert _served(disk) == 4


@pytest.mark.parametrize("pages", [0, 1, 4])
def test_clearing(disk, monkeypatch, pages):
    """`ncf gc` works on a full disk, because it is the command that makes space."""
    with monkeypatch.context() as patch:
        patch.setattr(space, "SPARE_BYTES", 0)
        patch.setattr(folders, "free_bytes", lambda folder: None)
        patch.setattr(toy, "PADDING", 100 * KB)
        for quality in range(4):
            config = {"quality": quality, "seed": 0, "code": "0", "keep": 2}
            toy.run(disk, **config, root="pipeline_root")
        served = versions.newest(disk / "serving")
        _fill(disk, pages * 4 * KB)
        command = ["gc", "--out", str(disk), "--keep", "1", "--forget", "1", "--delete"]
        done = testing.CliRunner().invoke(cli.app, command)
        assert done.exit_code == 0, done.output
        assert "Forgot" in done.output
        assert not (disk / "pipeline_root" / "Trainer" / "model" / "1").exists()
        (disk / "filler").unlink()
        toy.run(disk, **config, root="pipeline_root")
    cached = ncf_folder.latest_run(disk).cached
    assert cached == {"Trainer", "Evaluator", "Pusher"}
    assert versions.newest(disk / "serving") == served


REFUSED = ("evaluation.gate.min_hit_rate=1.0",)


@pytest.mark.skipif(not scale.FULL, reason="takes minutes; `make reliability` runs it")
@pytest.mark.parametrize("more", [(), REFUSED], ids=["blessed", "refused"])
@pytest.mark.parametrize("disk", [200 << 10], indirect=True)
def test_whole_runs_of_the_pipeline(disk, tmp_path, more, capsys):
    """The disk becomes full while a node runs, after the check for free space."""
    settings = (*real_runs.PAIRS, *more)
    data, out = tmp_path / "tastes.csv", disk / "out"
    real_runs.write_data(data)
    rng = random.Random(scale.SEED)
    runs = run_server.Runs(tmp_path, of=real_runs.ROOT)
    whole = real_runs.WarmRun(runs, data, tmp_path / "whole", settings)
    assert whole.wait()[0] == 0, runs.said()
    expected = real_runs.summary(tmp_path / "whole")
    assert bool(expected["pushed_to"]) != bool(more)
    for node, seconds in expected["seconds"].items():
        run = real_runs.WarmRun(runs, data, out, settings)
        if not run.wait_for_node(node):
            break
        time.sleep(rng.random() * seconds)
        _fill(disk, rng.randrange(0, 64, 4) * KB)
        status, said = run.wait()
        (disk / "filler").unlink()
        with capsys.disabled():
            print(f"\nfull in {node}: exit status {status}: {said.splitlines()[-3:]}")
        assert "Traceback" not in said, (node, said)
        found = versions.look(out / "serving")
        assert not found.broken, node
        assert not found.versions or not more, node
    status, said = real_runs.WarmRun(runs, data, out, settings).wait()
    runs.close()
    assert status == 0, said
    found = real_runs.summary(out)
    assert found["metrics"] == expected["metrics"]
    newest = versions.newest(out / "serving")
    assert (newest and newest.path) == found["pushed_to"]
    assert len(versions.look(out / "serving").versions) == bool(newest)
