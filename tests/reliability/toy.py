"""A toy pipeline: our own resolver, Pusher and runner around a trivial trainer.

A model of the toy is a file that says how good the model is. Everything that decides
what is served is the project's own code, and yet a long sequence of runs takes seconds.
"""

import json
import os

from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.components.common import resolver
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.latest_blessed_model import strategy
from components.pusher import component as pusher_component
from pipeline.local import dag_runner

PADDING = 0  # How many bytes are added to a model.
MODEL_FILE = os.path.join("Format-Serving", "saved_model.pb")


def pack(values):
    """Returns the content of a toy's `saved_model.pb`, with `values` as text."""
    text = json.dumps(values, sort_keys=True).encode()
    return b"\x12" + bytes([0x80 | len(text) & 127, len(text) >> 7]) + text


def unpack(content):
    return json.loads(content[3:])


class TrainerExecutor(base_executor.BaseExecutor):
    def Do(self, input_dict, output_dict, exec_properties):
        model = artifact_utils.get_single_instance(output_dict["model"])
        os.makedirs(os.path.dirname(os.path.join(model.uri, MODEL_FILE)))
        values = {name: exec_properties[name] for name in ("quality", "seed")}
        with open(os.path.join(model.uri, MODEL_FILE), "wb") as f:
            f.write(pack(values))
        if PADDING:
            with open(os.path.join(model.uri, f"{MODEL_FILE}.more"), "wb") as f:
                f.write(bytes(PADDING))


class TrainerSpec(types.ComponentSpec):
    INPUTS = {}
    OUTPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}
    PARAMETERS = {
        "quality": ExecutionParameter(type=int),
        "seed": ExecutionParameter(type=int),
        "code_digest": ExecutionParameter(type=str),
    }


class Trainer(base_component.BaseComponent):
    SPEC_CLASS = TrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(TrainerExecutor)

    def __init__(self, *, quality, seed, code):
        model = types.Channel(type=standard_artifacts.Model)
        super().__init__(
            TrainerSpec(quality=quality, seed=seed, code_digest=code, model=model)
        )


def quality_of(uri):
    with open(os.path.join(uri, MODEL_FILE), "rb") as f:
        return unpack(f.read())["quality"]


class EvaluatorExecutor(base_executor.BaseExecutor):
    """Blesses a model that is at least as good as the model to beat."""

    def Do(self, input_dict, output_dict, exec_properties):
        model = artifact_utils.get_single_instance(input_dict["model"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        found = quality_of(model.uri)
        to_beat = [quality_of(other.uri) for other in input_dict["baseline"]]
        blessed = all(found >= other for other in to_beat)
        blessing.set_int_custom_property("blessed", int(blessed))
        blessing.set_int_custom_property("current_model_id", model.id)
        blessing.set_string_custom_property("current_model", model.uri)
        for other in input_dict["baseline"]:
            blessing.set_string_custom_property("baseline_model", other.uri)
        os.makedirs(blessing.uri, exist_ok=True)
        name = "BLESSED" if blessed else "NOT_BLESSED"
        with open(os.path.join(blessing.uri, name), "w"):
            pass


class EvaluatorSpec(types.ComponentSpec):
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "baseline": ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {"blessing": ChannelParameter(type=standard_artifacts.ModelBlessing)}
    PARAMETERS = {}


class Evaluator(base_component.BaseComponent):
    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(EvaluatorExecutor)

    def __init__(self, *, model, baseline):
        blessing = types.Channel(type=standard_artifacts.ModelBlessing)
        super().__init__(
            EvaluatorSpec(model=model, baseline=baseline, blessing=blessing)
        )


def run(folder, *, quality, seed, code, keep=10, root="root"):
    """Runs the toy pipeline in a folder.

    Raises:
        Exception: the error that a node raises.
    """
    root, serving = str(folder / root), str(folder / "serving")
    trainer = Trainer(quality=quality, seed=seed, code=code)
    latest = resolver.Resolver(
        strategy_class=strategy.LatestOtherBlessedModel,
        config={"serving": serving},
        candidate=trainer.outputs["model"],
        model=channel.Channel(type=standard_artifacts.Model),
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("Latest")
    evaluator = Evaluator(
        model=trainer.outputs["model"], baseline=latest.outputs["model"]
    )
    pusher = pusher_component.Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=serving)
        ),
        custom_config={"push": {"keep": keep}},
    )
    dag_runner.Runner(root=root, serving=serving).run(
        tfx_pipeline.Pipeline(
            pipeline_name="toy",
            pipeline_root=root,
            components=[trainer, latest, evaluator, pusher],
            metadata_connection_config=store_config(folder),
            enable_cache=True,
        )
    )


def store_config(folder):
    return metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite"))
