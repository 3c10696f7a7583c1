"""Synthetic interactions of any size: how many, and the file they are written to.

Imports neither NumPy nor Arrow before anything is made, as every command needs the
settings.
"""

import os
import pathlib
from collections.abc import Callable

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


def write(
    config: SyntheticConfig,
    path: pathlib.Path,
    *,
    progress: Callable[[int], None] = lambda rows: None,
) -> None:
    """Writes the interactions as Parquet, block by block, with flat memory.

    Columns: `user_id`, `item_id` int32 from 0; `rating` float32, 1 to 5; `timestamp`
    int64, seconds. Rows go by user, then by time. The file appears when it is whole.

    Args:
        config: what to make.
        path: the file; its folder must exist.
        progress: called with the number of rows just made.
    """
    from pyarrow import parquet

    from pipeline import latent_factors

    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with parquet.ParquetWriter(
            partial, latent_factors.schema(), compression="zstd"
        ) as writer:
            for rows in latent_factors.row_groups(config):
                writer.write_table(rows)
                progress(rows.num_rows)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
