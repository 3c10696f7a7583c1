"""Runs the pipeline on this machine, from the configuration to the printed result."""

import dataclasses
import datetime
import glob
import os
import pathlib
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components.report.document import Summary
from ncf_model.serving import versions
from pipeline import config as config_module
from pipeline import start_up
from pipeline.data import catalogue, titles
from pipeline.local import (
    early_start,
    endings,
    health,
    in_service,
    lock,
    machine,
    quality,
    result,
    space,
    terminal,
)
from pipeline.local.memory import Memory
from pipeline.nodes import infra_validator

if TYPE_CHECKING:
    from pipeline.local import executions

# The in-memory runner is named, because Beam's default first tries to download another
# one. The container image is never used by this runner, but without one TFX packs its
# own source for every component, for workers that do not exist.
BEAM_ARGS = ("--runner=FnApiRunner", "--sdk_container_image=none")
_WRITTEN = ("logs", "pipeline_root", "checkpoints", "serving")  # folders of a run
STOPPED = (
    "Stopped. The same command continues with the node that was "
    "running; a training, after its last whole epoch."
)


def default_out(
    config: config_module.PipelineConfig, dataset: catalogue.Dataset
) -> pathlib.Path:
    """Returns the default folder of a run, `runs/<pipeline name>-<data set>`.

    Files of the same name in two folders are different data, and get different folders.
    """
    name = re.sub(r"[^\w.-]+", "-", dataset.name)[:100]
    parts = [config.pipeline_name, name, dataset.key]
    return pathlib.Path("runs") / "-".join(part for part in parts if part)


def run(
    config: config_module.PipelineConfig,
    dataset: catalogue.Dataset,
    *,
    out: pathlib.Path,
    item_titles: Mapping[str, str] | None = None,
    quiet: bool = False,
    progress_to_errors: bool = False,
    fresh_metadata: bool = False,
    beam_workers: int | None = None,
) -> Summary | None:
    """Runs the pipeline, showing its progress; returns its summary.

    The run leaves `metadata.sqlite`, `pipeline_root/`, `serving/`, `report/` and
    `logs/` in `out`. Everything that nodes print goes to the log file, which the first
    line names. The report of the run before is in `report.before/` until this run has
    its own.

    Args:
        config: what to compute.
        dataset: the data, as `inputs.find_data` returns them.
        out: the folder of the run, made if need be. Runs in the same folder share their
            cached results.
        item_titles: the titles of the items, which are kept beside the model; None
            looks for them in the data.
        quiet: shows only whether the model was blessed, and errors.
        progress_to_errors: shows everything on standard error.
        fresh_metadata: moves records and artifacts of earlier runs aside; see `health`.
        beam_workers: how many processes share the work of a node on Beam; None chooses
            by the size of its input, see `beam.workers`.

    Returns:
        The summary; None if LocalDagRunner ran nothing, as when the `tfx` command only
        asks for the pipeline's name.

    Raises:
        RunFailed: a node raised; the message is shown and the log has the traceback.
        ValueError: `out` cannot be a run's folder, Docker is needed and does not
            answer, or this machine has not what `train.strategy` needs. Two kinds of it
            are `lock.Busy`, if another process is at work in `out`, and
            `health.Damaged`, if the records in `out` are not whole.
        space.NoSpaceError: the disk is full.
        KeyboardInterrupt: Ctrl-C was pressed; the terminal says how to continue.
    """
    out = out.resolve()
    check_folder(out)
    if item_titles is None:
        item_titles = titles.find(config.data.titles, config.data, dataset)
    infra_validator.require_docker(config)
    machine.require(config.train)
    shown = _Shown(quiet=quiet, progress_to_errors=progress_to_errors)
    with lock.alone(out, doing=f"a run on {dataset.name}"):
        if fresh_metadata:
            health.set_aside(out)
        health.check(out)
        return _run_alone(config, dataset, out, item_titles, shown, beam_workers)


def check_folder(out: pathlib.Path) -> None:
    """Makes sure that a run, or a search, can write into a folder.

    Raises:
        ValueError: `out` cannot be a run's folder.
        space.NoSpaceError: the disk is full.
    """
    if glob.has_magic(str(out)):
        raise ValueError(
            "The run's folder must have none of `*?[` in its path, which TFX takes for "
            f"a pattern; got {out}."
        )
    space.check(_that_is_there(out), 0, what="a run")
    for name in _WRITTEN:
        _that_is_there(out / name)


def _that_is_there(folder: pathlib.Path) -> pathlib.Path:
    """Returns a folder, or the nearest one above it that exists.

    Raises:
        ValueError: what exists is a file or may not be written to, is a link to what
            is not there, or the name is impossible.
    """
    why = ""
    try:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        if folder.is_symlink() and there != folder:
            why = f"{folder} is a link to what is not there"
        elif not there.is_dir():
            why = f"{there} is a file"
        elif not os.access(there, os.W_OK | os.X_OK):
            why = f"{there} may not be written to"
    except OSError as error:
        why = str(error.strerror)
    if why:
        raise ValueError(
            "The run's folder must be one that can be made and written to; got "
            f"{str(folder)[:200]}: {why}. Name another with --out."
        )
    return there


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Shown:
    """Which parts of a run the terminal shows; see `run`."""

    quiet: bool
    progress_to_errors: bool


def _run_alone(
    config: config_module.PipelineConfig,
    dataset: catalogue.Dataset,
    out: pathlib.Path,
    item_titles: Mapping[str, str],
    shown: _Shown,
    beam_workers: int | None,
) -> Summary | None:
    """Does what `run` promises, in a folder that this process has locked."""
    log = out / "logs" / f"{datetime.datetime.now():%Y%m%d-%H%M%S}.log"
    with terminal.output_to_file(log, to_errors=shown.progress_to_errors) as console:
        console.quiet = shown.quiet
        console.print(
            f"{dataset.name} into {out}, log in {log}", markup=False, soft_wrap=True
        )
        if config.push.bulk is not None:
            titles.write(item_titles, out)  # The node BulkRecommendations reads them.
        display, measured = terminal.RunDisplay(console), Memory()
        before = in_service.find(out)
        with endings.shown(display, log, out, stopped=STOPPED):
            with (
                display.following(),
                measured.watching(),
                early_start.of_beam(beam_workers, str(dataset.path)),
            ):
                done = _run_pipeline(config, dataset, out, display, beam_workers)
            if done is None:
                return None
            titles.write(item_titles, out)
            summary = _publish_report(done, config, out, measured, before)
            _check_served(summary.pushed_to, out)
            quality.note(summary)
        result.print_summary(console, summary)
        result.print_next(console, summary, out)
        if shown.quiet:
            console.quiet = False
            result.print_verdict(console, summary)
    return summary


@dataclasses.dataclass(frozen=True)
class _Done:
    """A run with a result: the metadata store, the run's id in it, and its nodes."""

    store: Any
    run: int
    nodes: list["executions.NodeRun"]


def _run_pipeline(
    config: config_module.PipelineConfig,
    dataset: catalogue.Dataset,
    out: pathlib.Path,
    display: terminal.RunDisplay,
    beam_workers: int | None,
) -> _Done | None:
    """Runs all nodes; returns their records in ML Metadata, None if nothing ran.

    Raises:
        RuntimeError: a node has no result although no node raised an error.
    """
    with display.waiting("loading TFX"), start_up.first_import("tfx"):
        # Late: these imports take many seconds, and nothing before needs them.
        from absl import logging as absl_logging
        from tfx.orchestration import metadata

        from pipeline import pipeline
        from pipeline.local import dag_runner, executions, node_events

    absl_logging.set_verbosity(absl_logging.INFO)
    store = metadata.sqlite_metadata_connection_config(str(out / "metadata.sqlite"))
    root, serving = str(out / "pipeline_root"), str(out / "serving")
    definition = pipeline.create_pipeline(
        config,
        pipeline.Locations(
            interactions=dataset.location,
            pipeline_root=root,
            serving=serving,
            titles=str(out / titles.FILE_NAME),
            titles_digest=titles.digest(out),
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
            display.earlier = executions.seconds(handle.store, before)
    runner = dag_runner.Runner(root=root, serving=serving, beam_workers=beam_workers)
    with display.progress_within_nodes(), node_events.told_to(display):
        runner.run(definition)
    done = None
    if (out / "metadata.sqlite").exists():
        with metadata.Metadata(store) as handle:
            if run_id := executions.latest_run(handle.store, after=before):
                done = _Done(store, run_id, executions.of_run(handle.store, run_id))
    if done is None:
        _put_report_back(out)
        return None
    _check_finished([component.id for component in definition.components], done.nodes)
    display.complete(done.nodes)
    return done


def _check_finished(ids: list[str], nodes: list["executions.NodeRun"]) -> None:
    """Raises RuntimeError if one of the pipeline's nodes has no result."""
    from pipeline.local import executions

    if missing := executions.unfinished(ids, nodes):
        raise RuntimeError(
            f"ML Metadata has no result of {', '.join(missing)} although nothing "
            "failed. The same command runs the missing nodes."
        )


def _set_report_aside(out: pathlib.Path) -> None:
    """Moves an earlier report aside, so that it does not look like this run's."""
    report, before = out / "report", out / "report.before"
    if report.exists():
        shutil.rmtree(before, ignore_errors=True)
        report.replace(before)


def _put_report_back(out: pathlib.Path) -> None:
    if (out / "report.before").exists():
        (out / "report.before").replace(out / "report")


def _publish_report(
    done: _Done,
    config: config_module.PipelineConfig,
    out: pathlib.Path,
    memory: Memory,
    before: versions.Version | None,
) -> Summary:
    """Puts the run's report, completed, into `out/report`; returns its summary."""
    from pipeline import config_fields
    from pipeline.local import report
    from pipeline.serving.titles import read as read_titles

    summary = report.publish(
        out,
        done.run,
        command=shlex.join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]),
        memory=memory,
        before=before,
        titles=read_titles(out / titles.FILE_NAME),
        config=config_fields.settings(config),
    )
    shutil.rmtree(out / "report.before", ignore_errors=True)
    return summary


def _check_served(pushed_to: str | None, out: pathlib.Path) -> None:
    """Raises RuntimeError if the served model is not that of the report."""
    newest = versions.newest(out / "serving")
    if pushed_to and (newest is None or newest.path != pushed_to):
        shutil.rmtree(out / "report", ignore_errors=True)
        raise RuntimeError(
            f"The model of this run is {pushed_to}, but the newest version in "
            f"{out / 'serving'} is {newest.number if newest else 'none'}: another "
            "process changed the folder meanwhile. The same command pushes it again."
        )
