"""What of the serving folder is kept: typed and validated."""

import pydantic

from ncf_model.config import Config


class PushConfig(Config):
    """How models get into the serving folder.

    Attributes:
        keep: how many versions stay there, the newest included, and besides them the
            best one so far; null keeps all. Two at least: the one before is what a new
            model has to measure up to, and what a rollback goes back to.
    """

    keep: int | None = pydantic.Field(10, ge=2)
