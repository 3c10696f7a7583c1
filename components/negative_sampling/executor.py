"""Wires the rules into Beam, and notes the counts on the artifact."""

import json
import os
from typing import Any

import apache_beam as beam
import tensorflow_transform as tft
from absl import logging
from tfx import types
from tfx.components.util import tfxio_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.negative_sampling import checks, spec, transforms
from components.negative_sampling.plan import Plan
from ncf_model import features
from ncf_model.config import SamplingConfig

_USERS_PER_BATCH = 1024
_SPLITS = [features.TRAIN_SPLIT, features.VALIDATION_SPLIT, features.EVAL_SPLIT]


class Executor(base_beam_executor.BaseBeamExecutor):
    """Writes the splits `train`, `validation` and `eval`, and `sampling.json`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Samples, and notes the counts as properties of the Examples artifact.

        Raises:
            ValueError: the examples do not fit the transform graph, a user who trains
                has seen every item, or nothing can be evaluated.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        graph = artifact_utils.get_single_instance(input_dict[spec.TRANSFORM_GRAPH_KEY])
        examples = artifact_utils.get_single_instance(output_dict[spec.EXAMPLES_KEY])
        vocabularies = tft.TFTransformOutput(graph.uri)
        plan = _plan(exec_properties, vocabularies)
        strangers = [features.HELD_OUT_USERS] if plan.config.held_out_users else []
        examples.split_names = artifact_utils.encode_split_names(_SPLITS + strangers)
        with self._make_beam_pipeline() as pipeline:
            # The users are read twice: lists wait for the counts of items, and what
            # waits is kept in memory.
            counted, ranked = (
                _read_users(
                    pipeline,
                    name,
                    half,
                    input_dict[spec.TRANSFORMED_EXAMPLES_KEY],
                    vocabularies,
                    plan,
                )
                for half, name in enumerate(("Count", "Rank"))
            )
            found = [
                _held_out(ranked[transforms.HELD_OUT_TAG], graph.uri, examples, plan)
                for _ in strangers
            ]
            _sample_and_write(
                counted.users, ranked.users, graph.uri, examples, plan, found
            )
        with fileio.open(os.path.join(examples.uri, spec.SUMMARY_FILE)) as f:
            summary = json.loads(f.read())
        checks.check_summary(
            summary,
            num_users=plan.num_users,
            config=plan.config,
        )
        _note_counts(summary, examples)


def _plan(exec_properties: dict[str, Any], graph: tft.TFTransformOutput) -> Plan:
    return Plan(
        config=SamplingConfig.model_validate_json(exec_properties[spec.SAMPLING_KEY]),
        epochs=exec_properties[spec.EPOCHS_KEY],
        refit=bool(exec_properties[spec.REFIT_KEY]),
        seed=exec_properties[spec.SEED_KEY],
        num_items=graph.vocabulary_size_by_name(features.ITEM_VOCABULARY),
        num_users=graph.vocabulary_size_by_name(features.USER_VOCABULARY),
    )


def _read_users(
    pipeline: beam.Pipeline,
    name: str,
    half: int,
    interactions: list[types.Artifact],
    graph: tft.TFTransformOutput,
    plan: Plan,
) -> beam.pvalue.DoOutputsTuple:
    """Reads batches of `users`, whose interactions are split, and of held-out ones."""
    schema = graph.transformed_metadata.schema
    source = tfxio_utils.get_split_tfxio(
        interactions,
        features.INTERACTIONS_SPLIT,
        telemetry_descriptors=["NegativeSampling"],
        schema=schema,
    )
    split = transforms.SplitUsers(
        plan,
        transforms.physical_columns(schema),
        num_users=plan.num_users,
        half=half,
    )
    return (
        pipeline
        | f"Read[{name}]" >> source.BeamSource(_USERS_PER_BATCH)
        | f"Split[{name}]"
        >> beam.ParDo(split).with_outputs(transforms.HELD_OUT_TAG, main="users")
    )


def _held_out(
    users: beam.PCollection, graph_uri: str, examples: types.Artifact, plan: Plan
) -> beam.PCollection:
    """Writes the lists of users who are held out; returns their counts."""
    name = features.HELD_OUT_USERS
    sample = beam.ParDo(transforms.HeldOutUsers(plan, graph_uri))
    sampled = users | f"Sample[{name}]" >> sample.with_outputs(
        transforms.COUNTS_TAG, main="records"
    )
    _write(sampled.records, name, examples)
    return sampled[transforms.COUNTS_TAG]


def _write(records: beam.PCollection, name: str, examples: types.Artifact) -> None:
    path = os.path.join(artifact_utils.get_split_uri([examples], name), "data_tfrecord")
    _ = records | f"Write[{name}]" >> beam.io.WriteToTFRecord(
        path, file_name_suffix=".gz"
    )


def _sample_and_write(
    users: beam.PCollection,
    again: beam.PCollection,
    graph_uri: str,
    examples: types.Artifact,
    plan: Plan,
    found: list[beam.PCollection],
) -> None:
    """Writes the three splits and the counts.

    Args:
        users: users for the steps that need not wait.
        again: the same users for the steps that wait for the counts of items.
        graph_uri: of the transform graph.
        examples: the output artifact.
        plan: what is sampled.
        found: counts of other splits.
    """
    popularity = users | "CountItems" >> beam.CombineGlobally(
        transforms.ItemCounts(plan.num_items)
    )
    counts = beam.pvalue.AsSingleton(popularity)
    for name in _SPLITS:
        waits = name != features.TRAIN_SPLIT or plan.needs_popularity
        if name == features.TRAIN_SPLIT:
            sample = beam.ParDo(
                transforms.TrainingRows(plan),
                counts if plan.needs_popularity else None,
            )
        else:
            sample = beam.ParDo(transforms.RankedLists(plan, name, graph_uri), counts)
        sampled = (
            again if waits else users
        ) | f"Sample[{name}]" >> sample.with_outputs(
            transforms.COUNTS_TAG, main="records"
        )
        _write(sampled.records, name, examples)
        found = [*found, sampled[transforms.COUNTS_TAG]]
    _ = (
        found
        | "Flatten" >> beam.Flatten()
        | "Sum" >> beam.CombineGlobally(transforms.Sum())
        | "Summarise" >> beam.Map(checks.summary, plan=plan)
        | "WriteSummary"
        >> beam.Map(
            transforms.write_json, path=os.path.join(examples.uri, spec.SUMMARY_FILE)
        )
    )


def _note_counts(summary: dict[str, Any], examples: types.Artifact) -> None:
    """Notes the summary as properties of the artifact, which ML Metadata shows."""
    for name, value in summary.items():
        if isinstance(value, int):
            examples.set_int_custom_property(name, value)
        else:
            examples.set_string_custom_property(name, str(value))
    logging.info("NegativeSampling wrote %s to %s", summary, examples.uri)
