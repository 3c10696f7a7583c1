"""Tuner in local and compiled pipelines, and the file that `ncf tune` writes."""

import json

import pytest
import yaml
from tfx.orchestration import metadata

from pipeline import config as config_module
from pipeline import pipeline
from pipeline.kfp import compile as kfp_compiler
from pipeline.kfp import config as kfp_config
from pipeline.local import tuning
from pipeline.vertex import compile as vertex_compiler
from pipeline.vertex import config as vertex_config

TUNE = "tune={trials: 3, space: {train.epochs: [5, 9]}}"
LOCATIONS = pipeline.Locations(
    interactions="ratings.csv", pipeline_root="root", serving="out/serving"
)


def _nodes(*overrides):
    definition = pipeline.create_pipeline(
        config_module.load(None, overrides), LOCATIONS, dataset="d"
    )
    return {node.id: node for node in definition.components}


def test_without_it_there_is_no_such_node():
    nodes = _nodes()
    assert "Tuner" not in nodes
    assert "hyperparameters" not in nodes["Trainer"].inputs


def test_trainer_takes_what_it_finds():
    nodes = _nodes(TUNE)
    tuner, trainer = nodes["Tuner"], nodes["Trainer"]
    assert nodes["ShrinkGuard"] in tuner.upstream_nodes
    assert tuner in trainer.upstream_nodes
    found = trainer.inputs["hyperparameters"]
    assert found is tuner.outputs["best_hyperparameters"]
    custom = json.loads(tuner.exec_properties["custom_config"])
    assert custom["tune"]["trials"] == 3
    assert custom["tuning"] == "out/tuning"
    assert custom["train"] == config_module.PipelineConfig().trainer_config()["train"]


def test_the_search_alone_shares_the_data_with_a_run():
    store = metadata.sqlite_metadata_connection_config("metadata.sqlite")
    config = config_module.load(None, [TUNE])
    alone = pipeline.create_tuning(config, LOCATIONS, metadata=store)
    whole = _nodes(TUNE)
    assert [node.id for node in alone.components][-2:] == ["NegativeSampling", "Tuner"]
    for node in alone.components:
        assert node.exec_properties == whole[node.id].exec_properties
    assert alone.pipeline_info.pipeline_name == config.pipeline_name


def _specs(*overrides):
    config = config_module.load(None, overrides)
    places = {"serving": "gs://b/serving", "image": "ncf@sha256:01"}
    kfp = kfp_compiler.compile_pipeline(
        config, kfp_config.load(None, volumes=[], **places)
    )
    platform = vertex_config.VertexConfig(project="p", region="us-central1", **places)
    vertex = vertex_compiler.compile_pipeline(config, platform, root="gs://bucket/root")
    return [next(yaml.safe_load_all(kfp)), json.loads(vertex)["pipelineSpec"]]


def test_the_same_node_on_clusters():
    """Trainer reads Tuner's output; both get the parameters and Trainer's machine."""
    for spec in _specs(TUNE):
        tasks = spec["root"]["dag"]["tasks"]
        taken = tasks["Trainer"]["inputs"]["artifacts"]["hyperparameters"]
        assert taken["taskOutputArtifact"] == {
            "producerTask": "Tuner",
            "outputArtifactKey": "best_hyperparameters",
        }
        for task in ("Tuner", "Trainer"):
            container = spec["deploymentSpec"]["executors"][f"{task}_executor"]
            container = container["container"]
            assert container["resources"]["cpuLimit"] == 7
            args = container["args"]
            places = json.loads(args[args.index("--parameter_places") + 1])
            assert places["epochs"] == ["custom_config", "train", "epochs"]


def _found(**values):
    trials = [
        tuning.Trial(number=1, score=0.5, values=values),
        tuning.Trial(number=0, score=0.4, values={}),
    ]
    return tuning.Found(
        dataset="d",
        objective="ndcg@10",
        start=0.4,
        score=0.5,
        values=values,
        trials=trials,
        cached=False,
        seconds=1.0,
    )


@pytest.mark.parametrize(
    ("overrides", "values"),
    [
        (
            ["model.history.l2=0.5", "data.dataset=x.csv"],
            {"model.history.factors": 32, "train.epochs": 7},
        ),
        (
            ["model.history=null", "model.layers=[8, 4]"],
            {"model.layers": [16, 8], "model.mlp_regularization": 1e-05},
        ),
    ],
)
def test_what_is_written_is_what_was_found(tmp_path, overrides, values):
    config = config_module.load(None, [*overrides, TUNE])
    file = tmp_path / "best.yaml"
    tuning.write_config(file, config, _found(**values))
    written = config_module.load(file)
    expected = [f"{name}={json.dumps(value)}" for name, value in values.items()]
    expected = [e.replace("=1e-05", "=[1e-05]") for e in expected]
    assert written == config_module.load(None, [*overrides, *expected])
    with pytest.raises(ValueError, match=r"best.yaml exists; name another"):
        tuning.write_config(file, config, _found(**values))
