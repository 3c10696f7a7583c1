"""The nodes from the file of interactions to training rows and evaluation lists."""

import dataclasses

from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.transform.component import Transform
from tfx.dsl.components.base import base_node
from tfx.proto import transform_pb2
from tfx.types import channel

from components.interactions_example_gen.component import InteractionsExampleGen
from components.interactions_example_gen.config import SpansConfig
from components.negative_sampling.component import NegativeSampling
from components.strict_example_validator.component import StrictExampleValidator
from ncf_model import features
from pipeline.nodes.settings import NodeSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataNodes:
    """The nodes that prepare the data, in the order in which they run."""

    example_gen: InteractionsExampleGen
    statistics: StatisticsGen
    schema: ImportSchemaGen
    validator: StrictExampleValidator
    transform: Transform
    sampling: NegativeSampling

    @property
    def interactions(self) -> channel.BaseChannel:
        """The interactions, one record per user."""
        return self.example_gen.outputs["examples"]

    @property
    def rows_and_lists(self) -> channel.BaseChannel:
        """Training rows, and the lists of candidates of validation and evaluation."""
        return self.sampling.outputs["examples"]

    @property
    def vocabularies(self) -> channel.BaseChannel:
        """Transform's graph, with the indices of users and items."""
        return self.transform.outputs["transform_graph"]

    def all(self) -> list[base_node.BaseNode]:
        """Returns the nodes in order."""
        return [getattr(self, field.name) for field in dataclasses.fields(self)]


def data_nodes(settings: NodeSettings) -> DataNodes:
    """Returns the nodes that prepare the data."""
    config = settings.config
    example_gen = InteractionsExampleGen(
        settings.locations.interactions,
        reading=config.data.reading(),
        # None, unless needed, keeps results cached for a single file valid.
        spans=config.data.spans if config.data.spans != SpansConfig() else None,
        drift=config.data.drift,
    )
    statistics = StatisticsGen(examples=example_gen.outputs["examples"])
    schema = ImportSchemaGen(schema_file=settings.locations.schema)
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
        # StatisticsGen has statistics before Transform; ids need none after it.
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
    return DataNodes(
        example_gen=example_gen,
        statistics=statistics,
        schema=schema,
        validator=validator,
        transform=transform,
        sampling=sampling,
    )
