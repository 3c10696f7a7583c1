"""Evaluates the served model on the interactions that it did not know."""

import os
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.served_evaluation import spec
from ncf_model import features
from ncf_model.evaluation import served_model
from ncf_model.evaluation.served_result import Served
from ncf_model.serving import whole

_HAS_TIMES = "has_timestamps"


class Executor(base_executor.BaseExecutor):
    """Writes `since.json`: the figures, or why there are none (`why_not`)."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates. That there is no model yet, or nothing new, is no error."""
        examples = artifact_utils.get_single_instance(input_dict[spec.INTERACTIONS_KEY])
        evaluation = artifact_utils.get_single_instance(
            output_dict[spec.EVALUATION_KEY]
        )
        model = _model(input_dict, exec_properties[spec.SERVING_KEY])
        found = _evaluate(model, examples, seed=exec_properties[spec.SEED_KEY])
        with fileio.open(os.path.join(evaluation.uri, spec.FILE), "w") as f:
            f.write(found.to_file())


def _model(input_dict: dict[str, list[types.Artifact]], serving: str) -> str | None:
    """Returns the folder of the SavedModel in service; None if there is none."""
    if models := input_dict.get(spec.MODEL_KEY):
        artifact = artifact_utils.get_single_instance(models)
        return str(path_utils.serving_model_path(artifact.uri))
    return whole.newest(serving) if serving else None


def _evaluate(model: str | None, examples: types.Artifact, *, seed: int) -> Served:
    """Returns how the model did on the records of `examples`."""
    if model is None:
        return Served(why_not="There is no served model of other data yet.")
    pattern = os.path.join(examples.uri, f"Split-{features.INTERACTIONS_SPLIT}", "*")
    try:
        found = served_model.evaluate(
            model,
            list(_people(pattern)),
            seed=seed,
            has_times=_has_times(examples),
        )
    except ValueError as error:  # Nothing new, or a model that cannot be asked.
        found = Served(model=model, why_not=str(error))
    logging.info("Since %s was trained: %s", model, found.why_not or found.metrics)
    return found


def _has_times(examples: types.Artifact) -> bool:
    """Returns whether the data have times, as InteractionsExampleGen noted."""
    noted = examples.mlmd_artifact.custom_properties
    if _HAS_TIMES not in noted:
        return True
    value = noted[_HAS_TIMES]  # Some metadata stores have one type of number.
    return bool(value.int_value or value.double_value)


def _people(pattern: str) -> Iterator[served_model.Person]:
    """Yields the users of the records."""
    files = sorted(tf.io.gfile.glob(pattern))
    for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        yield served_model.Person(
            feature[features.USER_ID].bytes_list.value[0],
            list(feature[features.ITEM_IDS].bytes_list.value),
            list(feature[features.TIMESTAMPS].int64_list.value),
        )
