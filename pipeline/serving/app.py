"""The ASGI app: TensorFlow Serving's paths, recommendations, a page, and probes."""

import contextlib
from collections.abc import AsyncIterator

import fastapi
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from pipeline.serving import documents, recommend_routes, request_checks, tfs_routes
from pipeline.serving.errors import RequestError
from pipeline.serving.json_answers import json_response
from pipeline.serving.service import Service


def create_app(service: Service, *, watch: bool = True) -> request_checks.RequestChecks:
    """Returns the app, which loads new versions of the serving folder while it runs.

    Args:
        service: answers the requests; its store may still be empty.
        watch: whether to look for new versions.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: fastapi.FastAPI) -> AsyncIterator[None]:
        if watch:
            service.store.start()
        yield
        service.store.stop()

    app = fastapi.FastAPI(
        title="NCF recommendations",
        description="A pushed NeuMF model: TensorFlow Serving's REST forms, and more.",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    # Routes are tried in this order, so those that are asked most come first.
    app.include_router(recommend_routes.router(service))
    app.include_router(tfs_routes.router(service))
    _add_probes(app, service)
    app.include_router(documents.router(app))
    _add_errors(app)
    return request_checks.RequestChecks(
        app, settings=service.settings, metrics=service.metrics
    )


def _add_probes(app: fastapi.FastAPI, service: Service) -> None:
    @app.get("/healthz", tags=["Operations"])
    async def healthz() -> Response:
        """Answers 200 as long as the process answers at all."""
        return json_response({"status": "alive"})

    @app.get("/readyz", tags=["Operations"])
    async def readyz() -> Response:
        """Answers 200 once a version is loaded, 503 before."""
        if not service.store.models:
            return json_response({"status": "no version is loaded yet"}, 503)
        current = service.store.current
        return json_response({"status": "ready", "version": current.version})

    @app.get("/metrics", tags=["Operations"])
    async def metrics() -> Response:
        """Answers the metrics in Prometheus' text form."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")


def _add_errors(app: fastapi.FastAPI) -> None:
    """Makes errors `{"error": reason}`, the form of TensorFlow Serving."""

    async def refused(request: fastapi.Request, error: Exception) -> Response:
        if isinstance(error, RequestError):
            return json_response({"error": error.reason}, error.status)
        if isinstance(error, RequestValidationError):
            problems = (
                f"`{problem['loc'][-1]}`: {problem['msg']}"
                for problem in error.errors()
            )
            return json_response({"error": "; ".join(problems) + "."}, 400)
        if isinstance(error, HTTPException):
            answer = json_response({"error": f"{error.detail}."}, error.status_code)
            if error.status_code == 405:
                answer.headers["allow"] = _allowed(app, request)
            return answer
        # The error is raised again after this answer, and `RequestChecks` logs it.
        return json_response({"error": "Something failed; see the log."}, 500)

    for kind in (RequestError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, refused)


def _allowed(app: fastapi.FastAPI, request: fastapi.Request) -> str:
    """Returns the methods that a path has, of all its routes."""
    return ", ".join(
        "GET, HEAD" if method == "GET" else method
        for method in ("GET", "POST")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in app.routes
        )
    )
