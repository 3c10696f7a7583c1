"""Reads the offline form of TensorFlow's official NCF; see `official`."""

import dataclasses
import itertools
import json
import os
import re

import numpy as np
import tensorflow as tf

from pipeline.offline import official
from pipeline.offline.rows import ListBlock


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metadata:
    """The metadata of the files; the fields are keys of a JSON file.

    Attributes:
        num_users, num_items: sizes of the vocabularies; all indices are below.
        num_train_elements: rows of an epoch, without padding.
        num_eval_elements: rows of all lists, without padding.
        train_prebatch_size, eval_prebatch_size: rows per Example.
        num_eval_negatives: negatives per list; 999 if the file does not say it, as that
            of the official NCF does not.
    """

    num_users: int
    num_items: int
    num_train_elements: int
    num_eval_elements: int
    train_prebatch_size: int
    eval_prebatch_size: int
    num_eval_negatives: int = 999


def read_metadata(path: str) -> Metadata:
    """Reads the JSON file.

    Raises:
        ValueError: the file is absent or not JSON, a key is missing or no count, or an
            Example does not hold whole lists.
    """
    try:
        with tf.io.gfile.GFile(path) as f:
            found = json.load(f)
    except (tf.errors.NotFoundError, ValueError) as error:
        raise ValueError(
            f"`input_meta_data_path` must be a JSON file; {path} cannot be read: "
            f"{error}. Give the metadata that was written with the data."
        ) from None
    known = {field.name for field in dataclasses.fields(Metadata)}
    needed = known - {"num_eval_negatives"}
    wrong = [
        name
        for name in sorted(needed | (known & set(found)))
        if not isinstance(found.get(name), int) or found[name] < 0
    ]
    if wrong:
        raise ValueError(
            f"{path} must have a count for each of {wrong}; it has {sorted(found)}. "
            "Is it the metadata of the official NCF, or of `ncf sample`?"
        )
    metadata = Metadata(**{name: found[name] for name in known & set(found)})
    width = 1 + metadata.num_eval_negatives
    if metadata.eval_prebatch_size % width:
        raise ValueError(
            f"{path}: `eval_prebatch_size` must be a multiple of a list's length; got "
            f"{metadata.eval_prebatch_size} and {width}."
        )
    return metadata


class Epochs:
    """The training rows of each epoch, one folder each, in the trainer's groups."""

    def __init__(self, pattern: str, metadata: Metadata) -> None:
        """Finds the files.

        Args:
            pattern: of files, such as `samples/training_cycle_*/*`. Each folder is an
                epoch, in the order of the numbers in the folders' names.
            metadata: of the files.

        Raises:
            ValueError: no file matches.
        """
        files = _find(pattern, "train_dataset_path")
        self._folders = [list(f) for _, f in itertools.groupby(files, os.path.dirname)]
        self._metadata = metadata

    def __len__(self) -> int:
        """How many epochs there are."""
        return len(self._folders)

    def draw(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns an epoch's users [G] and items [G, 1 + n], int32, positive first.

        `groups` decides which row is in which group.

        Raises:
            ValueError: rows are missing, have another form, or cannot be grouped.
        """
        metadata, files = self._metadata, self._folders[epoch]
        names = (official.USER, official.ITEM, official.LABELS, official.VALID)
        found = _read(files, names, metadata.train_prebatch_size)
        valid = found[official.VALID].astype(bool)
        users, items, labels = (found[name][valid] for name in names[:3])
        _check_rows(users, items, files, metadata, metadata.num_train_elements)
        return groups(users, items, labels.astype(bool))


def groups(
    users: np.ndarray, items: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Puts rows into groups: a positive and its negatives, all of one user.

    A user's first positive gets the user's first n negatives, the second positive the
    next n, and so on. Groups are in the order of their positives. Rows that are grouped
    already keep their order.

    Args:
        users: [R], the user of each row.
        items: [R], the item of each row.
        labels: [R] bool, True for positives.

    Returns:
        Users [G] and items [G, 1 + n], the positive first.

    Raises:
        ValueError: the users do not all have the same number of negatives per positive,
            1 or more.
    """
    positives, negatives = np.flatnonzero(labels), np.flatnonzero(~labels)
    count = len(negatives) // max(1, len(positives))
    places = np.argsort(users[positives], kind="stable")
    owners = np.repeat(users[positives][places], count)
    negatives = negatives[np.argsort(users[negatives], kind="stable")]
    if not count or not np.array_equal(owners, users[negatives]):
        raise ValueError(
            "Each user must have as many negatives per positive as all others, 1 or "
            f"more; {len(positives)} positives and {len(negatives)} negatives are not "
            "divided like this. Write the files anew: some rows may be lost."
        )
    rows = np.empty((len(positives), 1 + count), items.dtype)
    rows[:, 0] = items[positives]
    rows[places, 1:] = items[negatives].reshape(-1, count)
    return users[positives], rows


def read_lists(pattern: str, metadata: Metadata) -> ListBlock:
    """Reads ranked lists, without padding, the held-out item first.

    Raises:
        ValueError: no file matches, or rows are missing or have another form.
    """
    files = _find(pattern, "eval_dataset_path")
    names = (official.USER, official.ITEM, official.DUPLICATE)
    found = _read(files, names, metadata.eval_prebatch_size)
    shape = (-1, 1 + metadata.num_eval_negatives)
    users, items, duplicate = (found[name].reshape(shape) for name in names)
    masked = official.swapped(duplicate.astype(bool))
    kept = ~masked[:, 1:].all(axis=1)
    users, items = users[kept], official.swapped(items)[kept]
    _check_rows(
        users.ravel(), items.ravel(), files, metadata, metadata.num_eval_elements
    )
    return ListBlock(users[:, 0], items, masked[kept])


def _find(pattern: str, flag: str) -> list[str]:
    """Returns the files in order of the numbers in their paths."""
    files = tf.io.gfile.glob(pattern)
    if not files:
        raise ValueError(
            f"No file matches `{flag}`, {pattern!r}. Give a pattern of files, such as "
            "'samples/training_cycle_*/*'."
        )
    return sorted(files, key=lambda path: [*map(_padded, os.path.split(path))])


def _padded(name: str) -> str:
    """Returns the name with zeros before its numbers, so that 10 is after 9."""
    return re.sub(r"\d+", lambda number: number.group().zfill(20), name)


def _read(
    files: list[str], names: tuple[str, ...], prebatch_size: int
) -> dict[str, np.ndarray]:
    """Returns each feature of all Examples, end to end, [R] int32."""
    spec = {name: tf.io.FixedLenFeature([prebatch_size], tf.int64) for name in names}
    # One batch of each shard in turn, which is the order of writing.
    records = tf.data.Dataset.from_tensor_slices(files)
    records = records.interleave(tf.data.TFRecordDataset, cycle_length=len(files))
    parsed = records.map(lambda record: tf.io.parse_single_example(record, spec))
    found: dict[str, list] = {name: [np.empty(0, np.int32)] for name in names}
    try:
        for example in parsed.as_numpy_iterator():
            for name, values in example.items():
                found[name].append(values.astype(np.int32))
    except (tf.errors.InvalidArgumentError, tf.errors.DataLossError) as error:
        raise ValueError(
            f"Every Example in {os.path.dirname(files[0])} must have {list(names)} "
            f"with {prebatch_size} values each, as the metadata say; {error.message}."
        ) from None
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _check_rows(
    users: np.ndarray,
    items: np.ndarray,
    files: list[str],
    metadata: Metadata,
    expected: int,
) -> None:
    """Raises ValueError unless there are all rows, and all indices are in range."""
    folder = os.path.dirname(files[0])
    if len(users) != expected:
        raise ValueError(
            f"{folder} must hold {expected} rows, as the metadata say; its "
            f"{len(files)} files have {len(users)}. Is a shard missing, or does the "
            "pattern match others?"
        )
    for name, values, size in (
        (official.USER, users, metadata.num_users),
        (official.ITEM, items, metadata.num_items),
    ):
        if len(values) and not 0 <= values.min() <= values.max() < size:
            raise ValueError(
                f"`{name}` must be in [0, {size}), as the metadata say; in {folder} it "
                f"is {values.min()} to {values.max()}. Are data and metadata a pair?"
            )
