"""The node that searches hyperparameters, where the configuration asks for one."""

from tfx.dsl.components.base import base_node
from tfx.proto import trainer_pb2

from ncf_model import features
from pipeline.config import PipelineConfig


def tuner(
    config: PipelineConfig,
    folder: str,
    transform: base_node.BaseNode,
    sampling: base_node.BaseNode,
) -> list[base_node.BaseNode]:
    """Returns TFX's Tuner, or nothing where `tune` is null.

    Args:
        config: what to compute.
        folder: where a killed search is gone on from.
        transform: has the vocabularies.
        sampling: has the rows and the validation lists.
    """
    if config.tune is None:
        return []
    # Late: KerasTuner takes a second, and most pipelines have no such node.
    from tfx.components.tuner.component import Tuner

    node = Tuner(
        tuner_fn="ncf_model.tuner.tuner_fn",
        examples=sampling.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=trainer_pb2.TrainArgs(splits=[features.TRAIN_SPLIT]),
        eval_args=trainer_pb2.EvalArgs(splits=[features.VALIDATION_SPLIT]),
        custom_config={
            **config.trainer_config(),
            "tune": config.tune.model_dump(mode="json"),
            "tuning": folder,
        },
    )
    return [node]
