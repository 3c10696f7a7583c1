"""The middleware of all requests: key, limits, log and metrics."""

import asyncio
import datetime
import hmac
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from pipeline.serving.errors import RequestError
from pipeline.serving.metrics import Metrics
from pipeline.serving.settings import ServeSettings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

ACCESS_LOG = logging.getLogger("ncf.access")
# Paths that need no key: for probes and a browser. They tell nothing about users.
OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/docs", "/openapi.json"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class RequestChecks:
    """ASGI middleware around the whole app.

    Without a key, on a loopback address, the Host header must name this machine.
    Otherwise a web page could reach the server through its own domain (DNS rebinding).
    """

    def __init__(self, app: App, *, settings: ServeSettings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request; passes on other events."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = _Record(scope)
        if scope["method"] == "HEAD":  # uvicorn sends no body to HEAD.
            scope = {**scope, "method": "GET"}
        self._in_flight += 1
        self._metrics.in_flight.set(self._in_flight)
        try:
            await self._answer(scope, receive, record.sending(send), record)
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.set(self._in_flight)
            record.write(scope, self._metrics)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, record: "_Record"
    ) -> None:
        try:
            headers = dict(scope["headers"])
            self._check(scope, headers)
            body = _Body(receive, self._settings, record)
            await self._app(scope, body.receive, send)
        except RequestError as refused:
            if record.status is None:
                await _refuse(send, refused)
        except Exception:
            logging.getLogger("ncf").exception("A request failed: %s", scope["path"])
            if record.status is None:
                await _refuse(send, RequestError(500, "Something failed; see the log."))

    def _check(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        settings = self._settings
        host = headers.get(b"host", b"").decode("latin-1")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if settings.is_loopback and not settings.api_key and name not in _LOCAL_NAMES:
            raise RequestError(
                421, f"This server is for this machine only; got {host!r}."
            )
        if scope["path"] in OPEN_PATHS:
            return
        if settings.api_key and not _has_key(headers, settings.api_key):
            raise RequestError(
                401, "A key is needed: `X-Api-Key: ...` or `Authorization: Bearer ...`."
            )
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > settings.max_body_bytes:
            raise _too_large(settings)
        if self._in_flight > settings.max_concurrency:
            raise RequestError(
                503, f"{settings.max_concurrency} requests are being answered already."
            )


class _Body:
    """Receives the body of a request, within limits of size and time."""

    def __init__(
        self, receive: Receive, settings: ServeSettings, record: "_Record"
    ) -> None:
        self._receive, self._settings, self._record = receive, settings, record
        self._bytes, self._more = 0, True

    async def receive(self) -> Message:
        """Returns the next message."""
        if not self._more:  # Now only the end of the connection can come.
            return await self._receive()
        try:
            message = await asyncio.wait_for(
                self._receive(), self._settings.body_timeout_s
            )
        except asyncio.TimeoutError:  # On Python 3.10 this is not TimeoutError.
            raise RequestError(408, "The body did not come in time.") from None
        self._bytes += len(message.get("body", b""))
        self._more = message.get("more_body", False)
        if self._bytes > self._settings.max_body_bytes:
            raise _too_large(self._settings)
        return message


class _Record:
    """The facts of a request for its log line."""

    def __init__(self, scope: Scope) -> None:
        self._started = time.perf_counter()
        self._method = scope["method"]
        self.status: int | None = None
        self._bytes = 0
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        ok = 0 < len(given) <= 64 and given.isascii() and given.isprintable()
        self.id = given if ok else uuid.uuid4().hex

    def sending(self, send: Send) -> Send:
        """Returns a `send` that notes status and size of the answer."""

        async def followed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                extra = [(b"x-request-id", self.id.encode())]
                message["headers"] = [*message.get("headers", ()), *extra]
            if self._method != "HEAD":
                self._bytes += len(message.get("body", b""))
            await send(message)

        return followed

    def write(self, scope: Scope, metrics: Metrics) -> None:
        """Counts the request and writes its line."""
        seconds = time.perf_counter() - self._started
        route = getattr(scope.get("route"), "path", "other")
        method = self._method if self.status != 405 else "other"
        # 499 as in nginx: the client closed the connection before the answer.
        status = self.status or 499
        metrics.requests.labels(route, method, status).inc()
        metrics.seconds.labels(route).observe(seconds)
        if not ACCESS_LOG.isEnabledFor(logging.INFO):
            return
        now = datetime.datetime.now(datetime.timezone.utc)
        # Query and body are not logged, because they name users.
        line = {
            "time": now.isoformat(timespec="milliseconds"),
            "request_id": self.id,
            "client": (scope.get("client") or ("", 0))[0],
            "method": self._method,
            "path": scope["path"],
            "status": status,
            "bytes": self._bytes,
            "ms": round(1000 * seconds, 3),
            "version": scope.get("state", {}).get("version"),
        }
        ACCESS_LOG.info("%s", json.dumps(line))


def _has_key(headers: dict[bytes, bytes], key: str) -> bool:
    scheme, _, bearer = headers.get(b"authorization", b"").partition(b" ")
    given = headers.get(b"x-api-key") or (
        bearer if scheme.lower() == b"bearer" else b""
    )
    return hmac.compare_digest(given, key.encode())


def _too_large(settings: ServeSettings) -> RequestError:
    return RequestError(
        413, f"A body may have {settings.max_body_bytes} bytes at most."
    )


async def _refuse(send: Send, refused: RequestError) -> None:
    body = json.dumps({"error": refused.reason}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        # The unread rest of a body must not be read as the next request.
        (b"connection", b"close"),
    ]
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refused.status == 503:
        headers.append((b"retry-after", b"1"))
    start = {"type": "http.response.start", "status": refused.status}
    await send({**start, "headers": headers})
    await send({"type": "http.response.body", "body": body})
