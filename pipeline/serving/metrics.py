"""The metrics of the server, for Prometheus."""

import prometheus_client as prometheus

# Bounds in seconds: a small model answers in a millisecond, a large one in a hundred.
_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics:
    """The metrics of one server, in their own registry.

    Attributes:
        registry: the registry that `/metrics` shows.
        requests: counts requests by route, method and status.
        seconds: durations of whole requests, by route.
        model_seconds: durations of calls of the model, by signature.
        in_flight: how many requests are being answered.
        version: the version that is served now.
        loads: counts attempts to load a version, by result.
        log_lines_lost: counts lost lines of the access log.
        strangers: counts users and items that the model does not know, by their answer.
    """

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self.registry)
        self.requests = prometheus.Counter(
            "ncf_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.seconds = prometheus.Histogram(
            "ncf_request_seconds",
            "From the request's head to the end of its answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.model_seconds = prometheus.Histogram(
            "ncf_model_seconds",
            "Waiting for a thread and computing, by signature.",
            ("signature",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.in_flight = prometheus.Gauge(
            "ncf_requests_in_flight", "Requests being answered.", registry=self.registry
        )
        self.version = prometheus.Gauge(
            "ncf_model_version", "The version served now.", registry=self.registry
        )
        self.loads = prometheus.Counter(
            "ncf_model_loads",
            "Versions loaded, by result.",
            ("result",),
            registry=self.registry,
        )
        self.log_lines_lost = prometheus.Counter(
            "ncf_access_log_lines_lost",
            "Lines of the access log that could not be written in time.",
            registry=self.registry,
        )
        self.strangers = prometheus.Counter(
            "ncf_unknown_ids",
            "Users asked for, and items of baskets, that came after the training.",
            ("kind", "answered"),
            registry=self.registry,
        )

    def observe_store(self, event: str, version: int) -> None:
        """Counts an event of `ModelStore`."""
        if event == "current":
            self.version.set(version)
        else:
            self.loads.labels(event).inc()

    def text(self) -> bytes:
        """Returns the metrics in Prometheus' text form."""
        return prometheus.generate_latest(self.registry)
