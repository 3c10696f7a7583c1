"""The compiled file for Kubeflow: its exact bytes, and what they have to mean.

After a change that is meant, `make golden` writes the golden file anew; read its diff.
The file serves both lines: TFX's version, and the digests of the code, which change
with every edit, are left out.
"""

import json
import os
import pathlib
import re
import socket

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx import version

from pipeline import config as config_module
from pipeline.cluster import executor_input, package
from pipeline.kfp import compile as compiler
from pipeline.kfp import config as kfp_config
from pipeline.kfp import pods

GOLDEN = pathlib.Path(__file__).parent / "golden" / "pipeline.yaml"
DIGEST_OF_CODE = re.compile(r"(code_digest:\n *runtimeValue:\n *constant: )\w{32}\n")
DIGEST = "registry.example/ncf@sha256:0123"
CUDA = "registry.example/ncf@sha256:4567"
GPU_ON_SPOT = {"profile": "gpu", "trainer_image": CUDA, "spot": True}


def _compile(overrides=(), **settings):
    config = config_module.load(None, overrides)
    settings = {"serving": "gs://bucket/serving", "volumes": [], **settings}
    return compiler.compile_pipeline(config, kfp_config.load(None, **settings))


def _documents(*args, **settings):
    return list(yaml.safe_load_all(_compile(*args, **settings)))


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    """No network and no credentials."""

    def refuse(*args):
        raise AssertionError(f"compiling must ask nobody; it asked {args[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)


@pytest.fixture(scope="module")
def compiled():
    nodes = {"Transform": {"node_selector": {"pool": "big"}}}
    return _compile(image=DIGEST, **GPU_ON_SPOT, nodes=nodes)


def test_bytes(compiled):
    text = compiled.replace(f"tfx-{version.__version__}", "tfx-VERSION")
    text = DIGEST_OF_CODE.sub(r"\1OF-THE-CODE\n", text)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "If this is meant: make golden"


def test_same_input_same_bytes(compiled):
    nodes = {"Transform": {"node_selector": {"pool": "big"}}}
    assert compiled == _compile(image=DIGEST, **GPU_ON_SPOT, nodes=nodes)


def test_is_a_pipeline_specification_of_schema_2_1(compiled):
    spec, platform = yaml.safe_load_all(compiled)
    assert spec["schemaVersion"] == "2.1.0"
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())


def test_nothing_of_this_machine_is_in_it(compiled):
    assert str(pathlib.Path(__file__).parents[3]) not in compiled
    assert str(pathlib.Path.home()) + "/" not in compiled
    assert "package://pipeline/schema/schema.pbtxt" in compiled


def test_every_parameter_has_a_default(compiled):
    spec, _ = yaml.safe_load_all(compiled)
    declared = spec["root"]["inputDefinitions"]["parameters"]
    defaults = {name: item["defaultValue"] for name, item in declared.items()}
    assert defaults == {
        "data_path": "ml-100k",
        "data_version": "",
        "epochs": 15,
        "learning_rate": 0.005,
        "min_hit_rate": 0.0,
        "span": -1,
    }
    assert all(item["description"] for item in declared.values())


def test_defaults_are_the_configurations():
    spec, _ = _documents(["train.epochs=3", "evaluation.gate.min_hit_rate=0.5"])
    declared = spec["root"]["inputDefinitions"]["parameters"]
    assert declared["epochs"]["defaultValue"] == 3
    assert declared["min_hit_rate"]["defaultValue"] == 0.5


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        (
            ["model.history.learning_rate=0.02"],
            {"learning_rate": ["custom_config", "model", "history", "learning_rate"]},
        ),
        (
            ["model.history=null", "train.learning_rate=0.02"],
            {
                "learning_rate": ["custom_config", "train", "learning_rate"],
                "batch_size": ["custom_config", "train", "batch_size"],
            },
        ),
    ],
)
def test_only_settings_of_the_network_that_is_trained(settings, places):
    spec, _ = _documents(settings)
    declared = spec["root"]["inputDefinitions"]["parameters"]
    assert declared["learning_rate"]["defaultValue"] == 0.02
    assert ("batch_size" in declared) == ("batch_size" in places)
    of_both = {"epochs": ["custom_config", "train", "epochs"]}
    assert _places(spec, "Trainer") == of_both | places


def _places(spec, task):
    args = spec["deploymentSpec"]["executors"][f"{task}_executor"]["container"]["args"]
    return json.loads(args[args.index("--parameter_places") + 1])


def test_every_task_is_told_of_all_its_inputs(compiled):
    spec, _ = yaml.safe_load_all(compiled)
    for name, component in spec["components"].items():
        executor = spec["deploymentSpec"]["executors"][f"{name}_executor"]
        args = executor["container"]["args"]
        told = json.loads(args[args.index("--json_serialized_inputs_spec_args") + 1])
        assert told == component["inputDefinitions"]
        given = spec["root"]["dag"]["tasks"][name]["inputs"].get("parameters", {})
        assert given.keys() == told.get("parameters", {}).keys()


def test_places_exist(compiled):
    """Changing each default at its place changes the value that was compiled."""
    spec, _ = yaml.safe_load_all(compiled)
    declared = spec["root"]["inputDefinitions"]["parameters"]
    for task in ("Trainer", "Evaluator"):
        inputs = spec["root"]["dag"]["tasks"][task]["inputs"]["parameters"]
        for name, (key, *path) in _places(spec, task).items():
            value = json.loads(inputs[key]["runtimeValue"]["constant"])
            for step in path:
                value = value[step]
            assert value == declared[name]["defaultValue"], name


@pytest.mark.parametrize(
    ("mode", "tasks"),
    [("streaming", ["Trainer"]), ("materialised", ["NegativeSampling", "Trainer"])],
)
def test_epochs_reach_who_needs_them(mode, tasks):
    spec, _ = _documents(["model.history=null", f"sampling.mode={mode}"])
    found = [
        name
        for name, task in spec["root"]["dag"]["tasks"].items()
        if "componentInputParameter"
        in task["inputs"].get("parameters", {}).get("epochs", {})
    ]
    assert sorted(found) == tasks


def _cached(spec):
    tasks = spec["root"]["dag"]["tasks"].items()
    return {name for name, task in tasks if task.get("cachingOptions")}


def test_what_looks_outside_its_inputs_is_never_cached(compiled):
    spec, _ = yaml.safe_load_all(compiled)
    tasks = spec["root"]["dag"]["tasks"].keys()
    looking = {"InteractionsExampleGen", "ShrinkGuard", "LatestBlessedModel", "Pusher"}
    assert tasks - _cached(spec) == looking


def test_an_image_by_tag_caches_nothing():
    spec, _ = _documents(image="ncf:latest")
    assert _cached(spec) == set()


def test_profile(compiled):
    spec, platform = yaml.safe_load_all(compiled)
    container = spec["deploymentSpec"]["executors"]["Trainer_executor"]["container"]
    assert container["image"] == CUDA
    assert container["command"] == ["python", "-m", "pipeline.cluster.entrypoint"]
    assert container["resources"]["accelerator"]["type"] == "nvidia.com/gpu"
    assert spec["root"]["dag"]["tasks"]["Trainer"]["retryPolicy"]["maxRetryCount"] == 3
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    deadline = {"activeDeadlineSeconds": "21600"}
    assert executors["Transform_executor"] == {
        "nodeSelector": {"labels": {"pool": "big"}},
        **deadline,
    }
    assert executors["Evaluator_executor"] == deadline


GPU = "cloud.google.com/gke-accelerator"
V5E = {"cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice"}
TOPOLOGY = "cloud.google.com/gke-tpu-topology"


@pytest.mark.parametrize(
    ("settings", "labels", "resource", "count", "cpu", "strategy"),
    [
        ({"gpu": "T4"}, {GPU: "nvidia-tesla-t4"}, "nvidia.com/gpu", 1, 7, "one_device"),
        (
            {"gpu": "L4", "gpus": 2},
            {GPU: "nvidia-l4"},
            "nvidia.com/gpu",
            2,
            14,
            "mirrored",
        ),
        (
            {"gpu": "A100"},
            {GPU: "nvidia-tesla-a100"},
            "nvidia.com/gpu",
            1,
            11,
            "one_device",
        ),
        ({"topology": "1x1"}, V5E | {TOPOLOGY: "1x1"}, "google.com/tpu", 1, 20, "tpu"),
        ({"topology": "2x4"}, V5E | {TOPOLOGY: "2x4"}, "google.com/tpu", 8, 200, "tpu"),
    ],
)
def test_trainer_of_each_profile(settings, labels, resource, count, cpu, strategy):
    profile = "tpu" if "topology" in settings else "gpu"
    pairs = ["model.history=null"]  # several devices can train only this network
    spec, platform = _documents(pairs, profile=profile, trainer_image="own", **settings)
    container = spec["deploymentSpec"]["executors"]["Trainer_executor"]["container"]
    assert container["image"] == "own"
    assert container["resources"]["accelerator"] == {
        "type": resource,
        "count": str(count),
    }
    assert container["resources"]["cpuLimit"] == cpu
    # No other task needs a machine with an accelerator.
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    trainer = executors.pop("Trainer_executor")
    assert trainer["nodeSelector"] == {"labels": labels}
    assert trainer["tolerations"] == [
        {"key": resource, "operator": "Exists", "effect": "NoSchedule"}
    ]
    assert all(spec.keys() == {"activeDeadlineSeconds"} for spec in executors.values())
    inputs = spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]
    custom = json.loads(inputs["custom_config"]["runtimeValue"]["constant"])
    assert custom["train"]["strategy"] == strategy
    assert custom["train"]["num_gpus"] == (count if profile == "gpu" else None)


def test_variables_are_part_of_the_container():
    nodes = {"*": {"env": {"TEAM": "ads"}}, "Trainer": {"env": {"SEED": "7"}}}
    spec, _ = _documents(nodes=nodes)
    executors = spec["deploymentSpec"]["executors"]
    team = {"name": "TEAM", "value": "ads"}
    assert executors["Transform_executor"]["container"]["env"] == [team]
    assert executors["Trainer_executor"]["container"]["env"] == [
        {"name": "SEED", "value": "7"},
        team,
    ]


def test_a_limit_of_the_whole_run_is_the_platforms():
    _, platform = _documents(run_timeout_s=7200)
    assert platform["platforms"]["kubernetes"]["pipelineConfig"] == {
        "activeDeadlineSeconds": 7200
    }


def test_an_artifact_type_without_a_class(monkeypatch):
    monkeypatch.setattr(executor_input, "CLASSES", {})
    with pytest.raises(ValueError, match=r"'report' of Report .*'ncf.RunReport'"):
        _compile()


def test_a_network_that_does_not_train_there():
    wanted = r"The platform sets .*'tpu'.*does not go with(?s:.*)`model.history`"
    with pytest.raises(ValueError, match=wanted):
        _compile(profile="tpu", trainer_image="own")


def test_a_node_that_does_not_exist():
    with pytest.raises(
        ValueError, match=r"must name nodes .*'Trainer'.*got \['Trainr'\]"
    ):
        _compile(nodes={"Trainr": pods.PodConfig()})


def test_data_in_the_claim_that_a_bucket_leaves_out():
    config = config_module.load(None, dataset="/mnt/ncf/ratings.csv")
    kfp = kfp_config.load(None, serving="gs://bucket/serving")
    with pytest.raises(ValueError, match=r"no claim in `volumes` is.*'ncf' is left"):
        compiler.compile_pipeline(config, kfp)
    claim = {"claim": "mine", "mount_path": "/mnt/ncf"}
    for settings in (
        {"volumes": [claim]},
        {"nodes": {"InteractionsExampleGen": {"volumes": [claim]}}},
    ):
        kfp = kfp_config.load(None, serving="gs://bucket/serving", **settings)
        assert "/mnt/ncf/ratings.csv" in compiler.compile_pipeline(config, kfp)


def test_the_end_of_a_run_is_told_to_a_webhook(compiled):
    notify = {"secret": "slack", "when": "always"}
    spec, platform = _documents(notify=notify, nodes={"*": {"env": {"A": "1"}}})
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    plain, _ = yaml.safe_load_all(compiled)
    main, last = (spec["root"]["dag"]["tasks"][name] for name in ("main", "Notify"))
    # All tasks and parameters are in `main`, which Notify waits for.
    inside = spec["components"]["main"]
    assert inside["dag"]["tasks"].keys() == plain["root"]["dag"]["tasks"].keys()
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert parameters.keys() == inside["inputDefinitions"]["parameters"].keys()
    assert parameters.keys() == main["inputs"]["parameters"].keys()
    assert last["dependentTasks"] == ["main"]
    assert last["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert last["inputs"]["parameters"] == {
        "status": {"taskFinalStatus": {"producerTask": "main"}}
    }
    container = spec["deploymentSpec"]["executors"]["Notify_executor"]["container"]
    assert container["command"] == ["python", "-m", "pipeline.cluster.notify"]
    assert container["args"] == [
        *("--status", "{{$.inputs.parameters['status']}}"),
        *("--pipeline", "ncf", "--when", "always"),
    ]
    assert container["env"] == [{"name": "A", "value": "1"}]
    pod = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert pod["Notify_executor"]["secretAsEnv"] == [
        {
            "secretName": "slack",
            "keyToEnv": [{"secretKey": "url", "envVar": "NCF_WEBHOOK"}],
        }
    ]
    # Functions for submitting a package still find its tasks.
    assert package.serving(spec) == "gs://bucket/serving"
    package.set_caching(spec, True)
    assert inside["dag"]["tasks"]["Trainer"]["cachingOptions"]["enableCache"]


def test_what_the_services_pages_show_are_outputs_of_report(compiled):
    spec, _ = yaml.safe_load_all(compiled)
    outputs = spec["components"]["Report"]["outputDefinitions"]["artifacts"]
    assert {
        key: one["artifactType"].get("schemaTitle") for key, one in outputs.items()
    } == {
        "report": None,
        "metrics": "system.Metrics",
        "slice_metrics": "system.Metrics",
        "page": "system.HTML",
    }


def test_gpus_for_a_trainer_that_has_none():
    with pytest.raises(ValueError, match=r"`train\.num_gpus` is 2, but with profile"):
        _compile(["train.num_gpus=2"])
    own = {"Trainer": {"accelerator": {"resource": "nvidia.com/gpu", "count": 2}}}
    _compile(["train.num_gpus=2"], nodes=own)


def test_everybodys_lists_are_a_task_too():
    spec, _ = _documents(("push.bulk.k=7",))
    tasks = spec["root"]["dag"]["tasks"]
    assert {"Pusher", "Trainer"} <= {*tasks["BulkRecommendations"]["dependentTasks"]}
    inputs = tasks["BulkRecommendations"]["inputs"]["parameters"]
    assert inputs["k"]["runtimeValue"]["constant"] == 7
    container = spec["deploymentSpec"]["executors"]["BulkRecommendations_executor"]
    size = container["container"]["resources"]
    assert (size["cpuLimit"], size["memoryLimit"]) == (3.5, 12)  # It runs on Beam.


def test_pushed_versions_are_entered_into_the_model_registry():
    url = "http://model-registry.kubeflow:8080"
    with_registry, without = (
        _documents(**settings)[0]["deploymentSpec"]["executors"]["Pusher_executor"]
        for settings in ({"model_registry": {"url": url}}, {})
    )
    told = json.dumps(with_registry)
    assert "components.kubeflow_pusher.executor.Executor" in told
    assert "kubeflow_pusher" not in json.dumps(without)
    tasks = _documents(model_registry={"url": url})[0]["root"]["dag"]["tasks"]
    parameters = tasks["Pusher"]["inputs"]["parameters"]
    custom = json.loads(parameters["custom_config"]["runtimeValue"]["constant"])
    assert custom["kubeflow_registry"]["url"] == url
