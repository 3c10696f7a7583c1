"""Makes the manifest of a TFJob, which trains on several machines of a cluster.

The job is a TFJob of Kubeflow's Training Operator, because the TrainJob of Trainer v2
has no runtime that sets TF_CONFIG. The manifest is made with the classes of the
operator's SDK and of the Kubernetes client.
"""

import json
from collections.abc import Mapping
from typing import Any

import yaml
from kubeflow.training import (
    ApiClient,
    KubeflowOrgV1ReplicaSpec,
    KubeflowOrgV1RunPolicy,
    KubeflowOrgV1TFJob,
    KubeflowOrgV1TFJobSpec,
)
from kubernetes import client

from ncf_model import train_job
from pipeline.cluster.config import with_train
from pipeline.config import PipelineConfig
from pipeline.kfp.config import KfpConfig
from pipeline.kfp.pods import PodConfig
from pipeline.nodes import ids
from pipeline.tfjob import pod

_KUEUE = "kueue.x-k8s.io/"
_QUEUE_NAME = f"{_KUEUE}queue-name"


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
        config: what to train; the strategy becomes `multi_worker_mirrored`.
        kfp: image, volumes and, by the profile, the resources of each pod.
        name: of the job.
        workers: how many pods, >= 2; the first one is the chief.
        examples: folder of NegativeSampling's output in a pipeline's run.
        transform_graph: folder of Transform's output `transform_graph`.
        output: folder for the model and its checkpoints.
        service_account: of the pods; None is the namespace's default.

    Raises:
        ValueError: there are too few workers, the profile is a TPU, or a folder is one
            that not every pod sees.
    """
    folders = {
        "examples": examples,
        "transform_graph": transform_graph,
        "output": output,
    }
    _check(kfp, workers, folders)
    flags = {
        train_job.EXAMPLES_FLAG: examples,
        train_job.TRANSFORM_GRAPH_FLAG: transform_graph,
        train_job.OUTPUT_FLAG: output,
        train_job.CUSTOM_CONFIG_FLAG: json.dumps(_custom_config(config, kfp)),
    }
    queue, node = _queue(kfp.node(ids.TRAINER))
    command = ["python", "-m", "ncf_model.train_job"]
    job = KubeflowOrgV1TFJob(
        api_version="kubeflow.org/v1",
        kind="TFJob",
        metadata=client.V1ObjectMeta(name=name, labels=queue or None),
        spec=KubeflowOrgV1TFJobSpec(
            # If a pod ends, all pods start again and continue from the checkpoint.
            run_policy=KubeflowOrgV1RunPolicy(
                clean_pod_policy="Running",
                backoff_limit=3 * workers,
                active_deadline_seconds=node.timeout_s,
                # Kueue starts the job when there is room for all of its pods.
                suspend=True if _QUEUE_NAME in queue else None,
            ),
            tf_replica_specs={
                "Worker": KubeflowOrgV1ReplicaSpec(
                    replicas=workers,
                    restart_policy="OnFailure",
                    template=pod.template(node, command, flags, service_account),
                )
            },
        ),
    )
    fields = ApiClient().sanitize_for_serialization(job)
    return yaml.safe_dump(fields, sort_keys=False)


def _check(kfp: KfpConfig, workers: int, folders: Mapping[str, str]) -> None:
    """Raises ValueError as `manifest` documents."""
    if workers < 2:
        raise ValueError(
            f"`workers` must be 2 or more; got {workers}. One machine needs no TFJob: "
            "it is the pipeline's Trainer."
        )
    if kfp.profile == "tpu":
        raise ValueError("A TFJob trains with profile cpu or gpu; got 'tpu'.")
    for field, path in folders.items():
        if not kfp.is_shared(path):
            raise ValueError(
                f"`{field}` must be gs://... or in a mounted volume, so that every pod "
                f"sees it; got {path!r}."
            )


def _custom_config(config: PipelineConfig, kfp: KfpConfig) -> dict[str, Any]:
    fields = kfp.train | {"strategy": "multi_worker_mirrored"}
    return with_train(config, fields).trainer_config()


def _queue(node: PodConfig) -> tuple[dict[str, str], PodConfig]:
    """Returns Kueue's labels, which belong to the job, and the node without them.

    On the pods these labels would queue each pod by itself, in addition to the job.
    """
    kueue: dict[str, str] = {}
    others: dict[str, str] = {}
    for name, value in node.labels.items():
        (kueue if name.startswith(_KUEUE) else others)[name] = value
    return kueue, node.model_copy(update={"labels": others})
