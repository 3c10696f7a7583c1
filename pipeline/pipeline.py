"""The one definition of the pipeline, for every runner."""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.dsl.components.base import base_component, base_node
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.proto import pusher_pb2, trainer_pb2, transform_pb2
from tfx.types import channel, standard_artifacts

from components.blessed_ranks.component import BlessedRanks
from components.bulk_recommendations.component import BulkRecommendations
from components.eval_context.component import EvalContext
from components.explaining_evaluator.component import ExplainingEvaluator
from components.export_check.component import ExportCheck
from components.interactions_example_gen.component import InteractionsExampleGen
from components.interactions_example_gen.config import SpansConfig
from components.latest_blessed_model.strategy import LatestOtherBlessedModel
from components.latest_blessed_model.warm_start import LatestServedModel
from components.latest_pushed_model.component import LatestPushedModel
from components.negative_sampling.component import NegativeSampling
from components.pusher import executor as pusher_executor
from components.pusher.component import Pusher
from components.report.component import Report
from components.shrink_guard.component import ShrinkGuard
from components.shrink_guard.strategy import ShrinkGuardStrategy
from components.strict_example_validator.component import StrictExampleValidator
from ncf_model import features
from pipeline import code_digest, config_fields, evaluation, search_node
from pipeline.cluster import packaged_files
from pipeline.config import PipelineConfig

SCHEMA = os.path.join(os.path.dirname(__file__), "schema", "schema.pbtxt")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Locations:
    """Where a run reads and writes: local paths, or URIs of an object store.

    Attributes:
        interactions: the file of interactions.
        pipeline_root: folder of all artifacts.
        serving: folder to which blessed models are pushed, one numbered folder each.
        schema: the reviewed schema of the interactions.
        titles: a CSV of `item_id,title` for bulk recommendations, or "".
    """

    interactions: str
    pipeline_root: str
    serving: str
    schema: str = SCHEMA
    titles: str = ""

    @property
    def checkpoints(self) -> str:
        """Where a killed training is gone on from: beside the serving folder."""
        return self._beside_serving("checkpoints")

    @property
    def tuning(self) -> str:
        """Where a killed search is gone on from: likewise."""
        return self._beside_serving("tuning")

    def _beside_serving(self, name: str) -> str:
        return os.path.join(os.path.dirname(self.serving.rstrip("/")), name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variants:
    """Which components train and push: those of every runner, or a service's.

    Attributes:
        trainer: TFX's Trainer, or one that starts a job elsewhere.
        trainer_config: what that one needs to know.
        pusher: Pusher, or one that does more.
        pusher_config: what that one needs to know.
    """

    trainer: type[Trainer] = Trainer
    trainer_config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    pusher: type[Pusher] = Pusher
    pusher_config: Mapping[str, Any] = dataclasses.field(default_factory=dict)


TFX_OWN = Variants()


def create_pipeline(
    config: PipelineConfig,
    locations: Locations,
    *,
    dataset: str,
    metadata: metadata_store_pb2.ConnectionConfig | None = None,
    ask_metadata: bool = True,
    beam_args: Sequence[str] = (),
    variants: Variants = TFX_OWN,
) -> tfx_pipeline.Pipeline:
    """Returns the pipeline, from a file of interactions to a judged, pushed model.

    Args:
        config: what to compute.
        locations: where to read and write.
        dataset: what the report calls the data.
        metadata: the ML Metadata store; None where the runner brings its own.
        ask_metadata: whether the model to beat is found there. False looks into the
            serving folder, for runners that know no Resolver.
        beam_args: for the components that run on Beam.
        variants: which components train and push.
    """
    data = _data_nodes(config, locations)
    transform, sampling = data[-2:]
    model = _model_nodes(
        config,
        locations,
        transform=transform,
        sampling=sampling,
        ask_metadata=ask_metadata,
        variants=variants,
    )
    context, trainer = (
        next(node for node in model if node.id == name)
        for name in ("EvalContext", "Trainer")
    )
    evaluator, pusher = model[-2:]
    report = Report(
        interactions=data[0].outputs["examples"],
        lists=sampling.outputs["examples"],
        context=context.outputs["examples"],
        model=trainer.outputs["model"],
        model_run=trainer.outputs["model_run"],
        evaluation=evaluator.outputs["evaluation"],
        blessing=evaluator.outputs["blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        dataset=dataset,
        config=config_fields.told_to_report(config),
    )
    nodes = [*data, *model, report, *_bulk(config, locations, trainer, pusher)]
    return _assemble(nodes, config, locations, metadata, beam_args)


def _assemble(
    nodes: Sequence[base_node.BaseNode],
    config: PipelineConfig,
    locations: Locations,
    metadata: metadata_store_pb2.ConnectionConfig | None,
    beam_args: Sequence[str],
) -> tfx_pipeline.Pipeline:
    """Returns the pipeline of these nodes, each with the digest of its code."""
    _note_code(nodes, locations.schema)
    return tfx_pipeline.Pipeline(
        pipeline_name=config.pipeline_name,
        pipeline_root=locations.pipeline_root,
        components=list(nodes),
        metadata_connection_config=metadata,
        beam_pipeline_args=list(beam_args),
        enable_cache=True,
    )


def _bulk(
    config: PipelineConfig,
    locations: Locations,
    trainer: base_node.BaseNode,
    pusher: base_node.BaseNode,
) -> list[base_node.BaseNode]:
    """Returns the node that writes everybody's list, if it is wanted."""
    if config.push.bulk is None:
        return []
    bulk = BulkRecommendations(
        model=trainer.outputs["model"],
        pushed_model=pusher.outputs["pushed_model"],
        k=config.push.bulk.k,
        titles=locations.titles,
    )
    return [bulk]


def create_tuning(
    config: PipelineConfig,
    locations: Locations,
    *,
    metadata: metadata_store_pb2.ConnectionConfig,
    beam_args: Sequence[str] = (),
) -> tfx_pipeline.Pipeline:
    """Returns the part of the pipeline that ends with the search, for `ncf tune`.

    It has the pipeline's name, so that a run uses what this computed.

    Args:
        config: what to compute; `tune` is set.
        locations: where to read and write.
        metadata: the ML Metadata store.
        beam_args: for the components that run on Beam.
    """
    data = _data_nodes(config, locations)
    transform, sampling = data[-2:]
    nodes = [*data, *search_node.tuner(config, locations.tuning, transform, sampling)]
    return _assemble(nodes, config, locations, metadata, beam_args)


def _note_code(nodes: Sequence[base_node.BaseNode], schema: str) -> None:
    """Adds the digest of the code it runs to each node's properties: its cache key."""
    for node in nodes:
        if not isinstance(node, base_component.BaseComponent):
            continue  # A resolver: it looks things up in each run.
        modules = [cls.__module__ for cls in node.executor_spec.executor_class.__mro__]
        properties = node.spec.exec_properties
        content = ""
        if isinstance(node, ImportSchemaGen):
            content = pathlib.Path(packaged_files.resolve(schema)).read_text()
        properties[code_digest.PROPERTY] = code_digest.digest(
            code_digest.names_in([*modules, *properties.values()]),
            others=[
                str(sys.modules[name].__file__)
                for name in modules
                if name.startswith("tfx.")
            ],
            extra=content,
        )


def _data_nodes(
    config: PipelineConfig, locations: Locations
) -> list[base_node.BaseNode]:
    """From the file to training rows and evaluation lists."""
    example_gen = InteractionsExampleGen(
        locations.interactions,
        reading=config.data.reading(),
        # Not the default: what is cached for a single file stays valid.
        spans=config.data.spans if config.data.spans != SpansConfig() else None,
        drift=config.data.drift,
    )
    statistics = StatisticsGen(examples=example_gen.outputs["examples"])
    schema = ImportSchemaGen(schema_file=locations.schema)
    validator = StrictExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    transform = Transform(
        examples=example_gen.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="ncf_model.preprocessing.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(
            analyze=[features.INTERACTIONS_SPLIT],
            transform=[features.INTERACTIONS_SPLIT],
        ),
        # StatisticsGen has them before, and ids need none after.
        disable_statistics=True,
    )
    transform.add_upstream_node(validator)
    sampling = NegativeSampling(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        sampling=config.sampling,
        epochs=config.train.epochs_of_rows,
        refit=config.train.refit,
        seed=config.seed,
    )
    return [example_gen, statistics, schema, validator, transform, sampling]


def _model_nodes(
    config: PipelineConfig,
    locations: Locations,
    *,
    transform: base_node.BaseNode,
    sampling: base_node.BaseNode,
    ask_metadata: bool,
    variants: Variants,
) -> list[base_node.BaseNode]:
    """From training rows to a judged and, if it deserves it, pushed model."""
    base, inputs, told = _warm_start(
        config, locations, sampling=sampling, ask_metadata=ask_metadata
    )
    guard = _shrink_guard(
        config, locations, sampling=sampling, ask_metadata=ask_metadata
    )
    tuner = search_node.tuner(config, locations.tuning, transform, sampling)
    for search in tuner:
        search.add_upstream_node(guard)
        inputs["hyperparameters"] = search.outputs["best_hyperparameters"]
    trainer = variants.trainer(
        run_fn="ncf_model.trainer.run_fn",
        examples=sampling.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=trainer_pb2.TrainArgs(splits=[features.TRAIN_SPLIT]),
        eval_args=trainer_pb2.EvalArgs(splits=[features.VALIDATION_SPLIT]),
        custom_config={
            **config.trainer_config(),
            "checkpoints": locations.checkpoints,
            **told,
            **variants.trainer_config,
        },
        **inputs,
    )
    trainer.add_upstream_node(guard)
    baseline = (
        _latest_blessed(trainer, locations.serving)
        if ask_metadata
        else LatestPushedModel(
            candidate=trainer.outputs["model"], serving=locations.serving
        )
    ).with_id("LatestBlessedModel")
    context = EvalContext(
        lists=sampling.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        baselines=config.evaluation.baselines,
        refit=config.train.refit,
        places=max(config.evaluation.top_k),
    )
    ranks = BlessedRanks(
        lists=context.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        baseline_model=baseline.outputs["model"],
        best_model=baseline.outputs["best_model"],
        latest_blessing=baseline.outputs["model_blessing"] if ask_metadata else None,
        best_blessing=baseline.outputs["best_blessing"] if ask_metadata else None,
    )
    check = ExportCheck(
        model=trainer.outputs["model"], model_run=trainer.outputs["model_run"]
    )
    evaluator = ExplainingEvaluator(
        examples=ranks.outputs["examples"],
        example_splits=[features.EVAL_SPLIT],
        model=trainer.outputs["model"],
        eval_config=evaluation.eval_config(
            config.evaluation, eval_negatives=config.sampling.eval_negatives
        ),
    ).with_id("Evaluator")
    evaluator.add_upstream_node(check)
    pusher = variants.pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(
                base_directory=locations.serving
            )
        ),
        custom_config={
            pusher_executor.CONFIG_KEY: config.push.model_dump(
                mode="json", exclude={"bulk"}
            ),
            **variants.pusher_config,
        },
    )
    nodes = [context, trainer, check, baseline, ranks, evaluator, pusher]
    return [*base, guard, *tuner, *nodes]


def _warm_start(
    config: PipelineConfig,
    locations: Locations,
    *,
    sampling: base_node.BaseNode,
    ask_metadata: bool,
) -> tuple[list[base_node.BaseNode], dict[str, Any], dict[str, Any]]:
    """Returns what resolves the model to begin with, and what tells Trainer of it.

    Where metadata cannot be asked, Trainer looks into the serving folder itself.
    """
    if config.train.warm_start is None:
        return [], {}, {}
    if not ask_metadata:
        return [], {}, {"serving": locations.serving}
    resolver = Resolver(
        strategy_class=LatestServedModel,
        config={"serving": locations.serving},
        model=channel.Channel(type=standard_artifacts.Model),
        examples=sampling.outputs["examples"],
    ).with_id("WarmStartModel")
    return [resolver], {"base_model": resolver.outputs["model"]}, {}


def _shrink_guard(
    config: PipelineConfig,
    locations: Locations,
    *,
    sampling: base_node.BaseNode,
    ask_metadata: bool,
) -> base_node.BaseNode:
    """Returns the node that stops the run if too much of the data is gone."""
    examples = sampling.outputs["examples"]
    if not ask_metadata:
        return ShrinkGuard(
            examples=examples,
            serving=locations.serving,
            max_shrink=config.data.max_shrink,
        )
    return Resolver(
        strategy_class=ShrinkGuardStrategy,
        config={"max_shrink": config.data.max_shrink},
        examples=examples,
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("ShrinkGuard")


def _latest_blessed(trainer: base_node.BaseNode, serving: str) -> base_node.BaseNode:
    return Resolver(
        strategy_class=LatestOtherBlessedModel,
        config={"serving": serving},
        candidate=trainer.outputs["model"],
        model=channel.Channel(type=standard_artifacts.Model),
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
        best_model=channel.Channel(type=standard_artifacts.Model),
        best_blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
    )
