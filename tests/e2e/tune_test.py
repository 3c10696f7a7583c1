"""A run with a hyperparameter search before the training, on made-up users."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
TUNE = "{trials: 2, processes: 1, space: {train.epochs: [1, 3]}}"


def _write(file):
    """Writes 60 users in 3 groups; each group has 10 items that only it likes."""
    rng = np.random.default_rng(7)
    lines = ["userId,movieId,timestamp"]
    for user in range(60):
        items = rng.permutation(10)[:7] + user % 3 * 10
        lines += [f"u{user},i{item},{1_000 + t}" for t, item in enumerate(items)]
    file.write_text("\n".join(lines) + "\n")


def test_trainer_trains_with_what_tuner_found(tmp_path):
    _write(tmp_path / "tastes.csv")
    command = [sys.executable, "-m", "pipeline.cli", "run", "--json"]
    command += ["--dataset", str(tmp_path / "tastes.csv")]
    command += ["--out", str(tmp_path / "out"), "--set", f"tune={TUNE}"]
    for setting in ("train.epochs=2", "train.jit_compile=false"):
        command += ["--set", setting]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    summary = json.loads(run.stdout)
    assert "Tuner" in summary["seconds"]
    # The better trial of two: the unchanged configuration, or another value.
    (results,) = (tmp_path / "out").glob("pipeline_root/Tuner/tuner_results/*/*.json")
    trials = json.loads(results.read_text())
    assert len(trials) == 2
    best = max(trials, key=lambda trial: trial["score"])["train.epochs"]
    assert summary["history"]["tuned"] == {"train.epochs": best}
    assert summary["train"]["epochs"] == best
    setting = summary["config"]["train.epochs"]
    assert (setting["value"], setting["tuned"]) == (best, True)
    page = (tmp_path / "out/report/index.html").read_text()
    assert "train.epochs, found by Tuner" in page
