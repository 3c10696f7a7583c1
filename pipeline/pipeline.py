"""The one definition of the pipeline, for every runner."""

import pathlib
import sys
from collections.abc import Sequence

from ml_metadata.proto import metadata_store_pb2
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base import base_component, base_node
from tfx.orchestration import pipeline as tfx_pipeline

from components.bulk_recommendations.component import BulkRecommendations
from components.report.component import Report
from pipeline import code_digest, config_fields, packaged_files
from pipeline.config import PipelineConfig
from pipeline.nodes import earlier_models, search
from pipeline.nodes.data import DataNodes, data_nodes
from pipeline.nodes.model import ModelNodes, model_nodes
from pipeline.nodes.settings import TFX_OWN, Locations, NodeSettings, Variants


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
    """Returns the pipeline, from a file of interactions to an evaluated, pushed model.

    Args:
        config: what to compute.
        locations: where to read and write.
        dataset: the name of the data in the report.
        metadata: the ML Metadata store; None where the runner has its own.
        ask_metadata: whether earlier models are found in ML Metadata. False looks into
            the serving folder, for runners that know no Resolver.
        beam_args: arguments for Beam, of the components that run on it.
        variants: which components train and push.
    """
    settings = NodeSettings(
        config=config, locations=locations, ask_metadata=ask_metadata, variants=variants
    )
    data = data_nodes(settings)
    served = earlier_models.served_evaluation(settings, data)
    model = model_nodes(settings, data)
    report = _report(data, model, served, dataset, config)
    before = [*data.all(), *served]
    nodes = [*before, *model.all(), report, *_bulk(settings, model)]
    return _assemble(nodes, settings, metadata, beam_args)


def create_tuning(
    config: PipelineConfig,
    locations: Locations,
    *,
    metadata: metadata_store_pb2.ConnectionConfig,
    beam_args: Sequence[str] = (),
) -> tfx_pipeline.Pipeline:
    """Returns the part of the pipeline that ends with the search, for `ncf tune`.

    This part has the pipeline's name, so that a run finds its results in the cache.

    Args:
        config: what to compute; `tune` is set.
        locations: where to read and write.
        metadata: the ML Metadata store.
        beam_args: arguments for Beam, of the components that run on it.
    """
    settings = NodeSettings(config=config, locations=locations)
    data = data_nodes(settings)
    nodes = [*data.all(), *search.tuner(settings, data)]
    return _assemble(nodes, settings, metadata, beam_args)


def _report(
    data: DataNodes,
    model: ModelNodes,
    served: Sequence[base_node.BaseNode],
    dataset: str,
    config: PipelineConfig,
) -> Report:
    return Report(
        interactions=data.interactions,
        lists=data.rows_and_lists,
        context=model.context.outputs["examples"],
        model=model.trainer.outputs["model"],
        model_run=model.trainer.outputs["model_run"],
        evaluation=model.evaluator.outputs["evaluation"],
        blessing=model.evaluator.outputs["blessing"],
        pushed_model=model.pusher.outputs["pushed_model"],
        served=served[-1].outputs["evaluation"] if served else None,
        dataset=dataset,
        config=config_fields.told_to_report(config),
    )


def _bulk(settings: NodeSettings, model: ModelNodes) -> list[base_node.BaseNode]:
    """Returns BulkRecommendations, if the configuration asks for it."""
    wanted = settings.config.push.bulk
    if wanted is None:
        return []
    bulk = BulkRecommendations(
        model=model.trainer.outputs["model"],
        pushed_model=model.pusher.outputs["pushed_model"],
        k=wanted.k,
        titles=settings.locations.titles,
        titles_digest=settings.locations.titles_digest,
    )
    return [bulk]


def _assemble(
    nodes: Sequence[base_node.BaseNode],
    settings: NodeSettings,
    metadata: metadata_store_pb2.ConnectionConfig | None,
    beam_args: Sequence[str],
) -> tfx_pipeline.Pipeline:
    """Returns the pipeline of these nodes, each with the digest of its code."""
    _note_code(nodes, settings.locations.schema)
    return tfx_pipeline.Pipeline(
        pipeline_name=settings.config.pipeline_name,
        pipeline_root=settings.locations.pipeline_root,
        components=list(nodes),
        metadata_connection_config=metadata,
        beam_pipeline_args=list(beam_args),
        enable_cache=True,
    )


def _note_code(nodes: Sequence[base_node.BaseNode], schema: str) -> None:
    """Adds the digest of its code to each node's properties, hence to its cache key."""
    for node in nodes:
        if not isinstance(node, base_component.BaseComponent):
            continue  # A resolver is never cached.
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
