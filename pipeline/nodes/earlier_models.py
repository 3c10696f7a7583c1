"""The nodes that find earlier models: to begin with, to compare data with, to beat.

On a runner that knows TFX's Resolver, these nodes ask ML Metadata; on others they look
into the serving folder.
"""

import dataclasses
from typing import Any

from tfx.dsl.components.base import base_node
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import channel, standard_artifacts

from components.latest_blessed_model.strategy import LatestOtherBlessedModel
from components.latest_blessed_model.warm_start import LatestServedModel
from components.latest_pushed_model.component import LatestPushedModel
from components.served_evaluation.component import ServedEvaluation
from components.shrink_guard.component import ShrinkGuard
from components.shrink_guard.strategy import ShrinkGuardStrategy
from pipeline.nodes import ids
from pipeline.nodes.data import DataNodes
from pipeline.nodes.settings import NodeSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class WarmStartNodes:
    """The parts of a warm start; all are empty without a warm start.

    Attributes:
        nodes: the node that finds the earlier model, if there is one.
        inputs: further inputs of Trainer.
        custom_config: further settings of Trainer.
    """

    nodes: list[base_node.BaseNode]
    inputs: dict[str, channel.BaseChannel]
    custom_config: dict[str, str]


def warm_start(settings: NodeSettings, examples: channel.BaseChannel) -> WarmStartNodes:
    """Returns the node that finds the model to begin with, and Trainer's settings.

    Where ML Metadata cannot be asked, Trainer looks into the serving folder itself.

    Args:
        settings: `train.warm_start` says whether there is a warm start.
        examples: the training rows, so that the node runs after they are made.
    """
    serving = settings.locations.serving
    if settings.config.train.warm_start is None:
        return WarmStartNodes(nodes=[], inputs={}, custom_config={})
    if not settings.ask_metadata:
        return WarmStartNodes(nodes=[], inputs={}, custom_config={"serving": serving})
    found = _served_model(settings, examples).with_id(ids.WARM_START)
    inputs = {"base_model": found.outputs["model"]}
    return WarmStartNodes(nodes=[found], inputs=inputs, custom_config={})


def _served_model(settings: NodeSettings, examples: channel.BaseChannel) -> Resolver:
    """Returns the node that finds the newest served model of other data."""
    return Resolver(
        strategy_class=LatestServedModel,
        config={"serving": settings.locations.serving},
        model=channel.Channel(type=standard_artifacts.Model),
        examples=examples,
    )


def served_evaluation(
    settings: NodeSettings, data: DataNodes
) -> list[base_node.BaseNode]:
    """Returns the nodes that evaluate the served model; none by default.

    The last node evaluates. Where ML Metadata cannot be asked, it looks into the
    serving folder itself, and is the only one.
    """
    config = settings.config
    if not config.evaluation.served:
        return []
    if not settings.ask_metadata:
        node = ServedEvaluation(
            interactions=data.interactions,
            serving=settings.locations.serving,
            seed=config.seed,
        )
        return [node]
    found = _served_model(settings, data.rows_and_lists).with_id(ids.SERVED_MODEL)
    evaluation = ServedEvaluation(
        interactions=data.interactions,
        model=found.outputs["model"],
        seed=config.seed,
    )
    return [found, evaluation]


def shrink_guard(
    settings: NodeSettings, examples: channel.BaseChannel
) -> base_node.BaseNode:
    """Returns the node that stops the run if too much of the data is gone."""
    max_shrink = settings.config.data.max_shrink
    if not settings.ask_metadata:
        return ShrinkGuard(
            examples=examples,
            serving=settings.locations.serving,
            max_shrink=max_shrink,
        )
    return Resolver(
        strategy_class=ShrinkGuardStrategy,
        config={"max_shrink": max_shrink, "serving": settings.locations.serving},
        examples=examples,
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id(ids.SHRINK_GUARD)


def baseline(
    settings: NodeSettings, candidate: channel.BaseChannel
) -> base_node.BaseNode:
    """Returns the node that finds the models that the candidate has to beat."""
    serving = settings.locations.serving
    if not settings.ask_metadata:
        node = LatestPushedModel(candidate=candidate, serving=serving)
        return node.with_id(ids.BASELINE)
    return Resolver(
        strategy_class=LatestOtherBlessedModel,
        config={"serving": serving},
        candidate=candidate,
        model=channel.Channel(type=standard_artifacts.Model),
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
        best_model=channel.Channel(type=standard_artifacts.Model),
        best_blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id(ids.BASELINE)


def blessings(settings: NodeSettings, found: base_node.BaseNode) -> dict[str, Any]:
    """Returns the blessings of the models to beat, as arguments of BlessedRanks.

    Args:
        settings: say whether ML Metadata can be asked; if not, there are no blessings.
        found: the node that `baseline` returned.
    """
    if not settings.ask_metadata:
        return {}
    return {
        "latest_blessing": found.outputs["model_blessing"],
        "best_blessing": found.outputs["best_blessing"],
    }
