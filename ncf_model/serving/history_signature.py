"""The signature `history`: the items of a user, which `recommend` leaves out."""

import tensorflow as tf

from ncf_model.serving import constants


class HistorySignature(tf.Module):
    """The signature `history`."""

    def __init__(
        self,
        users: tf.lookup.StaticHashTable,
        item_ids: tf.lookup.StaticHashTable,
        *,
        seen: tf.Variable,
        offsets: tf.Variable,
    ) -> None:
        """Shares the constants of `recommend`.

        Args:
            users: raw id -> index; an unknown id has the last index.
            item_ids: index -> raw id, "" for -1.
            seen: item indices, user by user.
            offsets: [U + 2]; user u has `seen[offsets[u]:offsets[u + 1]]`.
        """
        super().__init__()
        self._users, self._item_ids = users, item_ids
        self._seen, self._offsets = seen, offsets

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec([None], tf.string, "user_id")],
    )
    def history(self, user_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns `item_ids` [B, n], the oldest first, "" after the last.

        n is the longest history asked for; an unknown user has none.
        """
        users = self._users.lookup(user_id)
        starts, ends = (constants.rows(self._offsets, users + i) for i in (0, 1))
        at = tf.ragged.range(starts, ends)
        items = tf.ragged.map_flat_values(lambda a: constants.rows(self._seen, a), at)
        padded = tf.cast(items.to_tensor(-1), tf.int64)
        return {"item_ids": self._item_ids.lookup(padded)}
