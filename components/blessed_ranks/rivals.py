"""Chooses the models that a new one is compared with: the latest, and the best."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging
from tfx import types
from tfx.utils import path_utils

from components.blessed_ranks import ranking_model, spec
from ncf_model import features

LEVEL = "level"
Batches = Callable[[], Iterable[Sequence[tf.train.Example]]]

_TOP_K = 10  # The gate looks at HR@10.
# The best model is chosen on so many lists, where the error of a hit rate is .005.
_LISTS = 10_000
_CALLED = {
    features.LATEST_BLESSED: "The model in service",
    features.BEST_BLESSED: "The earlier model",
}
_MODEL_ID = "current_model_id"  # A property that TFX's Evaluator gives a blessing.


@dataclasses.dataclass(frozen=True)
class BlessedRival:
    """A model that was blessed before.

    Attributes:
        model: the loaded model.
        noted: `id` and `uri` of the model's artifact, and the model's `level`.
    """

    model: ranking_model.RankingModel
    noted: Mapping[str, Any]


class Chosen(NamedTuple):
    """The models that rank the lists by their kind, and why others do not."""

    rivals: dict[str, BlessedRival]
    not_compared: list[str]


def choose(
    input_dict: Mapping[str, Sequence[types.Artifact]],
    catalogue: list[bytes],
    batches: Batches,
) -> Chosen:
    """Returns the model blessed last and, if another is better, the best of the others.

    The best is the one with the most hits on these very lists. Levels would not do:
    they compare models that were evaluated on different data, and where earlier data
    come back, a model of those data may be better than the one with the highest level.
    Of models with equal hits the one with the higher level is taken.

    Args:
        input_dict: the inputs of BlessedRanks; `best_model` has any number of models.
        catalogue: raw ids of all items of the data.
        batches: returns an iterator over the lists, from the first one on.
    """
    left: list[str] = []
    latest = list(_loaded(input_dict, features.LATEST_BLESSED, catalogue, left))[:1]
    found = [*latest, *_loaded(input_dict, features.BEST_BLESSED, catalogue, left)]
    if not found:
        return Chosen({}, left)
    best = found[0]
    if len(found) > 1:
        hits = _hits([rival.model for rival in found], batches)
        best = found[int(np.argmax(hits))]  # The first of equals.
        told = [(rival.noted["id"], h) for rival, h in zip(found, hits, strict=True)]
        logging.info("Hits of models blessed before, by their ids: %s.", told)
    if best in latest:
        return Chosen({features.LATEST_BLESSED: best}, left)
    # `latest` is empty, or holds a model that is not the best.
    chosen = dict(zip([features.LATEST_BLESSED], latest, strict=False))
    return Chosen({**chosen, features.BEST_BLESSED: best}, left)


def _loaded(
    input_dict: Mapping[str, Sequence[types.Artifact]],
    name: str,
    catalogue: list[bytes],
    not_compared: list[str],
) -> Iterator[BlessedRival]:
    """Yields the models of a kind that can be asked; says of others why they cannot.

    On clusters only the first one is an artifact; a property of it names the others.
    """
    model_key, blessing_key = spec.KEYS[name]
    levels = {
        blessing.get_int_custom_property(_MODEL_ID): _level(blessing)
        for blessing in input_dict.get(blessing_key, ())
    }
    for artifact in input_dict.get(model_key, ()):
        level = levels.get(artifact.id, _level(artifact))
        noted = {"id": artifact.id, "uri": artifact.uri, LEVEL: level}
        if version := artifact.get_string_custom_property(features.VERSION_PROPERTY):
            noted["version"] = version
        path = path_utils.serving_model_path(artifact.uri)
        more = artifact.get_string_custom_property(features.MORE_BEST_PROPERTY)
        others = [(other["uri"], other) for other in json.loads(more or "[]")]
        for place, told in [(path, noted), *others]:
            model, why = ranking_model.load(place, catalogue)
            if model is not None:
                yield BlessedRival(model, told)
            else:
                where = f"version {version}" if path == place and version else place
                not_compared.append(f"{_CALLED[name]}, {where}, is not compared: {why}")


def _level(artifact: types.Artifact) -> float:
    """Returns the level noted with a blessing; 0 for one of an earlier release."""
    text = artifact.get_string_custom_property(LEVEL)
    return float(text) if text else 0.0


def _hits(models: Sequence[ranking_model.RankingModel], batches: Batches) -> list[int]:
    """Returns in how many of the first lists each model has a hit."""
    hits, seen = np.zeros(len(models), np.int64), 0
    for batch in batches():
        hits += [int((model.ranks(batch) < _TOP_K).sum()) for model in models]
        seen += len(batch)
        if seen >= _LISTS:
            break
    return [int(count) for count in hits]
