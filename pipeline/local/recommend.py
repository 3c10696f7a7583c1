"""Asks the pushed model for a user's best items. Needs TensorFlow, but not TFX."""

import contextlib
import csv
import os
import pathlib
import sys
import warnings
from typing import Any, NamedTuple

from ncf_model.serving import versions
from pipeline import start_up

# TensorFlow imports these packages if installed; a pushed model needs none of them.
# Keras takes a quarter of the import's time; whoever trains can import it later.
_OPTIONAL = (
    "IPython",
    "PIL",
    "dill",
    "googleapiclient",
    "h5py",
    "keras",
    "matplotlib",
    "pandas",
    "scipy",
    "sklearn",
)


class Recommendation(NamedTuple):
    """One item for one user; `score` is a probability, `title` may be empty."""

    item_id: str
    title: str
    score: float


def latest_model(out: pathlib.Path) -> pathlib.Path:
    """Returns the newest complete version under `out/serving`.

    Raises:
        ValueError: nothing was pushed there.
    """
    newest = versions.newest(out / "serving")
    if newest is None:
        raise ValueError(
            f"No pushed model under {out / 'serving'}. Run `ncf run --out {out}` "
            "first; if it did run, its report says why the model was not blessed."
        )
    return pathlib.Path(newest.path)


def latest_out(runs: pathlib.Path) -> pathlib.Path:
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


def recommend(
    out: pathlib.Path, user_ids: list[str], *, k: int, titles_file: str = "titles.csv"
) -> list[list[Recommendation]]:
    """Returns the `k` best items of each user, best first.

    What a user already has is left out; an unknown user gets the most popular items.

    Args:
        out: the folder of a run.
        user_ids: raw ids.
        k: how many items, >= 1. A user with fewer items left gets fewer.
        titles_file: name of the file of titles in `out`, which may be absent.

    Raises:
        ValueError: `k` is below 1, or there is no pushed model.
    """
    if k < 1:
        raise ValueError(f"`k` must be >= 1; got {k}.")
    folder = latest_model(out)
    titles = read_titles(out / titles_file)
    tf = import_tensorflow()
    signature = tf.saved_model.load(str(folder)).signatures["recommend"]
    answer = signature(user_id=tf.constant(user_ids), k=tf.constant(k, tf.int32))
    return [
        [
            Recommendation(item.decode(), titles.get(item.decode(), ""), float(score))
            for item, score in zip(items, scores, strict=True)
            if item
        ]
        for items, scores in zip(
            answer["item_ids"].numpy(), answer["scores"].numpy(), strict=True
        )
    ]


def import_tensorflow() -> Any:
    """Imports TensorFlow quietly, in a third of the usual time; returns it."""
    if "tensorflow" in sys.modules:
        # Nothing is hidden from other threads, which may be importing some of it.
        import tensorflow

        return tensorflow
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with contextlib.ExitStack() as stack:
        stack.enter_context(start_up.first_import("tensorflow"))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for name in _OPTIONAL:
            if name not in sys.modules:
                # With None the import fails, which TensorFlow and Keras expect.
                sys.modules[name] = None  # type: ignore[assignment]
                stack.callback(sys.modules.pop, name)
        import tensorflow
    return tensorflow


def read_titles(file: pathlib.Path) -> dict[str, str]:
    """Returns item id -> title of a CSV of `item_id,title`; {} if it is absent."""
    if not file.exists():
        return {}
    with open(file, newline="", encoding="utf-8") as f:
        return {row["item_id"]: row["title"] for row in csv.DictReader(f)}
