import re

import pytest
import yaml
from apache_beam.options import pipeline_options

from pipeline.cluster import config as cluster_config
from pipeline.config import PipelineConfig
from pipeline.vertex import config

DATAFLOW = {
    "temp_location": "gs://bucket/temp",
    "image": "us-docker.pkg.dev/p/ncf/ncf-tfx@sha256:0123",
}


def _load(**settings):
    if settings.get("profile", "cpu") != "cpu":
        settings.setdefault("trainer_image", "cuda")
    return cluster_config.load(
        config.VertexConfig, None, serving="gs://b/s", **settings
    )


def _options(service_account=None, **settings):
    platform = _load(
        dataflow=DATAFLOW | settings,
        project="ncf-project",
        region="us-central1",
        service_account=service_account,
    )
    arguments = platform.beam_arguments
    options = pipeline_options.PipelineOptions(list(arguments))
    # This leaves out options that Beam does not know.
    return options.get_all_options(drop_default=True)


def test_beam_takes_the_arguments():
    assert _options() == {
        "runner": "DataflowRunner",
        "project": "ncf-project",
        "region": "us-central1",
        "temp_location": "gs://bucket/temp",
        "sdk_container_image": DATAFLOW["image"],
        "sdk_location": "container",
        "experiments": ["use_runner_v2"],
        "machine_type": "n1-standard-4",
        "autoscaling_algorithm": "THROUGHPUT_BASED",
        "num_workers": 1,
        "max_num_workers": 4,
        "disk_size_gb": 50,
        "labels": ["source=ncf"],
    }


def test_a_fixed_number_of_workers_in_a_private_network():
    options = _options(
        workers=3,
        max_workers=3,
        service_account="runner@p.iam.gserviceaccount.com",
        subnetwork="regions/us-central1/subnetworks/mine",
        public_ips=False,
    )
    assert options["autoscaling_algorithm"] == "NONE"
    assert options["service_account_email"] == "runner@p.iam.gserviceaccount.com"
    assert options["subnetwork"] == "regions/us-central1/subnetworks/mine"
    assert options["use_public_ips"] is False


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataflow": DATAFLOW, "beam_args": ["--x"]}, "give one of them"),
        ({"dataflow": {**DATAFLOW, "workers": 5}}, "at least `workers`, 5; got 4"),
        (
            {"dataflow": {**DATAFLOW, "temp_location": "/tmp"}},
            "dataflow.temp_location: .*'/tmp'",
        ),
        (
            {"dataflow": DATAFLOW, "project": None},
            "`project` and `region` are needed .*; got None and 'us-central1'",
        ),
        (
            {"trainer": {"platform": "vertex"}, "region": None},
            "`project` and `region` are needed .*; got 'p' and None",
        ),
        (
            {"pusher": {"platform": "vertex", "image": "i"}, "project": None},
            "`project` and `region` are needed .*; got None",
        ),
        ({"pusher": {"platform": "vertex"}}, "`image` must name the container"),
        ({"pusher": {"traffic": 10, "keep": 0}}, "`keep` must be at least 1"),
        ({"pusher": {"traffic": 0}}, "traffic: .*; got 0"),
        ({"pusher": {"min_replicas": 3}}, "at least `min_replicas`, 3; got 1"),
        ({"trainer": {"workers": 2}}, "`workers` is 2, and a task is one machine"),
        (
            {"profile": "tpu", "trainer": {"platform": "vertex", "workers": 2}},
            "a TPU is on one machine",
        ),
    ],
)
def test_refuses(settings, message):
    with pytest.raises(ValueError, match=message):
        _load(**{"project": "p", "region": "us-central1", **settings})


def test_the_workers_image_has_the_beam_that_is_locked(pytestconfig):
    root = pytestconfig.rootpath
    dockerfile = (root / "kubeflow" / "Dockerfile").read_text()
    python, beam = re.search(r"apache/beam_python(\S+)_sdk:(\S+)", dockerfile).groups()
    assert f"ARG BASE=python:{python}-" in dockerfile
    locked = (root / "requirements" / "current.txt").read_text()
    assert f"apache-beam=={beam} " in locked


def test_the_runbooks_settings_are_valid(pytestconfig):
    text = (pytestconfig.rootpath / "docs" / "vertex.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    training, dataflow, data, endpoint = (yaml.safe_load(block) for block in blocks)
    assert PipelineConfig.model_validate(data).data.query
    training, dataflow, endpoint = (_load(**s) for s in (training, dataflow, endpoint))
    assert training.trainer.workers == 2
    assert "--runner=DataflowRunner" in dataflow.beam_arguments
    assert endpoint.pusher.traffic == 10


@pytest.mark.parametrize(
    ("settings", "strategy"),
    [
        ({}, "one_device"),
        ({"profile": "gpu", "gpus": 2}, "mirrored"),
        ({"profile": "tpu", "trainer": {"platform": "vertex"}}, "tpu"),
        (
            {"profile": "gpu", "trainer": {"platform": "vertex", "workers": 2}},
            "multi_worker_mirrored",
        ),
    ],
)
def test_strategy_follows(settings, strategy):
    platform = _load(project="p", region="us-central1", **settings)
    assert platform.strategy == strategy


def test_a_task_that_only_waits_asks_for_little():
    platform = _load(
        project="p",
        region="us-central1",
        profile="gpu",
        image="small",
        trainer_image="cuda",
        trainer={"platform": "vertex"},
        nodes={"Trainer": {"memory_gb": 8}},
    )
    node = platform.node("Trainer")
    assert (node.cpu, node.memory_gb, node.image) == (1, 8, "small")
    assert node.accelerator is None
    assert platform.node("Transform").cpu == 3.5
