"""Deploys a pushed model to a Vertex AI endpoint.

TFX's own client for Vertex makes the endpoint, uploads and deploys. This module does
what that client cannot: it sets the shares of the requests and removes older models.
"""

from absl import logging
from google.cloud import aiplatform
from tfx.extensions.google_cloud_ai_platform import prediction_clients

from components.vertex_pusher import traffic
from components.vertex_pusher.config import PusherConfig

_LABELS = {"source": "ncf"}


def deploy(
    uri: str, *, version: str, project: str, region: str, settings: PusherConfig
) -> str:
    """Deploys a model to the endpoint; returns the model's resource name.

    Args:
        uri: gs:// folder of the SavedModel.
        version: the model's version in the serving folder, a part of its name on
            Vertex.
        project, region: of the endpoint.
        settings: the endpoint, its machines, and the shares of the requests.
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
            # Shares must sum to 100: a model that is alone has to take all.
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
