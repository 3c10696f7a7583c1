"""The stock `tfx` command finds the pipeline in `pipeline/local_runner.py`."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
USERS = "".join(f"u{user},i{item},{item}\n" for user in range(4) for item in range(6))


def test_pipeline_create(tmp_path):
    data = tmp_path / "few.csv"
    data.write_text("user,item,time\n" + USERS)
    done = subprocess.run(
        [
            pathlib.Path(sys.executable).with_name("tfx"),
            *("pipeline", "create", "--engine=local"),
            "--pipeline_path=pipeline/local_runner.py",
        ],
        cwd=ROOT,
        env=os.environ
        | {
            "DATASET": str(data),
            "OUT": str(tmp_path / "out"),
            "LOCAL_HOME": str(tmp_path / "home"),
            "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
    )
    assert 'Pipeline "ncf" created successfully.' in done.stdout, done.stderr
    saved = json.loads((tmp_path / "home" / "ncf" / "pipeline_args.json").read_text())
    assert saved["pipeline_root"] == str(tmp_path / "out" / "pipeline_root")
    # Only the definition was asked for: nothing may have run.
    assert not (tmp_path / "out" / "metadata.sqlite").exists()
