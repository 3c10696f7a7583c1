"""The level of a blessed model, which compares it with all blessed before.

The first blessed model has level 0. Each later one has the level of the best model
before it, plus the difference of both hit rates on one set of lists. While the lists
stay the same, a level is thus the model's hit rate less that of the first model. Where
data change, the differences are chained like the years of a price index. So it is known
which of the models that still exist is best, even if no two of them were ever compared.
This module is free of TFX.
"""

import json
from collections.abc import Mapping
from typing import Any

from ncf_model import features
from ncf_model.evaluation.result import Paired

PROPERTY = "level"


def rivals(properties: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Returns what is noted of each older model that ranked the lists, by its name.

    Args:
        properties: custom properties of the lists' artifact. The property of a model
            that does not exist is "" or absent.
    """
    found = {name: properties.get(name) for name in features.RIVALS}
    return {name: json.loads(text) for name, text in found.items() if text}


def without_absent(eval_config: str, present: Mapping[str, Any]) -> str:
    """Returns TFMA's EvalConfig, as JSON, without metrics of models that do not exist.

    TFX itself removes the rules against its baseline in this way if there is none.
    """
    absent = set(features.RIVALS) - set(present)
    config = json.loads(eval_config)
    for spec in config.get("metricsSpecs", config.get("metrics_specs", [])):
        spec["metrics"] = [m for m in spec["metrics"] if _source(m) not in absent]
    return json.dumps(config, sort_keys=True)


def _source(metric: Mapping[str, Any]) -> str | None:
    """Returns the feature by which a metric ranks, or with which it compares."""
    arguments = json.loads(metric.get("config") or "{}")
    return arguments.get("over", arguments.get("scores"))


def of_candidate(
    comparisons: Mapping[str, Paired],
    present: Mapping[str, Mapping[str, Any]],
) -> float:
    """Returns the level of a model, by its difference from the best before it.

    Args:
        comparisons: by the name of the older model.
        present: the result of `rivals`.

    Raises:
        ValueError: the difference was not measured.
    """
    for name in (features.BEST_BLESSED, features.LATEST_BLESSED):
        if name in present:
            difference = comparisons[name].difference
            if difference is None:
                raise ValueError(f"The difference from {name} must be a number.")
            return float(present[name].get(PROPERTY, 0.0)) + difference
    return 0.0
