"""TFX Trainer's entry point: from sampled records to a served model."""

import json
import os
import time
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft
from absl import logging

from ncf_model import (
    config,
    data,
    features,
    fitting,
    model,
    serving,
    strategy,
    validation,
)

HISTORY_FILE = "history.json"


def run_fn(fn_args: Any) -> None:
    """Trains NeuMF, chooses the epoch on the validation split, refits and exports.

    Args:
        fn_args: of TFX's generic Trainer. `train_files` and `eval_files` are the
            patterns of splits `train` and `validation`; `transform_graph_path` has the
            vocabularies; `custom_config` has `model`, `train` and `sampling` (the dicts
            of `ncf_model.config`) and `seed`. The model goes to `serving_model_dir`,
            `history.json` and TensorBoard's logs to `model_run_dir`.

    Raises:
        ValueError: the configuration or the data cannot be trained on, or the loss is
            not finite; nothing is exported then.
    """
    started = time.monotonic()
    custom = fn_args.custom_config
    settings = fitting.Settings(
        train=config.TrainConfig(**custom["train"]),
        sampling=config.SamplingConfig(**custom["sampling"]),
        seed=custom["seed"],
    )
    network_settings = config.ModelConfig(**custom["model"])
    vocabularies = _vocabularies(fn_args.transform_graph_path)
    interactions = data.load_interactions(
        fn_args.train_files, materialised=settings.sampling.mode == "materialised"
    )
    keras.utils.set_random_seed(settings.seed)
    with strategy.make_strategy(settings.train.strategy).scope():
        network, judge = _network(
            network_settings, vocabularies, data.load_lists(fn_args.eval_files)
        )
        history = fitting.fit(
            network, interactions, judge, settings, log_dir=fn_args.model_run_dir
        )
    serving.export(
        network,
        interactions,
        fn_args.serving_model_dir,
        user_vocabulary=vocabularies[features.USER_VOCABULARY],
        item_vocabulary=vocabularies[features.ITEM_VOCABULARY],
        refitted=history["refit"] is not None,
    )
    history["seconds"] = time.monotonic() - started
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, HISTORY_FILE), "w") as f:
        json.dump(history, f, indent=2)
    logging.info(
        "Trained in %.1f s; model in %s", history["seconds"], fn_args.serving_model_dir
    )


def _network(
    settings: config.ModelConfig,
    vocabularies: dict[str, str],
    lists: tuple[list[bytes], list[list[bytes]]],
) -> tuple[model.NeuMF, validation.Validation]:
    """Returns a fresh network and its judge."""
    users, items = (
        {raw: index for index, raw in enumerate(_lines(vocabularies[name]))}
        for name in (features.USER_VOCABULARY, features.ITEM_VOCABULARY)
    )
    network = model.NeuMF(settings, num_users=len(users), num_items=len(items))
    return network, validation.Validation(network, *lists, users=users, items=items)


def _vocabularies(transform_graph_path: str) -> dict[str, str]:
    """Returns the paths of the vocabulary files by name."""
    output = tft.TFTransformOutput(transform_graph_path)
    paths = {}
    for name in (features.USER_VOCABULARY, features.ITEM_VOCABULARY):
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
