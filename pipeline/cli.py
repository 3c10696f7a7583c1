"""The `ncf` command. Its parts are imported when they are used, so help is quick.

Exit statuses: 0, done (a model that is not blessed is a result, too); 1, a node or a
service failed; 2, the configuration, the data or the command line is refused, and
nothing has run; 130, stopped with Ctrl-C.
"""

import os
from typing import Annotated, Any

import typer
import typer.core

from ncf_model import libraries
from pipeline import gc_cli, interrupts, start_up
from pipeline.kfp import cli as kfp_cli
from pipeline.local import config_cli, history_cli, run_cli, tune_cli
from pipeline.messages import say
from pipeline.offline import cli as offline_cli
from pipeline.schedule import cli as schedule_cli
from pipeline.serving import cli as serving_cli
from pipeline.serving import evaluate_cli, manifests_cli, recommend_cli, versions_cli
from pipeline.tfjob import cli as tfjob_cli
from pipeline.vertex import cli as vertex_cli

_FIRST = ("run", "prepare", "config")  # The first in the list of commands.
_MODEL, _HISTORY = "The pushed model", "The runs in a folder"
_CLUSTER, _FILES = "Clusters", "Without TFX"


class _Group(typer.core.TyperGroup):
    """Ends all commands alike when they are stopped, or cannot read or write."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names in the order of help: what people do first comes first."""
        names = super().list_commands(ctx)
        first = [name for name in _FIRST if name in names]
        return [*first, *(name for name in names if name not in first)]

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that `ctx` names."""
        try:
            with interrupts.never_lost(), start_up.quiet_about_versions():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(interrupts.STOPPED) from None
        except BrokenPipeError:  # The reader has read enough, as in `ncf ... | head`.
            raise
        except OSError as error:
            say(str(error))
            raise typer.Exit(1) from None


app = typer.Typer(
    name="ncf",
    cls=_Group,
    help="Train, evaluate and ship a NeuMF recommender from a file of interactions.",
    epilog="Exit status: 0 done, 1 something failed, 2 refused before anything ran, "
    "130 stopped with Ctrl-C.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _cluster_commands(name: str, *, help_text: str) -> typer.Typer:
    """Returns the group of commands `ncf <name> ...`, one for each place to run."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name=name, help=help_text, rich_help_panel=_CLUSTER)
    return group


compile_app = _cluster_commands(
    "compile", help_text="Compile the pipeline for a cluster."
)
submit_app = _cluster_commands("submit", help_text="Submit a compiled pipeline.")
schedule_app = _cluster_commands(
    "schedule",
    help_text="Repeat runs on this machine; list and change schedules of clusters.",
)
compile_app.command("kfp")(kfp_cli.compile_kfp)
compile_app.command("tfjob")(tfjob_cli.compile_tfjob)
compile_app.command("vertex")(vertex_cli.compile_vertex)
compile_app.command("serving")(manifests_cli.compile_serving)
submit_app.command("kfp")(kfp_cli.submit_kfp)
submit_app.command("vertex")(vertex_cli.submit_vertex)

schedule_app.command("local")(schedule_cli.schedule_local)
schedule_app.command("kfp")(kfp_cli.schedule_kfp)
schedule_app.command("vertex")(vertex_cli.schedule_vertex)
app.command()(run_cli.run)
app.command()(run_cli.prepare)
app.command(rich_help_panel=_FILES)(offline_cli.sample)
app.command(rich_help_panel=_FILES)(offline_cli.train)
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
app.command(rich_help_panel=_HISTORY)(gc_cli.gc)
app.command(rich_help_panel=_HISTORY)(history_cli.tensorboard)


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
    """Train, evaluate and ship a NeuMF recommender from a file of interactions."""


@app.command()
def version() -> None:
    """Print the version of this package."""
    import importlib.metadata

    typer.echo(importlib.metadata.version("ncf-tfx"))


def main() -> None:
    """Runs the command."""
    libraries.set_up(os.environ)
    app()


if __name__ == "__main__":
    main()
