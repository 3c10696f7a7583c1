"""Training on several machines of a cluster: a TFJob of Kubeflow's Training Operator.

TFJob and not Trainer v2's TrainJob: the latter has no runtime that sets TF_CONFIG. The
manifest is made of the classes of the operator's SDK and of the Kubernetes client.
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
from pipeline.kfp.pods import PodConfig, SecretConfig, TolerationConfig
from pipeline.nodes import ids

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
    pod = _pod(kfp.node(ids.TRAINER), flags, service_account)
    job = KubeflowOrgV1TFJob(
        api_version="kubeflow.org/v1",
        kind="TFJob",
        metadata=client.V1ObjectMeta(name=name),
        spec=KubeflowOrgV1TFJobSpec(
            # A pod that ends takes the others with it; all go on from the checkpoint.
            run_policy=KubeflowOrgV1RunPolicy(
                clean_pod_policy="Running", backoff_limit=3 * workers
            ),
            tf_replica_specs={
                "Worker": KubeflowOrgV1ReplicaSpec(
                    replicas=workers,
                    restart_policy="OnFailure",
                    template=client.V1PodTemplateSpec(spec=pod),
                )
            },
        ),
    )
    fields = ApiClient().sanitize_for_serialization(job)
    return yaml.safe_dump(fields, sort_keys=False)


def _check(kfp: KfpConfig, workers: int, folders: Mapping[str, str]) -> None:
    """Raises ValueError for what `manifest` says that it refuses."""
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


def _pod(
    node: PodConfig, flags: dict[str, str], service_account: str | None
) -> client.V1PodSpec:
    """Returns one worker; what is None in it is not written."""
    volumes = _volumes(node)
    resources = _resources(node)
    container = client.V1Container(
        name=_CONTAINER,
        image=node.image,
        command=["python", "-m", "ncf_model.train_job"],
        args=[part for flag in flags.items() for part in flag],
        env=[entry for secret in node.secrets for entry in _environment(secret)],
        resources=client.V1ResourceRequirements(requests=resources, limits=resources),
        volume_mounts=[
            client.V1VolumeMount(name=volume.name, mount_path=path)
            for volume, path in volumes
        ],
    )
    return client.V1PodSpec(
        containers=[container],
        volumes=[volume for volume, _ in volumes],
        node_selector=node.node_selector,
        tolerations=[_toleration(toleration) for toleration in node.tolerations],
        service_account_name=service_account,
    )


def _volumes(node: PodConfig) -> list[tuple[client.V1Volume, str]]:
    """Returns claims and secrets, and where each is mounted."""
    secrets = [(s.name, s.mount_path) for s in node.secrets if s.mount_path]
    return [
        (
            client.V1Volume(
                name=f"claim-{i}",
                persistent_volume_claim=client.V1PersistentVolumeClaimVolumeSource(
                    claim_name=volume.claim
                ),
            ),
            volume.mount_path,
        )
        for i, volume in enumerate(node.volumes)
    ] + [
        (
            client.V1Volume(
                name=f"secret-{i}",
                secret=client.V1SecretVolumeSource(secret_name=name),
            ),
            path,
        )
        for i, (name, path) in enumerate(secrets)
    ]


def _toleration(toleration: TolerationConfig) -> client.V1Toleration:
    given = {key: value or None for key, value in toleration.model_dump().items()}
    return client.V1Toleration(**given)


def _resources(node: PodConfig) -> dict[str, str]:
    resources = {}
    if node.cpu is not None:
        resources["cpu"] = f"{node.cpu:g}"
    if node.memory_gb is not None:
        resources["memory"] = f"{node.memory_gb:g}G"
    if node.accelerator is not None:
        resources[node.accelerator.resource] = str(node.accelerator.count)
    return resources


def _environment(secret: SecretConfig) -> list[client.V1EnvVar]:
    return [
        client.V1EnvVar(
            name=variable,
            value_from=client.V1EnvVarSource(
                secret_key_ref=client.V1SecretKeySelector(name=secret.name, key=key)
            ),
        )
        for key, variable in sorted(secret.env.items())
    ]
