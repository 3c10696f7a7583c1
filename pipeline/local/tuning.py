"""Searches for better hyperparameters: runs the nodes of the data, then Tuner."""

import datetime
import json
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console
from rich.table import Table

from ncf_model.documents import Document
from ncf_model.tuning import space
from pipeline import options, start_up
from pipeline.config import PipelineConfig
from pipeline.local import endings, lock, running, terminal
from pipeline.local.store import RecordedRun, Store
from pipeline.nodes import ids
from pipeline.text import counted

if TYPE_CHECKING:
    from pipeline.data.catalogue import Dataset

_RESULTS, _FILE = "TunerResults", "tuner_results.json"
_SHOWN = 5
STOPPED = (
    "Stopped. The same command goes on with the trials that were running; those that "
    "have ended are kept."
)


class Trial(Document):
    """A configuration that was tried.

    Attributes:
        number: the number of the trial; 0 is the configuration before the search.
        score: the figure of the trial's best epoch.
        values: the trial's values of the searched fields.
    """

    number: int
    score: float
    values: dict[str, Any]


class Found(Document):
    """The result of a search.

    Attributes:
        dataset: the name of the data.
        objective: the figure that is maximised.
        start: the score of the configuration before the search.
        score: the score of the best trial.
        values: the best trial's values, by the dotted names of the fields.
        trials: all trials that ended, the best first.
        cached: whether an earlier search's result was used.
        seconds: how long the search took.
    """

    dataset: str
    objective: str
    start: float
    score: float
    values: dict[str, Any]
    trials: list[Trial]
    cached: bool
    seconds: float


def tune(
    config: PipelineConfig,
    dataset: "Dataset",
    *,
    out: pathlib.Path,
    quiet: bool = False,
    progress_to_errors: bool = False,
) -> Found:
    """Runs the pipeline up to Tuner; a run in the same folder uses the results.

    Args:
        config: what to compute; `tune` is set.
        dataset: as `inputs.find_data` returns it.
        out: the folder of the run.
        quiet: shows only the result.
        progress_to_errors: shows everything on standard error.

    Raises:
        endings.RunFailed: a node raised; the message is shown.
        ValueError: another process is at work in `out`, or it cannot be a run's folder.
        KeyboardInterrupt: Ctrl-C was pressed; the terminal says how to continue.
    """
    out = out.resolve()
    running.check_folder(out)
    log = out / "logs" / f"{datetime.datetime.now():%Y%m%d-%H%M%S}-tune.log"
    with (
        lock.alone(out, doing=f"a search on {dataset.name}"),
        terminal.output_to_file(log, to_errors=progress_to_errors) as console,
    ):
        console.quiet = quiet
        console.print(
            f"{dataset.name} into {out}, log in {log}", markup=False, soft_wrap=True
        )
        display = terminal.RunDisplay(console)
        with endings.shown(display, log, out, stopped=STOPPED):
            with display.following():
                _run(config, dataset, out, display)
            found = _read(config, dataset.name, Store(out))
        if not quiet:
            show(console, found)
    return found


def _run(
    config: PipelineConfig,
    dataset: "Dataset",
    out: pathlib.Path,
    display: terminal.RunDisplay,
) -> None:
    with display.waiting("loading TFX"), start_up.first_import("tfx"):
        # Late: these imports take many seconds, and nothing before needs them.
        from absl import logging as absl_logging
        from tfx.orchestration import metadata

        from pipeline import pipeline
        from pipeline.local import dag_runner, node_events

    absl_logging.set_verbosity(absl_logging.INFO)
    definition = pipeline.create_tuning(
        config,
        pipeline.Locations(
            interactions=str(dataset.path),
            pipeline_root=str(out / "pipeline_root"),
            serving=str(out / "serving"),
        ),
        metadata=metadata.sqlite_metadata_connection_config(
            str(out / "metadata.sqlite")
        ),
        beam_args=running.BEAM_ARGS,
    )
    runner = dag_runner.Runner(
        root=str(out / "pipeline_root"), serving=str(out / "serving")
    )
    with display.progress_within_nodes(), node_events.told_to(display):
        runner.run(definition)


def _read(config: PipelineConfig, dataset: str, store: Store) -> Found:
    """Returns the result of Tuner in the newest run."""
    run: RecordedRun = store.runs[-1]
    node = run.execution(ids.TUNER)
    if node is None or node.state not in ("COMPLETE", "CACHED"):
        raise RuntimeError("ML Metadata has no result of Tuner; search again.")
    (results,) = store.of_type(node.outputs, _RESULTS)
    maker = store.producer(results.id) or node
    records = json.loads((pathlib.Path(results.uri) / _FILE).read_text("utf-8"))
    trials = [_trial(record) for record in records]
    assert config.tune is not None  # noqa: S101  # Who calls has set it.
    # The first trial always ends, or the search fails.
    (start,) = (trial.score for trial in trials if trial.number == 0)
    return Found(
        dataset=dataset,
        objective=config.tune.objective_of(config.model, config.sampling),
        start=start,
        score=trials[0].score,
        values=trials[0].values,
        trials=trials,
        cached=node.state == "CACHED",
        seconds=maker.seconds,
    )


def _trial(record: Mapping[str, Any]) -> Trial:
    values = dict(record)
    number, score = int(values.pop("trial_id")), values.pop("score")
    plain = {name: space.plain(value) for name, value in values.items()}
    return Trial(number=number, score=score, values=plain)


def show(console: Console, found: Found) -> None:
    """Prints the best trials beside the first."""
    first = next(trial for trial in found.trials if trial.number == 0)
    shown = found.trials[:_SHOWN]
    if first not in shown:
        shown = [*shown, first]
    table = Table("trial", found.objective, box=None, padding=(0, 2, 0, 0))
    for name in found.values:
        table.add_column(name.rpartition(".")[2])
    for trial in shown:
        name = "as it was" if trial is first else str(trial.number)
        values = (_short(value) for value in trial.values.values())
        table.add_row(name, f"{trial.score:.4f}", *values)
    console.print(table)
    tried = f"{counted(len(found.trials), 'trial')} in {found.seconds:.0f} s"
    if found.score > found.start:
        console.print(
            f"{tried}: {found.objective} "
            f"{found.start:.4f} -> {found.score:.4f} on the validation items. The best "
            "of many looks better than it is: a run says what it is worth.",
            markup=False,
        )
    else:
        console.print(
            f"{tried}: none is better than the configuration "
            f"as it was, {found.objective} {found.start:.4f}.",
            markup=False,
        )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else json.dumps(value)


def write_config(file: pathlib.Path, config: PipelineConfig, found: Found) -> None:
    """Writes a configuration that trains with what was found, without a search.

    Args:
        file: must not exist.
        config: the configuration before the search.
        found: the result of the search.

    Raises:
        ValueError: the file exists, or cannot be written there.
    """
    options.check_new_file(file)
    changed = config.model_dump(mode="json", exclude_defaults=True)
    changed.pop("tune", None)
    changed.setdefault("data", {})["dataset"] = config.data.dataset
    for name, value in found.values.items():
        *parents, leaf = name.split(".")
        section = changed
        for parent in parents:
            section = section.setdefault(parent, {})
        several = isinstance(space.get(config.trainer_config(), name), list)
        section[leaf] = [value] if several and not isinstance(value, list) else value
    text = (
        f"# Of {counted(len(found.trials), 'trial')} on {found.dataset}: "
        f"{found.objective} {found.score:.4f} on the validation items,\n"
        f"# {found.start:.4f} before.\n"
    )
    text += yaml.safe_dump(changed, sort_keys=False, allow_unicode=True)
    file.write_text(text, encoding="utf-8")
