"""The node that searches hyperparameters, where the configuration asks for one."""

from tfx.dsl.components.base import base_node
from tfx.proto import trainer_pb2

from ncf_model import features
from pipeline.nodes.data import DataNodes
from pipeline.nodes.settings import NodeSettings


def tuner(settings: NodeSettings, data: DataNodes) -> list[base_node.BaseNode]:
    """Returns TFX's Tuner, or nothing where `tune` is null.

    Args:
        settings: say what is searched, and in which folder a killed search left trials.
        data: the nodes with the vocabularies, the rows and the validation lists.
    """
    config = settings.config
    if config.tune is None:
        return []
    # Late: importing KerasTuner takes a second, and most pipelines have no Tuner.
    from tfx.components.tuner.component import Tuner

    node = Tuner(
        tuner_fn="ncf_model.tuner.tuner_fn",
        examples=data.rows_and_lists,
        transform_graph=data.vocabularies,
        train_args=trainer_pb2.TrainArgs(splits=[features.TRAIN_SPLIT]),
        eval_args=trainer_pb2.EvalArgs(splits=[features.VALIDATION_SPLIT]),
        custom_config={
            **config.trainer_config(),
            "tune": config.tune.model_dump(mode="json"),
            "tuning": settings.locations.tuning,
        },
    )
    return [node]
