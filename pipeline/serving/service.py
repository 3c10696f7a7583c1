"""The parts that routes share: models, titles, limits, and a few threads."""

import asyncio
import concurrent.futures
import dataclasses
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ncf_model import cores
from pipeline.serving.errors import RequestError
from pipeline.serving.loaded_model import LoadedModel
from pipeline.serving.metrics import Metrics
from pipeline.serving.model_store import ModelStore
from pipeline.serving.settings import ServeSettings
from pipeline.serving.titles import Titles

T = TypeVar("T")


@dataclasses.dataclass
class Service:
    """Answers requests with the models of a store."""

    settings: ServeSettings
    store: ModelStore
    titles: Titles
    metrics: Metrics = dataclasses.field(default_factory=Metrics)

    def __post_init__(self) -> None:
        # TensorFlow uses all cores by itself. A few more threads than cores keep it
        # busy while other threads turn arrays into text.
        self._threads = concurrent.futures.ThreadPoolExecutor(cores.usable() + 2)

    async def in_thread(self, signature: str, compute: Callable[[], T]) -> T:
        """Returns `compute()`, called and timed in a thread."""
        started = time.perf_counter()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, compute)
        finally:
            seconds = time.perf_counter() - started
            self.metrics.model_seconds.labels(signature).observe(seconds)

    def model(self, request: Any, version: int | None = None) -> LoadedModel:
        """Returns the model that answers `request`, and notes it for the log."""
        store = self.store
        model = store.current if version is None else store.get(version)
        request.state.version = model.version
        return model

    def check_k(self, k: int) -> int:
        """Returns `k`.

        Raises:
            RequestError: `k` is out of range.
        """
        if not 1 <= k <= self.settings.max_k:
            raise RequestError(
                400, f"`k` must be in [1, {self.settings.max_k}]; got {k}."
            )
        return k

    def items(self, ids: np.ndarray, scores: np.ndarray) -> list[dict[str, Any]]:
        """Returns a list of items for JSON, without blanks."""
        names = [item.decode(errors="replace") for item in ids if item]
        return [
            {"item_id": item, "title": self.titles.get(item), "score": score}
            for item, score in zip(names, scores.tolist(), strict=False)
        ]
