"""Compiles the pipeline into one JSON file that Vertex AI Pipelines accepts.

The specification is that of Kubeflow Pipelines, entry point included. The differences
are the wrapper, the names of GPUs, that there is no second document for Kubernetes, and
that tasks read and write gs:// themselves. Vertex also mounts buckets below /gcs, but
Dataflow's workers do not see these folders, and no folder can be renamed there.
"""

import dataclasses
import json

from tfx.extensions.google_cloud_ai_platform.trainer import component as vertex_trainer

from components.vertex_pusher import component as vertex_pusher
from components.vertex_pusher import executor as pusher_executor
from pipeline import pipeline
from pipeline.cluster import buckets, exit_task, machines
from pipeline.cluster import compile as compiler
from pipeline.cluster.entrypoint import KEEP_URIS_FLAG, TIMEOUT_FLAG
from pipeline.config import PipelineConfig
from pipeline.nodes import ids, infra_validator
from pipeline.vertex import training
from pipeline.vertex.config import VertexConfig

# The time within which Vertex tries a task again; Kubeflow's SDK has the same value.
_LONGEST_RETRIES_S = 3600
# The container of google_cloud_pipeline_components 2.22, a package that is not
# installed
# for this alone: Vertex knows the container by its command, and sends the mails itself.
_NOTIFY = {
    "image": "gcr.io/ml-pipeline/google-cloud-pipeline-components:2.22.0",
    "command": [
        "python3",
        "-u",
        "-m",
        "google_cloud_pipeline_components.container.v1."
        "vertex_notification_email.executor",
    ],
    "args": ["--type", "VertexNotificationEmail", "--payload", ""],
}


def compile_pipeline(
    config: PipelineConfig, platform: VertexConfig, *, root: str
) -> str:
    """Returns the JSON text, a PipelineJob.

    Args:
        config: what to compute.
        platform: where and on what machines the pipeline runs.
        root: where artifacts go, gs://...

    Raises:
        ValueError: `root` is not in a bucket, Vertex refuses the pipeline's name, or a
            node is configured that does not exist or cannot run on Vertex.
    """
    buckets.check_root(root)
    if config.pipeline_name[0].isdigit():
        raise ValueError(
            "On Vertex `pipeline_name` must begin with a letter, because the names of "
            f"runs do; got {config.pipeline_name!r}."
        )
    infra_validator.refuse(config, where="Vertex AI")
    compiled = compiler.compile_spec(
        config,
        platform,
        _variants(platform),
        longest_retries_s=_LONGEST_RETRIES_S,
    )
    for name, node in compiled.nodes.items():
        container = compiler.container(compiled.spec, name)
        container["args"].append(KEEP_URIS_FLAG)
        if node.timeout_s is not None:  # Vertex has no time limit for a task.
            container["args"] += [TIMEOUT_FLAG, str(node.timeout_s)]
        accelerator = container.get("resources", {}).get("accelerator")
        if accelerator:
            accelerator["type"] = machines.GPUS[platform.gpu].vertex
    if platform.notify_emails:
        emails = {
            "parameterType": "LIST",
            "constant": list(platform.notify_emails),
        }
        exit_task.add(
            compiled.spec,
            ids.NOTIFY,
            dict(_NOTIFY),
            inputs={"recipients": emails},
            status_input="pipeline_task_final_status",
        )
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
    if platform.pushes_to_vertex:
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
