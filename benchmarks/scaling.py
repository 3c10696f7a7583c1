"""Times the data nodes from 1 to 20 million interactions: from file to lists.

Usage: python benchmarks/scaling.py [--data DIR] [--set a.b=value ...] [MILLIONS ...]

Makes synthetic interactions of each size, 145 per user and 27,000 items as in MovieLens
20M, which is not timed, and runs the pipeline from InteractionsExampleGen to
NegativeSampling with LocalDagRunner, a process for each size. Per node: seconds of the
clock and of CPU, and the highest memory of the process while the node ran. Linux only.
"""

import argparse
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

from pipeline import config as config_module
from pipeline import local_runner
from pipeline.data import latent_factors
from pipeline.local import terminal

MILLIONS = (1.0, 5.0, 20.0)
LAST_NODE = "NegativeSampling"
PER_USER, NUM_ITEMS = 145, 27_000


class Meter(terminal.RunDisplay):
    """Measures what a node takes; see `figures`."""

    def __init__(self, console: Any) -> None:
        super().__init__(console)
        self.figures: dict[str, dict[str, float]] = {}
        self._cpu = 0.0

    def _start(self, node: str) -> None:
        super()._start(node)
        # Sets the high-water mark back to what is in use now.
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
    """User and system time of this process and its ended children."""
    return sum(os.times()[:4])


def _peak_mb() -> float:
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) / 1024


def settings(millions: float, overrides: list[str]) -> config_module.PipelineConfig:
    """Returns the defaults with synthetic data of that size, changed by `overrides`."""
    rows = round(millions * 1e6)
    sizes = {
        "num_interactions": rows,
        "num_users": rows // PER_USER,
        "num_items": NUM_ITEMS,
    }
    named = [f"data.synthetic.{name}={value}" for name, value in sizes.items()]
    return config_module.load(None, [*named, *overrides], dataset="synthetic")


def data_file(config: config_module.PipelineConfig, folder: pathlib.Path) -> str:
    """Returns the path of the interactions, made if they are not there."""
    path = folder / config.data.synthetic.file_name()
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        latent_factors.write(config.data.synthetic, path)
        print(f"made {path.name} in {time.monotonic() - started:.0f} s", flush=True)
    return str(path)


def run_nodes(config: config_module.PipelineConfig, data: str, out: str) -> None:
    """Runs the nodes in this process; leaves `figures.json` in `out`."""
    folder = pathlib.Path(out)
    with terminal.output_to_file(folder / "log") as console:
        meter = Meter(console)
        with meter.following(logging.getLogger("absl")):
            from absl import logging as absl_logging
            from tfx.orchestration import metadata
            from tfx.orchestration import pipeline as tfx_pipeline
            from tfx.orchestration.local import local_dag_runner

            from pipeline import pipeline

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
                beam_args=local_runner.BEAM_ARGS,
            )
            local_dag_runner.LocalDagRunner().run(
                definition, tfx_pipeline.RunOptions(to_nodes=[LAST_NODE])
            )
    (folder / "figures.json").write_text(json.dumps(meter.figures))


def measure(millions: float, options: argparse.Namespace) -> dict[str, Any]:
    """Returns each node's figures, and the bytes that NegativeSampling wrote."""
    overrides = options.overrides or []
    data = data_file(settings(millions, overrides), options.data)
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, __file__, "--run", data, out, str(millions)]
        for override in overrides:
            command += ["--set", override]
        load = os.getloadavg()
        done = subprocess.run(command, check=False)
        if done.returncode:
            raise SystemExit((pathlib.Path(out) / "log").read_text()[-3000:])
        figures = json.loads((pathlib.Path(out) / "figures.json").read_text())
        print(f"{millions:g} million; load before {load[0]:.1f}, after", end=" ")
        print(f"{os.getloadavg()[0]:.1f}; written, MB:", end=" ")
        print(_written(pathlib.Path(out) / "root"), flush=True)
    return figures


def _written(root: pathlib.Path) -> dict[str, float]:
    """Returns the megabytes that each node left."""
    return {
        node.name: round(
            sum(f.stat().st_size for f in node.rglob("*") if f.is_file()) / 1e6, 1
        )
        for node in sorted(root.iterdir())
    }


def main() -> None:
    """Prints a table: a row per node, three columns per size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("millions", nargs="*", type=float, default=MILLIONS)
    parser.add_argument("--data", type=pathlib.Path, default="/tmp/ncf-scaling")
    parser.add_argument("--set", dest="overrides", action="append")
    parser.add_argument("--run", nargs=2, metavar=("DATA", "OUT"), help="internal")
    options = parser.parse_args()
    if options.run:
        (millions,) = options.millions
        run_nodes(settings(millions, options.overrides or []), *options.run)
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
