"""Enters a pushed model into Kubeflow's Model Registry, through its REST service.

The registry has models, versions of models, and artifacts of versions. Here there is
one model. It has a version for each version of the serving folder, with figures and
lineage as properties, and each version has one artifact with the folder of the
SavedModel, which KServe can load.
"""

import http
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from absl import logging

from ncf_model.serving.version_record import VersionRecord

API = "/api/model_registry/v1alpha3"
_TIMEOUT_S = 30
_AGAIN = (
    "The model is pushed. Run the same command again when the registry answers; that "
    "enters the model."
)
_FORMAT = ("tensorflow", "2")
# The keys of a pushed version's record that are registered.
_SAID = ("pipeline", "run", "model_uri", "blessing_uri", "digest")


class Client:
    """Sends requests in JSON to the registry's service."""

    def __init__(self, url: str, token_file: str | None = None) -> None:
        """Keeps the service's address.

        Args:
            url: the address, without the path of the API.
            token_file: file with a bearer token, read for each request, because mounted
                tokens are renewed; None sends no token.
        """
        self.url = url.rstrip("/") + API
        self._token_file = token_file

    def find(self, path: str, **query: str) -> dict[str, Any] | None:
        """Returns the object that a search finds; None if there is none."""
        try:
            return self._ask("GET", f"{path}?{urllib.parse.urlencode(query)}")
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.NOT_FOUND:
                return None
            raise self._refused(path, error) from None

    def create(self, path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Makes an object with the fields; returns the object, with its `id`.

        Raises:
            RuntimeError: the service refuses, or does not answer.
        """
        try:
            return self._ask("POST", path, json.dumps(fields).encode())
        except urllib.error.HTTPError as error:
            raise self._refused(path, error) from None

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if self._token_file:
            headers["Authorization"] = f"Bearer {self._token()}"
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError:
            raise
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            raise RuntimeError(
                f"The model registry at {self.url} did not answer: {error}. {_AGAIN}"
            ) from None
        return found

    def _token(self) -> str:
        with open(str(self._token_file), encoding="utf-8") as f:
            token = f.read().strip()
        if not token.isprintable() or not token.isascii():  # Must not be shown.
            raise RuntimeError(
                f"{self._token_file} must hold a token of one line, in ASCII. {_AGAIN}"
            )
        return token

    def _refused(self, path: str, error: urllib.error.HTTPError) -> Exception:
        said = error.read(2000).decode("utf-8", "replace")
        return RuntimeError(
            f"The model registry answered {error.code} to {self.url}{path}: {said}. "
            f"{_AGAIN}"
        )


def register(
    client: Client, uri: str, *, name: str, version: str, record: VersionRecord
) -> str:
    """Enters what the registry lacks of a version; returns its address in the API.

    Args:
        client: sends requests to the registry.
        uri: folder of the SavedModel.
        name: of the registered model, which is made if there is none.
        version: the version's number in the serving folder, which becomes its name.
        record: of the version in the serving folder.
    """
    model = client.find("/registered_model", name=name) or client.create(
        "/registered_models", {"name": name, "customProperties": _text(source="ncf")}
    )
    entered = client.find(
        "/model_version", name=version, parentResourceId=model["id"]
    ) or client.create(
        f"/registered_models/{model['id']}/versions",
        {
            "name": version,
            "registeredModelId": model["id"],
            "state": "LIVE",
            "customProperties": properties(record),
        },
    )
    artifact = {"name": f"{name}-{version}", "parentResourceId": entered["id"]}
    if client.find("/model_artifact", **artifact) is None:
        client.create(
            f"/model_versions/{entered['id']}/artifacts",
            _artifact(artifact["name"], uri, record),
        )
    address = f"{client.url}/model_versions/{entered['id']}"
    logging.info("Registered %s as %s.", uri, address)
    return address


def _artifact(name: str, uri: str, record: VersionRecord) -> dict[str, Any]:
    run = record.run
    source = {
        "modelSourceKind": "pipelines",
        "modelSourceClass": "pipelinerun",
        "modelSourceId": str(run),
    }
    return {
        "artifactType": "model-artifact",
        "name": name,
        "uri": uri,
        "modelFormatName": _FORMAT[0],
        "modelFormatVersion": _FORMAT[1],
        "state": "LIVE",
        **(source if run else {}),
    }


def properties(record: VersionRecord) -> dict[str, Any]:
    """Returns lineage and figures of a version as properties of the registry.

    Example:
        >>> properties(VersionRecord(run="r1", blessing={"ndcg@10": 0.5}))[
        ...     "ndcg@10"]
        {'metadataType': 'MetadataDoubleValue', 'double_value': 0.5}
    """
    said = {key: str(getattr(record, key)) for key in _SAID if getattr(record, key)}
    figures = {
        name: {"metadataType": "MetadataDoubleValue", "double_value": value}
        for name, value in sorted((record.blessing or {}).items())
        if isinstance(value, float)
    }
    return {**_text(**said), **figures}


def _text(**values: str) -> dict[str, Any]:
    return {
        name: {"metadataType": "MetadataStringValue", "string_value": value}
        for name, value in values.items()
    }
