"""Tells an observer which node is running, from within TFX's launcher.

TFX's local runner has no hook for that. ML Metadata says whether the result of an
execution came from the cache.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.portable import launcher


class Observer(Protocol):
    """An object that is told when nodes start and end."""

    def started(self, node: str) -> None:
        """Is called with the id of a node that starts."""

    def finished(self, *, cached: bool) -> None:
        """Is called when the node has succeeded; `cached` if it did not run."""


@contextlib.contextmanager
def told_to(observer: Observer) -> Iterator[None]:
    """Tells `observer` of each node that runs in this process, until the block ends."""
    launch = launcher.Launcher.launch

    def observed(self: launcher.Launcher) -> Any:
        observer.started(self._pipeline_node.node_info.id)
        info = launch(self)
        observer.finished(cached=_was_cached(self, info))
        return info

    launcher.Launcher.launch = observed
    try:
        yield
    finally:
        launcher.Launcher.launch = launch


def _was_cached(launched: Any, info: Any) -> bool:
    if info is None or info.execution_id is None:
        return False
    with launched._mlmd_connection as handle:
        found = handle.store.get_executions_by_id([info.execution_id])
    cached = metadata_store_pb2.Execution.CACHED
    return any(execution.last_known_state == cached for execution in found)
