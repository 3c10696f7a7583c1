"""A hundred runs in one folder on growing data: nothing grows that `ncf gc` bounds."""

import os
import subprocess
import sys

import pytest

from ncf_model.serving import versions
from tests.reliability import real_runs, run_server, scale

pytestmark = pytest.mark.skipif(
    not scale.FULL, reason="takes half an hour; `make reliability` runs it"
)
RUNS = int(os.environ.get("NCF_MANY_RUNS", "100"))
EVERY = 10  # runs between two looks
SETTINGS = ("model.history=null", "train.epochs=1", "evaluation.gate.tolerance=0.99")


def _write(file, users):
    """Writes so many users, each with eight of their group's 12 items."""
    with open(file, "w") as f:
        f.write("user,item,timestamp\n")
        for user in range(users):
            for place in range(8):
                item = user % 4 * 12 + (user * 5 + place * 7) % 12
                f.write(f"u{user:04},i{item},{1_000_000_000 + place}\n")


def _bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _gc(out):
    command = ["gc", "--out", str(out), "--keep", "3"]
    command = [sys.executable, "-m", "pipeline.cli", *command]
    listed = subprocess.run(
        command, cwd=real_runs.ROOT, check=True, capture_output=True, text=True
    )
    before = _bytes(out)
    assert listed.stdout
    subprocess.run(
        [*command, "--delete"], cwd=real_runs.ROOT, check=True, capture_output=True
    )
    return before


def test_many_runs(tmp_path, capsys):
    data, out = tmp_path / "growing.csv", tmp_path / "out"
    runs = run_server.Runs(tmp_path, of=real_runs.ROOT)
    arguments = real_runs.arguments(data, out, SETTINGS)
    kept = []
    for number in range(1, RUNS + 1):
        _write(data, 100 + 2 * number)
        status, _ = runs.run(real_runs.ROOT, arguments)
        assert status == 0, runs.said()
        served = versions.newest(out / "serving")
        assert served.path == real_runs.summary(out)["pushed_to"]
        if number % EVERY:
            continue
        seconds = runs.seconds
        before = _gc(out)
        found = versions.look(out / "serving")
        assert not found.broken
        assert found.versions[0] == served
        # Ten are kept, and the best one besides.
        assert len(found.versions) <= 11
        # What gc has left is all that the same command needs.
        status, _ = runs.run(real_runs.ROOT, arguments)
        assert status == 0, runs.said()
        assert versions.newest(out / "serving") == served
        kept.append(_bytes(out / "pipeline_root"))
        with capsys.disabled():
            print(
                f"\n{number} runs: {seconds:.1f} s of a processor, the same again "
                f"{runs.seconds:.1f}; metadata.sqlite "
                f"{(out / 'metadata.sqlite').stat().st_size / 1e6:.2f} MB, "
                f"pipeline_root {kept[-1] / 1e6:.2f}, serving "
                f"{_bytes(out / 'serving') / 1e6:.2f} in {len(found.versions)}, all "
                f"{before / 1e6:.2f} before gc, {_bytes(out) / 1e6:.2f} after"
            )
    runs.close()
    # The data have grown, too: by a factor of less than three.
    assert max(kept) < 3 * kept[0]
