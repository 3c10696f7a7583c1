"""Reports a training: to observers during an epoch, to log and TensorBoard after."""

import os
import time

import tensorflow as tf
from absl import logging

from ncf_model.training import progress
from ncf_model.training.training_history import Epoch

_SECONDS_BETWEEN_EVENTS = 0.2


class EpochReports:
    """The reports that both kinds of training make while they run.

    Args:
        log_dir: where TensorBoard's files go, in a folder per phase.
    """

    def __init__(self, log_dir: str) -> None:
        self._log_dir = log_dir
        self._writers: dict[str, tf.summary.SummaryWriter] = {}
        self._told = float("-inf")

    def is_due(self, fraction: float) -> bool:
        """Returns whether to tell observers: now and then, and at an epoch's end.

        Args:
            fraction: how much of the epoch is done, in [0, 1].
        """
        now = time.monotonic()
        if fraction < 1.0 and now - self._told < _SECONDS_BETWEEN_EVENTS:
            return False
        self._told = now
        return True

    def epoch(self, phase: progress.Phase, epoch: Epoch) -> None:
        """Writes the figures of an epoch that has ended to the log and TensorBoard."""
        values = epoch.figures()
        logging.info(
            "%s epoch %d: %s",
            phase,
            epoch.epoch,
            ", ".join(f"{name} {value:.4g}" for name, value in values.items()),
        )
        if phase not in self._writers:
            folder = os.path.join(self._log_dir, phase)
            self._writers[phase] = tf.summary.create_file_writer(folder)
        with self._writers[phase].as_default(step=epoch.epoch):
            for name, value in values.items():
                tf.summary.scalar(name, value)
