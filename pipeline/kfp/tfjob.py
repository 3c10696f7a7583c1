"""Training on several machines of a cluster: a TFJob of Kubeflow's Training Operator.

TFJob and not Trainer v2's TrainJob: the latter has no runtime that sets TF_CONFIG. The
manifest is made here, since the operator's SDK needs a newer Kubernetes client than the
kfp of the older line allows.
"""

import json
from typing import Any

import yaml

from ncf_model import train_job
from pipeline.config import PipelineConfig
from pipeline.kfp import profiles
from pipeline.kfp.config import KfpConfig
from pipeline.kfp.node_config import NodeConfig, SecretConfig

_CONTAINER = "tensorflow"  # The operator gives TF_CONFIG to the container of this name.


def manifest(
    config: PipelineConfig,
    kfp: KfpConfig,
    *,
    name: str,
    workers: int,
    examples: str,
    transform_graph: str,
    output: str,
    service_account: str | None = None,
) -> str:
    """Returns the YAML of a TFJob whose pods train one model together.

    Args:
        config: what to train; its strategy becomes `multi_worker_mirrored`.
        kfp: image, volumes and what each pod asks for: Trainer's, by the profile.
        name: of the job.
        workers: how many pods, >= 2; the first one is the chief.
        examples: folder of NegativeSampling's output in a pipeline's run.
        transform_graph: folder of Transform's output `transform_graph`.
        output: folder for the model and its checkpoints.
        service_account: of the pods, where the namespace's default may not.

    Raises:
        ValueError: too few workers, a profile without such a strategy, or a folder
            that not every pod sees.
    """
    if workers < 2:
        raise ValueError(
            f"`workers` must be 2 or more; got {workers}. One machine needs no TFJob: "
            "it is the pipeline's Trainer."
        )
    if kfp.profile == "tpu":
        raise ValueError("A TFJob trains with profile cpu or gpu; got 'tpu'.")
    for field, path in (
        ("examples", examples),
        ("transform_graph", transform_graph),
        ("output", output),
    ):
        if not kfp.is_shared(path):
            raise ValueError(
                f"`{field}` must be gs://... or in a mounted volume, so that every pod "
                f"sees it; got {path!r}."
            )
    flags = {
        train_job.EXAMPLES_FLAG: examples,
        train_job.TRANSFORM_GRAPH_FLAG: transform_graph,
        train_job.OUTPUT_FLAG: output,
        train_job.CUSTOM_CONFIG_FLAG: json.dumps(_custom_config(config)),
    }
    pod = _pod(kfp.node(profiles.TRAINER), flags)
    if service_account:
        pod["serviceAccountName"] = service_account
    job = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "TFJob",
        "metadata": {"name": name},
        "spec": {
            # A pod that ends takes the others with it; all go on from the checkpoint.
            "runPolicy": {"cleanPodPolicy": "Running", "backoffLimit": 3 * workers},
            "tfReplicaSpecs": {
                "Worker": {
                    "replicas": workers,
                    "restartPolicy": "OnFailure",
                    "template": {"spec": pod},
                }
            },
        },
    }
    return yaml.safe_dump(job, sort_keys=False)


def _custom_config(config: PipelineConfig) -> dict[str, Any]:
    strategy = {"strategy": "multi_worker_mirrored"}
    custom = config.trainer_config()
    return custom | {"train": custom["train"] | strategy}


def _pod(node: NodeConfig, flags: dict[str, str]) -> dict[str, Any]:
    """Returns the `PodSpec` of one worker."""
    mounted = [secret for secret in node.secrets if secret.mount_path]
    volumes = [
        (
            {"name": f"claim-{i}", "persistentVolumeClaim": {"claimName": v.claim}},
            v.mount_path,
        )
        for i, v in enumerate(node.volumes)
    ] + [
        ({"name": f"secret-{i}", "secret": {"secretName": s.name}}, s.mount_path)
        for i, s in enumerate(mounted)
    ]
    resources = _resources(node)
    container = {
        "name": _CONTAINER,
        "image": node.image,
        "command": ["python", "-m", "ncf_model.train_job"],
        "args": [part for flag in flags.items() for part in flag],
        "env": [entry for secret in node.secrets for entry in _environment(secret)],
        "resources": {"requests": resources, "limits": resources.copy()},
        "volumeMounts": [
            {"name": volume["name"], "mountPath": path} for volume, path in volumes
        ],
    }
    return {
        "containers": [container],
        "volumes": [volume for volume, _ in volumes],
        "nodeSelector": dict(node.node_selector),
        "tolerations": [
            {key: value for key, value in toleration.model_dump().items() if value}
            for toleration in node.tolerations
        ],
    }


def _resources(node: NodeConfig) -> dict[str, str]:
    resources = {}
    if node.cpu is not None:
        resources["cpu"] = f"{node.cpu:g}"
    if node.memory_gb is not None:
        resources["memory"] = f"{node.memory_gb:g}G"
    if node.accelerator is not None:
        resources[node.accelerator.resource] = str(node.accelerator.count)
    return resources


def _environment(secret: SecretConfig) -> list[dict[str, Any]]:
    return [
        {
            "name": variable,
            "valueFrom": {"secretKeyRef": {"name": secret.name, "key": key}},
        }
        for key, variable in sorted(secret.env.items())
    ]
