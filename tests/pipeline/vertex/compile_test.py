import json

import pytest
import typer.testing
from google.cloud.aiplatform.utils import pipeline_utils, yaml_utils
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline import cli
from pipeline import config as config_module
from pipeline.cluster import config as cluster_config
from pipeline.vertex import compile as compiler
from pipeline.vertex import config as vertex_config

ROOT = "gs://bucket/runs"


PAIRS = ["model.history=null"]  # several devices can train only this network


def _compile(root=ROOT, overrides=(), **settings):
    settings = {"serving": "gs://bucket/serving", **settings}
    platform = cluster_config.load(vertex_config.VertexConfig, None, **settings)
    config = config_module.load(None, overrides)
    return compiler.compile_pipeline(config, platform, root=root)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("vertex") / "pipeline.json"
    path.write_text(
        _compile(ROOT, PAIRS, profile="gpu", gpu="L4", gpus=2, trainer_image="cuda")
    )
    return path


def test_a_query_is_where_the_data_are():
    query = "SELECT user, item, timestamp FROM d.t"
    text = _compile(overrides=["data.source=bigquery", f"data.query={query}"])
    spec = json.loads(text)["pipelineSpec"]
    default = spec["root"]["inputDefinitions"]["parameters"]["data_path"]
    assert default["defaultValue"] == f"bigquery:{query}"


def test_googles_client_reads_it_and_knows_the_parameters(file):
    job = yaml_utils.load_yaml(str(file))
    builder = pipeline_utils.PipelineRuntimeConfigBuilder.from_job_spec_json(job)
    builder.update_runtime_parameters({"epochs": 3, "data_path": "gs://b/r.csv"})
    built = builder.build()
    assert built["gcsOutputDirectory"] == ROOT
    assert built["parameterValues"] == {"epochs": 3, "data_path": "gs://b/r.csv"}
    builder.update_runtime_parameters({"epoch": 3})
    with pytest.raises(ValueError, match="epoch is not found"):
        builder.build()


def test_tasks_read_buckets_themselves_and_nothing_is_left_to_vertex(file):
    spec = json.loads(file.read_text())["pipelineSpec"]
    for executor in spec["deploymentSpec"]["executors"].values():
        assert executor.keys() == {"container"}  # no resolver, no importer
        assert "lifecycle" not in executor["container"]  # no driver
        assert executor["container"]["args"].count("--keep_uris") == 1


def test_pusher_knows_its_endpoint():
    image = "us-docker.pkg.dev/p/serving@sha256:01"
    text = _compile(
        project="p",
        region="us-central1",
        pusher={"platform": "vertex", "image": image, "traffic": 10},
    )
    spec = json.loads(text)["pipelineSpec"]
    container = spec["deploymentSpec"]["executors"]["Pusher_executor"]["container"]
    assert "components.vertex_pusher.executor.Executor" in container["args"]
    inputs = spec["root"]["dag"]["tasks"]["Pusher"]["inputs"]["parameters"]
    custom = json.loads(inputs["custom_config"]["runtimeValue"]["constant"])
    settings = custom["vertex_endpoint"]
    assert (settings["project"], settings["region"]) == ("p", "us-central1")
    assert settings["pusher"]["image"] == image
    assert settings["pusher"]["traffic"] == 10
    assert (
        "gs://bucket/serving" in inputs["push_destination"]["runtimeValue"]["constant"]
    )


def test_accelerators_have_vertex_names(file):
    spec = json.loads(file.read_text())["pipelineSpec"]
    executors = spec["deploymentSpec"]["executors"]
    accelerators = {
        name: executor["container"]["resources"]["accelerator"]
        for name, executor in executors.items()
        if "accelerator" in executor["container"]["resources"]
    }
    assert accelerators == {"Trainer_executor": {"type": "NVIDIA_L4", "count": "2"}}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"root": "s3://b/r"}, "must be gs://bucket/folder; got 's3://b/r'"),
        ({"root": "gs://My-Bucket/r"}, "bucket/folder; got 'gs://My-Bucket/r'"),
        ({"overrides": ["pipeline_name=1a"]}, "begin with a letter.*got '1a'"),
        ({"root": "gs://"}, "bucket/folder; got 'gs://'"),
        ({"serving": "gs://bucket"}, "serving: .*pattern.*got 'gs://bucket'"),
        ({"profile": "tpu", "trainer_image": "t"}, "neither a TPU nor a spot machine"),
        ({"spot": True}, "neither a TPU nor a spot machine"),
        (
            {"volumes": [{"claim": "ncf", "mount_path": "/mnt/ncf"}]},
            "volumes: .*not permitted",
        ),
        (
            {"nodes": {"Trainer": {"node_selector": {"a": "b"}}}},
            "nodes.Trainer.node_selector: .*not permitted",
        ),
    ],
)
def test_refuses_what_vertex_cannot_give(settings, message):
    with pytest.raises(ValueError, match=message):
        _compile(**settings)


def test_tasks_end_themselves_where_vertex_has_no_limit_and_retries_are_within_its_own(
    file,
):
    spec = json.loads(file.read_text())["pipelineSpec"]
    args = spec["deploymentSpec"]["executors"]["Trainer_executor"]["container"]["args"]
    assert args[args.index("--timeout_s") + 1] == "86400"
    policy = spec["root"]["dag"]["tasks"]["Trainer"]["retryPolicy"]
    assert policy["backoffMaxDuration"] == "3600s"


@pytest.mark.parametrize(("image", "noted"), [("i:1", True), ("i@sha256:1", False)])
def test_command_writes_the_file_and_notes_what_is_not_cached(tmp_path, image, noted):
    file = tmp_path / "new" / "pipeline.json"
    arguments = ["compile", "vertex", "-o", str(file), "--image", image]
    arguments += ["--root", ROOT, "--serving", "gs://bucket/serving"]
    result = typer.testing.CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 0
    assert json.loads(file.read_text())["runtimeConfig"]["gcsOutputDirectory"] == ROOT
    assert ("No task is cached: the image i:1" in result.output) is noted


def test_vertex_writes_letters_about_the_end_of_a_run(tmp_path):
    emails = ["a@example.com", "b@example.com"]
    (tmp_path / "pipeline.json").write_text(_compile(notify_emails=emails))
    spec = yaml_utils.load_yaml(str(tmp_path / "pipeline.json"))["pipelineSpec"]
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    last = spec["root"]["dag"]["tasks"]["Notify"]
    assert last["inputs"]["parameters"] == {
        "recipients": {"runtimeValue": {"constant": emails}},
        "pipeline_task_final_status": {"taskFinalStatus": {"producerTask": "main"}},
    }
    assert last["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    container = spec["deploymentSpec"]["executors"]["Notify_executor"]["container"]
    assert container["args"][:2] == ["--type", "VertexNotificationEmail"]
    tasks = spec["components"]["main"]["dag"]["tasks"]
    assert {"Trainer", "Pusher", "Report"} <= tasks.keys()
    with pytest.raises(ValueError, match="notify_emails"):
        _compile(notify_emails=["nobody"])
