"""Writes the log lines of MLPerf Training, with MLPerf's own package."""

import logging
import os
import platform
import shutil
import tempfile
from typing import Any

import tensorflow as tf

from ncf_model import config

FILE = "mlperf.log"


class Log:
    """Writes the lines of one run; keys are those of `mlperf_logging.mllog.constants`.

    Without `train.mlperf_log` nothing is written.
    """

    def __init__(
        self,
        settings: config.TrainConfig,
        *,
        seed: int,
        train_samples: int,
        eval_samples: int,
    ) -> None:
        """Opens the log with the lines that a run must write before it starts.

        One of MLPerf's lines is not written, `cache_clear`: with it the submitter
        states that the machine's caches were emptied.

        Args:
            settings: of the training.
            seed: of every random number.
            train_samples: rows of an epoch, negatives included.
            eval_samples: validation lists.
        """
        self._path = ""
        if not settings.mlperf_log:
            return
        # Late: this imports pandas, and few trainings are for MLPerf.
        from mlperf_logging.mllog import constants, mllog

        self._constants = constants
        descriptor, self._path = tempfile.mkstemp()
        os.close(descriptor)
        logger = logging.Logger("mlperf", logging.INFO)
        logger.addHandler(logging.FileHandler(self._path))
        # The caller of `start`, `stop` or `event` is two frames up.
        self._logger = mllog.MLLogger(logger, default_stack_offset=3)
        self.event("SUBMISSION_BENCHMARK", "ncf")
        self.event("SUBMISSION_ORG", "none")
        self.event("SUBMISSION_DIVISION", "open")
        self.event("SUBMISSION_STATUS", "research")
        self.event("SUBMISSION_PLATFORM", f"{os.cpu_count()} x {platform.machine()}")
        self.event("SEED", seed)
        self.event("GLOBAL_BATCH_SIZE", settings.batch_size)
        self.event("OPT_NAME", "adam")
        self.event("OPT_BASE_LR", settings.learning_rate)
        self.event("OPT_ADAM_BETA_1", settings.beta1)
        self.event("OPT_ADAM_BETA_2", settings.beta2)
        self.event("OPT_ADAM_EPSILON", settings.epsilon)
        self.event("TRAIN_SAMPLES", train_samples)
        self.event("EVAL_SAMPLES", eval_samples)
        self.start("INIT")

    def start(self, interval: str, **metadata: Any) -> None:
        """Writes that an interval begins: INIT, RUN, EPOCH or EVAL."""
        self._write("start", f"{interval}_START", None, metadata)

    def stop(self, interval: str, **metadata: Any) -> None:
        """Writes that an interval ends."""
        self._write("end", f"{interval}_STOP", None, metadata)

    def event(self, key: str, value: Any, **metadata: Any) -> None:
        """Writes a value."""
        self._write("event", key, value, metadata)

    def copy_to(self, folder: str) -> None:
        """Copies the log into `folder`, which may be in an object store."""
        if self._path:
            with (
                open(self._path, "rb") as source,
                tf.io.gfile.GFile(os.path.join(folder, FILE), "wb") as target,
            ):
                shutil.copyfileobj(source, target)

    def _write(self, kind: str, key: str, value: Any, metadata: dict[str, Any]) -> None:
        if self._path:
            key = getattr(self._constants, key)
            getattr(self._logger, kind)(key=key, value=value, metadata=metadata)
