"""The SavedModel that is judged and pushed.

Plain TensorFlow: it loads without this package or Keras. Ids are mapped by the model's
own vocabularies, which it carries; an unknown id takes the "unknown" row.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ncf_model import data, features, layers, model

# Values of a hidden layer at a time in `recommend`.
_BLOCK_VALUES = 1 << 22


def set_unknown_rows(
    network: model.NeuMF, *, users: np.ndarray, items: np.ndarray
) -> None:
    """Gives "unknown", the last row of each table, the mean of the trained rows.

    No training example reaches that row; the mean user has average taste and the mean
    item average appeal, biases included.

    Args:
        network: trained.
        users: indices that trained.
        items: likewise; as positive or negative, so usually all.
    """
    for table, index in ((network.user_table, users), (network.item_table, items)):
        rows = table.embeddings.numpy()
        rows[-1] = rows[np.unique(index)].mean(axis=0)
        table.embeddings.assign(rows)


class ServingModel(tf.Module):
    """The three signatures and the constants they need."""

    def __init__(
        self,
        network: model.NeuMF,
        *,
        user_vocabulary: str,
        item_vocabulary: str,
        seen: data.Lists,
        popularity: np.ndarray,
    ) -> None:
        """Computes what does not depend on a request.

        Args:
            network: trained, unknown rows set.
            user_vocabulary: path of a text file, one raw id a line.
            item_vocabulary: likewise.
            seen: per user index what `recommend` leaves out.
            popularity: [num_items] how often each item was a training positive.
        """
        super().__init__()
        self._scorer = network.scorer
        self._num_users, self._num_items = network.num_users, network.num_items
        self._users = _index_table(user_vocabulary, network.num_users)
        self._items = _index_table(item_vocabulary, network.num_items)
        self._item_ids = _id_table(item_vocabulary)
        scorer = network.scorer
        self._user_part = _constants(
            scorer.user_part(network.user_table.embeddings.value)
        )
        self._item_part = _constants(
            scorer.item_part(network.item_table.embeddings.value)
        )
        self._weights = [_constant(w.numpy()) for w in scorer.trainable_variables]
        self._seen = _constant(seen.values)
        # The unknown user, whose index is the last, has seen nothing.
        self._seen_offsets = _constant(np.append(seen.offsets, seen.offsets[-1]))
        order = np.argsort(-popularity, kind="stable").astype(np.int32)
        self._popular = _constant(order)
        share = popularity[order] / network.num_users
        self._popular_scores = _constant(share.astype(np.float32))

    def _logits(self, user: layers.Part, item: layers.Part) -> tf.Tensor:
        variables = self._scorer.trainable_variables
        mapping = [
            *zip(variables, map(tf.convert_to_tensor, self._weights), strict=True)
        ]
        with keras.StatelessScope(state_mapping=mapping):
            return self._scorer.combine(user, item)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "user_id"),
            tf.TensorSpec([None], tf.string, "item_id"),
        ]
    )
    def score(self, user_id: tf.Tensor, item_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns `score` [B], the probability that the user takes the item."""
        user = layers.gather(self._user_part, self._users.lookup(user_id))
        item = layers.gather(self._item_part, self._items.lookup(item_id))
        return {"score": tf.sigmoid(self._logits(user, item))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns `scores` [B, 1 + m], logits in the order of `candidate_ids`.

        Rows shorter than the batch's longest are padded with -inf.
        """
        parsed = tf.io.parse_example(
            examples,
            {
                features.USER_ID: tf.io.FixedLenFeature([], tf.string),
                features.CANDIDATE_IDS: tf.io.RaggedFeature(tf.string),
            },
        )
        candidates = parsed[features.CANDIDATE_IDS]
        users = self._users.lookup(parsed[features.USER_ID])
        items = tf.ragged.map_flat_values(self._items.lookup, candidates)
        user = layers.gather(self._user_part, users[:, tf.newaxis])
        item = layers.gather(self._item_part, items.to_tensor(self._num_items))
        logits = self._logits(user, item)
        real = tf.sequence_mask(candidates.row_lengths(), tf.shape(logits)[1])
        return {"scores": tf.where(real, logits, -np.inf)}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "user_id"),
            tf.TensorSpec([], tf.int32, "k"),
        ]
    )
    def recommend(self, user_id: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the best unseen items, `item_ids` and `scores`, both [B, k].

        Scores are probabilities in descending order, equal ones by item index. An
        unknown user gets the most popular items; their score is the share of users who
        have the item. Where fewer than `k` items are left, the rest of a row is "" with
        score 0.
        """
        tf.debugging.assert_non_negative(k, "`k` must be 0 or more.")
        users = self._users.lookup(user_id)
        best = tf.minimum(k, self._num_items)
        count = tf.size(users)
        # At least one block, though it be of padding: an empty map has no shape.
        block = tf.clip_by_value(count, 1, self._users_at_a_time())
        padding = tf.maximum(count, 1) + block - 1
        padding = padding // block * block - count
        padded = tf.pad(users, [[0, padding]], constant_values=self._num_users)
        items, scores = tf.map_fn(
            lambda block_users: self._best_items(block_users, best),
            tf.reshape(padded, [-1, block]),
            fn_output_signature=(tf.int32, tf.float32),
        )
        items = tf.reshape(items, [-1, best])[:count]
        scores = tf.reshape(scores, [-1, best])[:count]
        unknown = (users == self._num_users)[:, tf.newaxis]
        items = tf.where(unknown, self._popular[:best], items)
        scores = tf.where(unknown, self._popular_scores[:best], scores)
        rest = [[0, 0], [0, k - best]]
        ids = self._item_ids.lookup(tf.cast(items, tf.int64))
        return {"item_ids": tf.pad(ids, rest), "scores": tf.pad(scores, rest)}

    def _users_at_a_time(self) -> int:
        widest = max(self._scorer.width, *self._scorer.settings.layers)
        return max(1, _BLOCK_VALUES // (self._num_items * widest))

    def _best_items(
        self, users: tf.Tensor, k: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns items [b, k] int32, -1 where none is left, and probabilities."""
        user = layers.gather(self._user_part, users[:, tf.newaxis])
        item = layers.Part(
            *(
                None if part is None else part[:-1][tf.newaxis]
                for part in self._item_part
            )
        )
        logits = self._logits(user, item)
        starts, ends = (tf.gather(self._seen_offsets, users + i) for i in (0, 1))
        seen = tf.ragged.range(starts, ends)
        at = tf.stack(
            [
                tf.cast(seen.value_rowids(), tf.int32),
                tf.gather(self._seen, seen.values),
            ],
            axis=1,
        )
        gone = tf.fill([tf.shape(at)[0]], -np.inf)
        best, items = tf.math.top_k(tf.tensor_scatter_nd_update(logits, at, gone), k)
        left = best > -np.inf
        return tf.where(left, items, -1), tf.where(left, tf.sigmoid(best), 0.0)


def _index_table(path: str, unknown: int) -> tf.lookup.StaticHashTable:
    initializer = tf.lookup.TextFileInitializer(
        path,
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    return tf.lookup.StaticHashTable(initializer, unknown)


def _id_table(path: str) -> tf.lookup.StaticHashTable:
    initializer = tf.lookup.TextFileInitializer(
        path,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
    )
    return tf.lookup.StaticHashTable(initializer, "")


def _constant(value: Any) -> tf.Variable:
    # A variable is saved in the checkpoint; a constant would be limited to 2 GB.
    return tf.Variable(value, trainable=False)


def _constants(part: layers.Part) -> layers.Part:
    return layers.Part(*(None if field is None else _constant(field) for field in part))


def export(
    network: model.NeuMF,
    interactions: data.Interactions,
    path: str,
    *,
    user_vocabulary: str,
    item_vocabulary: str,
    refitted: bool,
) -> None:
    """Sets the unknown rows and writes the SavedModel to `path`.

    Args:
        network: trained.
        interactions: what it was trained on, and what `recommend` leaves out.
        path: the folder to write.
        user_vocabulary: path of a text file, one raw id a line.
        item_vocabulary: likewise.
        refitted: whether the validation items were trained on.
    """
    trained = interactions.positives
    if refitted:
        trained = trained.append(interactions.validation_items)
    set_unknown_rows(
        network,
        users=interactions.user_index[trained.sizes > 0],
        items=np.arange(network.num_items),
    )
    seen = interactions.positives.append(interactions.validation_items)
    serving = ServingModel(
        network,
        user_vocabulary=user_vocabulary,
        item_vocabulary=item_vocabulary,
        seen=seen.append(interactions.eval_items).spread(
            interactions.user_index, network.num_users
        ),
        popularity=np.bincount(trained.values, minlength=network.num_items),
    )
    tf.saved_model.save(
        serving,
        path,
        signatures={
            "serving_default": serving.score,
            "recommend": serving.recommend,
            "evaluate": serving.evaluate,
        },
    )
