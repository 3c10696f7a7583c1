"""The simple recommenders (baselines): how each is fitted, and what it returns."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import scipy.sparse

from components.eval_context import item_weights
from components.eval_context.config import BaselinesConfig
from ncf_model.config import AUTO
from ncf_model.history import ials, linear
from ncf_model.history.recency import user_item_matrix
from ncf_model.sampling.ragged import Ragged

Matrix: TypeAlias = scipy.sparse.csr_matrix
Scorer: TypeAlias = Callable[[np.ndarray], np.ndarray]  # [B] users -> [B, items]
Settings: TypeAlias = Mapping[str, float]

ITEM_KNN, EASE, IALS = "item_knn", "ease", "ials"
NAMES = (ITEM_KNN, EASE, IALS)
RECENCY = "recency"
_LARGE = 500_000  # From so many pairs on, 128 factors of iALS are better than 64.
# The search uses as many factors as the final fit, because the best weight of pairs
# that did not occur grows with them. Half of the epochs are enough to compare settings.
_SEARCH_EPOCHS, _EPOCHS = 5, 10


class Positives(NamedTuple):
    """What recommenders are fitted on.

    Attributes:
        matrix: [users, items] float32, 1 where the user has the item.
        histories: the items of each user, the oldest first; None where the order is not
            told.
    """

    matrix: Matrix
    histories: Ragged | None = None

    def faded(self, recency: float) -> Matrix:
        """Returns `matrix` with what each item weighs when its user is scored."""
        if self.histories is None or not recency:
            return self.matrix
        return user_item_matrix(self.histories, self.matrix.shape[1], recency)


class Rival(NamedTuple):
    """How to fit a recommender.

    Attributes:
        fit: a function of positives, settings, and whether the fit is for the search
            alone; returns a scorer.
        grid: the values of each setting, ascending, in the order of the search; one
            value where there is nothing to choose.
        start: the settings where the search begins; they are taken if no search is
            possible.
    """

    fit: Callable[[Positives, Settings, bool], Scorer]
    grid: dict[str, tuple[float, ...]]
    start: dict[str, float]


def rivals(config: BaselinesConfig, *, order: bool = False) -> dict[str, Rival]:
    """Returns the recommenders that `config` asks for, by name.

    With `order` item-kNN and EASE know the order of each user's items, which fade as
    `model.history.recency` says.
    """
    made: dict[str, Rival] = {}
    fading: dict[str, Any] = {}
    if order:
        fading[RECENCY] = (AUTO, 0.5, (0.0, 0.3, 0.5, 0.7, 1.0))
    if config.item_knn_neighbours:
        counts = (10, 20, 50, 100, 200, 400)
        nearest = _Once(lambda x: item_weights.Nearest(x, most=counts[-1]))
        made[ITEM_KNN] = _rival(
            functools.partial(_item_knn, nearest),
            neighbours=(config.item_knn_neighbours, 50, counts),
            **fading,
        )
    if config.ease_l2:
        grid = (30, 75, 150, 300, 600, 1_200, 2_500, 5_000)
        inner = _Once(linear.products)
        solve = _Once(lambda x, l2: linear.weights(x, l2=l2, inner=inner(x)))
        made[EASE] = _rival(
            functools.partial(_ease, solve),
            l2=(config.ease_l2, 300, grid),
            **fading,
        )
    if config.ials_l2:
        made[IALS] = _rival(
            functools.partial(_ials, config),
            l2=(config.ials_l2, 0.003, (3e-4, 1e-3, 3e-3, 0.01, 0.03)),
            unobserved=(config.ials_unobserved, 0.3, (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)),
        )
    return made


def factors(positives: Matrix, config: BaselinesConfig) -> int:
    """Returns how many factors iALS has."""
    if config.ials_factors != "auto":
        return config.ials_factors
    return min(128 if positives.nnz >= _LARGE else 64, *positives.shape)


def _rival(
    fit: Callable[[Positives, Settings, bool], Scorer],
    **settings: tuple[float | str, float, tuple[float, ...]],
) -> Rival:
    """Returns a rival with settings (configured value, start of `auto`, values)."""
    grid, start = {}, {}
    for name, (value, first, values) in settings.items():
        auto = isinstance(value, str)
        grid[name] = values if auto else (float(value),)
        start[name] = first if auto else float(value)
    return Rival(fit, grid, start)


class _Once:
    """Keeps the last result of a function, for the same positives and settings."""

    def __init__(self, compute: Callable[..., Any]) -> None:
        self._compute = compute
        self._positives: Matrix | None = None
        self._settings: tuple[float, ...] = ()
        self._result: Any = None

    def __call__(self, positives: Matrix, *settings: float) -> Any:
        if positives is not self._positives or settings != self._settings:
            self._result = None  # The next result needs the memory of the last one.
            self._result = self._compute(positives, *settings)
            self._positives, self._settings = positives, settings
        return self._result


def _item_knn(
    nearest: Callable[[Matrix], item_weights.Nearest],
    positives: Positives,
    settings: Settings,
    search: bool,
) -> Scorer:
    neighbours = int(settings["neighbours"])
    weights = (
        nearest(positives.matrix).weights(neighbours)
        if search
        else item_weights.item_knn(positives.matrix, neighbours=neighbours)
    )
    histories = positives.faded(settings.get(RECENCY, 0.0))
    return lambda users: (histories[users] @ weights).toarray()


def _ease(
    solve: Callable[[Matrix, float], np.ndarray],
    positives: Positives,
    settings: Settings,
    search: bool,
) -> Scorer:
    l2 = settings["l2"]
    weights = (
        solve(positives.matrix, l2)
        if search
        else linear.weights(positives.matrix, l2=l2)
    )
    histories = positives.faded(settings.get(RECENCY, 0.0))
    return lambda users: linear.scores(histories[users], weights)


def _ials(
    config: BaselinesConfig, positives: Positives, settings: Settings, search: bool
) -> Scorer:
    users_, items = ials.fit(
        positives.matrix,
        factors=factors(positives.matrix, config),
        epochs=_SEARCH_EPOCHS if search else _EPOCHS,
        l2=settings["l2"],
        unobserved=settings["unobserved"],
    )
    return lambda users: users_[users] @ items.T
