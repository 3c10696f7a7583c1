"""Runs the driver of a file-based ExampleGen, which Kubeflow does not run.

The driver decides which files are read: it fills the span into the pattern, and takes
the fingerprint of the files that it finds.
"""

import argparse
import json
import os
from collections.abc import Sequence
from typing import Any

from tfx.components.example_gen import utils
from tfx.dsl.io import fileio
from tfx.orchestration.kubeflow.v2.file_based_example_gen import driver
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.utils import proto_utils

from components.interactions_example_gen import executor, span_marks
from components.interactions_example_gen.component import InteractionsExampleGen
from components.interactions_example_gen.config import ReadingConfig, SpansConfig
from components.interactions_example_gen.driver import SpansProcessor
from pipeline.cluster.parameters import DATA_PATH, DATA_VERSION, LATEST_SPAN, SPAN
from pipeline.data import bigquery, catalogue
from pipeline.data.synthetic import SyntheticConfig

QUERY_FOLDER = "bigquery"
DATAFLOW = "--runner=DataflowRunner"


def is_needed(values: dict[str, Any]) -> bool:
    """Returns whether these are the parameters of InteractionsExampleGen."""
    return DATA_PATH in values


def set_input(values: dict[str, Any], synthetic: SyntheticConfig) -> None:
    """Turns the parameters `data_path` and `span` into ExampleGen's own properties.

    Args:
        values: parameters of the task, changed in place.
        synthetic: the data to make if the path is `synthetic`.

    Raises:
        ValueError: there is no such file, or a span is given for a path without
            `{SPAN}` or a date.
    """
    path, span = values.pop(DATA_PATH), int(values.pop(SPAN))
    values.pop(DATA_VERSION)
    if span != LATEST_SPAN and not span_marks.has_marks(path):
        raise ValueError(
            f"`span` is {span}, so `data_path` must say where the number goes, as in "
            f"gs://bucket/{{SPAN}}/ratings.csv; got {path!r}."
        )
    if "://" not in path and not span_marks.has_marks(path):
        path = str(catalogue.resolve(path, synthetic=synthetic).path)
    base, config = split_path(path)
    values["input_base"] = base
    values["input_config"] = proto_utils.proto_to_json(config)
    if span != LATEST_SPAN:
        only = range_config_pb2.StaticRange(
            start_span_number=span, end_span_number=span
        )
        values["range_config"] = proto_utils.proto_to_json(
            range_config_pb2.RangeConfig(static_range=only)
        )


def run_query(values: dict[str, Any], folder: str) -> None:
    """Lets BigQuery export the result if the path is a query; reads the export then.

    Where the query has marks of days, the days of `data.spans.last` are filled in.

    Args:
        values: parameters of the task, changed in place.
        folder: the task's folder for the export, gs://...
    """
    if not bigquery.is_query(values[DATA_PATH]):
        return
    extra = executor.unpack_extra(values["custom_config"])
    settings = SpansConfig.model_validate(extra.get(executor.SPANS, {}))
    span = int(values.get(SPAN, LATEST_SPAN))
    query = bigquery.in_window(
        values[DATA_PATH],
        last=settings.last,
        newest=None if span == LATEST_SPAN else span,
    )
    values[SPAN] = LATEST_SPAN  # The query has the span now.
    target = os.path.join(folder, QUERY_FOLDER)
    values[DATA_PATH] = bigquery.export(query, target)


def check_reachable(values: dict[str, Any], beam_args: Sequence[str]) -> None:
    """Raises ValueError if Dataflow's workers have to read files of this machine."""
    path = values[DATA_PATH]
    if DATAFLOW in beam_args and "://" not in path:
        raise ValueError(
            "With steps on Dataflow `data_path` must be gs://..., where its workers "
            f"can read it; got {path!r}. Copy the data there: ncf prepare, then "
            "gcloud storage cp."
        )


def split_path(path: str) -> tuple[str, example_gen_pb2.Input]:
    """Returns ExampleGen's `input_base` and `input_config` for a file or folder.

    The first folder with a mark, and what follows it, belong to the pattern.
    """
    properties = InteractionsExampleGen(path, reading=ReadingConfig()).exec_properties
    base = properties["input_base"]
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(properties["input_config"], config)
    return base, config


def run(executor_input: dict[str, Any], inputs_spec: dict[str, Any]) -> None:
    """Runs TFX's driver, and puts its results into the input of the task.

    The driver writes the parameters that it changes into the output file, where TFX
    reads them before the executor runs. TFX's driver knows one span. Where several
    spans are read, its results are replaced by those of all spans.
    """
    window = _window(executor_input["inputs"]["parameterValues"])
    flags = argparse.Namespace(
        json_serialized_invocation_args=json.dumps(executor_input),
        json_serialized_inputs_spec_args=json.dumps(inputs_spec),
    )
    driver.main(flags)
    with fileio.open(executor_input["outputs"]["outputFile"]) as f:
        found = json.loads(f.read())
    if window is not None:
        _widen(found, window)
        with fileio.open(executor_input["outputs"]["outputFile"], "w") as f:
            f.write(json.dumps(found))
    outputs = executor_input["outputs"]["artifacts"]
    for name, artifacts in found.get("artifacts", {}).items():
        for target, source in zip(
            outputs[name]["artifacts"], artifacts["artifacts"], strict=True
        ):
            target.setdefault("metadata", {}).update(source.get("metadata", {}))


def _window(values: dict[str, Any]) -> SpansProcessor | None:
    """Returns the spans to read; None for a path without marks."""
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(values["input_config"], config)
    if not any(span_marks.has_marks(split.pattern) for split in config.splits):
        return None
    chosen = None
    if "range_config" in values:
        chosen = range_config_pb2.RangeConfig()
        proto_utils.json_to_proto(values["range_config"], chosen)
    return SpansProcessor(
        values["input_base"], config.splits, chosen, values["custom_config"]
    )


def _widen(found: dict[str, Any], window: SpansProcessor) -> None:
    """Replaces the one span that TFX's driver found by all spans, in place."""
    values = found["parameterValues"]
    span, version = window.resolve_span_and_version()
    fingerprint = window.get_input_fingerprint(span, version)
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(values["input_config"], config)
    for split in config.splits:
        split.pattern = window.get_pattern_for_span_version("", span, version)
    values["input_config"] = proto_utils.proto_to_json(config)
    values["custom_config"] = window.noted()
    values[utils.FINGERPRINT_PROPERTY_NAME] = fingerprint
    for artifacts in found.get("artifacts", {}).values():
        for artifact in artifacts["artifacts"]:
            artifact["metadata"][utils.FINGERPRINT_PROPERTY_NAME] = fingerprint
