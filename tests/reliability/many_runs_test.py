"""After a hundred runs in one folder, `ncf gc` has kept time and size within bounds.

What could grow with the number of runs are ML Metadata's records, and the work of the
resolvers, of Pusher and of the runner's checks before a run. The toy pipeline has all
of them, too, and its runs take little time.
"""

import os
import subprocess
import sys
import time

import pytest
from typer import testing

from ncf_model.serving import versions
from pipeline import cli
from tests.reliability import ncf_folder, real_runs, run_server, scale, toy

pytestmark = pytest.mark.skipif(
    not scale.FULL, reason="takes an hour; `make reliability` runs it"
)
TOY_RUNS = 200
RUNS = int(os.environ.get("NCF_MANY_RUNS", "100"))
EVERY = 10  # After so many runs `ncf gc` runs, and sizes are checked.
GROWING = 5  # After so many runs there are more data.
# The smallest model, without a search of iALS, of EASE or of the rivals' settings.
SETTINGS = (
    *("model.history.factors=1", "model.history.linear_items=0"),
    *("model.history.ials_shares=[0]", "train.epochs=1", "train.refit=false"),
    *("evaluation.baselines.ease_l2=null", "evaluation.baselines.ials_l2=null"),
    *("evaluation.baselines.item_knn_neighbours=null",),
    *("evaluation.gate.tolerance=0.99", "evaluation.gate.baseline=none"),
)


def _write(file, users):
    """Writes the data of `users` users, each with eight of the 12 items of a group."""
    with open(file, "w") as f:
        f.write("user,item,timestamp\n")
        for user in range(users):
            for place in range(8):
                item = user % 4 * 12 + (user * 5 + place * 7) % 12
                f.write(f"u{user:04},i{item},{1_000_000_000 + place}\n")


def _bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _gc(out):
    command = ["gc", "--out", str(out), "--keep", "3", "--forget", "10"]
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


def _clear_toy(out):
    command = ["gc", "--out", str(out), "--keep", "3", "--forget", "5", "--delete"]
    done = testing.CliRunner().invoke(cli.app, command)
    assert done.exit_code == 0, done.output


def test_many_runs_of_the_toy(tmp_path, capsys):
    sizes = []
    for number in range(1, TOY_RUNS + 1):
        # Every third model is worse than the one before, and is refused.
        config = {"quality": number if number % 3 else 0, "seed": number, "code": "0"}
        started = time.process_time()
        toy.run(tmp_path, **config, root="pipeline_root")
        seconds = time.process_time() - started
        if number % EVERY:
            continue
        served = versions.newest(tmp_path / "serving")
        _clear_toy(tmp_path)
        found = versions.look(tmp_path / "serving")
        assert not found.broken
        assert found.versions[0] == served
        assert len(found.versions) <= 11
        # What `ncf gc` left is enough: the same run executes only the resolver.
        toy.run(tmp_path, **config, root="pipeline_root")
        cached = ncf_folder.latest_run(tmp_path).cached
        assert cached == {"Trainer", "Evaluator", "Pusher"}
        assert versions.newest(tmp_path / "serving") == served
        store = (tmp_path / "metadata.sqlite").stat().st_size
        sizes.append((store, _bytes(tmp_path / "pipeline_root")))
        with capsys.disabled():
            print(
                f"\n{number} runs of the toy: {seconds:.2f} s of a processor; "
                f"metadata.sqlite {store / 1e3:.0f} kB, pipeline_root "
                f"{sizes[-1][1]} bytes, {len(found.versions)} versions"
            )
    # The ten served versions keep the artifacts they came from. There were ten after
    # half of the runs, too, so the sizes of then are comparable.
    for before, last in zip(sizes[len(sizes) // 2], sizes[-1], strict=True):
        assert last < 1.3 * before


def test_many_runs(tmp_path, capsys):
    data, out = tmp_path / "growing.csv", tmp_path / "out"
    runs = run_server.Runs(tmp_path, of=real_runs.ROOT)
    kept = []
    for number in range(1, RUNS + 1):
        if number % GROWING == 1:
            _write(data, 100 + 2 * number)
        rate = f"model.history.learning_rate={0.01 + 0.0001 * number:.4f}"
        arguments = real_runs.arguments(data, out, (*SETTINGS, rate))
        status, _ = runs.run(real_runs.ROOT, arguments)
        assert status == 0, runs.said()
        served = versions.newest(out / "serving")
        assert served.path == real_runs.summary(out)["pushed_to"]
        if number % EVERY:
            continue
        seconds = runs.seconds
        store = (out / "metadata.sqlite").stat().st_size
        before = _gc(out)
        found = versions.look(out / "serving")
        assert not found.broken
        assert found.versions[0] == served
        # Ten versions are kept, and the best one, if it is older.
        assert len(found.versions) <= 11
        # What `ncf gc` left is enough for the same command.
        status, _ = runs.run(real_runs.ROOT, arguments)
        assert status == 0, runs.said()
        assert versions.newest(out / "serving") == served
        kept.append(_bytes(out / "pipeline_root"))
        with capsys.disabled():
            print(
                f"\n{number} runs: {seconds:.1f} s of a processor, the same again "
                f"{runs.seconds:.1f}; metadata.sqlite {store / 1e6:.2f} MB before gc, "
                f"{(out / 'metadata.sqlite').stat().st_size / 1e6:.2f} after, "
                f"pipeline_root {kept[-1] / 1e6:.2f}, serving "
                f"{_bytes(out / 'serving') / 1e6:.2f} in {len(found.versions)}, all "
                f"{before / 1e6:.2f} before gc, {_bytes(out) / 1e6:.2f} after"
            )
    runs.close()
    # The data have grown, too, but to less than three times their first size.
    assert max(kept) < 3 * kept[0]
