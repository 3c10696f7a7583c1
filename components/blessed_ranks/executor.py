"""Reads the lists, lets each model rank them, and writes them with the ranks."""

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.blessed_ranks import rivals, spec
from ncf_model import features

_BATCH = 512


class Executor(base_executor.BaseExecutor):
    """Input and output; `ranking_model` ranks, `rivals` chooses the models."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the split `eval` with the ranks of the models that there are."""
        self._log_startup(input_dict, output_dict, exec_properties)
        lists = artifact_utils.get_single_instance(input_dict[spec.LISTS_KEY])
        graph = artifact_utils.get_single_instance(input_dict[spec.TRANSFORM_GRAPH_KEY])
        examples = artifact_utils.get_single_instance(output_dict[spec.EXAMPLES_KEY])
        examples.split_names = artifact_utils.encode_split_names([features.EVAL_SPLIT])
        catalogue = tft.TFTransformOutput(graph.uri).vocabulary_by_name(
            features.ITEM_VOCABULARY
        )
        pattern = os.path.join(
            artifact_utils.get_split_uri([lists], features.EVAL_SPLIT), "*"
        )
        chosen = rivals.choose(input_dict, catalogue, lambda: _batches(pattern))
        models = chosen.rivals
        if chosen.not_compared:
            examples.set_string_custom_property(
                features.NOT_COMPARED_PROPERTY, "\n".join(chosen.not_compared)
            )
        for name, rival in models.items():
            examples.set_string_custom_property(name, json.dumps(rival.noted))
        folder = artifact_utils.get_split_uri([examples], features.EVAL_SPLIT)
        fileio.makedirs(folder)
        file = os.path.join(folder, "data_tfrecord-00000-of-00001.gz")
        written, whole = 0, False
        with tf.io.TFRecordWriter(file, tf.io.TFRecordOptions("GZIP")) as writer:
            for batch in _batches(pattern):
                whole = features.SEEN_IDS in batch[0].features.feature
                for name, rival in models.items():
                    feature = features.BASELINE_RANK.format(name)
                    ranks = rival.model.ranks(batch).tolist()
                    for example, rank in zip(batch, ranks, strict=True):
                        example.features.feature[feature].int64_list.value.append(rank)
                for example in batch:
                    writer.write(example.SerializeToString())
                written += len(batch)
        _note(examples, lists, catalogue, whole=whole)
        logging.info("%d lists with the ranks of %s.", written, sorted(models))


def _note(
    examples: types.Artifact,
    lists: types.Artifact,
    catalogue: list[bytes],
    *,
    whole: bool,
) -> None:
    """Notes on the output which candidates were ranked, and by which models."""
    ranked = f"all {len(catalogue)} items of the data, less those the user has"
    examples.set_string_custom_property(
        spec.CANDIDATES_PROPERTY, ranked if whole else "those of each list, by raw id"
    )
    digest = hashlib.sha256(b"\n".join(sorted(catalogue))).hexdigest()
    examples.set_string_custom_property(spec.CATALOGUE_PROPERTY, digest)
    examples.set_int_custom_property("num_items", len(catalogue))
    users = lists.get_int_custom_property("num_users")
    examples.set_int_custom_property("num_users", users)


def _batches(pattern: str) -> Iterator[list[tf.train.Example]]:
    records = tf.data.TFRecordDataset(
        sorted(tf.io.gfile.glob(pattern)), compression_type="GZIP"
    )
    for batch in records.batch(_BATCH):
        yield [tf.train.Example.FromString(record) for record in batch.numpy()]
