"""All that decides what is sampled, in one place."""

import dataclasses

from ncf_model.config import SamplingConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What is sampled.

    Attributes:
        config: what is held out, how much is drawn and how.
        epochs: how many epochs of negatives are written, in materialised mode.
        refit: whether, in that mode, those of the refit are written too.
        seed: fixes every draw.
        num_items: size of the vocabulary of items; its unknown index is not counted.
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
