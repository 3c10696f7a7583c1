"""Turns users into tables of their lists: a model handler for Beam's RunInference."""

import csv
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import tensorflow as tf
from apache_beam.ml.inference import base

from ncf_model.serving import list_tables

# Users per call: enough to use the model well, few enough for little memory.
_BATCH = 512


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A loaded SavedModel, and the items' titles."""

    model: Any
    titles: Mapping[str, str]


class Recommender(base.ModelHandler[bytes, pa.Table, Loaded]):
    """Turns batches of raw user ids into tables of `ncf_model.serving.list_tables`."""

    def __init__(self, model: str, *, k: int, titles: str = "") -> None:
        """Loads nothing yet: `load_model` is called once per worker.

        Args:
            model: folder of the SavedModel.
            k: items per user.
            titles: a CSV of `item_id,title`, which need not exist; "" for none.
        """
        super().__init__(min_batch_size=_BATCH, max_batch_size=_BATCH)
        self._model, self._k, self._titles = model, k, titles

    def load_model(self) -> Loaded:
        """Returns the model and the titles."""
        return Loaded(tf.saved_model.load(self._model), read_titles(self._titles))

    def run_inference(
        self,
        batch: Sequence[bytes],
        model: Loaded,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[pa.Table]:
        """Returns one table for the whole batch."""
        answer = model.model.signatures["recommend"](
            user_id=tf.constant(list(batch), tf.string), k=tf.constant(self._k)
        )
        users = [user.decode(errors="replace") for user in batch]
        yield list_tables.table(
            users,
            answer["item_ids"].numpy(),
            answer["scores"].numpy(),
            lambda item: model.titles.get(item, ""),
        )


def read_titles(path: str) -> dict[str, str]:
    """Returns the titles in a CSV of `item_id,title`; {} if there is no such file."""
    if not path or not tf.io.gfile.exists(path):
        return {}
    with tf.io.gfile.GFile(path) as f:
        return {row["item_id"]: row["title"] for row in csv.DictReader(f)}
