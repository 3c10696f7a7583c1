"""How a blessed model stands to all that were blessed before; free of TFX.

The first has level 0, and each other that of the best before it plus the difference of
both on one set of lists. On the same lists that is a model's hit rate less the first
one's; where data change, differences are chained like the years of a price index. So
the best of the models that are still there is known, though no two of them were ever
compared.
"""

import json
from collections.abc import Mapping
from typing import Any

from ncf_model import features

PROPERTY = "level"


def rivals(properties: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Returns what is noted of each model that ranked the lists, by its name there.

    Args:
        properties: of the lists' artifact; "" or absent for a model that there is not.
    """
    found = {name: properties.get(name) for name in features.RIVALS}
    return {name: json.loads(text) for name, text in found.items() if text}


def without_absent(eval_config: str, present: Mapping[str, Any]) -> str:
    """Returns TFMA's EvalConfig, as JSON, without metrics of models there are not.

    As TFX itself takes the rules against a baseline out where there is none.
    """
    absent = set(features.RIVALS) - set(present)
    config = json.loads(eval_config)
    for spec in config.get("metricsSpecs", config.get("metrics_specs", [])):
        spec["metrics"] = [m for m in spec["metrics"] if _source(m) not in absent]
    return json.dumps(config, sort_keys=True)


def _source(metric: Mapping[str, Any]) -> str | None:
    """Returns the feature that a metric ranks by, or compares with."""
    arguments = json.loads(metric.get("config") or "{}")
    return arguments.get("over", arguments.get("scores"))


def of_candidate(
    comparisons: Mapping[str, Mapping[str, Any]],
    present: Mapping[str, Mapping[str, Any]],
) -> float:
    """Returns the level of a model, by its difference from the best before it.

    Args:
        comparisons: by rival, with the `difference` from it.
        present: as from `rivals`.
    """
    for name in (features.BEST_BLESSED, features.LATEST_BLESSED):
        if name in present:
            before = float(present[name].get(PROPERTY, 0.0))
            return before + float(comparisons[name]["difference"])
    return 0.0
