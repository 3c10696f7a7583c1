"""Times `ncf run` from command to final table, per node and in all, with peak memory.

Usage: python benchmarks/chain.py [--runs 3] [--data-dir DIR] ml-100k ml-1m [-- ARGS]
"""

import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]


def _status(pid: int, field: str) -> int:
    """Returns a kilobyte field of /proc/<pid>/status; 0 once the process has ended."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(x.split()[1]) for x in lines if x.startswith(field + ":")), 0)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_once(dataset: str, data_dir: str | None, extra: list[str]) -> dict[str, Any]:
    """Runs `ncf run` once in a new folder; returns its figures."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "pipeline.cli", "run", "--dataset", dataset]
        command += ["--out", out, *extra]
        if data_dir:
            command += ["--data-dir", data_dir]
        before = _cpu_of_children()
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        first_line: list[float] = []
        output: list[str] = []

        def read() -> None:
            for line in process.stdout or ():
                first_line.append(time.perf_counter() - start)
                output.append(line)

        reader = threading.Thread(target=read)
        reader.start()
        peak = 0
        while process.poll() is None:
            peak = max(peak, _status(process.pid, "VmHWM"))
            time.sleep(0.1)
        reader.join()
        seconds = time.perf_counter() - start
        cpu = _cpu_of_children() - before
        if process.returncode:
            raise SystemExit("".join(output))
        summary = json.loads((pathlib.Path(out) / "report/summary.json").read_text())
    nodes = summary["seconds"]
    return {
        "first line": first_line[0],
        **nodes,
        "all nodes but Trainer": sum(nodes.values()) - nodes["Trainer"],
        "command to table": seconds,
        "CPU s": cpu,
        "peak MB": peak / 1024,
        "training speed": summary["train"]["examples_per_second"],
        **summary["metrics"],
    }


def main() -> None:
    """Prints a table with a column of medians over the runs for each data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--data-dir")
    own, _, extra = " ".join(sys.argv[1:]).partition(" -- ")
    options = parser.parse_args(own.split())
    columns: dict[str, list[dict[str, Any]]] = {name: [] for name in options.datasets}
    for _ in range(options.runs):
        for name, runs in columns.items():
            runs.append(run_once(name, options.data_dir, extra.split()))
    print("| | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for figure in next(iter(columns.values()))[0]:
        cells = [
            f"{statistics.median(run[figure] for run in runs):,.3f}"
            for runs in columns.values()
        ]
        print(f"| {figure} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
