"""Compiles the pipeline into the specification that Kubeflow and Vertex AI share.

Compiling uses nothing outside this process: no cluster, no bucket, no credentials. The
same input gives the same bytes.
"""

import json
from typing import Any, NamedTuple

import yaml
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

from pipeline import pipeline
from pipeline.cluster import (
    executor_input,
    node_config,
    node_spec,
    package,
    parameters,
    ui_outputs,
)
from pipeline.cluster.config import ClusterConfig, with_train
from pipeline.config import PipelineConfig
from pipeline.nodes import ids
from pipeline.packaged_files import PACKAGED

COMMAND = ("python", "-m", "pipeline.cluster.entrypoint")
SYNTHETIC_FLAG = "--synthetic"
INPUTS_SPEC_FLAG = "--json_serialized_inputs_spec_args"


class Compiled(NamedTuple):
    """A compiled pipeline, before it is written in the form of a service.

    Attributes:
        spec: the pipeline specification, schema 2.1.
        nodes: node id -> the resources and settings of that node.
        parameters: the runtime parameters.
    """

    spec: dict[str, Any]
    nodes: dict[str, node_config.NodeConfig]
    parameters: list[parameters.Parameter]


def compile_spec(
    config: PipelineConfig,
    cluster: ClusterConfig,
    variants: pipeline.Variants = pipeline.TFX_OWN,
    *,
    longest_retries_s: int | None = None,
) -> Compiled:
    """Returns the compiled pipeline.

    Args:
        config: what to compute. The platform decides the strategy and number of GPUs.
        cluster: where and on what machines the pipeline runs.
        variants: which components train and push.
        longest_retries_s: the time within which the service tries a task again; None
            sets no limit.

    Raises:
        ValueError: a node is configured that does not exist, the name of a node is one
            that Argo refuses, or Trainer has none of the GPUs that it is to use.
    """
    config = with_train(config, cluster.train)
    definition = _definition(config, cluster, variants)
    nodes = _nodes(definition, cluster)
    gpus, accelerator = config.train.num_gpus, nodes[ids.TRAINER].accelerator
    if gpus and cluster.profile == "cpu" and accelerator is None:
        raise ValueError(
            f"`train.num_gpus` is {gpus}, but with profile 'cpu' Trainer has no GPU "
            "and would fail. Leave `train.num_gpus` out, or choose profile 'gpu'."
        )
    spec = _tfx_spec(definition)
    _check_types(spec)
    ui_outputs.declare(spec)
    _set_platform(spec, nodes, longest_retries_s)
    package.set_caching(spec, cluster.cacheable)
    chosen = parameters.parameters(config, _eval_config(spec))
    parameters.expose(spec, chosen)
    container(spec, ids.EXAMPLE_GEN)["args"] += [
        SYNTHETIC_FLAG,
        config.data.synthetic.model_dump_json(),
    ]
    _refresh_inputs_specs(spec)
    return Compiled(spec, nodes, chosen)


def _definition(
    config: PipelineConfig, cluster: ClusterConfig, variants: pipeline.Variants
) -> tfx_pipeline.Pipeline:
    return pipeline.create_pipeline(
        config,
        pipeline.Locations(
            interactions=config.data.location,
            pipeline_root="",  # The root is given when a run is submitted.
            serving=cluster.serving,
            schema=PACKAGED + "pipeline/schema/schema.pbtxt",
        ),
        dataset=config.data.name,
        ask_metadata=False,
        beam_args=cluster.beam_arguments,
        variants=variants,
    )


def _nodes(
    definition: tfx_pipeline.Pipeline, cluster: ClusterConfig
) -> dict[str, node_config.NodeConfig]:
    names = [component.id for component in definition.components]
    for name in names:
        node_config.check_node_id(name)
    if unknown := sorted(cluster.nodes.keys() - {*names, node_config.EVERY_NODE}):
        raise ValueError(
            f"`nodes` must name nodes of the pipeline, {names}; got {unknown}."
        )
    return {name: cluster.node(name) for name in names}


def _tfx_spec(definition: tfx_pipeline.Pipeline) -> dict[str, Any]:
    """Returns TFX's own compilation of the pipeline."""
    runner_config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
        default_image="unset",
        default_commands=list(COMMAND),
        use_pipeline_spec_2_1=True,
    )
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(runner_config)
    return runner.run(definition, write_out=False)["pipelineSpec"]


def _check_types(spec: dict[str, Any]) -> None:
    """Raises ValueError if the entry point would not find an artifact type's class."""
    for name, component in spec["components"].items():
        outputs = component.get("outputDefinitions", {}).get("artifacts", {})
        for key, output in outputs.items():
            title = yaml.safe_load(output["artifactType"]["instanceSchema"])["title"]
            if not title.startswith("tfx.") and title not in executor_input.CLASSES:
                raise ValueError(
                    f"Output {key!r} of {name} is of type {title!r}; name its class in "
                    "`pipeline.cluster.executor_input.CLASSES`."
                )


def _set_platform(
    spec: dict[str, Any],
    nodes: dict[str, node_config.NodeConfig],
    longest_retries_s: int | None,
) -> None:
    """Sets image, environment, resources and retries, which TFX does only in part."""
    for name, node in nodes.items():
        made = container(spec, name)
        made["image"] = node.image
        made.pop("lifecycle", None)  # Our entry point does its work.
        if variables := node_spec.environment(node):
            made["env"] = variables
        if resources := node_spec.resources(node):
            made["resources"] = resources
        task = spec["root"]["dag"]["tasks"][name]
        if policy := node_spec.retry_policy(node, longest_s=longest_retries_s):
            task["retryPolicy"] = policy


def _eval_config(spec: dict[str, Any]) -> dict[str, Any]:
    inputs = spec["root"]["dag"]["tasks"][ids.EVALUATOR]["inputs"]["parameters"]
    return json.loads(inputs["eval_config"]["runtimeValue"]["constant"])


def _refresh_inputs_specs(spec: dict[str, Any]) -> None:
    """Lists all inputs of each container for it, the added parameters included."""
    for name, component in spec["components"].items():
        args = container(spec, name)["args"]
        place = args.index(INPUTS_SPEC_FLAG) + 1
        args[place] = json.dumps(component["inputDefinitions"], sort_keys=True)


def container(spec: dict[str, Any], node: str) -> dict[str, Any]:
    """Returns the container of a node in a compiled specification."""
    return spec["deploymentSpec"]["executors"][f"{node}_executor"]["container"]
