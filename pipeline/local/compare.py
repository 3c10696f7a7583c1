"""Two runs side by side: figures, configuration, and users gained and lost.

Both models are asked for the same lists, those of the second run, so that the
difference and its error are those of pairs. Ids are raw: each model maps them by its
own vocabulary.
"""

import dataclasses
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from components.report.document import Summary
from pipeline.local import runs
from pipeline.local.store import RecordedRun, Store
from pipeline.nodes import ids

TOP_K = 10
SHOWN_USERS = 20
MOST_LISTS = 20_000
_SERVING_MODEL = "Format-Serving"
_EVAL_FILES = "Split-eval/*"


@dataclasses.dataclass(frozen=True)
class Chosen:
    """A run that is compared.

    Attributes:
        name: what people call it.
        out: the folder that it is in.
        store: the metadata there.
        run: which one.
        summary: the run's result.
    """

    name: str
    out: pathlib.Path
    store: Store
    run: RecordedRun
    summary: Summary

    def folder(self, type_name: str, node: str) -> pathlib.Path:
        """Returns the folder of what `node` wrote of a type.

        Raises:
            ValueError: the folder is not there.
        """
        execution = self.run.execution(node)
        found = self.store.of_type(execution.outputs if execution else (), type_name)
        folder = runs.local_path(self.out, found[-1].uri) if found else None
        if folder is None or not folder.exists():
            raise ValueError(
                f"{self.name} has no {type_name} of {node} any more, so single users "
                "cannot be compared; `ncf gc` may have removed it."
            )
        return folder


@dataclasses.dataclass(frozen=True)
class Paired:
    """A metric of both models on the same lists.

    Attributes:
        first: of the first run's model.
        second: of the second run's.
        difference: `second` less `first`.
        error: standard error of the difference, from the differences list by list.
    """

    first: float
    second: float
    difference: float
    error: float | None


@dataclasses.dataclass(frozen=True)
class Change:
    """A user for whom one model has the item among the first, and the other not.

    Attributes:
        user_id: the raw id.
        item_id: the held-out item.
        first: the item's place by the first run's model, from 1; None without one.
        second: by the second run's.
    """

    user_id: str
    item_id: str
    first: int | None
    second: int | None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `ncf compare` tells.

    Attributes:
        first: name of the first run.
        second: name of the second.
        config: fields that differ, with both values.
        figures: metrics of each on its own lists, as the summaries have them.
        lists: how many lists both were asked for.
        paired: metrics on those lists.
        gained: how many users only the second serves.
        lost: how many only the first serves.
        users_gained: some of them, those whose place changed most first.
        users_lost: the same of the users whose item the second model loses.
    """

    first: str
    second: str
    config: dict[str, tuple[Any, Any]]
    figures: dict[str, tuple[float | None, float | None]]
    lists: int
    paired: dict[str, Paired]
    gained: int
    lost: int
    users_gained: list[Change]
    users_lost: list[Change]


def choose(name: str, out: pathlib.Path | None) -> Chosen:
    """Returns the run that is meant by a number of `ncf runs`, or by a folder.

    Raises:
        ValueError: there is none, or it has no result.
    """
    folder = runs.folders(out)[-1] if name.isdigit() else pathlib.Path(name)
    store = Store(folder)
    if name.isdigit():
        found = [run for run in store.runs if run.number == int(name)]
    else:
        found = [r for r in store.runs if runs.summary_of(folder, store, r)][-1:]
    summary = runs.summary_of(folder, store, found[0]) if found else None
    if summary is None:
        raise ValueError(
            f"There is no run {name!r} with a result in {folder}; `ncf runs --out "
            f"{folder}` lists them. Name a number of that list, or a folder."
        )
    return Chosen(
        f"run {found[0].number} in {folder}", folder, store, found[0], summary
    )


def compare(first: Chosen, second: Chosen) -> Comparison:
    """Compares two runs; needs TensorFlow, which takes some seconds to load."""
    from pipeline.local import recommend

    tf = recommend.import_tensorflow()  # Quietly, before others import it.
    from components.report import records

    found = records.some_lists(
        str(second.folder("Examples", ids.CONTEXT) / _EVAL_FILES), MOST_LISTS
    )
    asked = [record for _, _, record in found]
    ranks = [_ranks(tf, chosen, asked) for chosen in (first, second)]
    changes = [
        Change(
            _text(user_id),
            _text(candidates[0]),
            *(None if rank < 0 else int(rank) + 1 for rank in pair),
        )
        for (user_id, candidates, _), *pair in zip(found, *ranks, strict=True)
    ]
    gained = [c for c in changes if _hit(c.second) and not _hit(c.first)]
    lost = [c for c in changes if _hit(c.first) and not _hit(c.second)]
    return Comparison(
        first=first.name,
        second=second.name,
        config=_config(first.summary, second.summary),
        figures=_figures(first.summary, second.summary),
        lists=len(found),
        paired=paired(*ranks) if found else {},
        gained=len(gained),
        lost=len(lost),
        users_gained=sorted(gained, key=_step, reverse=True)[:SHOWN_USERS],
        users_lost=sorted(lost, key=_step, reverse=True)[:SHOWN_USERS],
    )


def paired(first: np.ndarray, second: np.ndarray) -> dict[str, Paired]:
    """Returns HR@10 and NDCG@10 of both, with the error of the difference.

    Args:
        first: [N] ranks from 0 by the first model; negative where there is none.
        second: [N] ranks of the same lists by the second.
    """
    from ncf_model.evaluation import ranking

    kinds = {"hit_rate": ranking.hit_rate, "ndcg": ranking.ndcg}
    found = {}
    # No rank is no hit.
    places = [np.where(r < 0, np.iinfo(int).max, r) for r in (first, second)]
    for name, gain in kinds.items():
        before, after = (gain(place, TOP_K) for place in places)
        change = after - before
        error = None
        if len(change) > 1:
            error = float(change.std(ddof=1) / math.sqrt(len(change)))
        found[f"{name}@{TOP_K}"] = Paired(
            float(before.mean()), float(after.mean()), float(change.mean()), error
        )
    return found


def _ranks(tf: Any, chosen: Chosen, asked: list[bytes]) -> np.ndarray:
    from ncf_model.evaluation import model_ranks

    folder = chosen.folder("Model", ids.TRAINER) / _SERVING_MODEL
    return model_ranks.rank(tf.saved_model.load(str(folder)), asked).ranks


def _config(first: Summary, second: Summary) -> dict[str, tuple[Any, Any]]:
    # A field that only one of them names has its default in the other.
    defaults = {
        name: setting.default
        for summary in (first, second)
        for name, setting in summary.config.items()
    }
    values = [
        defaults | {name: setting.value for name, setting in summary.config.items()}
        for summary in (first, second)
    ]
    both = {name: (values[0][name], values[1][name]) for name in sorted(defaults)}
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


def _figures(
    first: Summary, second: Summary
) -> dict[str, tuple[float | None, float | None]]:
    names: Mapping[str, Any] = first.metrics | second.metrics
    return {name: (first.metrics.get(name), second.metrics.get(name)) for name in names}


def _hit(place: int | None) -> bool:
    return place is not None and place <= TOP_K


def _step(change: Change) -> float:
    """Returns by how much the place changed; most where one model has none."""
    if change.first is None or change.second is None:
        return math.inf
    return abs(change.first - change.second)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
