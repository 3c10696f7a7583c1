"""The SavedModel that is evaluated and pushed.

The model is plain TensorFlow, which loads without this package or Keras. It maps ids by
its own vocabularies. An unknown id takes the "unknown" row of a table, and so does a
user of the vocabulary who has not trained, whose own row is still random.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ncf_model import features
from ncf_model.network import layers, model
from ncf_model.sampling.ragged import Ragged
from ncf_model.serving import constants, history_signature, similar_items, unknown_rows
from ncf_model.training import data, warm_pairs

# How many values of a hidden layer are computed at a time where the whole catalogue is
# scored. Without a hidden layer so many logits are: a megabyte, which all passes over
# them find in a core's cache.
_BLOCK_VALUES = 1 << 22
_BLOCK_LOGITS = 1 << 18


class ServingModel(tf.Module):
    """The signatures of the SavedModel, and the constants that they need."""

    def __init__(
        self,
        network: model.NeuMF,
        *,
        user_vocabulary: str,
        item_vocabulary: str,
        seen: Ragged,
        trained: np.ndarray,
        popularity: np.ndarray,
        kept: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Computes what does not depend on a request.

        Args:
            network: the trained network, with its unknown rows set.
            user_vocabulary, item_vocabulary: paths of text files, one raw id a line.
            seen: by user index the items that `recommend` leaves out.
            trained: indices of the users who trained; the others are unknown.
            popularity: [num_items] how often each item was a training positive.
            kept: arrays that a later warm start needs; no signature reads them.
        """
        super().__init__()
        self._kept = {
            name: constants.constant(value) for name, value in (kept or {}).items()
        }
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
        self._weights = [
            constants.constant(w.numpy()) for w in scorer.trainable_variables
        ]
        self._seen = constants.constant(seen.values)
        # The unknown user has the last index, and has seen nothing.
        self._seen_offsets = constants.constant(
            np.append(seen.offsets, seen.offsets[-1])
        )
        self._row_of_user = constants.constant(
            unknown_rows.rows_of_users(trained, network.num_users)
        )
        share = popularity / network.num_users
        self._popularity = constants.constant(share.astype(np.float32))
        order = np.argsort(-popularity, kind="stable").astype(np.int32)
        self._popular = constants.constant(order)
        self._popular_scores = constants.constant(share[order].astype(np.float32))
        self.history = history_signature.HistorySignature(
            self._users, self._item_ids, seen=self._seen, offsets=self._seen_offsets
        )
        self.similar = similar_items.SimilarItems(
            similar_items.profiles(
                self.catalogue_logits,
                num_users=self._num_users,
                num_items=self._num_items,
            ),
            self._items,
            self._item_ids,
        )

    def signatures(self) -> dict[str, Any]:
        """Returns the functions to export, by name."""
        return {
            "serving_default": self.score,
            "recommend": self.recommend,
            "evaluate": self.evaluate,
            "history": self.history.history,
            "similar_items": self.similar.similar_items,
        }

    def _user_rows(self, user_id: tf.Tensor) -> tf.Tensor:
        """Returns the row [B] of each user; users who have not trained get the last."""
        return constants.rows(self._row_of_user, self._users.lookup(user_id))

    def _logits(
        self,
        user: layers.Part,
        item: layers.Part,
        combine: Callable[[layers.Part, layers.Part], tf.Tensor] | None = None,
    ) -> tf.Tensor:
        variables = self._scorer.trainable_variables
        mapping = [
            *zip(variables, map(tf.convert_to_tensor, self._weights), strict=True)
        ]
        with keras.StatelessScope(state_mapping=mapping):
            return (combine or self._scorer.combine)(user, item)

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([None], tf.string, "user_id"),
            tf.TensorSpec([None], tf.string, "item_id"),
        ],
    )
    def score(self, user_id: tf.Tensor, item_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns `score` [B], the probability that the user takes the item."""
        # Without this check some operations would repeat a single id for all pairs.
        tf.debugging.assert_equal(
            tf.size(user_id),
            tf.size(item_id),
            "`user_id` and `item_id` must have one entry each per pair",
        )
        users, items = self._user_rows(user_id), self._items.lookup(item_id)
        return {"score": self._probability(self._pair_logits(users, items))}

    def _probability(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns the probability of each logit, which rises with the logit."""
        return tf.sigmoid(logits)

    def _pair_logits(self, users: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Returns the logits [B] of one item per user."""
        user = _rows(self._user_part, users)
        return self._logits(user, _rows(self._item_part, items))

    def _candidate_logits(self, users: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Returns the logits [B, n] of n items per user."""
        user = _rows(self._user_part, users[:, tf.newaxis])
        return self._logits(user, _rows(self._item_part, items))

    def _all_logits(self, users: tf.Tensor) -> tf.Tensor:
        """Returns the logits [b, num_items + 1], the last column of unknown items."""
        user = _rows(self._user_part, users)
        return self._logits(user, self._item_part, self._scorer.combine_all)

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec([None], tf.string, "examples")],
    )
    def evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns `scores`, logits of each record's candidates, padded with -inf.

        Records without `seen_ids` give [B, 1 + m] in the order of `candidate_ids`.
        Records with `seen_ids` give the whole catalogue, [B, 1 + num_items]: the
        held-out item, then every item by index, with -inf for the items that the user
        has seen and inf for the held-out one. There a logit that is not finite becomes
        NaN, so that infinities have these meanings only.
        """
        ids = tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64)
        parsed = tf.io.parse_example(
            examples,
            {
                features.USER_ID: tf.io.FixedLenFeature([], tf.string),
                features.CANDIDATE_IDS: ids,
                features.SEEN_IDS: ids,
            },
        )
        users = self._user_rows(parsed[features.USER_ID])
        items, seen = (
            tf.ragged.map_flat_values(self._items.lookup, parsed[name])
            for name in (features.CANDIDATE_IDS, features.SEEN_IDS)
        )
        scores = tf.cond(
            tf.size(seen.values) > 0,
            lambda: self._catalogue_logits(users, items, seen),
            lambda: self._list_logits(users, items),
        )
        return {"scores": scores}

    def _list_logits(self, users: tf.Tensor, items: tf.RaggedTensor) -> tf.Tensor:
        logits = self._candidate_logits(users, items.to_tensor(self._num_items))
        real = tf.sequence_mask(items.row_lengths(), tf.shape(logits)[1])
        return tf.where(real, logits, -np.inf)

    def _catalogue_logits(
        self, users: tf.Tensor, items: tf.RaggedTensor, seen: tf.RaggedTensor
    ) -> tf.Tensor:
        message = (
            "Where one record has `seen_ids`, all must have it, and the held-out item "
            "as the only candidate: evaluate one kind of record at a time."
        )
        checks = [
            tf.debugging.assert_equal(
                items.row_lengths(), tf.ones_like(users), message
            ),
            tf.debugging.assert_positive(seen.row_lengths(), message),
        ]
        with tf.control_dependencies(checks):
            held_out = tf.identity(items.values)
        logits = self._in_blocks(self._all_logits, users, tf.float32)
        logits = tf.where(tf.math.is_finite(logits), logits, np.nan)
        own = tf.gather(logits, held_out[:, tf.newaxis], batch_dims=1)
        at = [tf.stack([x.value_rowids(), x.values], axis=1) for x in (seen, items)]
        marks = [
            tf.fill([tf.size(x.values)], mark)
            for x, mark in ((seen, -np.inf), (items, np.inf))
        ]
        ranked = tf.tensor_scatter_nd_update(
            logits, tf.concat(at, axis=0), tf.concat(marks, axis=0)
        )
        # The last row is that of unknown items, which are never recommended.
        return tf.concat([own, ranked[:, : self._num_items]], axis=1)

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([None], tf.string, "user_id"),
            tf.TensorSpec([], tf.int32, "k"),
        ],
    )
    def recommend(self, user_id: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the best unseen items, `item_ids` and `scores`, both [B, k].

        Scores are probabilities in descending order; items with equal scores are in the
        order of their indices. A user who has not trained gets the most popular items
        that they do not have; the score is the share of users who have the item. Where
        fewer than `k` items are left, the rest of a row is "" with score 0.
        """
        check = tf.debugging.assert_non_negative(k, "`k` must be 0 or more.")
        with tf.control_dependencies([check]):  # Or another operation fails first.
            k = tf.identity(k)
        users = self._users.lookup(user_id)
        best = tf.minimum(k, self._num_items)
        items, scores = self._in_blocks(
            lambda block: self._best_items(block, best),
            users,
            (tf.int32, tf.float32),
        )
        rest = [[0, 0], [0, k - best]]
        ids = self._item_ids.lookup(tf.cast(items, tf.int64))
        return {"item_ids": tf.pad(ids, rest), "scores": tf.pad(scores, rest)}

    def _in_blocks(
        self, compute: Callable[[tf.Tensor], Any], users: tf.Tensor, dtypes: Any
    ) -> Any:
        """Returns `compute(users)`, computed for a block of users at a time."""
        count = tf.size(users)
        # There is at least one block, if only of padding: an empty map has no shape.
        block = tf.clip_by_value(count, 1, self._users_at_a_time())
        padding = tf.maximum(count, 1) + block - 1
        padding = padding // block * block - count
        padded = tf.pad(users, [[0, padding]], constant_values=self._num_users)
        blocks = tf.map_fn(
            compute, tf.reshape(padded, [-1, block]), fn_output_signature=dtypes
        )
        rows = tf.size(padded)
        return tf.nest.map_structure(
            lambda values: tf.reshape(values, [rows, tf.shape(values)[2]])[:count],
            blocks,
        )

    def _users_at_a_time(self) -> int:
        if not self._scorer.has_mlp:
            return max(1, _BLOCK_LOGITS // self._num_items)
        widest = max(self._scorer.settings.layers[1:])
        return max(1, _BLOCK_VALUES // (self._num_items * widest))

    def catalogue_logits(self, users: tf.Tensor) -> tf.Tensor:
        """Returns the logits of user indices [b] with all items, [b, num_items]."""
        rows = constants.rows(self._row_of_user, users)
        return self._all_logits(rows)[:, :-1]

    def _best_items(
        self, users: tf.Tensor, k: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns items [b, k] int32, -1 where none is left, and probabilities."""
        unknown = constants.rows(self._row_of_user, users) == self._num_users
        unknown = unknown[:, tf.newaxis]
        logits = tf.where(unknown, self._popularity, self.catalogue_logits(users))
        starts, ends = (constants.rows(self._seen_offsets, users + i) for i in (0, 1))
        seen = tf.ragged.range(starts, ends)
        at = tf.stack(
            [
                tf.cast(seen.value_rowids(), tf.int32),
                constants.rows(self._seen, seen.values),
            ],
            axis=1,
        )
        gone = tf.fill([tf.shape(at)[0]], -np.inf)
        best, items = tf.math.top_k(tf.tensor_scatter_nd_update(logits, at, gone), k)
        left = best > -np.inf
        scores = tf.where(unknown, best, self._probability(best))
        return tf.where(left, items, -1), tf.where(left, scores, 0.0)


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


def _rows(part: layers.Part, index: tf.Tensor) -> layers.Part:
    return layers.Part(
        *(None if field is None else constants.rows(field, index) for field in part)
    )


def _constants(part: layers.Part) -> layers.Part:
    return layers.Part(
        *(None if field is None else constants.constant(field) for field in part)
    )


def export(
    network: model.NeuMF,
    interactions: data.Interactions,
    path: str,
    *,
    user_vocabulary: str,
    item_vocabulary: str,
    refitted: bool,
    keeps_tables: bool = False,
    serving: Callable[..., ServingModel] = ServingModel,
) -> None:
    """Sets the unknown rows and writes the SavedModel to `path`.

    Args:
        network: the trained network.
        interactions: what the network was trained on, and what `recommend` leaves out.
        path: the folder to write.
        user_vocabulary, item_vocabulary: paths of text files, one raw id a line.
        refitted: whether the validation items were trained on.
        keeps_tables: whether a later training may begin with the network's own tables.
        serving: makes the module from the arguments of `ServingModel`.
    """
    trained = interactions.positives
    if refitted:
        trained = trained.then(interactions.validation_items)
    known = unknown_rows.trained_users(interactions, refitted=refitted)
    unknown_rows.set_unknown_rows(
        network,
        users=known,
        items=np.arange(network.num_items),
    )
    seen = interactions.positives.then(interactions.validation_items)
    everywhere = trained.spread(interactions.user_index, network.num_users)
    module = serving(
        network,
        user_vocabulary=user_vocabulary,
        item_vocabulary=item_vocabulary,
        seen=seen.then(interactions.eval_items).spread(
            interactions.user_index, network.num_users
        ),
        trained=known,
        popularity=np.bincount(trained.values, minlength=network.num_items),
        kept=warm_pairs.state(network, everywhere) if keeps_tables else None,
    )
    tf.saved_model.save(module, path, signatures=module.signatures())
