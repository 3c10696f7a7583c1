"""Tells an observer which node is running, from within TFX's launcher.

TFX's runner on this machine has no hook for that. Whether a result came from the cache
is what ML Metadata says of the execution.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.portable import launcher


class Observer(Protocol):
    """Somebody who wants to know."""

    def started(self, node: str) -> None:
        """Learns the id of the node that starts."""

    def finished(self, *, cached: bool) -> None:
        """Learns that the node has ended well, and whether from the cache."""


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
