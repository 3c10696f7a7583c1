"""Times the nodes from file to evaluation lists on 1 to 20 million interactions.

Usage: python benchmarks/scaling.py [--data DIR] [--items 27000] [--to NODE]
                                    [--out DIR] [--set a.b=value ...]
                                    [--beam-workers N|auto] [MILLIONS ...]

For each size the script makes interactions, 145 per user and 27,000 items as in
MovieLens 20M (`made_up.py`, not timed). A process for each size then runs the pipeline
as `ncf run` does, from InteractionsExampleGen to NegativeSampling or to the node of
`--to`. The table has for each node the seconds of the clock, those of CPU, and the
highest memory of the process while the node ran. The imports of TFX, by this process
and for those of Beam, begin before the first node, which may wait for the second. CPU
includes all processes. `--out` keeps what the nodes wrote, in
a folder per size. The script needs Linux.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

import psutil

from pipeline import config as config_module
from pipeline import options as cli_options
from pipeline.local import early_start, running, terminal

ROOT = pathlib.Path(__file__).resolve().parents[1]
MILLIONS = (1.0, 5.0, 20.0)
LAST_NODE = "NegativeSampling"
PER_USER, NUM_ITEMS = 145, 27_000


class Meter(terminal.RunDisplay):
    """Measures the time and the memory that each node takes, and keeps them.

    Attributes:
        figures: seconds of the clock, seconds of CPU and peak memory, by node.
    """

    def __init__(self, console: Any) -> None:
        super().__init__(console)
        self.figures: dict[str, dict[str, float]] = {}
        self._cpu = 0.0

    def started(self, node: str) -> None:
        """Notes the CPU time before the node, and starts measuring peak memory anew."""
        super().started(node)
        # Writing 5 sets the peak that Linux reports back to the memory in use now.
        pathlib.Path("/proc/self/clear_refs").write_text("5")
        self._cpu = _cpu_seconds()

    def _end(self, mark: str, note: str) -> None:
        self.figures[self.current or ""] = {
            "seconds": time.monotonic() - self._started,
            "cpu_seconds": _cpu_seconds() - self._cpu,
            "peak_mb": _peak_mb(),
        }
        super()._end(mark, note)


def _cpu_seconds() -> float:
    """Returns the user and system time of this process and all its children."""
    me = psutil.Process()
    total = sum(me.cpu_times()[:4])
    for one in me.children(recursive=True):
        with contextlib.suppress(psutil.Error):  # It has just ended.
            total += sum(one.cpu_times()[:4])
    return total


def _peak_mb() -> float:
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) / 1024


def settings(data: str, overrides: list[str]) -> config_module.PipelineConfig:
    """Returns the default configuration for the file `data`, with `overrides`."""
    return config_module.load(None, overrides, dataset=data)


def data_file(millions: float, items: int, folder: pathlib.Path) -> str:
    """Returns the path of the file of interactions, which is made if necessary."""
    # Python finds `made_up` because the folder of the script is on its path.
    sys.path.insert(0, str(ROOT))
    from benchmarks import made_up

    rows = round(millions * 1e6)
    users = rows // PER_USER
    path = folder / made_up.file_name(rows, users, items)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        made = made_up.write(path, rows=rows, users=users, items=items)
        seconds = time.monotonic() - started
        print(f"made {made:,} interactions in {seconds:.0f} s", flush=True)
    return str(path)


def run_nodes(
    config: config_module.PipelineConfig,
    data: str,
    out: str,
    last: str,
    workers: int | None,
) -> None:
    """Runs the nodes in this process; writes their figures to `out`/figures.json."""
    folder = pathlib.Path(out)
    with terminal.output_to_file(folder / "log") as console:
        meter = Meter(console)
        with meter.following(), early_start.of_beam(workers, data):
            from absl import logging as absl_logging
            from tfx.orchestration import metadata
            from tfx.orchestration import pipeline as tfx_pipeline

            from pipeline import pipeline
            from pipeline.local import dag_runner, node_events

            absl_logging.set_verbosity(absl_logging.INFO)
            definition = pipeline.create_pipeline(
                config,
                pipeline.Locations(
                    interactions=data,
                    pipeline_root=str(folder / "root"),
                    serving=str(folder / "serving"),
                ),
                dataset="synthetic",
                metadata=metadata.sqlite_metadata_connection_config(
                    str(folder / "metadata.sqlite")
                ),
                beam_args=running.BEAM_ARGS,
            )
            try:
                with node_events.told_to(meter):
                    runner = dag_runner.Runner(
                        root=str(folder / "root"),
                        serving=str(folder / "serving"),
                        beam_workers=workers,
                    )
                    runner.run(definition, tfx_pipeline.RunOptions(to_nodes=[last]))
            finally:
                (folder / "figures.json").write_text(json.dumps(meter.figures))


def measure(
    millions: float, options: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Returns each node's figures; prints the megabytes that each node wrote."""
    data = data_file(millions, options.items, options.data)
    with contextlib.ExitStack() as stack:
        if options.out:
            out = options.out.resolve() / f"{millions:g}"
            out.mkdir(parents=True)
        else:
            out = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        command = [sys.executable, __file__, "--run", data, str(out)]
        command += ["--to", options.to, "--beam-workers", options.beam_workers]
        for override in options.overrides or []:
            command += ["--set", override]
        load = os.getloadavg()
        done = subprocess.run(command, check=False)
        if done.returncode:
            raise SystemExit((out / "log").read_text()[-3000:])
        figures: dict[str, dict[str, float]] = json.loads(
            (out / "figures.json").read_text()
        )
        print(f"{millions:g} million; load before {load[0]:.1f}, after", end=" ")
        print(f"{os.getloadavg()[0]:.1f}; written, MB:", end=" ")
        print(_written(out / "root"), flush=True)
    return figures


def _written(root: pathlib.Path) -> dict[str, float]:
    """Returns the megabytes of the files that each node wrote."""
    return {
        node.name: round(
            sum(f.stat().st_size for f in node.rglob("*") if f.is_file()) / 1e6, 1
        )
        for node in sorted(root.iterdir())
    }


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's arguments."""
    made = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    made.add_argument(
        "millions",
        nargs="*",
        type=float,
        default=MILLIONS,
        help="the sizes, in millions of interactions",
    )
    made.add_argument(
        "--data",
        type=pathlib.Path,
        default="/tmp/ncf-scaling",
        help="the folder in which the data are made and kept",
    )
    made.add_argument(
        "--items", type=int, default=NUM_ITEMS, help="the number of items"
    )
    made.add_argument(
        "--to", default=LAST_NODE, metavar="NODE", help="the last node that is run"
    )
    made.add_argument(
        "--out", type=pathlib.Path, help="a new folder for what the nodes write"
    )
    made.add_argument(
        "--set",
        dest="overrides",
        action="append",
        help="a field to change, as a.b=value",
    )
    made.add_argument(
        "--beam-workers", default="1", help="as of `ncf run`: a number or `auto`"
    )
    made.add_argument("--run", nargs=2, metavar=("DATA", "OUT"), help="internal")
    return made


def main() -> None:
    """Prints a table with a row per node and a column per size."""
    options = parser().parse_args()
    if options.run:
        data, out = options.run
        workers = cli_options.workers(options.beam_workers)
        config = settings(data, options.overrides or [])
        run_nodes(config, data, out, options.to, workers)
        return
    columns = {millions: measure(millions, options) for millions in options.millions}
    print("| | " + " | ".join(f"{millions:g} million" for millions in columns) + " |")
    print("|---|" + "---|" * len(columns))
    for node in next(iter(columns.values())):
        cells = [
            "{seconds:.1f} / {cpu_seconds:.1f} / {peak_mb:,.0f}".format(**run[node])
            for run in columns.values()
        ]
        print(f"| {node} | " + " | ".join(cells) + " |")
    totals = [
        f"{sum(node['seconds'] for node in run.values()):.1f} / "
        f"{sum(node['cpu_seconds'] for node in run.values()):.1f} / "
        f"{max(node['peak_mb'] for node in run.values()):,.0f}"
        for run in columns.values()
    ]
    print("| all | " + " | ".join(totals) + " |")


if __name__ == "__main__":
    main()
