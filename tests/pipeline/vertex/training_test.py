"""Worker pools, through TFX's own code into Google's message of a Training job."""

import json

import pytest
from google.cloud.aiplatform import gapic
from tfx.extensions.google_cloud_ai_platform import training_clients

from pipeline import config as config_module
from pipeline.cluster import config as cluster_config
from pipeline.vertex import compile as compiler
from pipeline.vertex import config, training

SMALL, CUDA = "small@sha256:01", "cuda@sha256:02"


class _Client(training_clients.VertexJobClient):
    """TFX's client, without a connection."""

    def create_client(self):
        pass


def _platform(workers=1, **settings):
    return cluster_config.load(
        config.VertexConfig,
        None,
        project="ncf-project",
        region="us-central1",
        serving="gs://b/s",
        **{"image": "small@sha256:01", "trainer_image": CUDA, **settings},
        trainer={"platform": "vertex", "workers": workers},
    )


def _job(custom_config):
    """Returns the CustomJob that TFX would send; fails if it has an unknown field."""
    arguments = dict(custom_config["ai_platform_training_args"])
    assert arguments.pop("project") == "ncf-project"
    job = _Client(custom_config["ai_platform_vertex_region"]).create_training_job(
        {}, {}, {"custom_config": "{}"}, "a.b.Executor", arguments, None, None
    )
    return gapic.CustomJob(job)


def _pools(**settings):
    job = _job(training.custom_config(_platform(**settings)))
    return [
        (
            pool.replica_count,
            pool.machine_spec.machine_type,
            pool.machine_spec.accelerator_type.name,
            pool.machine_spec.accelerator_count,
            pool.machine_spec.tpu_topology,
            pool.container_spec.image_uri,
        )
        for pool in job.job_spec.worker_pool_specs
    ]


NONE = "ACCELERATOR_TYPE_UNSPECIFIED"


@pytest.mark.parametrize(
    ("settings", "pools"),
    [
        ({"trainer_image": None}, [(1, "e2-standard-8", NONE, 0, "", SMALL)]),
        (
            {"profile": "gpu", "gpu": "L4", "gpus": 2, "trainer_image": CUDA},
            [(1, "g2-standard-24", "NVIDIA_L4", 2, "", CUDA)],
        ),
        (
            {"profile": "gpu", "gpu": "T4", "workers": 3},
            [
                (1, "n1-standard-8", "NVIDIA_TESLA_T4", 1, "", CUDA),
                (2, "n1-standard-8", "NVIDIA_TESLA_T4", 1, "", CUDA),
            ],
        ),
        (
            {"profile": "gpu", "gpu": "H100", "gpus": 8},
            [(1, "a3-highgpu-8g", "NVIDIA_H100_80GB", 8, "", CUDA)],
        ),
        (
            {"profile": "tpu", "topology": "2x2"},
            [(1, "ct5lp-hightpu-4t", NONE, 0, "2x2", CUDA)],
        ),
    ],
)
def test_pools(settings, pools):
    assert _pools(**settings) == pools


def test_account_network_labels_and_spot():
    network = "projects/12/global/networks/mine"
    platform = _platform(service_account="runner@p", network=network, spot=True)
    job = _job(training.custom_config(platform))
    assert job.job_spec.service_account == "runner@p"
    assert job.job_spec.network == network
    assert job.job_spec.scheduling.strategy.name == "SPOT"
    assert job.job_spec.scheduling.timeout.total_seconds() == 86_400
    assert job.labels["source"] == "ncf"


@pytest.mark.parametrize(("gpu", "gpus"), [("T4", 8), ("A100", 3)])
def test_no_machine_has_that_many(gpu, gpus):
    with pytest.raises(ValueError, match=rf"has {gpus} GPUs of kind {gpu}"):
        _platform(profile="gpu", gpu=gpu, gpus=gpus)


def test_the_compiled_trainer_starts_that_job():
    platform = _platform(profile="gpu", gpu="L4", workers=2)
    text = compiler.compile_pipeline(
        config_module.load(None, ["model.history=null"]),
        platform,
        root="gs://bucket/runs",
    )
    spec = json.loads(text)["pipelineSpec"]
    container = spec["deploymentSpec"]["executors"]["Trainer_executor"]["container"]
    args = container["args"]
    assert args[args.index("--executor_class_path") + 1] == (
        "tfx.extensions.google_cloud_ai_platform.trainer.executor.GenericExecutor"
    )
    assert "accelerator" not in container["resources"]
    inputs = spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]
    compiled = json.loads(inputs["custom_config"]["runtimeValue"]["constant"])
    for pool in _job(compiled).job_spec.worker_pool_specs:
        assert pool.replica_count == 1
        assert pool.machine_spec.machine_type == "g2-standard-8"
        command = " ".join(pool.container_spec.command[:3])
        assert command == "python -m tfx.scripts.run_executor"
    assert compiled["train"]["strategy"] == "multi_worker_mirrored"
