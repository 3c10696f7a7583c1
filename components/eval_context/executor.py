"""Reads the lists, adds baselines and slices, and writes them again."""

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import scipy.sparse
import tensorflow as tf
import tensorflow_transform as tft
from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.eval_context import held_out_users, rivals, search, spec
from components.eval_context.config import BaselinesConfig
from components.eval_context.context import LEARNING, Context
from ncf_model import features, progress
from ncf_model.history.recency import user_item_matrix
from ncf_model.sampling.ragged import Ragged
from ncf_model.training import data

_STRANGERS = 1024  # How many users who are held out are read at a time.


class Executor(base_executor.BaseExecutor):
    """Input and output; `context` has the rules."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the split `eval` with baselines' scores and slices."""
        self._log_startup(input_dict, output_dict, exec_properties)
        lists = artifact_utils.get_single_instance(input_dict[spec.LISTS_KEY])
        graph = artifact_utils.get_single_instance(input_dict[spec.TRANSFORM_GRAPH_KEY])
        examples = artifact_utils.get_single_instance(output_dict[spec.EXAMPLES_KEY])
        examples.split_names = artifact_utils.encode_split_names([features.EVAL_SPLIT])
        pattern = _files(lists, features.EVAL_SPLIT)
        context, positives = _learn(
            _files(lists, features.TRAIN_SPLIT),
            _files(lists, features.VALIDATION_SPLIT),
            tft.TFTransformOutput(graph.uri),
            BaselinesConfig.model_validate_json(exec_properties[spec.BASELINES_KEY]),
            refit=bool(exec_properties[spec.REFIT_KEY]),
            whole=_ranks_everything(pattern),
            order=bool(exec_properties.get(spec.ORDER_KEY)),
        )
        places = int(exec_properties[spec.PLACES_KEY])
        written, users = 0, lists.get_int_custom_property("num_users")
        folder = artifact_utils.get_split_uri([examples], features.EVAL_SPLIT)
        fileio.makedirs(folder)
        file = os.path.join(folder, "data_tfrecord-00000-of-00001.gz")
        with tf.io.TFRecordWriter(file, tf.io.TFRecordOptions("GZIP")) as writer:
            for batch in _batches(pattern, context.lists_at_a_time):
                for example in _annotated(batch, context, places):
                    writer.write(example.SerializeToString())
                written += len(batch)
                progress.emit(_written(written, users))
        told: dict[str, Any] = {
            spec.SETTINGS: context.settings,
            spec.LEFT_OUT: context.left_out,
        }
        if features.HELD_OUT_USERS in artifact_utils.decode_split_names(
            lists.split_names
        ):
            strangers = _files(lists, features.HELD_OUT_USERS)
            told[features.HELD_OUT_USERS] = _strangers(strangers, context, positives)
        for name, value in told.items():
            examples.set_string_custom_property(name, json.dumps(value))
        examples.set_int_custom_property("num_users", users)
        logging.info("%d lists with %s to %s.", written, context.baselines, folder)


def _written(lists: int, users: int) -> progress.StepProgress:
    """Returns how far the node is; there are at most `users` lists."""
    fraction = LEARNING + (1 - LEARNING) * min(1.0, lists / max(users, 1))
    return progress.StepProgress(fraction=fraction, doing=f"{lists:,} lists")


def _files(examples: types.Artifact, split: str) -> str:
    return os.path.join(artifact_utils.get_split_uri([examples], split), "*")


def _learn(
    train: str,
    validation: str,
    graph: tft.TFTransformOutput,
    config: BaselinesConfig,
    *,
    refit: bool,
    whole: bool,
    order: bool = False,
) -> tuple[Context, scipy.sparse.csr_matrix]:
    """Returns the fitted baselines with the slices, and what they were fitted on.

    With `refit` the validation items are positives, as they are in the model's refit.

    Settings are chosen on the validation lists or, where the evaluation ranks the whole
    catalogue, on their held-out items in the whole catalogue. With `order` the
    baselines that can use the order of a user's items do.
    """
    interactions = data.load_interactions([train])
    names = graph.vocabulary_by_name(features.ITEM_VOCABULARY)
    users = {user_id: row for row, user_id in enumerate(interactions.user_ids)}
    items = {item_id: column for column, item_id in enumerate(names)}
    positives = interactions.positives
    refitted = positives.then(interactions.validation_items)
    touched = refitted.then(interactions.eval_items)
    rows, candidates = _validation_lists(validation, users, items)
    fitted_on = _positives(refitted if refit else positives, len(names), order=order)
    context = Context(
        fitted_on,
        users=users,
        items=items,
        config=config,
        validation=search.SearchData(
            _positives(positives, len(names), order=order),
            rows,
            candidates[:, :1] if whole else candidates,
            user_item_matrix(touched, len(names)) if whole else None,
        ),
    )
    return context, fitted_on.matrix


def _strangers(
    pattern: str, context: Context, positives: scipy.sparse.csr_matrix
) -> dict[str, dict[str, float]]:
    """Returns the figures of users who are held out whole, by baseline."""
    found = [
        (_bytes(example, features.CANDIDATE_IDS)[0], _bytes(example, features.SEEN_IDS))
        for batch in _batches(pattern, _STRANGERS)
        for example in batch
    ]
    baskets, held_out = held_out_users.matrix(found, context.items)
    return held_out_users.figures(
        baskets,
        held_out,
        positives=positives,
        ease_l2=context.settings.get(rivals.EASE, {}).get("l2"),
    )


def _validation_lists(
    pattern: str, users: dict[bytes, int], items: dict[bytes, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns users [L] and candidates [L, 1 + m], -1 for none, of some lists."""
    user_ids, candidates = data.load_lists([pattern])
    chosen = np.arange(len(user_ids))
    if len(chosen) > search.MOST_LISTS:
        rng = np.random.default_rng(0)
        chosen = np.sort(rng.choice(chosen, search.MOST_LISTS, replace=False))
    width = max((len(candidates[number]) for number in chosen), default=1)
    columns = np.full((len(chosen), width), -1, np.int64)
    for row, number in enumerate(chosen):
        found = [items[item] for item in candidates[number]]
        columns[row, : len(found)] = found
    return np.array([users[user_ids[n]] for n in chosen], np.int64), columns


def _positives(lists: Ragged, num_items: int, *, order: bool) -> rivals.Positives:
    matrix = user_item_matrix(lists, num_items)
    return rivals.Positives(matrix, lists if order else None)


def _ranks_everything(pattern: str) -> bool:
    """Returns whether the lists in the files of `pattern` have the whole catalogue."""
    first = next(iter(_batches(pattern, 1)), [])
    return any(features.SEEN_IDS in record.features.feature for record in first)


def _batches(pattern: str, size: int) -> Iterator[list[tf.train.Example]]:
    records = tf.data.TFRecordDataset(
        sorted(tf.io.gfile.glob(pattern)), compression_type="GZIP"
    )
    for batch in records.batch(size):
        yield [tf.train.Example.FromString(record) for record in batch.numpy()]


def _annotated(
    batch: list[tf.train.Example], context: Context, places: int
) -> list[tf.train.Example]:
    """Adds the features to each example, in place."""
    user_ids = [_bytes(example, features.USER_ID)[0] for example in batch]
    candidates = [list(_bytes(example, features.CANDIDATE_IDS)) for example in batch]
    held_out = [items[0] for items in candidates]
    seen = [list(_bytes(example, features.SEEN_IDS)) for example in batch]
    if any(seen):
        for name, ranks in context.ranks(user_ids, held_out, seen).items():
            for example, rank in zip(batch, ranks.tolist(), strict=True):
                example.features.feature[name].int64_list.value.append(rank)
        for name, first in context.first(user_ids, seen, places=places).items():
            for example, items in zip(batch, first.tolist(), strict=True):
                example.features.feature[name].int64_list.value.extend(items)
    else:
        for name, rows in context.scores(user_ids, candidates).items():
            for example, row in zip(batch, rows, strict=True):
                example.features.feature[name].float_list.value.extend(row)
    for example, user_id, item in zip(batch, user_ids, held_out, strict=True):
        for name, value in context.slices(user_id, item).items():
            example.features.feature[name].bytes_list.value.append(value)
    return batch


def _bytes(example: tf.train.Example, name: str) -> Sequence[bytes]:
    # Reading a feature that is absent would add it.
    present = name in example.features.feature
    return example.features.feature[name].bytes_list.value if present else ()
