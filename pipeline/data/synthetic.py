"""How many synthetic interactions are made; `latent_factors` makes them.

Imports neither NumPy nor Arrow, as every command needs these settings.
"""

import pydantic

from ncf_model.config import Config

MIN_PER_USER = 3  # one to train on, one to validate, one to evaluate
VERSION = 1  # of the draws, part of the file's name: raise it when they change


class SyntheticConfig(Config):
    """How much is made, and from which seed.

    Attributes:
        num_users: 1 or more.
        num_items: 2 * MIN_PER_USER or more; no user has more than half of them.
        num_interactions: in all; each user has MIN_PER_USER or more.
        num_factors: latent ones, behind users' tastes.
        popularity_exponent: of Zipf's law; 0 makes all items equally popular.
        seed: of every draw.
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
