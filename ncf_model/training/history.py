"""What the trainer tells of a training: the contents of `history.json`."""

from typing import Any

import pydantic

from ncf_model.documents import Document, Figure


class Epoch(Document):
    """One pass over the training rows.

    Attributes:
        epoch: its number, from 1.
        loss: mean cross-entropy.
        hit_rate: HR@10 on the validation lists; null where there are none.
        ndcg: NDCG@10 on the same.
        seconds: how long the training of the epoch took.
        examples_per_second: training rows per second.
    """

    epoch: int
    loss: Figure
    hit_rate: Figure = pydantic.Field(None, alias="hit_rate@10")
    ndcg: Figure = pydantic.Field(None, alias="ndcg@10")
    seconds: float
    examples_per_second: float


class Refit(Document):
    """The training anew with the validation items included.

    Attributes:
        epochs: how many, the chosen epoch's number.
        loss: of the last of them.
        seconds: of all of them.
        examples_per_second: median over them.
    """

    epochs: int
    loss: Figure
    seconds: float
    examples_per_second: float


class Cold(Document):
    """A training from random numbers beside a warm one; nothing of it ships.

    Attributes:
        epochs: of the training.
        best_epoch: number of the epoch that would be chosen.
        seconds: of the training, with what is solved and judged.
    """

    epochs: list[Epoch]
    best_epoch: int
    seconds: float

    @property
    def best(self) -> Epoch:
        """The epoch that would be chosen."""
        return self.epochs[self.best_epoch - 1]


class History(Document):
    """A training, epoch by epoch.

    Attributes:
        epochs: those trained without the validation items.
        best_epoch: number of the epoch that was chosen.
        refit: the training anew with the validation items; null if there was none.
        pretraining: the last epoch of each half that was trained alone, by name.
        examples_per_second: median over `epochs`.
        final_loss: of the last epoch of the model that ships.
        chosen_by: the figure of `epochs` that chose the epoch; null for the network of
            pairs, where it is HR@10.
        history: the settings of `model.history`, with what `auto` came to; null for the
            network of pairs.
        linear: the linear part that was chosen: `items`, `l2`, `weight`, and `tried`,
            the penalties with their quality; null for the network of pairs.
        ials: likewise iALS beside it: `l2`, `unobserved`, `share`, `tried`, `shares`.
        warm_start: of a training that was to begin with the served model's tables: from
            which one, and how many ids it knew; or `cold_because`. Null otherwise.
        cold: with `train.cold_beside`, the training from random numbers; `warm_start`
            has the `seconds` to compare with. Null otherwise.
        tuned: what Tuner chose in place of the configuration's values, by the dotted
            name of the field.
        seconds: of the whole Trainer, with reading and export; null while it runs.
    """

    epochs: list[Epoch]
    best_epoch: int
    refit: Refit | None = None
    pretraining: dict[str, Epoch] = {}
    examples_per_second: float
    final_loss: Figure
    chosen_by: str | None = None
    history: dict[str, Any] | None = None
    linear: dict[str, Any] | None = None
    ials: dict[str, Any] | None = None
    warm_start: dict[str, Any] | None = None
    cold: Cold | None = None
    tuned: dict[str, Any] = {}
    seconds: float | None = None
