"""Transform: raw ids to indices of vocabularies."""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from ncf_model import features


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """Maps the user's id and the ids of the user's items to vocabulary indices.

    Both vocabularies are in order of frequency, most frequent first, ties by the id's
    bytes in descending order; one index, the vocabulary's size, stands for every
    unknown id. As each user is one record, all users are equally frequent, and ordered
    by id alone.

    Args:
        inputs: `user_id` string [B, 1]; `item_ids` string and `timestamps` int64, both
            [B, n], ragged or sparse. All other features are dropped.

    Returns:
        `user_id` string [B, 1] unchanged, `user_index` int64 [B, 1], `item_indices`
        int64 and `timestamps` int64, both ragged [B, n].
    """
    user_id = inputs[features.USER_ID]
    return {
        features.USER_ID: user_id,
        features.USER_INDEX: tft.compute_and_apply_vocabulary(
            user_id, num_oov_buckets=1, vocab_filename=features.USER_VOCABULARY
        ),
        features.ITEM_INDICES: tft.compute_and_apply_vocabulary(
            ragged(inputs[features.ITEM_IDS]),
            num_oov_buckets=1,
            vocab_filename=features.ITEM_VOCABULARY,
        ),
        features.TIMESTAMPS: ragged(inputs[features.TIMESTAMPS]),
    }


def ragged(values: tf.RaggedTensor | tf.SparseTensor) -> tf.RaggedTensor:
    """Returns a list feature as ragged, whichever of both forms the schema gave it."""
    if isinstance(values, tf.SparseTensor):
        return tf.RaggedTensor.from_sparse(values)
    return values
