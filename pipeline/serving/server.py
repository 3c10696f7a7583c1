"""Runs the server: loads the model, listens, and ends gracefully."""

import concurrent.futures
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from absl import logging as absl_logging

from ncf_model.serving import versions
from pipeline import start_up
from pipeline.serving.access_log import AccessLogHandler
from pipeline.serving.loaded_model import LoadedModel
from pipeline.serving.metrics import Metrics
from pipeline.serving.model_store import ModelStore
from pipeline.serving.request_checks import ACCESS_LOG
from pipeline.serving.service import Service
from pipeline.serving.settings import ServeSettings
from pipeline.serving.titles import Titles

if TYPE_CHECKING:
    import uvicorn

_GRACE_S = 20
_LOG_GRACE_S = 2


def make_service(settings: ServeSettings) -> Service:
    """Returns the service, without any model loaded yet."""
    metrics = Metrics()
    titles = Titles(settings.titles)

    def load(version: int) -> LoadedModel:
        model = LoadedModel(version, os.path.join(settings.serving, str(version)))
        model.prepare()
        titles.refresh()
        return model

    store = ModelStore(
        list_versions=lambda: [
            v.number for v in versions.look(settings.serving).versions
        ],
        load=load,
        keep=settings.keep_loaded,
        poll_s=settings.poll_s,
        observe=metrics.observe_store,
    )
    return Service(settings, store, titles, metrics)


def serve(settings: ServeSettings, *, wait: bool, say: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT, and then answers the requests under way.

    Args:
        settings: of the server.
        wait: whether to start without a model and wait for one.
        say: prints a message with the server's address.

    Raises:
        ValueError: there is no model and `wait` is False.
    """
    service = make_service(settings)
    access_log = _set_up_logs(service.metrics)
    server = _start(service)
    if not service.store.models and not wait:
        raise ValueError(
            f"No version in {settings.serving} can be loaded. Run `ncf run` first, or "
            "start with --wait to wait for one."
        )
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn sends the signal again once it has ended; that must not be an error.
        signal.signal(number, lambda *_: None)
    with listen(server.config) as listening:
        host, port = listening.getsockname()[:2]
        say(_where(service, host, port))
        server.run(sockets=[listening])
    access_log.finish(_LOG_GRACE_S)


def _start(service: Service) -> "uvicorn.Server":
    """Loads the model and imports the server's packages; returns the server."""
    gc.disable()  # Importing and loading leave almost no garbage.
    try:
        start_up.import_tensorflow()
        # A thread loads the model while this one imports the remaining packages.
        with concurrent.futures.ThreadPoolExecutor(1, "first-model") as beside:
            loading = beside.submit(service.store.refresh)
            server = _server(service)
            loading.result()
    finally:
        gc.enable()
    return server


def _server(service: Service) -> "uvicorn.Server":
    import uvicorn

    from pipeline.serving import app, head_limit

    config = uvicorn.Config(
        app.create_app(service),
        host=service.settings.host,
        port=service.settings.port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        http=head_limit.HeadLimitProtocol,
        ws="none",  # Nothing here speaks it.
    )
    return uvicorn.Server(config)


def listen(config: "uvicorn.Config") -> socket.socket:
    """Returns a listening socket for uvicorn.

    Raises:
        OSError: the server cannot listen on the address; uvicorn has logged why.
    """
    try:
        listening = config.bind_socket()
    except SystemExit:  # uvicorn would exit with a status of its own.
        raise OSError(
            f"The server cannot listen on {config.host} port {config.port}; another "
            "process may be using the port. --port 0 takes a free port."
        ) from None
    # Connections inherit this option. asyncio sets it only for sockets that name TCP as
    # protocol, and uvicorn's do not. Without the option answers wait 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.listen()
    return listening


def _where(service: Service, host: str, port: int) -> str:
    models = service.store.models
    version = f"version {models[0].version}" if models else "no version yet"
    name = f"[{host}]" if ":" in host else host
    return f"{version} of {service.settings.serving} on http://{name}:{port}/"


def _set_up_logs(metrics: Metrics) -> AccessLogHandler:
    """Sends the access log to standard output, other logs to standard error."""
    handler = AccessLogHandler(1, lost=metrics.log_lines_lost.inc)
    ACCESS_LOG.handlers = [handler]
    ACCESS_LOG.setLevel(logging.INFO)
    ACCESS_LOG.propagate = False
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # `say` prints the address.
    form = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=form)
    absl_logging.set_verbosity(absl_logging.INFO)
    return handler
