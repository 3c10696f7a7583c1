"""Starts processes that import much while this process works on one core alone.

ExportCheck's process imports TensorFlow, two seconds, while Trainer writes the model.
The server of Beam's processes imports TFX, five seconds, while this process does.
"""

import contextlib
from collections.abc import Iterator

from components.export_check import check
from ncf_model import progress
from pipeline.local.beam import fork_server, workers


@contextlib.contextmanager
def of_beam(wanted: int | None, interactions: str) -> Iterator[None]:
    """Starts the server if the first node will use it; ends it after the block.

    Args:
        wanted: the number of Beam's processes, as for `workers.choose`.
        interactions: the file or folder that the first node reads.
    """
    if workers.choose(wanted, [], {"input_base": interactions}) > 1:
        # If it cannot start now, the first node will try again.
        with contextlib.suppress(OSError):
            fork_server.get_ready()
    try:
        yield
    finally:
        fork_server.forget()


@contextlib.contextmanager
def of_export_check() -> Iterator[None]:
    """Starts the process early in the block; ends it if the check never came."""

    def observe(event: progress.StepProgress) -> None:
        if event.doing == progress.WRITES_MODEL:
            # Too many processes, say: a trained model is not lost for that.
            with contextlib.suppress(OSError):
                check.get_ready()

    progress.observers.append(observe)
    try:
        yield
    finally:
        progress.observers.remove(observe)
        check.forget()
