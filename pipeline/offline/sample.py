"""Writes the rows and lists that the pipeline would train and evaluate on.

This module imports neither TFX nor Beam.
"""

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

from absl import logging

from components.negative_sampling import checks
from components.negative_sampling.plan import Plan
from ncf_model import features
from pipeline.config import PipelineConfig
from pipeline.data import catalogue
from pipeline.offline import indexed, official, rows, tables
from pipeline.offline.indexed import Indexed

METADATA_FILE = "metadata.json"
LISTS = {features.VALIDATION_SPLIT: "validation_data", features.EVAL_SPLIT: "eval_data"}
FORMATS = ("tfrecord", "parquet")

_Files = official.OfficialFiles | tables.ParquetFiles


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutputForm:
    """The form of the files.

    Attributes:
        format: `tfrecord` (see `official`) or `parquet` (see `tables`).
        train_prebatch_size: rows per Example of TFRecord; the official NCF's default.
        eval_prebatch_size: evaluation rows per Example, a multiple of 1 +
            `sampling.eval_negatives`.
    """

    format: str = "tfrecord"
    train_prebatch_size: int = 99_000
    eval_prebatch_size: int = 99_000


def sample(
    config: PipelineConfig,
    dataset: catalogue.Dataset,
    output: pathlib.Path,
    *,
    form: OutputForm,
    epochs: int | None = None,
    refit: bool = False,
) -> dict[str, Any]:
    """Writes `output`, whole or not at all; returns the contents of metadata.json.

    The folder has training rows, lists, and the raw id of each index, line by line, in
    `users.txt` and `items.txt`. Rows are in the trainer's order: a positive and its
    negatives are neighbours, and these groups are shuffled.

    Args:
        config: of which `seed`, `data`, `sampling` and `train.epochs` are used.
        dataset: the interactions.
        output: a folder that does not exist, or is empty.
        form: of the files.
        epochs: for how many epochs to write rows; None is `config.train.epochs`.
        refit: whether validation items are positives, too, as in the refit and in the
            official NCF. Validation lists are not written then.

    Raises:
        ValueError: a size does not fit, `output` is not empty, or the data cannot be
            read or sampled from.
    """
    epochs = config.train.epochs if epochs is None else epochs
    _check(config, output, epochs, form)
    found = indexed.read(
        str(dataset.path), config.data.reading(), pattern=dataset.pattern
    )
    plan = Plan(
        config=config.sampling,
        epochs=epochs,
        refit=refit,
        seed=config.seed,
        num_items=len(found.item_ids),
        num_users=len(found.users.user_ids),
    )
    partial = output.with_name(output.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        metadata = _write(partial, found, plan, form)
    except ValueError:
        shutil.rmtree(partial)
        raise
    if output.exists():
        output.rmdir()
    partial.rename(output)
    logging.info("Wrote %d epochs and their lists to %s.", epochs, output)
    return metadata


def check_output(output: pathlib.Path) -> None:
    """Raises ValueError unless `output` is a new or empty folder."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ValueError(
            f"`output` must be a new or empty folder; {output} is not. Remove it, or "
            "name another."
        )


def _check(
    config: PipelineConfig, output: pathlib.Path, epochs: int, form: OutputForm
) -> None:
    """Raises ValueError for arguments that are wrong whatever the data are."""
    check_output(output)
    if form.format not in FORMATS:
        raise ValueError(f"`format` must be one of {FORMATS}; got {form.format!r}.")
    for name, value in {"epochs": epochs, **dataclasses.asdict(form)}.items():
        if name != "format" and value < 1:
            raise ValueError(f"`{name}` must be 1 or more; got {value}.")
    if config.sampling.eval_users != "all":
        raise ValueError(
            "`sampling.eval_users` must be 'all', as the files have a list for each "
            f"user; got {config.sampling.eval_users}. Leave it out."
        )
    count = config.sampling.eval_negatives
    if count == "all":
        raise ValueError(
            "`sampling.eval_negatives` must be a number, as lists are written item by "
            "item; got 'all'. Set it to 99, or to 999 as in the official NCF."
        )
    if form.format == "tfrecord" and form.eval_prebatch_size % (1 + count):
        raise ValueError(
            "`eval_prebatch_size` must be a multiple of a list's length, "
            f"1 + `sampling.eval_negatives` = {1 + count}; got "
            f"{form.eval_prebatch_size}."
        )


def _write(
    folder: pathlib.Path, found: Indexed, plan: Plan, form: OutputForm
) -> dict[str, Any]:
    """Writes all files; returns the metadata."""
    files = _files(folder, found, plan, form)
    training = rows.epoch_rows(found, plan)
    written = {
        split: files.write_lists(name, rows.lists(found, plan, split))
        for split, name in LISTS.items()
        if not (plan.refit and split == features.VALIDATION_SPLIT)
    }
    counts = {
        "num_users": len(found.users.user_ids),
        "num_items": plan.num_items,
        "train_positives": len(training),
        "eval_lists": written[features.EVAL_SPLIT],
    }
    checks.check_summary(counts, num_users=counts["num_users"], config=plan.config)
    for epoch in range(plan.epochs):
        files.write_epoch(epoch, *training.draw(epoch))
    _write_ids(folder / "users.txt", found.users.user_ids)
    _write_ids(folder / "items.txt", found.item_ids)
    metadata = _metadata(counts, plan, files)
    text = json.dumps(metadata, indent=4) + "\n"
    (folder / METADATA_FILE).write_text(text, encoding="utf-8")
    return metadata


def _files(
    folder: pathlib.Path, found: Indexed, plan: Plan, form: OutputForm
) -> _Files:
    if form.format == "parquet":
        return tables.ParquetFiles(folder)
    return official.OfficialFiles(
        folder=folder,
        num_users=len(found.users.user_ids),
        num_items=plan.num_items,
        train_prebatch_size=form.train_prebatch_size,
        eval_prebatch_size=form.eval_prebatch_size,
    )


def _write_ids(path: pathlib.Path, ids: Sequence[bytes]) -> None:
    path.write_bytes(b"".join(raw_id + b"\n" for raw_id in ids))


def _metadata(counts: dict[str, int], plan: Plan, files: _Files) -> dict[str, Any]:
    """Returns the official keys, `num_eval_negatives`, `seed` and `sampling`."""
    negatives = int(plan.config.eval_negatives)
    train_rows = counts["train_positives"] * (1 + plan.config.num_negatives)
    eval_rows = counts["eval_lists"] * (1 + negatives)
    return {
        "num_users": counts["num_users"],
        "num_items": counts["num_items"],
        # The official NCF has two constructors; this one computes the k-th unseen item.
        "constructor_type": "bisection",
        "num_train_elements": train_rows,
        "num_eval_elements": eval_rows,
        "num_train_epochs": plan.epochs,
        **files.steps(train_rows=train_rows, eval_rows=eval_rows),
        "num_eval_negatives": negatives,
        "seed": plan.seed,
        "sampling": plan.config.model_dump(mode="json"),
    }
