"""The size of the synthetic data set; `latent_factors` generates the data.

This module imports neither NumPy nor Arrow, because every command needs it.
"""

import pydantic

from ncf_model.config import Config

MIN_PER_USER = 3  # One item to train on, one to validate, one to evaluate.
VERSION = 1  # A part of the file's name: raise it when the draws change.


class SyntheticConfig(Config):
    """The size and the seed of the synthetic data set.

    Attributes:
        num_users: how many users there are, 1 or more.
        num_items: how many items there are, 6 or more; no user has more than half of
            them.
        num_interactions: how many interactions there are in all; each user has 3 or
            more.
        num_factors: how many latent factors decide the tastes of users.
        popularity_exponent: the exponent of Zipf's law; 0 makes all items equally
            popular.
        seed: the seed of all random numbers.
    """

    num_users: pydantic.PositiveInt = 2_000
    num_items: int = pydantic.Field(default=1_000, ge=2 * MIN_PER_USER)
    num_interactions: pydantic.PositiveInt = 100_000
    num_factors: pydantic.PositiveInt = 8
    popularity_exponent: pydantic.NonNegativeFloat = 1.0
    seed: int = pydantic.Field(default=20240601, ge=0)

    @pydantic.model_validator(mode="after")
    def _check(self) -> "SyntheticConfig":
        least = self.num_users * MIN_PER_USER
        most = self.num_users * (self.num_items // 2)
        if not least <= self.num_interactions <= most:
            raise ValueError(
                f"`num_interactions` must be from {least} ({MIN_PER_USER} per user) to "
                f"{most} (half of the items per user); got {self.num_interactions}."
            )
        return self

    def file_name(self) -> str:
        """Returns a name that differs whenever the content does."""
        return (
            f"synthetic-v{VERSION}-u{self.num_users}-i{self.num_items}"
            f"-n{self.num_interactions}-f{self.num_factors}"
            f"-z{self.popularity_exponent:g}-s{self.seed}.parquet"
        )
