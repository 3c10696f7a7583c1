"""Registers a pushed model in Vertex AI's Model Registry, without an endpoint.

There is one model in the registry, with a version for each version of the serving
folder. A version says where it comes from and how good it was, and Vertex' own tools
can deploy it later.
"""

import re

from absl import logging
from google.cloud import aiplatform

from components.vertex_pusher.config import PusherConfig
from ncf_model.serving.version_record import VersionRecord

# Vertex' limits to the values of labels and to the length of a description.
_NO_LABEL = re.compile(r"[^a-z0-9_-]+")
_LABEL_LENGTH = 63
_LENGTH = 1000
# The keys of a version's record that are described, in this order.
_SAID = ("pipeline", "run", "model_uri", "blessing_uri", "digest")


def register(
    uri: str,
    *,
    version: str,
    record: VersionRecord,
    project: str,
    region: str,
    settings: PusherConfig,
) -> str:
    """Uploads a model as a version; returns its resource name, `...@VERSION`.

    Args:
        uri: gs:// folder of the SavedModel.
        version: the number in the serving folder, which becomes an alias of the
            version.
        record: of the version in the serving folder.
        project, region: of the registry.
        settings: `endpoint` is the model's name in the registry, `image` the container
            that serves it.
    """
    aiplatform.init(project=project, location=region)
    # The filter also finds names that only have a part in common.
    found = [
        model
        for model in aiplatform.Model.list(
            filter=f'display_name="{settings.endpoint}"', order_by="create_time"
        )
        if model.display_name == settings.endpoint
    ]
    model = aiplatform.Model.upload(
        display_name=settings.endpoint,
        parent_model=found[0].resource_name if found else None,
        artifact_uri=uri,
        serving_container_image_uri=str(settings.image),
        version_aliases=[f"v{version}"],
        version_description=describe(record),
        labels=labels(record, version),
    )
    logging.info("Registered %s as %s.", uri, model.versioned_resource_name)
    return model.versioned_resource_name


def describe(record: VersionRecord) -> str:
    """Returns lineage and figures of a version in words.

    Example:
        >>> describe(VersionRecord(run="r1", blessing={"ndcg@10": 0.4}))
        'run: r1; ndcg@10: 0.4'
    """
    said = [f"{key}: {getattr(record, key)}" for key in _SAID if getattr(record, key)]
    blessing = record.blessing or {}
    said += [
        f"{name}: {value:g}"
        for name, value in sorted(blessing.items())
        if isinstance(value, float)
    ]
    return "; ".join(said)[:_LENGTH]


def labels(record: VersionRecord, version: str) -> dict[str, str]:
    """Returns the labels of a version, by which the registry can be searched.

    Example:
        >>> labels(VersionRecord(run="ncf-2024.06"), "7")
        {'source': 'ncf', 'serving_version': '7', 'run': 'ncf-2024-06'}
    """
    given = {"source": "ncf", "serving_version": version}
    for key in ("pipeline", "run"):
        if getattr(record, key):
            text = _NO_LABEL.sub("-", str(getattr(record, key)).lower())
            given[key] = text[:_LABEL_LENGTH]
    return given
