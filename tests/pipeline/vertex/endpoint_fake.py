"""Vertex AI's endpoints and models, enough for a deployment (REST)."""

import re
import urllib.parse

PARENT = "projects/ncf-project/locations/us-central1"
TYPES = "type.googleapis.com/google.cloud.aiplatform.v1"


class Endpoints:
    """Keeps what was made; every operation is done at once.

    Attributes:
        endpoints: resource name -> the resource.
        models: resource name -> the model.
        deployments: requests for a deployment, in order.
    """

    def __init__(self):
        self.endpoints, self.models, self.deployments = {}, {}, []

    def answer(self, method, path, body):
        """Returns the answer, None if the request is not for an endpoint or a model."""
        path, _, query = path.removeprefix("/v1/").partition("?")
        path = urllib.parse.unquote(path)  # Newer clients write @ as %40.
        if path == f"{PARENT}/endpoints" and method == "GET":
            found = [
                e for e in self.endpoints.values() if e["displayName"] in (query or "")
            ]
            return {"endpoints": found}
        if path == f"{PARENT}/endpoints":
            name = f"{path}/{len(self.endpoints) + 1}"
            self.endpoints[name] = {**body, "name": name, "deployedModels": []}
            return _done("Endpoint", self.endpoints[name])
        if path == f"{PARENT}/models:upload":
            return self._upload(body)
        if path == f"{PARENT}/models":
            found = [m for m in self.models.values() if m["displayName"] in query]
            return {"models": found[:1]}  # The service lists each model once.
        if path in self.models:
            return self.models[path]
        if found := re.fullmatch(r"(.*/endpoints/\d+)(:\w+)?", path):
            return self._endpoint(self.endpoints[found[1]], found[2], body)
        return None

    def _upload(self, body):
        """Keeps a model; one with an alias is a version of one in the registry."""
        number = len(self.models) + 1
        name = body.get("parentModel", f"{PARENT}/models/{number}")
        made = {
            **body["model"],
            "name": name,
            "supportedDeploymentResourcesTypes": ["DEDICATED_RESOURCES"],
        }
        done = {"model": name}
        if made["versionAliases"] == ["default"]:  # the client's, for any model
            self.models[name] = made
            return _done("UploadModelResponse", done)
        version = 1 + sum(key.split("@")[0] == name for key in self.models)
        self.models[f"{name}@{version}"] = made | {"versionId": str(version)}
        return _done("UploadModelResponse", done | {"modelVersionId": str(version)})

    def _endpoint(self, endpoint, action, body):
        if action == ":deployModel":
            self.deployments.append(body)
            number = len(self.deployments)
            made = body["deployedModel"] | {
                "id": str(number),
                "createTime": f"2024-06-01T00:00:{number:02}Z",
            }
            endpoint["deployedModels"].append(made)
            split = _split(body)
            split[str(number)] = split.pop("0")  # The API calls the new model 0.
            endpoint["trafficSplit"] = _checked(endpoint, split)
            return _done("DeployModelResponse", {"deployedModel": made})
        if action == ":undeployModel":
            kept = [
                m
                for m in endpoint["deployedModels"]
                if m["id"] != body["deployedModelId"]
            ]
            endpoint["deployedModels"] = kept
            endpoint["trafficSplit"] = _checked(endpoint, _split(body))
            return _done("UndeployModelResponse", {})
        if body:
            endpoint["trafficSplit"] = _checked(endpoint, _split(body))
        return endpoint


def _split(body):
    return {k: int(v) for k, v in body["trafficSplit"].items()}


def _checked(endpoint, split):
    """Returns the traffic split; shares must add up to 100, of deployed models."""
    known = {model["id"] for model in endpoint["deployedModels"]}
    assert sum(split.values()) == 100, split
    assert {model for model, share in split.items() if share} <= known, split
    return {model: share for model, share in split.items() if model in known}


def _done(kind, value):
    return {
        "name": f"{PARENT}/operations/1",
        "done": True,
        "response": {"@type": f"{TYPES}.{kind}", **value},
    }
