"""The TFJob's manifest, checked against the operator's schema."""

import json
import re

import pytest
import yaml
from kubeflow import training
from kubernetes import client

from pipeline import config as config_module
from pipeline.kfp import config as kfp_config
from pipeline.tfjob import manifest


def _check(value, kind, where="job"):
    """Fails if a field is unknown or of another type."""
    if match := re.fullmatch(r"list\[(.*)\]", kind):
        for i, item in enumerate(value):
            _check(item, match[1], f"{where}[{i}]")
    elif match := re.fullmatch(r"dict\(str, (.*)\)", kind):
        for key, item in value.items():
            _check(item, match[1], f"{where}.{key}")
    elif kind in ("str", "int", "bool"):
        assert type(value).__name__ == kind, where
    else:
        model = getattr(training, kind, None) or getattr(client, kind)
        fields = {model.attribute_map[n]: t for n, t in model.openapi_types.items()}
        for key, item in value.items():
            assert key in fields, f"{where}.{key}"
            _check(item, fields[key], f"{where}.{key}")


def _manifest(overrides=(), workers=2, folder="gs://bucket/run", **platform):
    platform = {"serving": "gs://bucket/serving", "trainer_image": "i", **platform}
    return yaml.safe_load(
        manifest.manifest(
            config_module.load(None, ["model.history=null", *overrides]),
            kfp_config.load(None, **platform),
            name="ncf-train",
            workers=workers,
            examples=f"{folder}/examples",
            transform_graph=f"{folder}/graph",
            output=f"{folder}/out",
            service_account="pipeline-runner",
        )
    )


def _container(job):
    worker = job["spec"]["tfReplicaSpecs"]["Worker"]
    (container,) = worker["template"]["spec"]["containers"]
    return container


def test_is_what_the_operator_accepts():
    secrets = [
        {"name": "tracking", "env": {"token": "TOKEN"}},
        {"name": "key", "mount_path": "/key"},
    ]
    nodes = {
        "Trainer": {
            "secrets": secrets,
            "volumes": [{"claim": "data", "mount_path": "/mnt/data"}],
        }
    }
    job = _manifest(profile="gpu", gpus=2, spot=True, nodes=nodes, workers=3)
    _check(job, "KubeflowOrgV1TFJob")
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "TFJob")
    assert job["spec"]["tfReplicaSpecs"]["Worker"]["replicas"] == 3
    container = _container(job)
    assert container["name"] == "tensorflow"
    assert container["resources"]["limits"] == {
        "cpu": "14",
        "memory": "48G",
        "nvidia.com/gpu": "2",
    }
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    # With several GPUs the pod gets the shared memory that NCCL needs.
    shared = {"shared-memory": "/dev/shm"}
    assert mounts == {"claim-0": "/mnt/data", "secret-0": "/key"} | shared


def test_kueue_admits_the_job_as_a_whole():
    labels = {
        "kueue.x-k8s.io/queue-name": "ads",
        "kueue.x-k8s.io/priority-class": "nightly",
        "cost-centre": "4711",
    }
    job = _manifest(profile="gpu", nodes={"Trainer": {"labels": labels}})
    _check(job, "KubeflowOrgV1TFJob")
    cost = {"cost-centre": labels.pop("cost-centre")}
    assert job["metadata"]["labels"] == labels
    assert job["spec"]["runPolicy"]["suspend"] is True
    worker = job["spec"]["tfReplicaSpecs"]["Worker"]["template"]
    # If the pods also had the queue's label, they would wait for each other.
    assert worker["metadata"] == {"labels": cost}


def test_without_a_queue_the_job_starts_at_once():
    job = _manifest()
    assert "labels" not in job["metadata"]
    assert "suspend" not in job["spec"]["runPolicy"]
    assert "metadata" not in job["spec"]["tfReplicaSpecs"]["Worker"]["template"]


def test_a_worker_has_all_that_the_node_asks_for():
    asked = {
        "env": {"NCCL_DEBUG": "INFO"},
        "config_maps": [
            {"name": "settings", "env": {"level": "LEVEL"}},
            {"name": "files", "mount_path": "/settings"},
        ],
        "scratch": [{"mount_path": "/scratch", "size_gb": 50, "storage_class": "fast"}],
        "shared_memory_gb": 8,
        "annotations": {"owner": "ads"},
        "image_pull_secrets": ["registry"],
        "image_pull_policy": "Always",
        "run_as_user": 2000,
        "timeout_s": 3600,
    }
    job = _manifest(profile="gpu", gpus=2, nodes={"Trainer": asked})
    _check(job, "KubeflowOrgV1TFJob")
    assert job["spec"]["runPolicy"]["activeDeadlineSeconds"] == 3600
    template = job["spec"]["tfReplicaSpecs"]["Worker"]["template"]
    assert template["metadata"] == {"annotations": {"owner": "ads"}}
    pod = template["spec"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["securityContext"] == {"runAsUser": 2000}
    container = _container(job)
    assert container["imagePullPolicy"] == "Always"
    assert {"name": "NCCL_DEBUG", "value": "INFO"} in container["env"]
    level = {"configMapKeyRef": {"name": "settings", "key": "level"}}
    assert {"name": "LEVEL", "valueFrom": level} in container["env"]
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    assert mounts["config-map-0"] == "/settings"
    assert (mounts["scratch-0"], mounts["shared-memory"]) == ("/scratch", "/dev/shm")
    volumes = {volume.pop("name"): volume for volume in pod["volumes"]}
    assert volumes["shared-memory"]["emptyDir"] == {
        "medium": "Memory",
        "sizeLimit": "8G",
    }
    claim = volumes["scratch-0"]["ephemeral"]["volumeClaimTemplate"]["spec"]
    assert claim["storageClassName"] == "fast"
    assert claim["resources"]["requests"] == {"storage": "50G"}


def test_pods_train_together_on_what_is_configured():
    job = _manifest(["train.epochs=3"], profile="gpu", gpus=2)
    arguments = _container(job)["args"]
    custom = json.loads(arguments[arguments.index("--custom_config") + 1])
    assert custom["train"]["strategy"] == "multi_worker_mirrored"
    assert custom["train"]["epochs"] == 3
    assert custom["train"]["num_gpus"] == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": 1}, "`workers` must be 2 or more; got 1"),
        ({"profile": "tpu"}, "profile cpu or gpu; got 'tpu'"),
        ({"folder": "/tmp/run"}, "`examples` must be gs://... or in a mounted volume"),
    ],
)
def test_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        _manifest(**settings)
