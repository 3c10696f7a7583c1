"""Beam transforms over batches of users, which apply the rules of this folder."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.io import fileio
from tfx_bsl.coders import example_coder

from components.negative_sampling import (
    held_out_users,
    ranked_lists,
    records,
    splitting,
    training_rows,
)
from components.negative_sampling.plan import Plan
from ncf_model import features, progress
from ncf_model.sampling import negatives

COUNTS_TAG = "counts"
HELD_OUT_TAG = "held_out_users"
_READ = (
    features.USER_ID,
    features.USER_INDEX,
    features.ITEM_INDICES,
    features.TIMESTAMPS,
)
_Users = tuple[records.Users, splitting.Split]


def physical_columns(schema: schema_pb2.Schema) -> dict[str, str]:
    """Returns the name in the records of each feature that is read.

    TensorFlow Transform writes the values of a ragged feature under another name.

    Args:
        schema: of the transformed examples.
    """
    columns = {name: name for name in _READ}
    for group in schema.tensor_representation_group.values():
        for name, representation in group.tensor_representation.items():
            if representation.HasField("ragged_tensor"):
                columns[name] = representation.ragged_tensor.feature_path.step[0]
    return {name: columns[name] for name in _READ}


# The words with which the display says what the first and the second reading do.
_PASSES = ("split", "ranked")


class SplitUsers(beam.DoFn):
    """Turns batches of transformed examples into users and their split."""

    def __init__(
        self, plan: Plan, columns: dict[str, str], *, num_users: int, half: int
    ) -> None:
        """Stores the settings.

        Args:
            plan: how interactions are split.
            columns: the columns' names in the records, from `physical_columns`.
            num_users: how many users there are, for the display of progress.
            half: 0 for the first reading of all users, 1 for the second; each is half
                of the node's progress.
        """
        self._plan = plan
        self._columns = columns
        self._num_users, self._half = num_users, half
        self._done = 0

    def process(self, batch: pa.RecordBatch) -> Iterator[Any]:
        """Yields the users of a batch, and under their tag those who are held out.

        Raises:
            ValueError: a user is malformed.
        """
        users = records.read_users(batch, self._columns)
        records.check_users(users, num_items=self._plan.num_items)
        config = self._plan.config
        users, strangers = held_out_users.separate(users, self._plan)
        yield users, splitting.split(users.items, users.timestamps, config)
        if strangers.user_ids:
            yield beam.pvalue.TaggedOutput(HELD_OUT_TAG, strangers)
        # A batch is processed entirely before the next is read, so these users are
        # done. In Beam's other processes nothing observes the progress.
        self._done += batch.num_rows
        done = min(1.0, self._done / max(1, self._num_users))
        progress.emit(
            progress.StepProgress(
                fraction=(self._half + done) / 2,
                doing=f"{_PASSES[self._half]} {self._done:,} users",
            )
        )


class ItemCounts(beam.CombineFn):
    """Counts how often each item is a training positive, [num_items] int64."""

    def __init__(self, num_items: int) -> None:
        self._num_items = num_items

    def create_accumulator(self) -> np.ndarray:
        return np.zeros(self._num_items, np.int64)

    def add_input(self, total: np.ndarray, users: _Users) -> np.ndarray:
        positives = users[1].positives.values
        total += np.bincount(positives, minlength=self._num_items)
        return total

    def merge_accumulators(self, totals: Iterable[np.ndarray]) -> np.ndarray:
        return sum(totals, self.create_accumulator())

    def extract_output(self, total: np.ndarray) -> np.ndarray:
        return total


class TrainingRows(beam.DoFn):
    """Turns users into serialized records of the split `train`, and counts."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def setup(self) -> None:
        """Makes the encoder, which cannot be pickled."""
        self._encoder = example_coder.RecordBatchToExamplesEncoder()

    def process(self, users: _Users, counts: np.ndarray | None) -> Iterator[Any]:
        """Yields records, and counts under their tag.

        Args:
            users: a batch of users and their split.
            counts: [num_items] int64, the result of `ItemCounts`; None where the draw
                does not depend on popularity.
        """
        config = self._plan.config
        weights = None
        if counts is not None:
            weights = negatives.popularity_weights(counts, config.popularity_alpha)
        for batch in training_rows.batches(*users, plan=self._plan, weights=weights):
            yield from self._encoder.encode(batch)
        positives = len(users[1].positives.values)
        found = {
            "num_users": len(users[0].user_ids),
            "train_positives": positives,
            "train_rows_per_epoch": positives * (1 + config.num_negatives),
        }
        yield beam.pvalue.TaggedOutput(COUNTS_TAG, found)


class RankedLists(beam.DoFn):
    """Turns users into serialized records of `validation` or `eval`, and counts."""

    def __init__(self, plan: Plan, name: str, transform_graph: str) -> None:
        self._plan = plan
        self._name = name
        self._transform_graph = transform_graph

    def setup(self) -> None:
        """Loads the raw ids, once per worker."""
        self._vocabulary = _item_ids(self._transform_graph)
        self._encoder = example_coder.RecordBatchToExamplesEncoder()

    def process(self, users: _Users, counts: np.ndarray) -> Iterator[Any]:
        """Yields records, and counts under their tag."""
        batch, found = ranked_lists.lists(
            *users,
            self._name,
            plan=self._plan,
            vocabulary=self._vocabulary,
            counts=counts,
        )
        yield from self._encoder.encode(batch)
        yield beam.pvalue.TaggedOutput(COUNTS_TAG, found)


class HeldOutUsers(beam.DoFn):
    """Turns users who are held out into serialized records, and counts."""

    def __init__(self, plan: Plan, transform_graph: str) -> None:
        self._plan = plan
        self._transform_graph = transform_graph

    def setup(self) -> None:
        """Loads the raw ids, once per worker."""
        self._vocabulary = _item_ids(self._transform_graph)
        self._encoder = example_coder.RecordBatchToExamplesEncoder()

    def process(self, users: records.Users) -> Iterator[Any]:
        """Yields records, and counts under their tag."""
        batch, found = held_out_users.lists(
            users, plan=self._plan, vocabulary=self._vocabulary
        )
        yield from self._encoder.encode(batch)
        yield beam.pvalue.TaggedOutput(COUNTS_TAG, found)


def _item_ids(transform_graph: str) -> pa.Array:
    graph = tft.TFTransformOutput(transform_graph)
    ids = graph.vocabulary_by_name(features.ITEM_VOCABULARY)
    return pa.array(ids, pa.large_binary())


class Sum(beam.CombineFn):
    """Adds counts of the same name up."""

    def create_accumulator(self) -> dict[str, int]:
        return {}

    def add_input(self, total: dict[str, int], found: dict[str, int]) -> dict[str, int]:
        names = total.keys() | found.keys()
        return {name: total.get(name, 0) + found.get(name, 0) for name in names}

    def merge_accumulators(self, totals: Iterable[dict[str, int]]) -> dict[str, int]:
        merged = self.create_accumulator()
        for total in totals:
            merged = self.add_input(merged, total)
        return merged

    def extract_output(self, total: dict[str, int]) -> dict[str, int]:
        return total


def write_json(content: dict[str, Any], path: str) -> None:
    """Writes a JSON file, on this machine or in a bucket."""
    with fileio.open(path, "w") as f:
        f.write(json.dumps(content, indent=2, sort_keys=True))
