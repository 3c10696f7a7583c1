"""The words of the page and the terminal for metrics, methods, rules and counts."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from components.report.document import HeldOutUsers
from ncf_model.documents import Figures
from ncf_model.evaluation.result import Quality
from ncf_model.evaluation.served_result import Served, ServedRow
from ncf_model.training.training_history import Epoch, History

MODEL = "the model"
CHOSEN_BY = "NDCG@10 in the whole catalogue"
_CATALOGUE = "catalogue_ndcg@10"
LAST_BLESSED = "last blessed model"
GATE_METRIC = "hit_rate@10"
_METHODS = {"item_knn": "item-kNN", "ease": "EASE", "ials": "iALS"}
_METRICS = {"hit_rate": "HR", "ndcg": "NDCG", "mrr": "MRR"}
_RULES = {"non_finite_lists": "lists with scores that are no numbers", "lists": "lists"}
COUNTED = frozenset(_RULES)  # These figures are numbers of lists.
_RIVALS = {
    "latest_blessed": "the latest blessed model",
    "best_blessed": "the best model blessed so far",
}
_COUNTS = {
    "rows_read": "rows read",
    "rows_skipped": "rows refused, because they could not be read",
    "rows_below_min_rating": "rows left out, because the rating is below "
    "data.min_rating",
    "duplicates_dropped": "rows merged, because the user had the item already",
    "users_dropped_by_filter": "users left out by data.min_interactions and "
    "data.max_interactions",
    "train_positives": "interactions that the model is trained on",
    "train_rows_per_epoch": "training rows per epoch, negatives included",
    "validation_lists": "lists that choose the epoch",
    "eval_lists": "lists that the model is evaluated on",
    "held_out_users": "users who are held out whole",
    "short_lists": "lists with fewer candidates than asked for",
    "users_without_eval": "users without an item to evaluate them on",
    "users_not_sampled": "users who are not evaluated, by sampling.eval_users",
}
# These are shown elsewhere on the page, or are settings and not counts.
_NOT_SHOWN = ("num_users", "num_items", "num_interactions", "seed", "mode", "sampling")


class Method(NamedTuple):
    """A method of ranking, with its figures."""

    name: str
    metrics: Figures
    errors: Figures


def metric(name: str) -> str:
    """Returns the name of a metric in texts.

    >>> metric("hit_rate@10"), metric("mrr"), metric("coverage@5")
    ('HR@10', 'MRR', 'coverage@5')
    """
    kind, at, k = name.partition("@")
    return _METRICS.get(kind, kind.replace("_", " ")) + at + k


def method(name: str) -> str:
    """Returns the name of a baseline in texts."""
    return _METHODS.get(name, name.replace("_", "-"))


def settings(chosen: Mapping[str, Any]) -> str:
    """Returns a baseline's settings, and how they were chosen, in words.

    >>> settings({"l2": 300.0, "tried": [{}, {}]})
    'l2 300, the best of 2 settings tried on validation items'
    >>> settings({"l2": 300.0, "tried": []})
    'l2 300'
    """
    values = ", ".join(
        f"{name.replace('_', ' ')} {value:g}"
        for name, value in chosen.items()
        if name != "tried"
    )
    if not (tried := chosen.get("tried")):
        return values
    return f"{values}, the best of {len(tried)} settings tried on validation items"


def group(name: str) -> str:
    """Returns the name of a slice in texts.

    >>> group("user_activity=1 least")
    'user activity: 1 least'
    """
    return name.replace("_", " ").replace("=", ": ")


def methods(quality: Quality) -> list[Method]:
    """Returns the model, the baselines and the last blessed model, if there is one."""
    found = [Method(MODEL, quality.metrics, quality.standard_errors)]
    for name, figures in quality.baselines.items():
        errors = quality.baseline_standard_errors.get(name, {})
        found.append(Method(method(name), figures, errors))
    if quality.blessed_model:
        found.append(Method(LAST_BLESSED, quality.blessed_model, {}))
    return found


def best(quality: Quality, metric_name: str) -> set[str]:
    """Returns the methods with the highest value; none if all values are equal."""
    values = {
        name: value
        for name, metrics, _ in methods(quality)
        if (value := metrics.get(metric_name)) is not None
    }
    if len(set(values.values())) < 2:
        return set()
    return {name for name, value in values.items() if value == max(values.values())}


def rule(name: str) -> str:
    """Returns the name in texts of the figure that a rule of the gate limits.

    >>> rule("hit_rate@10"), rule("popularity/hit_rate_lift@10")
    ('HR@10', "HR@10 less popularity's")
    >>> rule("latest_blessed/hit_rate_p_value@10")
    'chance of HR@10 looking so bad beside that of the latest blessed model'
    """
    other, slash, figure = name.rpartition("/")
    if not slash:
        return _RULES.get(name, metric(name))
    whose = _RIVALS.get(other) or method(other)
    if "p_value" in figure:
        return f"chance of HR@10 looking so bad beside that of {whose}"
    return f"HR@10 less {whose}'s"


def counts(*found: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Returns the counts of nodes in words, in the order in which data pass them."""
    known = list(_COUNTS)
    values = {
        name: value
        for properties in found
        for name, value in properties.items()
        if isinstance(value, int)
        and name not in _NOT_SHOWN
        and not name.startswith("has_")
    }
    ordered = sorted(values, key=lambda n: known.index(n) if n in known else len(known))
    told = []
    for name in ordered:
        told.append((_COUNTS.get(name, name.replace("_", " ")), values[name]))
        if name == "rows_skipped":
            told += [(f"refused: {why}", n) for why, n in refusals(found[0])]
    return told


def refusals(data: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Returns why rows were refused, and how many for each reason."""
    kinds = json.loads(data.get("rows_skipped_by_kind") or "{}")
    return [(kind.replace("_", " "), count) for kind, count in kinds.items()]


def catalogue_figures(history: History | None) -> list[float]:
    """Returns each epoch's NDCG@10 in the whole catalogue, by which one was chosen.

    The network of pairs has no such figures, and the result is [].
    """
    if history is None:
        return []
    found = [epoch.catalogue_ndcg for epoch in history.epochs]
    return [value for value in found if value is not None]


def chosen_by(history: History | None) -> str:
    """Returns in words how the epoch was chosen."""
    if history and not any("ndcg@10" in epoch.figures() for epoch in history.epochs):
        return "the last one, because there are no validation items to choose by"
    if history and history.chosen_by == _CATALOGUE:
        return f"for the best {CHOSEN_BY} of each user's validation item"
    figure = metric(history.chosen_by) if history and history.chosen_by else "HR@10"
    return f"for the best {figure} of each user's validation item among its candidates"


def spans(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns in words which days were read and which were not; [] without days."""
    noted = json.loads(data.get("spans") or "{}")
    if not noted:
        return []
    read = f"{noted['read']}, from {noted['first']} to {noted['last']}"
    lists = {
        name.replace("_", " "): ", ".join(noted[name])
        for name in ("missing", "empty", "delivered_twice")
    }
    return [("spans", read), *((k, v) for k, v in lists.items() if v)]


def drift(data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns how the newest day differs from those before; {} if not measured."""
    noted = json.loads(data.get("drift") or "{}")
    return noted if noted.get("figures") else {}


def served(found: Served) -> list[tuple[str, ServedRow]]:
    """Returns the rows of a served model's table: all, groups, and by time."""
    times = [
        (row.first if row.days == 1 else f"{row.days} days from {row.first}", row)
        for row in found.by_time
    ]
    return [("all", found), *found.groups.items(), *times]


def strangers(found: HeldOutUsers) -> list[Method]:
    """Returns the figures of users held out whole, by method; [] without a list."""
    if not found.lists:
        return []
    others = [Method(method(name), of, {}) for name, of in found.baselines.items()]
    return [Method(MODEL, found.metrics, found.errors), *others]


def warm_and_cold(history: History) -> list[tuple[str, Epoch, int, float]]:
    """Returns name, best epoch, number of epochs and seconds of both trainings."""
    cold, warm = history.cold, history.warm_start
    if cold is None or warm is None:
        return []
    return [
        ("warm start", history.best, len(history.epochs), warm.seconds or 0.0),
        ("cold start", cold.best, len(cold.epochs), cold.seconds),
    ]


def found_while_training(history: History | None) -> list[tuple[str, Any]]:
    """Returns the settings that training found, or chose on validation items."""
    if history is None:
        return []
    chosen = {f"model.history.{k}": v for k, v in (history.history or {}).items()}
    for part, told in (("linear part", history.linear), ("iALS", history.ials)):
        chosen |= {
            f"{part}: {name}": value
            for name, value in (told.model_dump() if told else {}).items()
            if not isinstance(value, list)
        }
    return list(chosen.items())
