"""Says which method is best on the lists, how sure that is, and what to do."""

import math
from typing import NamedTuple

from components.report import wording
from ncf_model.evaluation.result import Quality

CLEAR = 2.0  # From so many standard errors on, a difference is more than chance.
_METRIC = wording.GATE_METRIC


class Standing(NamedTuple):
    """The model and the best of the baselines, compared by HR@10 on the same lists.

    Attributes:
        rival: the name of the best baseline in texts.
        difference: the model's HR@10 less the baseline's.
        errors: `difference` in standard errors, without its sign; None if unknown.
    """

    rival: str
    difference: float
    errors: float | None

    @property
    def is_clear(self) -> bool:
        """Whether the difference is more than chance, as far as is known."""
        known = self.errors is None or self.errors >= CLEAR
        return bool(self.difference) and known

    @property
    def is_beaten(self) -> bool:
        """Whether the baseline is clearly better."""
        return self.is_clear and self.difference < 0


def find(quality: Quality) -> Standing | None:
    """Returns the comparison; None where there is nothing to compare."""
    own = quality.metrics.get(_METRIC)
    rivals = {
        name: value
        for name, figures in quality.baselines.items()
        if (value := figures.get(_METRIC)) is not None
    }
    if own is None or not rivals:
        return None
    rival = max(rivals, key=rivals.__getitem__)
    difference = own - rivals[rival]
    error = _error(quality, rival)
    errors = abs(difference) / error if error else None
    return Standing(wording.method(rival), difference, errors)


def sentences(quality: Quality, *, of_pairs: bool = False) -> list[str]:
    """Returns which method is best and, where that is a baseline, what to do.

    Args:
        quality: of the model and the baselines.
        of_pairs: whether the model is the network of pairs.
    """
    standing = find(quality)
    if standing is None:
        return []
    rival, difference, errors = standing
    if not difference:
        return [f"The model and {rival} have the same HR@10 on these lists."]
    apart = "" if errors is None else f" ({errors:.1f} standard errors)"
    if not standing.is_clear:
        side = "above" if difference > 0 else "below"
        return [
            f"The model and {rival} cannot be told apart on these lists: the model's "
            f"HR@10 is {abs(difference):.4f} {side}{apart}."
        ]
    first, second = ("The model", rival) if difference > 0 else (rival, "the model")
    said = (
        f"{first} is best on these lists: its HR@10 is {abs(difference):.4f} above "
        f"that of {second}{apart}."
    )
    return [said, *advice(standing, of_pairs=of_pairs)]


def advice(standing: Standing, *, of_pairs: bool) -> list[str]:
    """Returns what to do where a baseline is clearly better."""
    if not standing.is_beaten:
        return []
    larger = "more factors (`--set model.history.factors=256`)"
    if of_pairs:
        larger = "the default model (a configuration without `model.history: null`)"
    return [
        f"`ncf tune` searches settings that suit the data; or try {larger} or more "
        "epochs (`--set train.epochs=30`). "
        f"Where nothing helps, {standing.rival} is what to ship; with `--set "
        "evaluation.gate.baseline=best` no model is blessed that a baseline beats."
    ]


def _error(quality: Quality, rival: str) -> float | None:
    """Returns the standard error of the difference; None if it is not known.

    Where the two were compared list by list, the error is of these pairs. Otherwise
    both figures are taken as independent; as they are of the same lists, the true
    error is mostly smaller.
    """
    paired = quality.against_baselines.get(rival)
    if paired is not None and paired.standard_error is not None:
        return paired.standard_error
    own = quality.standard_errors.get(_METRIC)
    other = quality.baseline_standard_errors.get(rival, {}).get(_METRIC)
    return None if own is None or other is None else math.hypot(own, other)
