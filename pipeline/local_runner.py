"""Runs the pipeline on this machine with TFX's LocalDagRunner.

`ncf run` calls `run`. The `tfx` command executes this file as a script; it then reads
its settings from the environment: `CONFIG`, `DATASET`, `DATA_DIR` and `OUT`.
"""

import os
import pathlib
import sys

if __name__ == "__main__":
    # A script's own folder comes first on sys.path, and there `pipeline.py` would hide
    # the package `pipeline`.
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

import csv
import dataclasses
import datetime
import logging
import shlex
import shutil
from typing import TYPE_CHECKING, Any

from components.interactions_example_gen import reading
from pipeline import config as config_module
from pipeline.data import catalogue
from pipeline.local import interrupts, result, terminal
from pipeline.local.memory import Memory
from pipeline.serving import quality

if TYPE_CHECKING:
    from pipeline.local import executions

# The in-memory runner, by name: Beam's default first tries to download another one. And
# a container image that this runner never looks at: without one TFX packs its own
# source for workers that do not exist, for every component.
BEAM_ARGS = ("--runner=FnApiRunner", "--sdk_container_image=none")
TITLES_FILE = "titles.csv"
STOPPED = (
    "Stopped. The same command goes on from the node that was "
    "running; a training, from its last whole epoch."
)


class RunFailed(Exception):
    """A node failed. Nothing was pushed; the same command runs again from there."""


def default_out(config: config_module.PipelineConfig) -> pathlib.Path:
    """Returns `runs/<pipeline name>-<data set>`, where a run goes unless told."""
    dataset = pathlib.Path(config.data.dataset).name.split(".")[0]
    return pathlib.Path("runs") / f"{config.pipeline_name}-{dataset}"


def find_data(
    config: config_module.PipelineConfig, data_dir: pathlib.Path | None
) -> catalogue.Dataset:
    """Finds or fetches the data set and reads the beginning of it.

    Args:
        config: names the data set and says how it is read.
        data_dir: a folder of data sets, looked into before anything is downloaded.

    Raises:
        ValueError: the data set cannot be had or read.
    """
    if config.data.source == "bigquery":
        raise ValueError(
            "`data.source: bigquery` is for Vertex AI (`ncf compile vertex`), because "
            "BigQuery writes to gs:// alone. Here, export the query's result to a file "
            "and name that in `data.dataset`."
        )
    dataset = catalogue.resolve(
        config.data.dataset, data_dir=data_dir, synthetic=config.data.synthetic
    )
    reading.check_input(str(dataset.path), config.data.reading())
    return dataset


def run(
    config: config_module.PipelineConfig,
    dataset: catalogue.Dataset,
    *,
    out: pathlib.Path,
    quiet: bool = False,
    progress_to_errors: bool = False,
) -> dict[str, Any] | None:
    """Runs the pipeline, showing its progress; returns the contents of summary.json.

    Leaves `metadata.sqlite`, `pipeline_root/`, `serving/`, `report/` and `logs/` in
    `out`. Whatever a node prints goes to the log file that the first line names. The
    report of the run before is in `report.before/` until this one has its own.

    Args:
        config: what to compute.
        dataset: what to compute it from, of `find_data`.
        out: the folder of the run, made if need be; runs in it share their cache.
        quiet: shows the verdict alone, and what went wrong.
        progress_to_errors: shows all of it on standard error.

    Returns:
        The summary; None if LocalDagRunner ran nothing, as when the `tfx` command only
        asks for the pipeline's name.

    Raises:
        RunFailed: a node raised; the message is shown and the log has the traceback.
        KeyboardInterrupt: Ctrl-C; how to go on is shown.
    """
    out = out.resolve()
    log = out / "logs" / f"{datetime.datetime.now():%Y%m%d-%H%M%S}.log"
    with terminal.output_to_file(log, to_errors=progress_to_errors) as console:
        console.quiet = quiet
        console.print(
            f"{dataset.name} into {out}, log in {log}", markup=False, soft_wrap=True
        )
        display, measured = terminal.RunDisplay(console), Memory()
        try:
            with (
                interrupts.never_lost(),
                measured.watching(),
                display.following(logging.getLogger("absl")),
            ):
                done = _run_pipeline(config, dataset, out, display)
        except KeyboardInterrupt:
            console.quiet = False
            display.failed("stopped")
            console.print(STOPPED, style="yellow")
            raise
        except Exception as error:
            console.quiet = False
            display.failed()
            terminal.print_failure(console, error, log)
            logging.exception("The run failed.")
            raise RunFailed(terminal.explain(error)[0]) from error
        if done is None:
            return None
        _write_titles(dataset, out)
        summary = _publish_report(done, config, out, measured)
        quality.note(summary)
        result.print_summary(console, summary)
        if quiet:
            console.quiet = False
            result.print_verdict(console, summary)
    return summary


@dataclasses.dataclass(frozen=True)
class _Done:
    """A run that has a result: the store, the id of its context in it, its nodes."""

    store: Any
    run: int
    nodes: list["executions.NodeRun"]


def _run_pipeline(
    config: config_module.PipelineConfig,
    dataset: catalogue.Dataset,
    out: pathlib.Path,
    display: terminal.RunDisplay,
) -> _Done | None:
    """Runs all nodes; returns what ML Metadata has of them, None if nothing ran.

    Raises:
        RuntimeError: a node has no result although none raised.
    """
    with display.waiting("loading TFX"):
        # Late: these take many seconds, and nothing before them needs them.
        from absl import logging as absl_logging
        from tfx.orchestration import metadata
        from tfx.orchestration.local import local_dag_runner

        from ncf_model.training import progress
        from pipeline import pipeline
        from pipeline.local import executions

    absl_logging.set_verbosity(absl_logging.INFO)
    store = metadata.sqlite_metadata_connection_config(str(out / "metadata.sqlite"))
    definition = pipeline.create_pipeline(
        config,
        pipeline.Locations(
            interactions=str(dataset.path),
            pipeline_root=str(out / "pipeline_root"),
            serving=str(out / "serving"),
        ),
        dataset=dataset.name,
        metadata=store,
        beam_args=BEAM_ARGS,
    )
    _set_report_aside(out)
    before = 0
    if (out / "metadata.sqlite").exists():
        with metadata.Metadata(store) as handle:
            before = executions.latest_run(handle.store) or 0
    progress.observers.append(display.training)
    try:
        local_dag_runner.LocalDagRunner().run(definition)
    finally:
        progress.observers.remove(display.training)
    if not (out / "metadata.sqlite").exists():
        _put_report_back(out)
        return None
    with metadata.Metadata(store) as handle:
        run_id = executions.latest_run(handle.store, after=before)
        nodes = executions.of_run(handle.store, run_id) if run_id else []
    if run_id is None:
        _put_report_back(out)
        return None
    ids = [component.id for component in definition.components]
    if missing := executions.unfinished(ids, nodes):
        raise RuntimeError(
            f"ML Metadata has no result of {', '.join(missing)} although nothing "
            "failed. The same command runs the missing nodes."
        )
    display.complete(nodes)
    return _Done(store, run_id, nodes)


def _set_report_aside(out: pathlib.Path) -> None:
    """Keeps an earlier report from being taken for that of a run that fails."""
    report, before = out / "report", out / "report.before"
    if report.exists():
        shutil.rmtree(before, ignore_errors=True)
        report.replace(before)


def _put_report_back(out: pathlib.Path) -> None:
    if (out / "report.before").exists():
        (out / "report.before").replace(out / "report")


def _publish_report(
    done: _Done, config: config_module.PipelineConfig, out: pathlib.Path, memory: Memory
) -> dict[str, Any]:
    """Puts the run's report, completed, into `out/report`; returns its summary."""
    from pipeline import config_fields
    from pipeline.local import recommend, report

    summary = report.publish(
        out,
        done.run,
        command=shlex.join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]),
        memory=memory,
        titles=recommend.read_titles(out / TITLES_FILE),
        config=config_fields.settings(config),
    )
    shutil.rmtree(out / "report.before", ignore_errors=True)
    return summary.model_dump(mode="json", by_alias=True)


def _write_titles(dataset: catalogue.Dataset, out: pathlib.Path) -> None:
    """Keeps the items' titles beside the model, for `ncf recommend`."""
    if dataset.titles is None:
        return
    titles = catalogue.read_titles(dataset.titles)
    with open(out / TITLES_FILE, "w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(("item_id", "title"))
        writer.writerows(titles.items())


def main() -> None:
    """Runs with the settings of the environment, for the `tfx` command."""
    config = config_module.load(
        os.environ.get("CONFIG"), dataset=os.environ.get("DATASET")
    )
    data_dir = os.environ.get("DATA_DIR")
    out = os.environ.get("OUT") or default_out(config)
    dataset = find_data(config, pathlib.Path(data_dir) if data_dir else None)
    run(config, dataset, out=pathlib.Path(out))


if __name__ == "__main__":
    main()
