"""The `ncf` command. Each part is imported when it is used: help answers at once.

Exit statuses: 0, done (a model that is not blessed is a result, too); 1, a node or a
service failed; 2, the configuration, the data or the command line is refused, and
nothing has run; 130, stopped with Ctrl-C.
"""

import json
import pathlib
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
import typer.core

from pipeline.kfp import cli as kfp_cli
from pipeline.local import config_cli, history_cli, tune_cli
from pipeline.schedule import cli as schedule_cli
from pipeline.serving import cli as serving_cli
from pipeline.serving import evaluate_cli, manifests_cli, recommend_cli, versions_cli
from pipeline.vertex import cli as vertex_cli

if TYPE_CHECKING:
    from pipeline import local_runner
    from pipeline.config import PipelineConfig
    from pipeline.data.catalogue import Dataset as FoundData

STOPPED = 130  # as a shell has it: 128 + SIGINT
_FIRST = ("run", "prepare", "config")  # in the list of commands
_MODEL, _HISTORY = "The pushed model", "The runs in a folder"
_CLUSTER, _FILES = "Clusters", "Without TFX"


class _Group(typer.core.TyperGroup):
    """Ends each command in the same way when it is stopped, or cannot read or write."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names as help lists them: what one does first comes first."""
        names = super().list_commands(ctx)
        first = [name for name in _FIRST if name in names]
        return [*first, *(name for name in names if name not in first)]

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that `ctx` names."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(STOPPED) from None
        except BrokenPipeError:  # The reader has what it wanted: `ncf ... | head`.
            raise
        except OSError as error:
            _say(str(error))
            raise typer.Exit(1) from None


app = typer.Typer(
    name="ncf",
    cls=_Group,
    help="Train, judge and ship a NeuMF recommender from a file of interactions.",
    epilog="Exit status: 0 done, 1 something failed, 2 refused before anything ran, "
    "130 stopped with Ctrl-C.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

compile_app = typer.Typer(no_args_is_help=True)
submit_app = typer.Typer(no_args_is_help=True)
app.add_typer(
    compile_app,
    name="compile",
    help="Compile the pipeline for a cluster.",
    rich_help_panel=_CLUSTER,
)
app.add_typer(
    submit_app,
    name="submit",
    help="Submit a compiled pipeline.",
    rich_help_panel=_CLUSTER,
)
compile_app.command("kfp")(kfp_cli.compile_kfp)
compile_app.command("tfjob")(kfp_cli.compile_tfjob)
compile_app.command("vertex")(vertex_cli.compile_vertex)
compile_app.command("serving")(manifests_cli.compile_serving)
submit_app.command("kfp")(kfp_cli.submit_kfp)
submit_app.command("vertex")(vertex_cli.submit_vertex)
schedule_app = typer.Typer(no_args_is_help=True)
app.add_typer(
    schedule_app,
    name="schedule",
    help="Have runs come again, here; see and change those of clusters.",
    rich_help_panel=_CLUSTER,
)
schedule_app.command("local")(schedule_cli.schedule_local)
schedule_app.command("kfp")(kfp_cli.schedule_kfp)
schedule_app.command("vertex")(vertex_cli.schedule_vertex)
app.command(rich_help_panel=_MODEL)(recommend_cli.recommend)
app.command(rich_help_panel=_MODEL)(recommend_cli.similar)
app.command(rich_help_panel=_MODEL)(evaluate_cli.evaluate)
app.command(rich_help_panel=_MODEL)(serving_cli.serve)
app.command("versions", rich_help_panel=_MODEL)(versions_cli.list_versions)
app.command(rich_help_panel=_MODEL)(versions_cli.rollback)
app.command()(schedule_cli.retry)
app.command("config")(config_cli.show_config)
app.command()(tune_cli.tune)
app.command(rich_help_panel=_HISTORY)(history_cli.runs)
app.command(rich_help_panel=_HISTORY)(history_cli.compare)
app.command(rich_help_panel=_HISTORY)(history_cli.lineage)
app.command(rich_help_panel=_HISTORY)(history_cli.gc)
app.command(rich_help_panel=_HISTORY)(history_cli.tensorboard)

Dataset = Annotated[
    str | None,
    typer.Option(
        help="ml-100k, ml-1m, ml-10m, ml-20m, ml-25m, ml-32m, ml-latest-small, "
        "synthetic, or the path of a file or a folder of files."
    ),
]
ConfigFile = Annotated[
    str | None,
    typer.Option(
        "--config", help="A YAML file, or a shipped one's name such as ml-1m."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any field of the configuration, as a.b=value."),
]
Out = Annotated[
    pathlib.Path | None,
    typer.Option(help="The run's folder.", show_default="runs/<pipeline>-<data set>"),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")
]
DataDir = Annotated[
    pathlib.Path | None,
    typer.Option(envvar="DATA_DIR", help="A folder of data sets to look into first."),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and end.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Train, judge and ship a NeuMF recommender from a file of interactions."""


@app.command()
def run(
    dataset: Dataset = None,
    config: ConfigFile = None,
    out: Out = None,
    data_dir: DataDir = None,
    overrides: Overrides = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the verdict alone.")
    ] = False,
    as_json: AsJson = False,
    allow_shrink: Annotated[
        bool,
        typer.Option("--allow-shrink", help="Lift `data.max_shrink` for this run."),
    ] = False,
    fresh_metadata: Annotated[
        bool,
        typer.Option(
            "--fresh-metadata",
            help="Move records and artifacts of earlier runs aside; serving stays.",
        ),
    ] = False,
) -> None:
    """Run the whole pipeline on this machine."""
    if not quiet:  # Before slow imports.
        typer.echo("Checking the configuration and the data ...", err=as_json)
    from pipeline import local_runner

    lifted = ["data.max_shrink=1"] if allow_shrink else []
    settings = _settings(dataset, config, [*(overrides or ()), *lifted])
    found = _data(settings, data_dir)
    try:
        seen = local_runner.understand(settings, found)
        if not quiet:
            _show(seen, errors=as_json)
        summary = local_runner.run(
            settings,
            found,
            out=out or local_runner.default_out(settings, found),
            item_titles=seen.titles,
            quiet=quiet,
            progress_to_errors=as_json,
            fresh_metadata=fresh_metadata,
        )
    except local_runner.RunFailed:
        raise typer.Exit(1) from None
    except ValueError as error:
        _refuse(error)
    if as_json:
        typer.echo(json.dumps(summary, indent=2))


@app.command()
def prepare(
    dataset: Dataset = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    overrides: Overrides = None,
    new_config: Annotated[
        pathlib.Path | None,
        typer.Option(
            "--write-config",
            help="Write a configuration that reads the data: a new YAML file.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the data set, read all of it, say how it is understood and where it is."""
    from pipeline.local import understood

    settings = _settings(dataset, config, overrides)
    try:
        if new_config is not None:
            from pipeline.local import own_data

            settings, found, seen = own_data.settle(settings, data_dir)
        else:
            from pipeline import local_runner

            found = _data(settings, data_dir)
            seen = local_runner.understand(settings, found, at_most=float("inf"))
        if not as_json:
            _show(seen, errors=True)
        if new_config is not None:
            understood.write_config(new_config, seen.overview, settings.data)
            _say(f"Wrote {new_config}. Next: ncf run --config {new_config}", "green")
    except ValueError as error:
        _refuse(error)
    if as_json:
        typer.echo(json.dumps(understood.as_json(seen.overview, found.path), indent=2))
    else:
        typer.echo(found.path)


@app.command(rich_help_panel=_FILES)
def sample(
    output: Annotated[pathlib.Path, typer.Option(help="A new or empty folder.")],
    file_format: Annotated[
        str, typer.Option("--format", help="tfrecord (the official NCF's) or parquet.")
    ] = "tfrecord",
    epochs: Annotated[
        int | None, typer.Option(help="Of training rows.", show_default="train.epochs")
    ] = None,
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Train on validation items, too; no such lists."),
    ] = False,
    train_prebatch_size: Annotated[
        int, typer.Option(help="Training rows per Example.")
    ] = 99000,
    eval_prebatch_size: Annotated[
        int, typer.Option(help="Evaluation rows per Example.")
    ] = 99000,
    dataset: Dataset = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    overrides: Overrides = None,
) -> None:
    """Write training rows and ranked lists to files, for use outside TFX."""
    settings = _settings(dataset, config, overrides)
    found = _data(settings, data_dir)
    _quieten_tensorflow()
    from pipeline.offline import sample as sample_module

    form = sample_module.Form(
        format=file_format,
        train_prebatch_size=train_prebatch_size,
        eval_prebatch_size=eval_prebatch_size,
    )
    try:
        metadata = sample_module.sample(
            settings, found, output, form=form, epochs=epochs, refit=refit
        )
    except ValueError as error:
        _refuse(error)
    typer.echo(
        f"{output}: {metadata['num_train_epochs']} epochs of "
        f"{metadata['num_train_elements']} training rows, "
        f"{metadata['num_eval_elements']} evaluation rows"
    )


@app.command(rich_help_panel=_FILES)
def train(
    train_dataset_path: Annotated[
        str, typer.Option(help="Pattern of training files; a folder is an epoch.")
    ],
    eval_dataset_path: Annotated[
        str, typer.Option(help="Pattern of files of ranked lists.")
    ],
    input_meta_data_path: Annotated[str, typer.Option(help="Their metadata, JSON.")],
    output: Annotated[pathlib.Path, typer.Option(help="A new or empty folder.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Train and judge NeuMF on files of `ncf sample` or of the official NCF."""
    settings = _settings(None, config, overrides)
    _quieten_tensorflow()
    from pipeline.local import terminal
    from pipeline.offline import train as train_module

    def report(record: dict[str, float]) -> None:
        figures = "loss {loss:.4f} HR@10 {hit_rate@10:.4f} NDCG@10 {ndcg@10:.4f}"
        console.print(f"epoch {record['epoch']}: {figures.format_map(record)}")

    source = train_module.Source(
        train_dataset_path=train_dataset_path,
        eval_dataset_path=eval_dataset_path,
        input_meta_data_path=input_meta_data_path,
    )
    try:
        # What XLA tells of itself is for the log.
        with terminal.output_to_file(output.with_name(f"{output.name}.log")) as console:
            train_module.train(settings, source, output, report=report)
    except ValueError as error:
        _refuse(error)
    typer.echo(f"{output / train_module.MODEL_FILE}")


@app.command()
def version() -> None:
    """Print the version of this package."""
    import importlib.metadata

    typer.echo(importlib.metadata.version("ncf-tfx"))


def _settings(
    dataset: str | None, config: str | None, overrides: list[str] | None
) -> "PipelineConfig":
    from pipeline import config as config_module

    try:
        return config_module.load(config, overrides or (), dataset=dataset)
    except ValueError as error:
        _refuse(error)


def _data(settings: "PipelineConfig", data_dir: pathlib.Path | None) -> "FoundData":
    from pipeline import local_runner

    try:
        return local_runner.find_data(settings, data_dir)
    except ValueError as error:
        _refuse(error)


def _refuse(error: ValueError) -> NoReturn:
    """Ends with the message of `error` and no traceback."""
    _say(str(error))
    raise typer.Exit(2)


def _quieten_tensorflow() -> None:
    """Imports TensorFlow so that it tells nothing of itself."""
    import warnings

    from pipeline.local import recommend

    warnings.simplefilter("ignore", FutureWarning)
    recommend.import_tensorflow()


def _show(seen: "local_runner.Understood", *, errors: bool) -> None:
    from rich.console import Console

    from pipeline.local import understood

    console = Console(stderr=errors, highlight=False)
    understood.show(console, seen.overview, seen.titles)


def _say(message: str, colour: str = "red") -> None:
    """Prints on standard error, in colour where NO_COLOR and the terminal allow it."""
    from rich.console import Console

    from pipeline.local.text import printable

    console = Console(stderr=True, highlight=False)
    text = printable(message, lines=True)
    console.print(text, style=colour, markup=False, soft_wrap=True)


def main() -> None:
    """Runs the command."""
    app()


if __name__ == "__main__":
    main()
