"""TFX Trainer's entry point: from sampled records to a served model."""

import contextlib
import dataclasses
import functools
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from absl import logging

from ncf_model import cold_beside, config, features, fit, progress
from ncf_model.history import fitting as history_fitting
from ncf_model.history import resolve, warm_start
from ncf_model.network import model
from ncf_model.serving import history_model, probe, saved_model, unknown_rows, whole
from ncf_model.training import (
    checkpoint,
    data,
    fitting,
    known,
    strategy,
    validation,
    warm_pairs,
)
from ncf_model.training.training_history import History
from ncf_model.tuning import space

HISTORY_FILE = "history.json"
VOCABULARIES = (features.USER_VOCABULARY, features.ITEM_VOCABULARY)


def run_fn(fn_args: Any) -> None:
    """Trains NeuMF, chooses the epoch on the validation split, refits and exports.

    Args:
        fn_args: of TFX's generic Trainer. `train_files` and `eval_files` are the
            patterns of splits `train` and `validation`; `transform_graph_path` has the
            vocabularies; `custom_config` has `model`, `train` and `sampling` (the dicts
            of `ncf_model.config`), `seed`, and `checkpoints`, a folder that outlives a
            killed training. `base_model` is the SavedModel that a warm start begins
            with. Without it, that model is the newest version in the folder `serving`
            of `custom_config`. `hyperparameters` has the values that Tuner found best;
            they replace those of the configuration. The model goes to
            `serving_model_dir`, `history.json` and TensorBoard's logs to
            `model_run_dir`.

    On several machines each runs this function; only the chief writes.

    Raises:
        ValueError: the configuration or the data cannot be trained on, or the loss is
            not finite; nothing is exported then.
    """
    started = time.monotonic()
    tuned = tuning_values(fn_args)
    custom = space.apply(fn_args.custom_config, tuned)
    network_settings, train, sampling = space.settings(custom)
    settings = fitting.FitSettings(train=train, sampling=sampling, seed=custom["seed"])
    if strategy.is_server(settings.train):
        strategy.serve_forever()
    # This comes first: machines can only be joined before TensorFlow has run anything.
    distribution = strategy.make_strategy(settings.train)
    config.check_together(network_settings, settings.train, settings.sampling)
    prepared = _prepare(fn_args, network_settings, settings)
    start = prepared.start
    saved = _checkpoint(
        custom | _told(start),
        *(prepared.interactions, prepared.lists, prepared.vocabularies),
    )
    with _folder_of_the_chief(fn_args.model_run_dir) as log_dir:
        network, trained, history = _fit(prepared, log_dir, distribution, saved)
    if strategy.is_chief():
        share, doing = progress.ENDS["fit"], progress.WRITES_MODEL
        progress.emit(progress.StepProgress(fraction=share, doing=doing))
        _export(
            network,
            prepared.interactions,
            fn_args,
            prepared.vocabularies,
            refitted=history.refit is not None,
            trained=trained,
            keeps_tables=prepared.settings.train.warm_start is not None,
            # The export multiplies in 32 bits, and in another order than the training.
            tolerance=1e-3 if settings.train.precision == "float32" else 0.05,
        )
        seconds = time.monotonic() - started
        chosen = {name: space.plain(value) for name, value in tuned.items()}
        _write_history(
            history.model_copy(update={"tuned": chosen, "seconds": seconds}),
            fn_args.model_run_dir,
        )
        logging.info(
            "Trained in %.1f s; model in %s", seconds, fn_args.serving_model_dir
        )
    # As soon as this function returns, TFX looks for the model, on every machine.
    strategy.wait_for_all(distribution)
    saved.remove()


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Prepared:
    """Everything that a training needs to start.

    Attributes:
        network: the network's settings, without any `auto`.
        settings: of the training.
        cold: the settings and the network as they would be without a warm start.
        start: the model that a warm start begins with.
        interactions: the split `train`.
        lists: the validation lists, by raw ids.
        vocabularies: paths of the vocabulary files, by name.
        users, items: the index of each raw id.
    """

    network: config.ModelConfig
    settings: fitting.FitSettings
    cold: tuple[fitting.FitSettings, config.ModelConfig]
    start: known.Start
    interactions: data.Interactions
    lists: known.RawLists
    vocabularies: dict[str, str]
    users: dict[bytes, int]
    items: dict[bytes, int]


def _prepare(
    fn_args: Any, network: config.ModelConfig, settings: fitting.FitSettings
) -> _Prepared:
    """Reads the data and, for a warm start, the model to begin with."""
    vocabularies = vocabulary_files(fn_args.transform_graph_path)
    interactions = data.load_interactions(
        fn_args.train_files, materialised=settings.sampling.mode == "materialised"
    )
    users, items = (index(vocabularies[name]) for name in VOCABULARIES)
    if network.history:
        network = resolve.resolve(network, interactions, num_items=len(items))
    lists = data.load_lists(fn_args.eval_files)
    start, cold = known.Start(None, None), (settings, network)
    if settings.train.warm_start:
        raw = (list(users), list(items))
        start, lists, (settings, network) = _begin(
            fn_args, interactions, lists, *cold, raw
        )
    return _Prepared(
        network=network,
        settings=settings,
        cold=cold,
        start=start,
        interactions=interactions,
        lists=lists,
        vocabularies=vocabularies,
        users=users,
        items=items,
    )


def _fit(
    prepared: _Prepared,
    log_dir: str,
    distribution: tf.distribute.Strategy,
    saved: checkpoint.Checkpoint,
) -> fit.Fitted:
    """Trains; after a warm start also from random numbers, if the settings say so."""
    network, settings, start = prepared.network, prepared.settings, prepared.start
    users, items = prepared.users, prepared.items
    candidates = validation.by_index(*prepared.lists, users=users, items=items)
    sizes: dict[str, Any] = {"num_users": len(users), "num_items": len(items)}
    where: dict[str, Any] = {"log_dir": log_dir, "strategy": distribution}
    fit_started = time.monotonic()
    fitted = fit.fit(
        network,
        prepared.interactions,
        candidates,
        settings,
        **sizes,
        **where,
        saved=saved,
        carry=_carry(start, (users, items), history=network.history is not None),
    )
    took = time.monotonic() - fit_started
    warm, cold = start.told, None
    if warm is not None and start.base is not None and settings.train.cold_beside:
        seconds = cold_beside.seconds_to_choose(fitted.history, took)
        warm = warm.model_copy(update={"seconds": seconds})
        cold = cold_beside.train(
            prepared.cold[1],
            prepared.cold[0],
            prepared.interactions,
            candidates,
            **sizes,
            **where,
        )
    told = {"warm_start": warm} | ({} if cold is None else {"cold": cold})
    return fitted._replace(history=fitted.history.model_copy(update=told))


def _told(start: known.Start) -> dict[str, Any]:
    """Returns what a checkpoint's identity needs to know of a warm start."""
    if start.told is None:
        return {}
    told = start.told.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {"warm_start": told}


def _write_history(history: History, folder: str) -> None:
    with tf.io.gfile.GFile(os.path.join(folder, HISTORY_FILE), "w") as f:
        f.write(history.to_file())


def _begin(
    fn_args: Any,
    interactions: data.Interactions,
    lists: known.RawLists,
    settings: fitting.FitSettings,
    network: config.ModelConfig,
    raw_ids: tuple[list[bytes], ...],
) -> tuple[known.Start, known.RawLists, tuple[fitting.FitSettings, config.ModelConfig]]:
    """Returns the start of the training, and the lists and settings that suit it."""
    path, folder = getattr(fn_args, "base_model", None), None
    if not path:
        folder = fn_args.custom_config.get("serving")
        path = whole.newest(folder) if folder else None
    history = network.history
    start, lists = known.begin(
        path,
        interactions,
        lists,
        read=warm_start.read if history else warm_pairs.read,
        differs=functools.partial(warm_start.differs, history=history)
        if history
        else functools.partial(warm_pairs.differs, network=network),
        user_ids=raw_ids[0],
        item_ids=raw_ids[1],
        refit=settings.train.refit,
    )
    if start.base is not None and history:
        train, history = warm_start.settings(
            settings.train, history, start.base, len(lists[0])
        )
        settings = dataclasses.replace(settings, train=train)
        network = network.model_copy(update={"history": history})
    elif start.base is not None:
        train = warm_pairs.settings(settings.train)
        settings = dataclasses.replace(settings, train=train)
    return start, lists, (settings, network)


def _carry(
    start: known.Start, indices: tuple[dict[bytes, int], ...], *, history: bool
) -> Callable[[Any], Any] | None:
    """Returns the function that puts the tables of a warm start into fresh tables."""
    if start.base is None:
        return None
    users, items = map(list, indices)
    carry: Callable[..., Any] = warm_start.carry if history else warm_pairs.carry
    return functools.partial(carry, start.base, user_ids=users, item_ids=items)


def _export(
    network: model.NeuMF,
    interactions: data.Interactions,
    fn_args: Any,
    vocabularies: dict[str, str],
    *,
    trained: history_fitting.Trained | None,
    refitted: bool,
    keeps_tables: bool,
    tolerance: float,
) -> None:
    """Writes the SavedModel, and scores of the trained network to check it against."""
    serving: Callable[..., saved_model.ServingModel] = saved_model.ServingModel
    if trained is not None:
        serving = functools.partial(history_model.HistoryServingModel, fitted=trained)
    users, items = (vocabularies[name] for name in VOCABULARIES)
    saved_model.export(
        network,
        interactions,
        fn_args.serving_model_dir,
        user_vocabulary=users,
        item_vocabulary=items,
        refitted=refitted,
        keeps_tables=keeps_tables and trained is None,
        serving=serving,
    )

    known = unknown_rows.trained_users(interactions, refitted=refitted)
    row = unknown_rows.rows_of_users(known, network.num_users)

    def logits(users: np.ndarray, items: np.ndarray) -> np.ndarray:
        users = row[users]
        said = np.asarray(network([users, items]), np.float64)
        if trained is None:
            return said
        said = said + probe.linear(trained, users, items)
        return np.asarray(trained.curve.logits(said))

    said = probe.make(
        logits, user_ids=_lines(users), item_ids=_lines(items), tolerance=tolerance
    )
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, probe.FILE), "w") as f:
        json.dump(said, f)


def _checkpoint(
    custom: dict[str, Any],
    interactions: data.Interactions,
    lists: tuple[list[bytes], list[list[bytes]]],
    vocabularies: dict[str, str],
) -> checkpoint.Checkpoint:
    """Returns the checkpoint of this very training.

    Its identity depends on the settings, the data for training and validation, the
    vocabularies, and the code of this package.
    """
    user_ids, candidates = lists
    flat = [item for row in candidates for item in row]
    arrays = [
        np.array(interactions.user_ids),
        interactions.user_index,
        np.array(user_ids),
        np.array(flat),
        np.array([len(row) for row in candidates]),
        *(np.array(_lines(path)) for path in vocabularies.values()),
    ]
    for ragged in (
        interactions.positives,
        interactions.validation_items,
        interactions.negatives,
        interactions.refit_negatives,
    ):
        if ragged is not None:
            arrays += [ragged.values, ragged.offsets]
    names = ("model", "train", "sampling", "seed", "warm_start")
    settings = {name: custom[name] for name in names if name in custom}
    settings["code"] = checkpoint.code_digest()
    return checkpoint.Checkpoint(
        custom["checkpoints"],
        checkpoint.identity(settings, arrays),
        writes=strategy.is_chief(),
    )


@contextlib.contextmanager
def _folder_of_the_chief(folder: str) -> Iterator[str]:
    """Yields `folder` on the chief, and a folder that is thrown away elsewhere."""
    if strategy.is_chief():
        yield folder
    else:
        with tempfile.TemporaryDirectory() as temporary:
            yield temporary


def tuning_values(fn_args: Any) -> dict[str, Any]:
    """Returns the values that Tuner found best, by dotted name; {} without Tuner."""
    found = getattr(fn_args, "hyperparameters", None) or {}
    return dict(found.get("values", {}))


def index(vocabulary: str) -> dict[bytes, int]:
    """Returns the index of each raw id of a vocabulary."""
    return {raw: number for number, raw in enumerate(_lines(vocabulary))}


def vocabulary_files(transform_graph_path: str) -> dict[str, str]:
    """Returns the paths of the vocabulary files by name."""
    output = tft.TFTransformOutput(transform_graph_path)
    paths = {}
    for name in VOCABULARIES:
        path = output.vocabulary_file_by_name(name)
        if path is None:
            raise ValueError(
                f"There is no vocabulary {name!r} in {transform_graph_path}. Was the "
                "Transform's module `ncf_model.preprocessing`?"
            )
        paths[name] = path
    return paths


def _lines(path: str) -> list[bytes]:
    """Returns a vocabulary's raw ids, in the order of their indices."""
    with tf.io.gfile.GFile(path, "rb") as f:
        return f.read().removesuffix(b"\n").split(b"\n")
