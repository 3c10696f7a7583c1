"""Compiles the pipeline into one YAML file that Kubeflow Pipelines 2.x accepts.

The first document is the pipeline specification (schema 2.1), the second the Kubernetes
platform specification.
"""

from typing import Any

import yaml

from components.kubeflow_pusher import component as kubeflow_pusher
from components.kubeflow_pusher import executor as pusher_executor
from pipeline import pipeline
from pipeline.cluster import compile as compiler
from pipeline.cluster import exit_task, node_spec, parameters
from pipeline.cluster import notify as notification
from pipeline.config import PipelineConfig
from pipeline.kfp import platform_spec
from pipeline.kfp.config import KfpConfig, NotifyConfig
from pipeline.kfp.pods import PodConfig, SecretConfig
from pipeline.nodes import ids, infra_validator


def compile_pipeline(config: PipelineConfig, kfp: KfpConfig) -> str:
    """Returns the YAML text.

    Args:
        config: what to compute. The platform decides the strategy and number of GPUs.
        kfp: where and on what machines the pipeline runs.

    Raises:
        ValueError: a node is configured that does not exist or cannot run on Kubeflow,
            or the name of a node is one that Argo refuses.
    """
    infra_validator.refuse(config, where="Kubeflow Pipelines")
    compiled = compiler.compile_spec(config, kfp, _variants(kfp))
    pods = {name: kfp.node(name) for name in compiled.nodes}
    if kfp.notify:
        pods[ids.NOTIFY] = _add_notification(compiled.spec, kfp, kfp.notify)
    platform = platform_spec.document(pods, run_timeout_s=kfp.run_timeout_s)
    text = yaml.dump_all([compiled.spec, platform], sort_keys=True)
    return _header(compiled.parameters) + text


def _variants(kfp: KfpConfig) -> pipeline.Variants:
    if kfp.model_registry is None:
        return pipeline.TFX_OWN
    settings = kfp.model_registry.model_dump(mode="json")
    return pipeline.Variants(
        pusher=kubeflow_pusher.Pusher,
        pusher_config={pusher_executor.CONFIG_KEY: settings},
    )


def _add_notification(
    spec: dict[str, Any], kfp: KfpConfig, notify: NotifyConfig
) -> PodConfig:
    """Adds the task that tells a webhook how the run ended; returns its pod."""
    node = kfp.node(ids.NOTIFY)
    url = SecretConfig(name=notify.secret, env={notify.key: notification.URL_VARIABLE})
    container = {
        "image": kfp.image,
        "command": ["python", "-m", "pipeline.cluster.notify"],
        "args": [
            "--status",
            f"{{{{$.inputs.parameters['{exit_task.STATUS}']}}}}",
            "--pipeline",
            spec["pipelineInfo"]["name"],
            "--when",
            notify.when,
        ],
    }
    if variables := node_spec.environment(node):
        container["env"] = variables
    exit_task.add(spec, ids.NOTIFY, container)
    return node.model_copy(update={"secrets": (*node.secrets, url), "volumes": ()})


def _header(chosen: list[parameters.Parameter]) -> str:
    """Returns the comment at the beginning of the file."""
    lines = ["# Compiled by `ncf compile kfp`; do not edit.", "# Inputs:"]
    lines += [
        f"#    {p.name}: {type(p.default).__name__} [Default: {p.default!r}]"
        for p in chosen
    ]
    return "\n".join(lines) + "\n"
