"""Makes a folder for TensorBoard: the curves of trainings, and the items as points.

TensorBoard's projector needs the vectors and their names as files; the vectors are
those of the served model.
"""

import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterable

import numpy as np

from ncf_model.serving import versions
from pipeline import start_up
from pipeline.local import runs
from pipeline.local.store import Store
from pipeline.nodes import ids
from pipeline.serving.titles import read as read_titles

FOLDER = "tensorboard"
# With more points the projector is slow; the most frequent items are taken.
MOST_ITEMS = 10_000
_CONFIG = """\
embeddings {
  tensor_name: "items"
  tensor_path: "items.tsv"
  metadata_path: "names.tsv"
}
"""


def prepare(out: pathlib.Path) -> pathlib.Path:
    """Writes the folder anew and returns it.

    Args:
        out: the folder of the runs.

    Raises:
        ValueError: no run was recorded in `out`.
    """
    folder = out / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _copy_curves(out, folder)
    newest = versions.newest(out / "serving")
    if newest is None:  # Without a pushed model there are curves, but no items.
        return folder
    model = pathlib.Path(newest.path)
    vectors = _item_vectors(model)[:MOST_ITEMS]
    ids = (model / "assets" / "item_id").read_text(encoding="utf-8").split("\n")
    titles = read_titles(out / "titles.csv")
    names = [(item, titles.get(item, "")) for item in ids[: len(vectors)]]
    write_projector(folder, vectors, names)
    return folder


def write_projector(
    folder: pathlib.Path, vectors: np.ndarray, names: Iterable[tuple[str, str]]
) -> None:
    """Writes the files of TensorBoard's projector.

    Args:
        folder: the folder that TensorBoard reads.
        vectors: [N, dimensions] float.
        names: the raw id and the title of each item.
    """
    np.savetxt(folder / "items.tsv", vectors, fmt="%.6g", delimiter="\t")
    lines = ["item\ttitle", *("\t".join(map(_cell, pair)) for pair in names)]
    (folder / "names.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "projector_config.pbtxt").write_text(_CONFIG, encoding="utf-8")


def start(folder: pathlib.Path, *, port: int) -> int:
    """Runs TensorBoard until it is stopped; returns its exit status."""
    command = [sys.executable, "-m", "tensorboard.main", f"--logdir={folder}"]
    # Of TensorBoard's own words only the address and its errors are shown.
    quiet = {"PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment = quiet | os.environ
    return subprocess.run(
        [*command, f"--port={port}"], check=False, env=environment
    ).returncode


def _copy_curves(out: pathlib.Path, folder: pathlib.Path) -> None:
    """Copies the logs of every training, into a folder named after its run."""
    store = Store(out)
    for run in store.runs:
        trainer = run.execution(ids.TRAINER)
        if trainer is None or trainer.state == "CACHED":
            continue
        for artifact in store.of_type(trainer.outputs, "ModelRun"):
            source = runs.local_path(out, artifact.uri)
            if source.is_dir():
                target = folder / f"run {run.number}"
                shutil.copytree(source, target, dirs_exist_ok=True)


def _item_vectors(model: pathlib.Path) -> np.ndarray:
    """Returns the items' vectors of a SavedModel, [items, dimensions]."""
    tf = start_up.import_tensorflow()
    loaded = tf.saved_model.load(str(model))
    parts = [part.numpy() for part in loaded._item_part if part is not None]
    # The last row belongs to unknown items.
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)[:-1]


def _cell(text: str) -> str:
    return text.replace("\t", " ").replace("\n", " ").replace("\r", " ")
