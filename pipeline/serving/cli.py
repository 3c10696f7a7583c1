"""`ncf serve`."""

import os
import pathlib
from typing import Annotated

import typer

from pipeline.messages import refuse

Out = Annotated[
    pathlib.Path | None,
    typer.Option(help="The run's folder.", show_default="the latest under runs/"),
]
Folder = Annotated[
    str | None,
    typer.Argument(
        help="A run's folder, or a folder of versions, gs:// too.",
        show_default="the latest run under runs/",
    ),
]


def serve(
    folder: Folder = None,
    out: Out = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 takes a free one.")
    ] = 8501,
    titles: Annotated[
        pathlib.Path | None,
        typer.Option(
            help="A CSV of item_id,title.", show_default="the run's titles.csv"
        ),
    ] = None,
    api_key_file: Annotated[
        pathlib.Path | None,
        typer.Option(
            help="A file with the key that clients must send; or NCF_API_KEY."
        ),
    ] = None,
    without_key: Annotated[
        bool, typer.Option("--without-key", help="Listen to others without a key.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Start before anything was pushed.")
    ] = False,
    max_batch: Annotated[int, typer.Option(help="Rows per request.")] = 1024,
    max_k: Annotated[int, typer.Option(help="Items per list.")] = 1000,
    max_body_bytes: Annotated[int, typer.Option(help="Bytes per request.")] = 1 << 20,
    max_concurrency: Annotated[int, typer.Option(help="Requests at a time.")] = 64,
) -> None:
    """Serve over HTTP: TensorFlow Serving's REST API, lists with titles, a page."""
    from pipeline.serving import loaded_model, server, settings

    try:
        serving = serving_folder(folder, out)
        chosen = settings.ServeSettings(
            serving=serving,
            titles=titles or loaded_model.default_titles(serving),
            host=host,
            port=port,
            api_key=_api_key(api_key_file),
            max_batch=max_batch,
            max_k=max_k,
            max_body_bytes=max_body_bytes,
            max_concurrency=max_concurrency,
            # Looking into a bucket takes several requests.
            poll_s=10.0 if "://" in serving else 1.0,
        )
        chosen.check_exposure(without_key=without_key)
        server.serve(chosen, wait=wait, say=lambda text: typer.echo(text, err=True))
    except (ValueError, OSError) as error:
        refuse(error)


def serving_folder(folder: str | None, out: pathlib.Path | None) -> str:
    """Returns the serving folder that the options name."""
    if folder is not None and out is not None:
        raise ValueError("Name the folder once: as the argument or with --out.")
    if folder is None and out is None:
        out = _latest_out(pathlib.Path("runs"))
    named = str(folder or out)
    if "://" in named:
        return named
    inner = pathlib.Path(named) / "serving"
    return str(inner if inner.is_dir() or not _has_versions(named) else named)


def _latest_out(runs: pathlib.Path) -> pathlib.Path:
    """Returns the folder under `runs` whose model was pushed last.

    Raises:
        ValueError: none has a pushed model.
    """
    files = list(runs.glob("*/serving/*/saved_model.pb"))
    if not files:
        raise ValueError(
            f"No pushed model under {runs}/*/serving. Run `ncf run` first, or name its "
            "folder with --out."
        )
    return max(files, key=lambda file: file.stat().st_mtime).parents[2]


def _has_versions(folder: str) -> bool:
    return any(child.name.isdigit() for child in pathlib.Path(folder).glob("*/"))


def _api_key(file: pathlib.Path | None) -> str | None:
    if file is not None:
        return file.read_text(encoding="utf-8").strip()
    return os.environ.get("NCF_API_KEY") or None
