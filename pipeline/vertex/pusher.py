"""Pusher that also deploys the model to a Vertex AI endpoint.

It first pushes into the serving folder as on every runner: there the next run looks for
the model to beat, and an earlier version can be put back. Only a model that was pushed
is deployed. Endpoint, upload and deployment are TFX's own client for Vertex; shares of
the requests and the removal of older models, which it has not, are done here.
"""

from typing import Any

from absl import logging
from google.cloud import aiplatform
from tfx import types
from tfx.components.pusher import component
from tfx.components.pusher import executor as tfx_executor
from tfx.dsl.components.base import executor_spec
from tfx.extensions.google_cloud_ai_platform import prediction_clients
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils

from pipeline.vertex import traffic
from pipeline.vertex.config import PusherConfig

CONFIG_KEY = "vertex_endpoint"
_LABELS = {"source": "ncf"}


class Executor(tfx_executor.Executor):
    """Pushes to the folder, then to the endpoint."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Deploys what was pushed; what was not blessed is neither."""
        super().Do(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        if not pushed.get_int_custom_property("pushed"):
            return
        text = exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY]
        settings = json_utils.loads(text)[CONFIG_KEY]
        model = deploy(
            pushed.get_string_custom_property("pushed_destination"),
            version=pushed.get_string_custom_property("pushed_version"),
            project=settings["project"],
            region=settings["region"],
            settings=PusherConfig.model_validate(settings["pusher"]),
        )
        pushed.set_string_custom_property("vertex_model", model)


class Pusher(component.Pusher):
    """TFX's Pusher with the executor above."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)


def deploy(
    uri: str, *, version: str, project: str, region: str, settings: PusherConfig
) -> str:
    """Deploys a model to the endpoint; returns the model's resource name.

    Args:
        uri: gs:// folder of the SavedModel.
        version: its number, part of its name on Vertex.
        project, region: of the endpoint.
        settings: endpoint, machines, shares.
    """
    aiplatform.init(project=project, location=region)
    found = aiplatform.Endpoint.list(filter=f'display_name="{settings.endpoint}"')
    before = dict(found[0].traffic_split) if found else {}
    model = prediction_clients.VertexPredictionClient().deploy_model(
        serving_path=uri,
        model_version_name=f"{settings.endpoint}-{version}",
        ai_platform_serving_args={
            "project": project,
            "endpoint_name": settings.endpoint,
            "machine_type": settings.machine_type,
            "min_replica_count": settings.min_replicas,
            "max_replica_count": settings.max_replicas,
            # Vertex wants 100 in all: a model that is alone has to take them.
            "traffic_percentage": settings.traffic if before else 100,
        },
        labels=_LABELS,
        serving_container_image_uri=str(settings.image),
        endpoint_region=region,
    )
    (endpoint,) = aiplatform.Endpoint.list(filter=f'display_name="{settings.endpoint}"')
    deployed = sorted(endpoint.list_models(), key=lambda item: item.create_time)
    (new,) = (item.id for item in deployed if item.model.split("@")[0] == model)
    plan = traffic.plan(
        [item.id for item in deployed],
        before,
        new=new,
        share=settings.traffic,
        keep=settings.keep,
    )
    endpoint.update(traffic_split=plan.split)
    for old in plan.undeploy:
        endpoint.undeploy(old)
    logging.info(
        "Endpoint %s: shares %s, undeployed %s.",
        endpoint.resource_name,
        plan.split,
        plan.undeploy,
    )
    return model
