"""Compiles the pipeline into one YAML file that Kubeflow Pipelines 2.x accepts.

The first document is the pipeline specification (schema 2.1), the second the Kubernetes
platform specification. Nothing outside this process is asked: no cluster, no bucket, no
credentials; the same input gives the same bytes.
"""

import json
from typing import Any, NamedTuple

import yaml
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

from pipeline import pipeline
from pipeline.cluster import executor_input, node_config, package, parameters
from pipeline.cluster.packaged_files import PACKAGED
from pipeline.config import PipelineConfig
from pipeline.kfp import platform_spec
from pipeline.kfp.config import KfpConfig

COMMAND = ("python", "-m", "pipeline.cluster.entrypoint")
SYNTHETIC_FLAG = "--synthetic"
INPUTS_SPEC_FLAG = "--json_serialized_inputs_spec_args"


class Compiled(NamedTuple):
    """A compiled pipeline, before it is written in one runner's form.

    Attributes:
        spec: the pipeline specification, schema 2.1.
        nodes: node id -> what it asks for.
        parameters: the runtime parameters.
    """

    spec: dict[str, Any]
    nodes: dict[str, node_config.NodeConfig]
    parameters: list[parameters.Parameter]


def compile_pipeline(config: PipelineConfig, kfp: KfpConfig) -> str:
    """Returns the YAML text; see `compile_spec`."""
    compiled = compile_spec(config, kfp)
    documents = [compiled.spec, platform_spec.document(compiled.nodes)]
    text = yaml.dump_all(documents, sort_keys=True)
    return _header(compiled.parameters) + text


def compile_spec(
    config: PipelineConfig,
    kfp: KfpConfig,
    variants: pipeline.Variants = pipeline.TFX_OWN,
) -> Compiled:
    """Returns the compiled pipeline.

    Args:
        config: what to compute; its strategy and number of GPUs are the platform's.
        kfp: where and on what.
        variants: which components train and push.

    Raises:
        ValueError: a node is configured that does not exist, or one has a name that
            Argo would refuse.
    """
    config = _with_train(config, kfp.train)
    definition = _definition(config, kfp, variants)
    nodes = _nodes(definition, kfp)
    spec = _tfx_spec(definition)
    _check_types(spec)
    _set_platform(spec, nodes, cacheable=kfp.cacheable)
    chosen = parameters.parameters(config, _eval_config(spec))
    parameters.expose(spec, chosen)
    _container(spec, parameters.EXAMPLE_GEN)["args"] += [
        SYNTHETIC_FLAG,
        config.data.synthetic.model_dump_json(),
    ]
    _refresh_inputs_specs(spec)
    return Compiled(spec, nodes, chosen)


def _definition(
    config: PipelineConfig, kfp: KfpConfig, variants: pipeline.Variants
) -> tfx_pipeline.Pipeline:
    return pipeline.create_pipeline(
        config,
        pipeline.Locations(
            interactions=config.data.location,
            pipeline_root="",  # The run's, given on submission.
            serving=kfp.serving,
            schema=PACKAGED + "pipeline/schema/schema.pbtxt",
        ),
        dataset=config.data.name,
        ask_metadata=False,
        beam_args=kfp.beam_arguments,
        variants=variants,
    )


def _with_train(config: PipelineConfig, fields: dict[str, Any]) -> PipelineConfig:
    values = config.model_dump()
    values["train"] |= fields
    return PipelineConfig.model_validate(values)


def _nodes(
    definition: tfx_pipeline.Pipeline, kfp: KfpConfig
) -> dict[str, node_config.NodeConfig]:
    names = [component.id for component in definition.components]
    for name in names:
        node_config.check_node_id(name)
    if unknown := sorted(kfp.nodes.keys() - set(names)):
        raise ValueError(
            f"`nodes` names {unknown}, which the pipeline has not; it has {names}."
        )
    return {name: kfp.node(name) for name in names}


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
    *,
    cacheable: bool,
) -> None:
    """Sets image, resources, retries and caching, which TFX's own hooks do not all."""
    for name, node in nodes.items():
        container = _container(spec, name)
        container["image"] = node.image
        container.pop("lifecycle", None)  # Kubeflow runs none; our entry point does.
        if resources := platform_spec.resources(node):
            container["resources"] = resources
        task = spec["root"]["dag"]["tasks"][name]
        if policy := platform_spec.retry_policy(node):
            task["retryPolicy"] = policy
    package.set_caching(spec, cacheable)


def _eval_config(spec: dict[str, Any]) -> dict[str, Any]:
    inputs = spec["root"]["dag"]["tasks"]["Evaluator"]["inputs"]["parameters"]
    return json.loads(inputs["eval_config"]["runtimeValue"]["constant"])


def _refresh_inputs_specs(spec: dict[str, Any]) -> None:
    """Tells each container of all its inputs, the added parameters included."""
    for name, component in spec["components"].items():
        args = _container(spec, name)["args"]
        place = args.index(INPUTS_SPEC_FLAG) + 1
        args[place] = json.dumps(component["inputDefinitions"], sort_keys=True)


def _container(spec: dict[str, Any], node: str) -> dict[str, Any]:
    return spec["deploymentSpec"]["executors"][f"{node}_executor"]["container"]


def _header(chosen: list[parameters.Parameter]) -> str:
    """Returns the comment that a reader of the file sees first."""
    lines = ["# Compiled by `ncf compile kfp`; do not edit.", "# Inputs:"]
    lines += [
        f"#    {p.name}: {type(p.default).__name__} [Default: {p.default!r}]"
        for p in chosen
    ]
    return "\n".join(lines) + "\n"
