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
    """

    config: SamplingConfig
    epochs: int
    refit: bool
    seed: int
    num_items: int

    @property
    def needs_popularity(self) -> bool:
        """Whether training negatives are written and depend on item counts."""
        return (
            self.config.mode == "materialised"
            and self.config.distribution == "popularity"
        )
