"""A data set of five users and seven items, as NegativeSampling writes it."""

import dataclasses
import pathlib
import types

import pytest
import tensorflow as tf

from ncf_model import features
from ncf_model.serving import saved_model
from ncf_model.training import data

USERS = [b"ann", b"bob", b"\xc3\xa9ve", b"007", b"only one"]
ITEMS = [b"i0", b"i1", b"i2", b"i3", b"i4", b"i5", b"i6"]
# For each user: positives by time, validation items, evaluation items.
INTERACTIONS = [
    ([0, 1, 2], [3], [4]),
    ([1, 0], [2], [5]),
    ([0], [], [1]),
    ([2, 3, 0, 1], [5], [6]),
    ([0], [], []),
]


def _ints(values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _bytes(values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _write(path, records):
    """Writes records, dicts of lists of bytes or integers, as NegativeSampling does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for record in records:
            feature = {
                name: (_bytes if values and isinstance(values[0], bytes) else _ints)(
                    values
                )
                for name, values in record.items()
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())


def _train(index, positives, validation, evaluation, **more):
    """Returns the training record of the user with number `index`."""
    return {
        features.USER_ID: [USERS[index]],
        features.USER_INDEX: [index],
        features.POSITIVES: positives,
        features.VALIDATION_ITEMS: validation,
        features.EVAL_ITEMS: evaluation,
    } | more


def _list(index, candidates):
    """Returns the record of a validation list; the held-out item is the first."""
    return {
        features.USER_ID: [USERS[index]],
        features.CANDIDATE_IDS: [ITEMS[item] for item in candidates],
    }


def _vocabularies(root, users, items):
    """Writes the part of Transform's output that the trainer reads."""
    assets = root / "transform_fn/assets"
    assets.mkdir(parents=True)
    (root / "transformed_metadata").mkdir()
    for name, ids in (
        (features.USER_VOCABULARY, users),
        (features.ITEM_VOCABULARY, items),
    ):
        (assets / name).write_bytes(b"".join(raw + b"\n" for raw in ids))


@pytest.fixture(scope="session")
def records():
    """Returns functions that make and write records, and that write vocabularies."""
    return types.SimpleNamespace(
        write=_write, train=_train, list=_list, vocabularies=_vocabularies
    )


@dataclasses.dataclass
class Tiny:
    """The folder of a small data set, and the paths in it."""

    root: pathlib.Path

    @property
    def train(self):
        return [str(self.root / "Split-train/data_tfrecord-*")]

    @property
    def validation(self):
        return [str(self.root / "Split-validation/data_tfrecord-*")]

    @property
    def vocabularies(self):
        assets = self.root / "transform_fn/assets"
        return {
            "user_vocabulary": str(assets / features.USER_VOCABULARY),
            "item_vocabulary": str(assets / features.ITEM_VOCABULARY),
        }

    def export(self, network, *, refitted=True):
        """Writes the SavedModel of a network of pairs; returns its folder."""
        path = str(self.root / "model")
        interactions = data.load_interactions(self.train)
        saved_model.export(
            network, interactions, path, refitted=refitted, **self.vocabularies
        )
        return path


@pytest.fixture
def tiny(tmp_path):
    """Returns a `Tiny`; its users are in two files and out of order."""
    root = tmp_path / "tiny"
    rows = [_train(i, *lists) for i, lists in enumerate(INTERACTIONS)]
    _write(root / "Split-train/data_tfrecord-00000-of-00002.gz", rows[3:])
    _write(root / "Split-train/data_tfrecord-00001-of-00002.gz", rows[:3])
    _write(
        root / "Split-validation/data_tfrecord-00000-of-00001.gz",
        [
            _list(0, [3, 5, 6]),
            _list(1, [2, 3, 4, 6]),
            _list(3, [5, 4]),
        ],
    )
    _vocabularies(root, USERS, ITEMS)
    return Tiny(root)
