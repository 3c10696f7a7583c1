"""Compiles the pipeline into one JSON file that Vertex AI Pipelines accepts.

The specification is that of Kubeflow Pipelines, entry point included; what differs is
the wrapper, the names of GPUs, that no Kubernetes is there for a second document, and
that tasks read and write gs:// themselves. Vertex also shows buckets as folders of
/gcs, but neither Dataflow's workers see those, nor can a folder be renamed there.
"""

import dataclasses
import json

from tfx.extensions.google_cloud_ai_platform.trainer import component as vertex_trainer

from components.vertex_pusher import component as vertex_pusher
from components.vertex_pusher import executor as pusher_executor
from pipeline import pipeline
from pipeline.cluster.entrypoint import KEEP_URIS_FLAG
from pipeline.cluster.node_config import NodeConfig
from pipeline.config import PipelineConfig
from pipeline.kfp import compile as kfp_compile
from pipeline.vertex import training
from pipeline.vertex.config import VertexConfig

_OF_KUBERNETES = ("node_selector", "tolerations", "secrets", "volumes", "spot")


def compile_pipeline(
    config: PipelineConfig, platform: VertexConfig, *, root: str
) -> str:
    """Returns the JSON text, a PipelineJob.

    Args:
        config: what to compute.
        platform: on what; what only Kubernetes can give is refused.
        root: where artifacts go, gs://...

    Raises:
        ValueError: something is asked for that Vertex cannot give.
    """
    _check(platform, root)
    compiled = kfp_compile.compile_spec(config, platform, _variants(platform))
    for executor in compiled.spec["deploymentSpec"]["executors"].values():
        container = executor["container"]
        container["args"].append(KEEP_URIS_FLAG)
        accelerator = container.get("resources", {}).get("accelerator")
        if accelerator:
            accelerator["type"] = training.ACCELERATORS[platform.gpu]
    job = {
        "displayName": config.pipeline_name,
        "pipelineSpec": compiled.spec,
        "runtimeConfig": {"gcsOutputDirectory": root},
    }
    return json.dumps(job, indent=1, sort_keys=True) + "\n"


def _variants(platform: VertexConfig) -> pipeline.Variants:
    variants = pipeline.Variants()
    if platform.trains_in_job:
        variants = dataclasses.replace(
            variants,
            trainer=vertex_trainer.Trainer,
            trainer_config=training.custom_config(platform),
        )
    if platform.pushes_to_endpoint:
        settings = {
            "project": platform.project,
            "region": platform.region,
            "pusher": platform.pusher.model_dump(mode="json"),
        }
        variants = dataclasses.replace(
            variants,
            pusher=vertex_pusher.Pusher,
            pusher_config={pusher_executor.CONFIG_KEY: settings},
        )
    return variants


def _check(platform: VertexConfig, root: str) -> None:
    for name, uri in (("root", root), ("serving", platform.serving)):
        if not uri.startswith("gs://"):
            raise ValueError(f"On Vertex `{name}` must be gs://...; got {uri!r}.")
    if platform.volumes:
        raise ValueError("Vertex has no `volumes`; use gs://.")
    if not platform.trains_in_job and (platform.profile == "tpu" or platform.spot):
        raise ValueError(
            "Vertex gives a task of a pipeline neither a TPU nor a spot machine, but a "
            "Training job it does: `trainer: {platform: vertex}`."
        )
    for node_id, node in platform.nodes.items():
        if asked := _asked_of_kubernetes(node):
            raise ValueError(f"Vertex cannot give {node_id} what it asks for: {asked}.")


def _asked_of_kubernetes(node: NodeConfig) -> list[str]:
    return [name for name in _OF_KUBERNETES if getattr(node, name)]
