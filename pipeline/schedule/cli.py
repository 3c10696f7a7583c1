"""`ncf schedule local` and `ncf retry`."""

import enum
import pathlib
import shutil
import sys
from typing import Annotated

import typer

from pipeline.messages import refuse
from pipeline.options import ConfigFile, DataDir, Dataset, Overrides


class Scheduler(str, enum.Enum):
    """What starts the runs."""

    systemd = "systemd"
    cron = "cron"


Times = Annotated[int, typer.Option(min=0, help="How often a failure is tried again.")]
After = Annotated[float, typer.Option(min=0, help="Seconds to wait before each try.")]
Webhook = Annotated[
    str | None,
    typer.Option(
        envvar="NCF_WEBHOOK", help="URL to which a failure is posted as JSON."
    ),
]


def retry(
    arguments: Annotated[
        list[str], typer.Argument(help="The command, after --, such as: -- run --quiet")
    ],
    times: Times = 2,
    after_s: After = 600,
    webhook: Webhook = None,
) -> None:
    """Run an ncf command, again if it fails; tell a webhook if it still fails."""
    from pipeline.schedule import retry as rule

    try:
        _check(webhook)
    except ValueError as error:
        refuse(error)
    status = rule.run(
        arguments, times=times, after_s=after_s, webhook=webhook, say=typer.echo
    )
    raise typer.Exit(status)


def schedule_local(
    cron: Annotated[
        str,
        typer.Option(help="Minute, hour, day, month, weekday; UTC for systemd."),
    ] = "0 3 * * *",
    form: Annotated[
        Scheduler, typer.Option("--as", help="A timer of systemd, or a line of cron.")
    ] = Scheduler.systemd,
    name: Annotated[
        str | None, typer.Option(help="The units' name.", show_default="pipeline_name")
    ] = None,
    dataset: Dataset = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    out: Annotated[pathlib.Path | None, typer.Option(help="The runs' folder.")] = None,
    data_dir: DataDir = None,
    times: Times = 2,
    after_s: After = 600,
    webhook: Webhook = None,
    units: Annotated[
        pathlib.Path | None,
        typer.Option(
            help="Folder for systemd's files.", show_default="they are printed"
        ),
    ] = None,
) -> None:
    """Write the files that run the pipeline again and again on this machine."""
    from pipeline import config as config_module
    from pipeline.schedule import local

    try:
        settings = config_module.load(config, overrides or (), dataset=dataset)
        _check(webhook)
        job = local.Job(
            name=settings.pipeline_name if name is None else name,
            cron=cron,
            run=_run_arguments(dataset, config, overrides, out, data_dir),
            folder=pathlib.Path.cwd(),
            program=_program(),
            retries=times,
            retry_after_s=after_s,
            webhook=webhook,
        )
        if form is Scheduler.cron:
            typer.echo(local.cron_line(job))
        else:
            _write(local.units(job), units, job.name)
    except ValueError as error:
        refuse(error)


def _check(webhook: str | None) -> None:
    """Raises ValueError if `--webhook` is given and cannot be posted to."""
    from pipeline import webhook as webhooks

    if webhook is not None:
        webhooks.check(webhook)


def _run_arguments(
    dataset: str | None,
    config: str | None,
    overrides: list[str] | None,
    out: pathlib.Path | None,
    data_dir: pathlib.Path | None,
) -> list[str]:
    given = {
        "--dataset": dataset,
        "--config": config,
        "--out": out,
        "--data-dir": data_dir,
    }
    words = [w for k, v in given.items() if v is not None for w in (k, str(v))]
    changes = [word for change in overrides or () for word in ("--set", change)]
    return ["run", "--quiet", *words, *changes]


def _program() -> pathlib.Path:
    beside = pathlib.Path(sys.executable).with_name("ncf")
    found = str(beside) if beside.exists() else shutil.which("ncf")
    if found is None:
        raise ValueError(f"There must be a command `ncf` beside {sys.executable}.")
    return pathlib.Path(found)


def _write(texts: dict[str, str], folder: pathlib.Path | None, name: str) -> None:
    if folder is None:
        for file, text in texts.items():
            typer.echo(f"# {file}\n{text}")
        return
    service = folder / f"{name}.service"
    if service.exists() and service.read_bytes() != texts[service.name].encode():
        raise ValueError(
            f"{service} starts another command. Give this schedule a `--name` of its "
            "own, or remove the file."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
        typer.echo(folder / file)
    typer.echo(
        "Next: systemctl --user daemon-reload && systemctl --user enable --now "
        f"{name}.timer (files in ~/.config/systemd/user; without --user in "
        "/etc/systemd/system). With --user, `loginctl enable-linger` once, or nothing "
        "runs while you are logged out.",
        err=True,
    )
