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
from pipeline.kfp import platform_spec, pods
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
            the name of a node is one that Argo refuses, or the data lie in the default
            claim, which is not mounted.
    """
    infra_validator.refuse(config, where="Kubeflow Pipelines")
    _check_data(config.data.location, kfp)
    compiled = compiler.compile_spec(config, kfp, _variants(kfp))
    node_pods = {name: kfp.node(name) for name in compiled.nodes}
    if kfp.notify:
        node_pods[ids.NOTIFY] = _add_notification(compiled.spec, kfp, kfp.notify)
    platform = platform_spec.document(node_pods, run_timeout_s=kfp.run_timeout_s)
    text = yaml.dump_all([compiled.spec, platform], sort_keys=True)
    return _header(compiled.parameters) + text


def _check_data(path: str, kfp: KfpConfig) -> None:
    default = KfpConfig.model_fields["volumes"].default
    mounted = kfp.node(ids.EXAMPLE_GEN).volumes
    if pods.is_in_volume(path, default) and not pods.is_in_volume(path, mounted):
        raise ValueError(
            f"`data_path` is {path!r}, but no claim in `volumes` is mounted there; if "
            f"`serving` is in a bucket, the default claim {default[0].claim!r} is left "
            "out. Put the data into the bucket, too, or write the claim into `volumes` "
            "of a platform file."
        )


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
