"""Reads the model's users, gets their lists on Beam, and writes Parquet."""

import os
from typing import Any

import apache_beam as beam
from absl import logging
from apache_beam import coders
from apache_beam.io.filesystems import FileSystems
from apache_beam.ml.inference.base import RunInference
from pyarrow import parquet
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.bulk_recommendations import lists, spec
from ncf_model.serving import list_tables

_USERS = os.path.join("assets", "user_id")


class Executor(base_beam_executor.BaseBeamExecutor):
    """All input and output; `lists` asks the model."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the lists of all users of a model that was pushed."""
        model = artifact_utils.get_single_instance(input_dict[spec.MODEL_KEY])
        pushed = artifact_utils.get_single_instance(input_dict[spec.PUSHED_MODEL_KEY])
        output = artifact_utils.get_single_instance(output_dict[spec.LISTS_KEY])
        fileio.makedirs(output.uri)
        if not _property(pushed, "pushed"):
            reason = "The model was not pushed."
            output.set_string_custom_property(spec.NOT_WRITTEN_PROPERTY, reason)
            logging.info("No lists: %s", reason)
            return
        folder = path_utils.serving_model_path(model.uri)
        handler = lists.Recommender(
            folder,
            k=exec_properties[spec.K_KEY],
            titles=exec_properties[spec.TITLES_KEY],
        )
        with self._make_beam_pipeline() as pipeline:
            _write(pipeline, os.path.join(folder, _USERS), handler, output.uri)
        rows = _count(output.uri)
        output.set_int_custom_property(spec.ROWS_PROPERTY, rows)
        version = str(_property(pushed, "pushed_version"))
        output.set_string_custom_property(spec.VERSION_PROPERTY, version)
        logging.info("%d rows in %s", rows, output.uri)


def _write(
    pipeline: beam.Pipeline, users: str, handler: lists.Recommender, folder: str
) -> None:
    """Adds the steps from the file of user ids to the files of lists."""
    (
        pipeline
        | "Users" >> beam.io.ReadFromText(users, coder=coders.BytesCoder())
        # Without a reshuffle one worker would do everything, since one file is one
        # source.
        | "Spread" >> beam.Reshuffle()
        | "Recommend" >> RunInference(handler)
        | "Write"
        >> beam.io.WriteToParquetBatched(
            os.path.join(folder, "lists"),
            schema=list_tables.SCHEMA,
            file_name_suffix=".parquet",
        )
    )


def _count(folder: str) -> int:
    """Returns how many rows all files have, from their footers."""
    [found] = FileSystems.match([os.path.join(folder, "*.parquet")])
    rows = 0
    for file in found.metadata_list:
        with FileSystems.open(file.path) as f:
            rows += parquet.read_metadata(f).num_rows
    return rows


def _property(artifact: types.Artifact, name: str) -> Any:
    """Returns a custom property; in a container it comes as a JSON value."""
    properties = artifact.mlmd_artifact.custom_properties
    kind = properties[name].WhichOneof("value") if name in properties else None
    if kind == "struct_value":
        return artifact.get_json_value_custom_property(name)
    return getattr(properties[name], kind) if kind else None
