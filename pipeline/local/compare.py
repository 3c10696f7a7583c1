"""Compares two runs: figures, configuration, and users gained and lost.

Both models rank the same lists, those of the second run, so that the difference and its
error are computed list by list. The lists have raw ids, which each model maps by its
own vocabulary.
"""

import dataclasses
import math
import pathlib
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from components.report.document import Summary
from ncf_model.serving import folders
from pipeline.local import runs
from pipeline.local.store import RecordedRun, Store
from pipeline.nodes import ids

TOP_K = 10
SHOWN_USERS = 20
MOST_LISTS = 20_000
_EVAL_FILES = "Split-eval/*"
_ITEM_IDS = "assets/item_id"  # A file in the folder of a SavedModel.


@dataclasses.dataclass(frozen=True)
class ComparedRun:
    """A run that is compared.

    Attributes:
        name: the name of the run in messages.
        out: the folder of the run.
        store: the metadata of the runs in that folder.
        run: the run in ML Metadata.
        summary: the run's result.
    """

    name: str
    out: pathlib.Path
    store: Store
    run: RecordedRun
    summary: Summary

    def folder(self, type_name: str, node: str) -> pathlib.Path:
        """Returns the folder of the artifact of a type that `node` wrote.

        Raises:
            ValueError: there is no such folder any more.
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
class PairedMetric:
    """A metric of both models on the same lists.

    Attributes:
        first: the metric of the first run's model.
        second: the metric of the second run's model.
        difference: `second` less `first`.
        error: standard error of the difference, from the differences list by list.
    """

    first: float
    second: float
    difference: float
    error: float | None


@dataclasses.dataclass(frozen=True)
class RankChange:
    """A user whose held-out item only one of the models has among the first ten.

    Attributes:
        user_id: the raw id.
        item_id: the held-out item.
        first: the item's place by the first run's model, from 1; None without a place.
        second: the item's place by the second run's model.
    """

    user_id: str
    item_id: str
    first: int | None
    second: int | None


@dataclasses.dataclass(frozen=True)
class RunComparison:
    """The result of `ncf compare`.

    Attributes:
        first: name of the first run.
        second: name of the second run.
        config: the fields of the configuration that differ, with both values.
        figures: the metrics of each run on its own lists, from the summaries.
        lists: how many lists both models ranked.
        paired: the metrics of both models on these lists.
        gained: how many users have the item among the first ten only by the second
            model.
        lost: how many users have the item among the first ten only by the first model.
        users_gained: some of the users gained, those whose place changed most first.
        users_lost: some of the users lost, those whose place changed most first.
    """

    first: str
    second: str
    config: dict[str, tuple[Any, Any]]
    figures: dict[str, tuple[float | None, float | None]]
    lists: int
    paired: dict[str, PairedMetric]
    gained: int
    lost: int
    users_gained: list[RankChange]
    users_lost: list[RankChange]


def choose(name: str, out: pathlib.Path | None) -> ComparedRun:
    """Returns the run with a number of `ncf runs`, or the last run of a folder.

    Raises:
        ValueError: there is no such run, or the run has no result.
    """
    folder = runs.folders(out)[-1] if name.isdigit() else pathlib.Path(name)
    store = Store(folder)
    if name.isdigit():
        found = [run for run in store.runs if run.number == int(name)]
    else:
        found = [r for r in store.runs if runs.summary_of(folder, store, r)][-1:]
    summary = runs.summary_of(folder, store, found[0]) if found else None
    if found and summary is None:
        raise ValueError(
            f"Run {name} in {folder} has no figures to compare: {runs.state(found[0])}."
        )
    if summary is None:
        command = shlex.join(["ncf", "runs", "--out", str(folder)])
        raise ValueError(
            f"There is no run {name!r} with a result in {folder}; `{command}` lists "
            "them. Name a number of that list, or a folder."
        )
    return ComparedRun(
        f"run {found[0].number} in {folder}", folder, store, found[0], summary
    )


def compare(first: ComparedRun, second: ComparedRun) -> RunComparison:
    """Compares two runs; loads TensorFlow, which takes some seconds.

    Raises:
        ValueError: artifacts of a run are gone, or the runs are of different data.
    """
    from pipeline import start_up

    # TensorFlow logs little if it is imported in this way before other modules do so.
    tf = start_up.import_tensorflow()
    from components.report import records

    found = records.some_lists(
        str(second.folder("Examples", ids.CONTEXT) / _EVAL_FILES), MOST_LISTS
    )
    _check_same_data(first, second, [item for _, row, _ in found for item in row])
    asked = [record for _, _, record in found]
    ranks = [_ranks(tf, chosen, asked) for chosen in (first, second)]
    changes = [
        RankChange(
            _text(user_id),
            _text(candidates[0]),
            *(None if rank < 0 else int(rank) + 1 for rank in pair),
        )
        for (user_id, candidates, _), *pair in zip(found, *ranks, strict=True)
    ]
    gained = [c for c in changes if _hit(c.second) and not _hit(c.first)]
    lost = [c for c in changes if _hit(c.first) and not _hit(c.second)]
    return RunComparison(
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


def paired(first: np.ndarray, second: np.ndarray) -> dict[str, PairedMetric]:
    """Returns HR@10 and NDCG@10 of both, with the error of the difference.

    Args:
        first: [N] ranks from 0 by the first model; negative where there is none.
        second: [N] ranks of the same lists by the second.
    """
    from ncf_model.evaluation import ranking

    kinds = {"hit_rate": ranking.hit_rate, "ndcg": ranking.ndcg}
    found = {}
    # A list without a rank is no hit.
    places = [np.where(r < 0, np.iinfo(int).max, r) for r in (first, second)]
    for name, gain in kinds.items():
        before, after = (gain(place, TOP_K) for place in places)
        change = after - before
        error = None
        if len(change) > 1:
            error = float(change.std(ddof=1) / math.sqrt(len(change)))
        found[f"{name}@{TOP_K}"] = PairedMetric(
            float(before.mean()), float(after.mean()), float(change.mean()), error
        )
    return found


def _check_same_data(
    first: ComparedRun, second: ComparedRun, candidates: Iterable[bytes]
) -> None:
    """Raises ValueError if the first model knows no item of the second run's lists."""
    file = _model(first) / _ITEM_IDS
    if file.exists() and set(file.read_bytes().split(b"\n")).isdisjoint(candidates):
        raise ValueError(
            f"The model of {first.name} knows no item of the lists of {second.name}: "
            "the runs are of different data, so they cannot be compared."
        )


def _model(chosen: ComparedRun) -> pathlib.Path:
    return chosen.folder("Model", ids.TRAINER) / folders.SERVING_MODEL


def _ranks(tf: Any, chosen: ComparedRun, asked: list[bytes]) -> np.ndarray:
    from ncf_model.evaluation import model_ranks

    return model_ranks.rank(tf.saved_model.load(str(_model(chosen))), asked).ranks


def _config(first: Summary, second: Summary) -> dict[str, tuple[Any, Any]]:
    # A field that only one of the runs names has its default in the other.
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


def _step(change: RankChange) -> float:
    """Returns by how much the place changed; infinite where one model has no place."""
    if change.first is None or change.second is None:
        return math.inf
    return abs(change.first - change.second)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
