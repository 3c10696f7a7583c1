"""The routes of TensorFlow Serving's REST API: status, metadata and predict."""

from typing import Any

import fastapi
from starlette.responses import Response

from pipeline.serving import rest_forms
from pipeline.serving.errors import RequestError
from pipeline.serving.json_answers import json_response
from pipeline.serving.loaded_model import LoadedModel, TensorInfo
from pipeline.serving.service import Service

STABLE = "stable"
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "signature_name": {"type": "string"},
                        "instances": {"type": "array", "items": {}},
                        "inputs": {},
                    },
                },
                "example": {
                    "signature_name": "recommend",
                    "inputs": {"user_id": ["196"], "k": 10},
                },
            }
        },
    }
}


def router(service: Service) -> fastapi.APIRouter:
    """Returns the routes under /v1/models."""
    routes = fastapi.APIRouter(prefix="/v1/models", tags=["TensorFlow Serving"])
    for where in ("", "/versions/{version}", "/labels/{label}"):
        path = "/{name}" + where
        routes.add_api_route(
            f"{path}/metadata",
            _metadata(service),
            summary="Signatures, their inputs and outputs",
        )
        routes.add_api_route(
            f"{path}:{{verb}}",
            _predict(service),
            methods=["POST"],
            summary="Call a signature",
            openapi_extra=_BODY,
        )
        routes.add_api_route(path, _status(service), summary="Which versions answer")
    return routes


def _pick(
    service: Service, request: fastapi.Request, *, version_needed: bool = True
) -> LoadedModel | None:
    """Returns the model that the path names; None if it names no version."""
    given = request.path_params
    if given["name"] != service.settings.name:
        raise RequestError(
            404,
            f"There is no model {given['name']!r}; this one is "
            f"{service.settings.name!r}.",
        )
    if "version" in given:
        if not (given["version"].isascii() and given["version"].isdigit()):
            raise RequestError(
                400, f"A version must be a number; got {given['version']!r}."
            )
        return service.model(request, int(given["version"]))
    if given.get("label", STABLE) != STABLE:
        raise RequestError(
            404, f"There is no label {given['label']!r}; there is {STABLE!r}."
        )
    if "label" in given or version_needed:
        return service.model(request)
    return None


def _status(service: Service) -> Any:
    async def status(request: fastapi.Request) -> Response:
        picked = _pick(service, request, version_needed=False)
        models = service.store.models if picked is None else (picked,)
        return json_response(
            {
                "model_version_status": [
                    {
                        "version": str(model.version),
                        "state": "AVAILABLE",
                        "status": {"error_code": "OK", "error_message": ""},
                    }
                    for model in models
                ]
            }
        )

    return status


def _metadata(service: Service) -> Any:
    async def metadata(request: fastapi.Request) -> Response:
        model = _pick(service, request) or service.store.current
        signatures = {
            name: {
                "inputs": {k: _tensor(v) for k, v in signature.inputs.items()},
                "outputs": {k: _tensor(v) for k, v in signature.outputs.items()},
                "method_name": signature.method,
            }
            for name, signature in model.signatures.items()
        }
        return json_response(
            {
                "model_spec": {
                    "name": service.settings.name,
                    "signature_name": "",
                    "version": str(model.version),
                },
                "metadata": {"signature_def": {"signature_def": signatures}},
            }
        )

    return metadata


def _tensor(info: TensorInfo) -> dict[str, Any]:
    shape = [{"size": str(size), "name": ""} for size in info.shape or ()]
    return {
        "dtype": info.dtype,
        "tensor_shape": {"dim": shape, "unknown_rank": info.shape is None},
        "name": info.tensor,
    }


def _predict(service: Service) -> Any:
    async def predict(request: fastapi.Request) -> Response:
        verb = request.path_params["verb"]
        model = _pick(service, request) or service.store.current
        if verb != "predict":
            raise RequestError(
                400 if verb in ("classify", "regress") else 404,
                f"The model answers `:predict`; got `:{verb}`.",
            )
        body = await request.body()
        given = rest_forms.read_json(body)
        name = rest_forms.signature_name(given)
        limits = service.settings

        def compute() -> Response:
            inputs = rest_forms.inputs_of(
                given, model.signature(name), max_batch=limits.max_batch
            )
            if "k" in inputs and inputs["k"].ndim == 0:
                service.check_k(int(inputs["k"]))
            outputs = model.call(name, inputs)
            return json_response(
                rest_forms.answer(outputs, by_row="instances" in given)
            )

        known = name if name in model.signatures else "unknown"
        return await service.in_thread(known, compute)

    return predict
