"""What a training leaves as its history: the contents of `history.json`, typed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pydantic

from ncf_model.documents import Document, Figure, Figures


class Epoch(Document):
    """One pass over the training rows.

    Attributes:
        epoch: the number of this pass, from 1.
        loss: mean cross-entropy.
        hit_rate: HR@10 on the validation lists; null where there are none.
        ndcg: NDCG@10 on the validation lists; null where there are none.
        catalogue_hit_rate: HR@10 of the validation items in the whole catalogue; null
            where nobody looked.
        catalogue_ndcg: NDCG@10 of the validation items in the whole catalogue; null
            where nobody looked.
        linear_weight: the weight of what is added to the deep part, best after this
            epoch; null for the network of pairs.
        by_weight: for each weight that was tried the mean NDCG@10 by which the weight
            is chosen; null where nobody looked.
        seconds: how long the training of the epoch took.
        examples_per_second: training rows per second.
    """

    epoch: int
    loss: Figure
    hit_rate: Figure = pydantic.Field(None, alias="hit_rate@10")
    ndcg: Figure = pydantic.Field(None, alias="ndcg@10")
    catalogue_hit_rate: Figure = pydantic.Field(None, alias="catalogue_hit_rate@10")
    catalogue_ndcg: Figure = pydantic.Field(None, alias="catalogue_ndcg@10")
    linear_weight: Figure = None
    by_weight: list[Figure] | None = None
    seconds: float
    examples_per_second: float

    def figures(self) -> dict[str, float]:
        """Returns what was measured, by the names that `history.json` uses."""
        values = self.model_dump(by_alias=True, exclude={"epoch", "by_weight"})
        return {
            name: float(value)
            for name, value in values.items()
            if isinstance(value, int | float)
        }


class Refit(Document):
    """The training anew with the validation items included.

    Attributes:
        epochs: how many there were: the number of the chosen epoch.
        loss: mean cross-entropy of the last of these epochs.
        seconds: how long all of these epochs took.
        examples_per_second: training rows per second, median over these epochs.
    """

    epochs: int
    loss: Figure
    seconds: float
    examples_per_second: float

    @classmethod
    def of(cls, epochs: Sequence[Epoch]) -> "Refit":
        """Returns the summary of the epochs of a refit."""
        return cls(
            epochs=len(epochs),
            loss=epochs[-1].loss,
            seconds=sum(epoch.seconds for epoch in epochs),
            examples_per_second=median_rate(epochs),
        )


class Cold(Document):
    """A training from random numbers beside a warm one; its model is thrown away.

    Attributes:
        epochs: of the training.
        best_epoch: number of the epoch that would be chosen.
        seconds: how long the training took, with evaluation and the closed-form parts.
    """

    epochs: list[Epoch]
    best_epoch: int
    seconds: float

    @property
    def best(self) -> Epoch:
        """The epoch that would be chosen."""
        return self.epochs[self.best_epoch - 1]


class WarmStart(Document):
    """How a training began that was to begin with the tables of the served model.

    Attributes:
        cold_because: why the training began with random numbers all the same; null if
            it began with the served model's tables.
        base: the folder of the SavedModel whose tables were taken; null without one.
        known_users: users of the data whom that model knew.
        new_users: users of the data whom that model did not know.
        gone_users: users whom that model knew and the data no longer has.
        known_items: items of the data that the model knew.
        new_items: items of the data that the model did not know.
        gone_items: items that the model knew and the data no longer has.
        validation_lists: validation lists whose item the model had not trained on.
        validation_lists_it_had_trained_on: the other ones, which do not count.
        seconds: how long the training took to its chosen epoch; null unless a cold one
            was trained beside it.
    """

    cold_because: str | None = None
    base: str | None = pydantic.Field(None, alias="from")
    known_users: int = 0
    new_users: int = 0
    gone_users: int = 0
    known_items: int = 0
    new_items: int = 0
    gone_items: int = 0
    validation_lists: int = 0
    validation_lists_it_had_trained_on: int = 0
    seconds: float | None = None

    @pydantic.model_serializer(mode="wrap")
    def _what_was_told(
        self, write: pydantic.SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Returns the fields that were set: a count that nobody made is not 0."""
        fields = type(self).model_fields
        names = self.model_fields_set
        told = names | {fields[name].alias for name in names & fields.keys()}
        return {name: value for name, value in write(self).items() if name in told}


class LinearPart(Document):
    """The linear part beside the deep one, as it was chosen.

    Attributes:
        items: how many of the most popular items have a row in it.
        l2: its penalty; null without a linear part.
        weight: the weight of what is added to the deep part's scores.
        tried: the penalties that were tried, each with its quality.
    """

    items: int
    l2: Figure = None
    weight: float
    tried: list[Figures] = []


class IalsPart(Document):
    """iALS beside the linear part, as it was chosen.

    Attributes:
        l2: its penalty; null without iALS.
        unobserved: the weight of a pair that did not occur; null without iALS.
        share: which part of the weight of the sum is that of iALS.
        tried: the settings that were tried, each with its quality.
        shares: the shares that were tried, each with its quality.
    """

    l2: Figure = None
    unobserved: Figure = None
    share: float
    tried: list[Figures] = []
    shares: list[Figures] = []


class History(Document):
    """A training, epoch by epoch.

    Attributes:
        epochs: those trained without the validation items.
        best_epoch: number of the epoch that was chosen.
        refit: the training anew with the validation items; null if there was none.
        pretraining: the last epoch of each half that was trained alone, by name.
        examples_per_second: training rows per second, median over `epochs`.
        final_loss: of the last epoch of the model that ships.
        chosen_by: the figure of `epochs` that chose the epoch; null for the network of
            pairs, where it is HR@10.
        history: the settings of `model.history`, with what `auto` came to; null for the
            network of pairs.
        linear: the linear part that was chosen; null for the network of pairs.
        ials: iALS that was chosen beside the linear part; null for the network of
            pairs.
        warm_start: how a training began that was to begin with the served model's
            tables; null of any other.
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
    linear: LinearPart | None = None
    ials: IalsPart | None = None
    warm_start: WarmStart | None = None
    cold: Cold | None = None
    tuned: dict[str, Any] = {}
    seconds: float | None = None

    @classmethod
    def of(
        cls,
        epochs: Sequence[Epoch],
        best_epoch: int,
        refitted: Sequence[Epoch] | None,
        **more: Any,
    ) -> "History":
        """Returns the history of a training.

        Args:
            epochs: those trained without the validation items.
            best_epoch: number of the epoch that was chosen.
            refitted: the epochs of the refit; None if there was none.
            **more: other fields.
        """
        refit = Refit.of(refitted) if refitted is not None else None
        return cls(
            epochs=list(epochs),
            best_epoch=best_epoch,
            refit=refit,
            examples_per_second=median_rate(epochs),
            final_loss=(refit or epochs[best_epoch - 1]).loss,
            **more,
        )

    @property
    def best(self) -> Epoch:
        """The epoch that was chosen."""
        return self.epochs[self.best_epoch - 1]

    def to_file(self) -> str:
        """Returns the text of `history.json`: what is set, and nothing else."""
        return self.model_dump_json(by_alias=True, exclude_unset=True, indent=2) + "\n"


def median_rate(epochs: Sequence[Epoch]) -> float:
    """Returns the median of the training rows per second."""
    return float(np.median([epoch.examples_per_second for epoch in epochs]))
