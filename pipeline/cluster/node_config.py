"""The settings of one node of the pipeline that every cluster has."""

import re
from typing import Annotated, Any, TypeVar

import pydantic

from ncf_model.config import Config

GPU_RESOURCE = "nvidia.com/gpu"
TPU_RESOURCE = "google.com/tpu"
EVERY_NODE = "*"

# The name of a variable of the environment.
Variable = Annotated[str, pydantic.Field(pattern="^[A-Za-z_.-][A-Za-z0-9_.-]*$")]

# Node ids become names of Argo's templates, which must have this form.
_NODE_ID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")


class AcceleratorConfig(Config):
    """Accelerators of a node, all of one kind.

    Attributes:
        resource: the Kubernetes resource, `nvidia.com/gpu` or `google.com/tpu`.
        count: how many; for TPUs, all chips of the host.
    """

    resource: str
    count: pydantic.PositiveInt = 1


class NodeConfig(Config):
    """The settings of one node. The profile decides settings that are not given.

    Attributes:
        cpu: cores, as request and as limit.
        memory_gb: memory in 10^9 bytes, as request and as limit.
        accelerator: GPUs or TPU chips; null asks for none.
        env: variables of the container's environment, name -> value. Do not put secrets
            here: they would be readable in the compiled file.
        timeout_s: after so many seconds an attempt at the task is ended as failed.
        retries: how often a failed task is tried again.
        image: the container image of this node; null takes the pipeline's image.
        replace: names of fields whose values replace those of the profile. Otherwise
            the values of fields that hold several things, such as `env`, are added to
            those of the profile.
    """

    cpu: pydantic.PositiveFloat | None = None
    memory_gb: pydantic.PositiveFloat | None = None
    accelerator: AcceleratorConfig | None = None
    env: dict[Variable, str] = pydantic.Field(default_factory=dict)
    timeout_s: pydantic.PositiveInt | None = None
    retries: pydantic.NonNegativeInt = 1
    image: str | None = None
    replace: tuple[str, ...] = ()

    @pydantic.model_validator(mode="after")
    def _check_replace(self) -> "NodeConfig":
        several = [name for name in type(self).model_fields if self._is_several(name)]
        several.remove("replace")
        if unknown := sorted(set(self.replace) - set(several)):
            raise ValueError(
                f"`replace` names {unknown}; fields that hold several things are "
                f"{several}"
            )
        return self

    def _is_several(self, name: str) -> bool:
        return isinstance(getattr(self, name), dict | tuple)


Node = TypeVar("Node", bound=NodeConfig)


def merge(base: Node, changes: NodeConfig) -> Node:
    """Returns `base` with the fields that were set in `changes`, null included.

    Dictionaries and lists of both are joined, unless `changes.replace` names the field.

    Example:
        >>> base = NodeConfig(cpu=1, env={"A": "1"})
        >>> merge(base, NodeConfig(memory_gb=2, env={"B": "2"})).model_dump(
        ...     include={"cpu", "memory_gb", "env"})
        {'cpu': 1.0, 'memory_gb': 2.0, 'env': {'A': '1', 'B': '2'}}
        >>> merge(base, NodeConfig(env={"B": "2"}, replace=["env"])).env
        {'B': '2'}
    """
    given: dict[str, Any] = {}
    for name in changes.model_fields_set - {"replace"}:
        before, value = getattr(base, name), getattr(changes, name)
        if name not in changes.replace:
            if isinstance(value, dict):
                value = before | value
            elif isinstance(value, tuple):
                value = before + tuple(item for item in value if item not in before)
        given[name] = value
    for name in set(changes.replace) - given.keys():
        given[name] = getattr(changes, name)
    return base.model_copy(update=given)


def check_node_id(node_id: str) -> None:
    """Raises ValueError if Argo would refuse `node_id` as a name."""
    if node_id != EVERY_NODE and not _NODE_ID.fullmatch(node_id):
        raise ValueError(
            "The id of a node must be letters, digits and inner hyphens on Kubeflow "
            f"Pipelines; got {node_id!r}."
        )
