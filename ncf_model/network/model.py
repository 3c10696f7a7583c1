"""NeuMF: two tables and the network above them."""

from typing import Any

import keras
from keras import ops

from ncf_model.config import ModelConfig
from ncf_model.network import layers


@keras.saving.register_keras_serializable(package="ncf_model")
class NeuMF(keras.Model):
    """NeuMF (He et al., 2017), fused or one half alone: logits of (user, item) pairs.

    Shapes:
        user_index: [...] int32, values in [0, num_users]; `num_users` is "unknown"
        item_index: [...] int32, values in [0, num_items]; `num_items` is "unknown"; the
            two inputs broadcast
        output:     [...] float32, logits

    Args:
        settings: the network; see `ModelConfig`.
        num_users: size of the user vocabulary, >= 1.
        num_items: size of the item vocabulary, >= 1.
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: a vocabulary is empty.
    """

    def __init__(
        self,
        settings: ModelConfig,
        *,
        num_users: int,
        num_items: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, size in (("num_users", num_users), ("num_items", num_items)):
            if size < 1:
                raise ValueError(f"`{name}` must be >= 1; got {size}.")
        self.num_users = num_users
        self.num_items = num_items
        self.scorer = layers.Scorer(settings, name="scorer")
        self.settings = settings
        self.scorer.build()
        self.user_table = self._table("user_table", num_users + 1)
        self.item_table = self._table("item_table", num_items + 1)
        self.built = True

    def _table(self, name: str, size: int) -> keras.layers.Embedding:
        stddev = self.settings.embedding_stddev
        initializer = (
            keras.initializers.GlorotUniform()
            if stddev is None
            else keras.initializers.RandomNormal(stddev=stddev)
        )
        table = keras.layers.Embedding(
            size, self.scorer.width, embeddings_initializer=initializer, name=name
        )
        table.build()
        if self.settings.biases:
            start = table.embeddings.numpy()
            start[:, -1] = 0.0
            table.embeddings.assign(start)
        return table

    def call(self, inputs: Any, training: bool = False) -> Any:
        user_index, item_index = inputs
        users = self.user_table(user_index)
        items = self.item_table(item_index)
        penalty = self.scorer.row_penalty(users) + self.scorer.row_penalty(items)
        self.add_loss(ops.mean(penalty) + self.scorer.kernel_penalty())
        return self.scorer(users, items, training=training)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "settings": self.settings.model_dump(),
            "num_users": self.num_users,
            "num_items": self.num_items,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "NeuMF":
        return cls(settings=ModelConfig(**config.pop("settings")), **config)
