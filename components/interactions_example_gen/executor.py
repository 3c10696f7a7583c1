"""Wires reading and grouping into Beam, and reports what was found."""

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from absl import logging
from google.protobuf import wrappers_pb2
from tfx import types
from tfx.components.example_gen import base_example_gen_executor
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.interactions_example_gen import (
    drift,
    files,
    grouping,
    reading,
    records,
    report,
    spans,
)
from components.interactions_example_gen.config import DriftConfig, ReadingConfig

PARTITION_BYTES = 1 << 25
_FILE_NAME = "data_tfrecord"
_REPORT, _ROWS = "report", "rows"
_EXAMPLES_URI = "_examples_uri"
# Keys of the settings, and of the spans that the driver found.
SPANS, DRIFT, WINDOW, DELIVERIES = "spans", "drift", "window", "deliveries"
_EXTRA = (SPANS, DRIFT, WINDOW, DELIVERIES)

# (file number, block number, rows as an Arrow stream)
_Chunk = tuple[int, int, bytes]


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """Writes one Example per user, and `reading.json` beside the Examples."""

    def GetInputSourceToExamplePTransform(self) -> Any:
        """Returns the transform from files to serialized Examples."""
        return _files_to_examples

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Reads the input; counts become properties of the Examples artifact.

        Raises:
            ValueError: the input cannot be read, or the filters leave no user.
        """
        examples = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.EXAMPLES_KEY]
        )
        exec_properties[_EXAMPLES_URI] = examples.uri
        self._log_startup(input_dict, output_dict, exec_properties)
        self._generate(examples, exec_properties)
        with fileio.open(os.path.join(examples.uri, report.FILE_NAME)) as f:
            found = json.loads(f.read())
        _check(found)
        _log(found)
        for name, value in found.items():
            if isinstance(value, int):
                examples.set_int_custom_property(name, value)
        kinds = json.dumps(found["rows_skipped_by_kind"])
        examples.set_string_custom_property("rows_skipped_by_kind", kinds)
        note_spans(examples, exec_properties)

    def _generate(
        self, examples: types.Artifact, exec_properties: dict[str, Any]
    ) -> None:
        """Does what TFX's own `Do` does, without its shuffle of the records.

        The records come from a shuffle by users already. Another shuffle would only
        keep all of them in memory or, on a cluster, send them over the network.
        """
        with self._make_beam_pipeline() as pipeline:
            splits = self.GenerateExamplesByBeam(pipeline, exec_properties)
            examples.split_names = artifact_utils.encode_split_names(list(splits))
            for name, written in splits.items():
                folder = artifact_utils.get_split_uri([examples], name)
                _ = written | f"Write[{name}]" >> beam.io.WriteToTFRecord(
                    os.path.join(folder, _FILE_NAME), file_name_suffix=".gz"
                )
        payload = exec_properties.get(standard_component_specs.OUTPUT_DATA_FORMAT_KEY)
        if payload:
            examples_utils.set_payload_format(examples, payload)
        examples_utils.set_file_format(examples, "tfrecords_gzip")


def note_spans(examples: types.Artifact, exec_properties: dict[str, Any]) -> None:
    """Notes which spans were read, and how the newest differs from those before.

    Raises:
        ValueError: the newest span differs by more than the limits allow.
    """
    keys = standard_component_specs
    custom = exec_properties[keys.CUSTOM_CONFIG_KEY]
    extra = unpack_extra(custom)
    if window := extra.get(WINDOW):
        examples.set_string_custom_property(spans.PROPERTY, json.dumps(window))
    if not extra.get(DELIVERIES):
        return
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[keys.INPUT_CONFIG_KEY], config)
    names, sizes = zip(*extra[DELIVERIES], strict=True)
    found = drift.look(
        exec_properties[keys.INPUT_BASE_KEY],
        config.splits[0].pattern,
        sizes,
        names,
        DriftConfig.model_validate(extra[DRIFT]),
        unpack_config(custom),
    )
    logging.info("Drift: %s", json.dumps(found))
    examples.set_string_custom_property(drift.PROPERTY, json.dumps(found))


def pack_config(
    config: ReadingConfig, extra: Mapping[str, Any] | None = None
) -> example_gen_pb2.CustomConfig:
    """Returns the form in which the settings travel to the executor.

    Args:
        config: how to read the files.
        extra: further values that JSON can hold, such as `SPANS` and `WINDOW`.
    """
    packed = example_gen_pb2.CustomConfig()
    text = config.model_dump_json()
    if extra:
        text = json.dumps({**json.loads(text), **extra})
    packed.custom_config.Pack(wrappers_pb2.StringValue(value=text))
    return packed


def unpack_config(text: str) -> ReadingConfig:
    """Rebuilds the settings from the JSON of `pack_config`'s message."""
    return ReadingConfig.model_validate(_unpack(text)[0])


def unpack_extra(text: str) -> dict[str, Any]:
    """Returns the `extra` values that `pack_config` was given."""
    return _unpack(text)[1]


def _unpack(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    packed = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(text, packed)
    value = wrappers_pb2.StringValue()
    packed.custom_config.Unpack(value)
    values = json.loads(value.value)
    extra = {name: values.pop(name) for name in _EXTRA if name in values}
    return values, extra


@beam.ptransform_fn
@beam.typehints.with_input_types(beam.Pipeline)
@beam.typehints.with_output_types(bytes)
def _files_to_examples(
    pipeline: beam.Pipeline, exec_properties: dict[str, Any], split_pattern: str
) -> beam.PCollection:
    keys = standard_component_specs
    config = unpack_config(exec_properties[keys.CUSTOM_CONFIG_KEY])
    paths = files.find(exec_properties[keys.INPUT_BASE_KEY], split_pattern)
    _, found = reading.first_layout(paths, config)
    num_partitions = 1 + sum(map(files.size, paths)) // PARTITION_BYTES
    logging.info("Reading %d file(s), %d partition(s).", len(paths), num_partitions)

    read_file = _ReadFile(config, list(found.columns()), num_partitions)
    read = (
        pipeline
        | "Paths" >> beam.Create(list(enumerate(paths)))
        | "SpreadFiles" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(read_file).with_outputs(_REPORT, main=_ROWS)
    )
    errors = read[_REPORT] | "Errors" >> beam.FlatMap(lambda found: found["errors"])
    grouped = (
        read[_ROWS]
        | "ByPartition" >> beam.GroupByKey()
        | "Group"
        >> beam.ParDo(
            _GroupPartition(config, has_times=found.timestamp is not None),
            errors=beam.pvalue.AsList(errors),
        ).with_outputs(_REPORT, main=_ROWS)
    )
    _ = (
        (read[_REPORT], grouped[_REPORT])
        | "Reports" >> beam.Flatten()
        | "Merge" >> beam.CombineGlobally(report.merge)
        | "WriteReport"
        >> beam.Map(
            _write_report,
            os.path.join(exec_properties[_EXAMPLES_URI], report.FILE_NAME),
            has_ratings=int(found.rating is not None),
            has_timestamps=int(found.timestamp is not None),
        )
    )
    return grouped[_ROWS]


class _ReadFile(beam.DoFn):
    """(file number, path) -> (partition, chunk of rows), and a report of the file.

    An error is reported, not raised: Beam would retry an error that is raised, and bury
    its message.
    """

    def __init__(
        self, config: ReadingConfig, roles: list[str], num_partitions: int
    ) -> None:
        self._config = config
        self._roles = roles
        self._num_partitions = num_partitions

    def process(self, numbered_path: tuple[int, str]) -> Iterator[Any]:
        file, path = numbered_path
        found = report.empty()
        try:
            reading.check_roles(path, self._config, self._roles)
            for number, block in enumerate(reading.read_blocks(path, self._config)):
                found["rows_read"] += block.rows_read
                found["rows_skipped"] += block.skipped
                found["bad_rows"] += [(file, b.line, b.message) for b in block.bad_rows]
                for key, rows in grouping.partition(block.rows, self._num_partitions):
                    yield key, (file, number, _to_stream(rows))
        except reading.NoRowsError as error:
            if self._config.bad_rows == "skip":
                found["rows_skipped"]["file_without_rows"] += 1
                found["bad_rows"].append((file, 0, str(error)))
            else:
                found["errors"].append((file, 0, str(error)))
        except ValueError as error:
            found["errors"].append((file, 0, str(error)))
        yield beam.pvalue.TaggedOutput(_REPORT, report.merge([found]))


class _GroupPartition(beam.DoFn):
    """(partition, its chunks) -> serialized Examples, and a report of the partition."""

    def __init__(self, config: ReadingConfig, *, has_times: bool) -> None:
        self._config = config
        self._has_times = has_times

    def process(
        self, keyed: tuple[int, Iterable[_Chunk]], errors: list[Any]
    ) -> Iterator[Any]:
        if errors:  # The run fails anyway; the user need not wait for the rest.
            return
        chunks = [_from_stream(c[2]) for c in sorted(keyed[1], key=lambda c: c[:2])]
        users, dropped = grouping.group(chunks, self._config)
        found = report.empty() | dropped
        found["num_users"] = len(users.user_ids)
        found["num_interactions"] = len(users.item_ids)
        items = users.item_ids.unique().to_pylist()
        found["item_hashes"] = np.unique(report.stable_hashes(items))
        yield beam.pvalue.TaggedOutput(_REPORT, found)
        yield from records.to_examples(users, has_times=self._has_times)


def _to_stream(rows: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write_batch(rows)
    return sink.getvalue()


def _from_stream(stream: bytes) -> pa.RecordBatch:
    with pa.ipc.open_stream(stream) as reader:
        return reader.read_next_batch()


def _write_report(total: dict[str, Any], path: str, **extra: int) -> None:
    text = json.dumps(report.to_json_dict(total) | extra, indent=2)
    with beam.io.filesystems.FileSystems.create(path, "text/plain") as f:
        f.write(text.encode())


def _check(found: dict[str, Any]) -> None:
    """Raises ValueError with the first error of the readers, or if no user is left."""
    if found["errors"]:
        raise ValueError(found["errors"][0])
    if not found["num_users"]:
        raise ValueError(
            "There must be at least one user with interactions; none is left of "
            f"{found['rows_read']} rows: {found['rows_skipped']} could not be read, "
            f"{found['rows_below_min_rating']} were below `data.min_rating`, and "
            f"{found['users_dropped_by_filter']} users were outside "
            "`data.min_interactions` and `data.max_interactions`. Loosen the filters."
        )


def _log(found: dict[str, Any]) -> None:
    logging.info(
        "Read %d rows: %d users, %d items, %d interactions; %d repeats merged.",
        *(found[k] for k in ("rows_read", "num_users", "num_items")),
        *(found[k] for k in ("num_interactions", "duplicates_dropped")),
    )
    if not found["has_timestamps"]:
        logging.warning(
            "The input has no times: its order stands for them, so each user's last "
            "row counts as the latest."
        )
    if found["rows_skipped"]:
        logging.warning(
            "Left out %d rows that could not be read, %s. The first ones:\n%s",
            found["rows_skipped"],
            found["rows_skipped_by_kind"],
            "\n".join(found["bad_rows"]),
        )
