"""Starts ExportCheck's process while Trainer writes the model that it will load.

The process needs two seconds to import TensorFlow, and Trainer writes on one core.
"""

import contextlib
from collections.abc import Iterator

from components.export_check import check
from ncf_model import progress


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
