"""Compares two models on the same lists: their difference, and whether it is chance.

McNemar (*Note on the sampling error of the difference between correlated proportions
or percentages*, Psychometrika 12, 1947): lists on which both models hit, or both miss,
say nothing of which is better. Were the models equally good, each of the other lists
would be a hit of the one as likely as of the other, so the number of lists on which one
of them alone hits is binomial with 1/2. That chance is computed exactly
(`scipy.stats.binom`), not by a chi-squared distribution, which needs many such lists. A
bootstrap over the lists would estimate the same chance by drawing, and need a seed.
"""

import dataclasses

import numpy as np
import scipy.stats


@dataclasses.dataclass
class PairedHits:
    """Hits of a new model and of an older one on the same lists.

    Attributes:
        lists: how many there are.
        only_new: lists on which the new model alone hits.
        only_old: lists on which the older one alone hits.
        non_finite: lists that the new model gives no rank, because a score is NaN or
            infinite. With one such list all figures are NaN.
        unranked: lists that the older model gives no rank, as a baseline that was left
            out does. With one such list there is no difference, and the p-value is 1.
    """

    lists: int = 0
    only_new: int = 0
    only_old: int = 0
    non_finite: int = 0
    unranked: int = 0

    def add(self, new: bool | None, old: bool | None) -> None:
        """Counts a list; None where a model has no rank."""
        self.lists += 1
        self.non_finite += new is None
        self.unranked += old is None
        self.only_new += bool(new) and old is False
        self.only_old += new is False and bool(old)

    def __add__(self, other: "PairedHits") -> "PairedHits":
        mine, theirs = dataclasses.astuple(self), dataclasses.astuple(other)
        return PairedHits(*(a + b for a, b in zip(mine, theirs, strict=True)))

    @property
    def difference(self) -> float:
        """The new model's hit rate less the older one's."""
        if self.non_finite or self.unranked or not self.lists:
            return float("nan")
        return (self.only_new - self.only_old) / self.lists

    @property
    def standard_error(self) -> float:
        """Returns the error of the difference, over lists taken as independent draws.

        This error is smaller than that of two models on lists of their own, because
        only the lists on which the two models differ contribute to it.
        """
        if self.non_finite or self.unranked or self.lists < 2:
            return float("nan")
        decided = self.only_new + self.only_old
        squares = decided - self.lists * self.difference**2
        return float(np.sqrt(squares / self.lists / (self.lists - 1)))

    @property
    def p_value(self) -> float:
        """The chance that an equally good model looks as bad as the new one, or worse.

        The test is one-sided: the chance that, of the lists on which one model alone
        hits, the older one has `only_old` or more. 1 if there is no such list, or if
        the older model has no ranks.
        """
        if self.non_finite or not self.lists:
            return float("nan")
        if self.unranked:
            return 1.0
        decided = self.only_new + self.only_old
        return float(scipy.stats.binom.sf(self.only_old - 1, decided, 0.5))
