"""Writes the offline form of TensorFlow's official NCF (r2.1.0).

The form consists of TFRecord shards in which one Example is one batch. All features are
int64 lists with an entry per row. Training has `user_id`, `item_id`, `labels` and
`valid_point_mask` (0 marks padding in the last batch of an epoch). Evaluation has
`user_id`, `item_id` and `duplicate_mask` (1 marks items that do not count). There the
lists follow each other, with the held-out item last; a list whose negatives are all
masked is padding.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from pipeline.offline.rows import ListBlock

USER, ITEM, LABELS = "user_id", "item_id", "labels"
VALID, DUPLICATE = "valid_point_mask", "duplicate_mask"
NUM_SHARDS = 16
TRAINING_FOLDER = "training_cycle_{}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfficialFiles:
    """Where rows and lists are written, and how many an Example has.

    Attributes:
        folder: contains the folders of the shards.
        num_users, num_items: sizes of the vocabularies. Padding has all users and items
            in turn, so that no embedding row is fetched much more often than others.
        train_prebatch_size: rows per Example of training.
        eval_prebatch_size: rows per Example of evaluation; a multiple of a list's
            length.
    """

    folder: pathlib.Path
    num_users: int
    num_items: int
    train_prebatch_size: int
    eval_prebatch_size: int

    def write_epoch(self, epoch: int, users: np.ndarray, items: np.ndarray) -> None:
        """Writes an epoch's users [G] and items [G, 1 + n], the positive first."""
        width = items.shape[1]
        flat, size = items.ravel(), self.train_prebatch_size
        with _shards(self.folder / TRAINING_FOLDER.format(epoch)) as write:
            for start in range(0, len(flat), size):
                row = np.arange(start, min(start + size, len(flat)))
                pad = np.arange(size - len(row))
                write(
                    {
                        USER: np.append(users[row // width], pad % self.num_users),
                        ITEM: np.append(flat[row], pad % self.num_items),
                        LABELS: np.append(row % width == 0, np.zeros_like(pad)),
                        VALID: np.arange(size) < len(row),
                    }
                )

    def write_lists(self, name: str, lists: Iterable[ListBlock]) -> int:
        """Writes lists of one width into the folder `name`; returns how many."""
        written = 0
        rest: ListBlock | None = None
        with _shards(self.folder / name) as write:
            for more in lists:
                found = more if rest is None else _joined(rest, more)
                written += len(more.users)
                per_batch = self.eval_prebatch_size // found.items.shape[1]
                full = len(found.users) // per_batch * per_batch
                for start in range(0, full, per_batch):
                    write(_evaluation(_at(found, start, start + per_batch), per_batch))
                rest = _at(found, full, None)
            if rest is not None and len(rest.users):
                write(_evaluation(rest, per_batch))
        return written

    def steps(self, *, train_rows: int, eval_rows: int) -> dict[str, int]:
        """Returns sizes, and numbers of batches, by the keys of the official NCF."""
        return {
            "train_prebatch_size": self.train_prebatch_size,
            "eval_prebatch_size": self.eval_prebatch_size,
            "num_train_steps": -(-train_rows // self.train_prebatch_size),
            "num_eval_steps": -(-eval_rows // self.eval_prebatch_size),
        }


def _evaluation(lists: ListBlock, per_batch: int) -> dict[str, np.ndarray]:
    """Returns the features of a batch, padded with lists that are masked."""
    width = lists.items.shape[1]
    pad = np.zeros((per_batch - len(lists.users), width), np.int64)
    masked = np.ones(pad.shape, bool)
    masked[:, 0] = False
    users = np.repeat(lists.users[:, None], width, axis=1)
    return {
        USER: np.concatenate([users, pad]).ravel(),
        ITEM: swapped(np.concatenate([lists.items, pad])).ravel(),
        DUPLICATE: swapped(np.concatenate([lists.masked, masked])).ravel(),
    }


def swapped(rows: np.ndarray) -> np.ndarray:
    """Exchanges the first and the last column."""
    order = np.arange(rows.shape[1])
    order[[0, -1]] = order[[-1, 0]]
    return rows[:, order]


def _at(lists: ListBlock, start: int, stop: int | None) -> ListBlock:
    part = slice(start, stop)
    return ListBlock(lists.users[part], lists.items[part], lists.masked[part])


def _joined(first: ListBlock, second: ListBlock) -> ListBlock:
    return ListBlock(
        np.concatenate([first.users, second.users]),
        np.concatenate([first.items, second.items]),
        np.concatenate([first.masked, second.masked]),
    )


class _Writer:
    """Writes batch after batch, each to the next shard."""

    def __init__(self, writers: list) -> None:
        self._writers = writers
        self._written = 0

    def __call__(self, columns: dict[str, np.ndarray]) -> None:
        example = tf.train.Example()
        for name, values in columns.items():
            feature = example.features.feature[name]
            feature.int64_list.value.extend(values.astype(np.int64).tolist())
        shard = self._writers[self._written % NUM_SHARDS]
        shard.write(example.SerializeToString(deterministic=True))
        self._written += 1


@contextlib.contextmanager
def _shards(folder: pathlib.Path) -> Iterator[_Writer]:
    folder.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        paths = (folder / f"shard_{i}.tfrecords" for i in range(NUM_SHARDS))
        yield _Writer(
            [stack.enter_context(tf.io.TFRecordWriter(str(path))) for path in paths]
        )
