"""The nodes from training rows to a model that is evaluated and perhaps pushed."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfx.components.trainer.component import Trainer
from tfx.dsl.components.base import base_node
from tfx.proto import pusher_pb2, trainer_pb2
from tfx.types import channel

from components.blessed_ranks.component import BlessedRanks
from components.eval_context.component import EvalContext
from components.explaining_evaluator.component import ExplainingEvaluator
from components.export_check.component import ExportCheck
from components.pusher import executor as pusher_executor
from components.pusher.component import Pusher
from ncf_model import features
from pipeline import evaluation
from pipeline.nodes import earlier_models, ids, infra_validator, search
from pipeline.nodes.data import DataNodes
from pipeline.nodes.settings import NodeSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelNodes:
    """The nodes that make a model and decide about it.

    Attributes:
        before: the nodes before Trainer: ShrinkGuard, and those of a search or a warm
            start.
        context: adds baselines and slices to the evaluation lists.
        trainer: trains the model.
        check: checks that the exported model answers.
        servers: InfraValidator, where the configuration asks for it.
        baseline: finds the models to beat.
        ranks: adds the ranks of the models to beat to the evaluation lists.
        evaluator: decides whether the model is blessed.
        pusher: pushes a blessed model into the serving folder.
    """

    before: list[base_node.BaseNode]
    context: EvalContext
    trainer: Trainer
    check: ExportCheck
    servers: list[base_node.BaseNode]
    baseline: base_node.BaseNode
    ranks: BlessedRanks
    evaluator: ExplainingEvaluator
    pusher: Pusher

    def all(self) -> list[base_node.BaseNode]:
        """Returns the nodes in order."""
        found = (getattr(self, field.name) for field in dataclasses.fields(self))
        return [
            node
            for some in found
            for node in (some if isinstance(some, list) else [some])
        ]


def model_nodes(settings: NodeSettings, data: DataNodes) -> ModelNodes:
    """Returns the nodes that make a model and decide about it."""
    base = earlier_models.warm_start(settings, data.rows_and_lists)
    guard = earlier_models.shrink_guard(settings, data.rows_and_lists)
    tuners = search.tuner(settings, data)
    inputs = dict(base.inputs)
    for tuner in tuners:
        tuner.add_upstream_node(guard)
        inputs["hyperparameters"] = tuner.outputs["best_hyperparameters"]
    trainer = _trainer(settings, data, inputs, base.custom_config)
    trainer.add_upstream_node(guard)
    context = _context(settings, data)
    baseline = earlier_models.baseline(settings, trainer.outputs["model"])
    ranks = BlessedRanks(
        lists=context.outputs["examples"],
        transform_graph=data.vocabularies,
        baseline_model=baseline.outputs["model"],
        best_model=baseline.outputs["best_model"],
        **earlier_models.blessings(settings, baseline),
    )
    check = ExportCheck(
        model=trainer.outputs["model"], model_run=trainer.outputs["model_run"]
    )
    evaluator = _evaluator(settings, ranks, trainer)
    evaluator.add_upstream_node(check)
    servers = infra_validator.infra_validator(settings, trainer, check)
    return ModelNodes(
        before=[*base.nodes, guard, *tuners],
        context=context,
        trainer=trainer,
        check=check,
        servers=servers,
        baseline=baseline,
        ranks=ranks,
        evaluator=evaluator,
        pusher=_pusher(settings, trainer, evaluator, servers),
    )


def _trainer(
    settings: NodeSettings,
    data: DataNodes,
    inputs: Mapping[str, channel.BaseChannel],
    custom_config: Mapping[str, str],
) -> Trainer:
    return settings.variants.trainer(
        run_fn="ncf_model.trainer.run_fn",
        examples=data.rows_and_lists,
        transform_graph=data.vocabularies,
        train_args=trainer_pb2.TrainArgs(splits=[features.TRAIN_SPLIT]),
        eval_args=trainer_pb2.EvalArgs(splits=[features.VALIDATION_SPLIT]),
        custom_config={
            **settings.config.trainer_config(),
            "checkpoints": settings.locations.checkpoints,
            **custom_config,
            **settings.variants.trainer_config,
        },
        **inputs,
    )


def _context(settings: NodeSettings, data: DataNodes) -> EvalContext:
    history = settings.config.model.history
    return EvalContext(
        lists=data.rows_and_lists,
        transform_graph=data.vocabularies,
        baselines=settings.config.evaluation.baselines,
        refit=settings.config.train.refit,
        places=max(settings.config.evaluation.top_k),
        order=history is not None and history.recency > 0,
    )


def _evaluator(
    settings: NodeSettings, ranks: BlessedRanks, trainer: Trainer
) -> ExplainingEvaluator:
    config = settings.config
    return ExplainingEvaluator(
        examples=ranks.outputs["examples"],
        example_splits=[features.EVAL_SPLIT],
        model=trainer.outputs["model"],
        eval_config=evaluation.eval_config(
            config.evaluation, eval_negatives=config.sampling.eval_negatives
        ),
    ).with_id(ids.EVALUATOR)


def _pusher(
    settings: NodeSettings,
    trainer: Trainer,
    evaluator: ExplainingEvaluator,
    servers: list[base_node.BaseNode],
) -> Pusher:
    push: dict[str, Any] = settings.config.push.model_dump(
        mode="json", exclude={"bulk", "infra_validator"}
    )
    return settings.variants.pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=servers[0].outputs["blessing"] if servers else None,
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(
                base_directory=settings.locations.serving
            )
        ),
        custom_config={
            pusher_executor.CONFIG_KEY: push,
            **settings.variants.pusher_config,
        },
    )
