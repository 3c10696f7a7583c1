"""Plans the shares of the requests that the models of an endpoint answer."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class TrafficPlan(NamedTuple):
    """What to do after a new model was deployed.

    Attributes:
        split: id of each deployed model -> its share of the requests, in percent.
        undeploy: ids of the models to remove, whose share is 0.
    """

    split: dict[str, int]
    undeploy: list[str]


def plan(
    deployed: Iterable[str],
    before: Mapping[str, int],
    *,
    new: str,
    share: int,
    keep: int,
) -> TrafficPlan:
    """Gives the new model its share, and the rest to the older one that had most.

    Args:
        deployed: ids of all models on the endpoint, oldest first.
        before: id -> share before the new model was deployed; {} without older models.
        new: id of the new model.
        share: of the new model, in percent, 1 to 100; a model that is alone gets all.
        keep: how many older models stay: those that had the largest shares.

    Example:
        A canary of 10 percent; an earlier canary goes.

        >>> plan(["a", "b", "c"], {"a": 90, "b": 10}, new="c", share=10, keep=1)
        TrafficPlan(split={'a': 90, 'b': 0, 'c': 10}, undeploy=['b'])
    """
    age = {model: place for place, model in enumerate(deployed)}
    others = sorted(
        age.keys() - {new},
        key=lambda model: (before.get(model, 0), age[model]),
        reverse=True,
    )
    split = dict.fromkeys(age, 0) | {new: share if others else 100}
    if others:
        split[others[0]] = 100 - share
    return TrafficPlan(split, others[keep:])
