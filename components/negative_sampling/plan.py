"""The settings that decide what is sampled, in one place."""

import dataclasses

from ncf_model.config import SamplingConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What is sampled.

    Attributes:
        config: what is held out, and how many negatives are drawn and how.
        epochs: for how many epochs negatives are written, in the mode `materialised`.
        refit: whether negatives for the refit are written, too, in that mode.
        seed: of every draw.
        num_items: size of the vocabulary of items, without the unknown index.
        num_users: size of the vocabulary of users, likewise; it decides which part of
            them `sampling.eval_users` is.
    """

    config: SamplingConfig
    epochs: int
    refit: bool
    seed: int
    num_items: int
    num_users: int

    @property
    def share_with_lists(self) -> float:
        """The fraction of the users who get lists, in (0, 1]."""
        if self.config.eval_users == "all":
            return 1.0
        return min(1.0, self.config.eval_users / max(1, self.num_users))

    @property
    def needs_popularity(self) -> bool:
        """Whether training negatives are written and depend on item counts."""
        return (
            self.config.mode == "materialised"
            and self.config.distribution == "popularity"
        )
