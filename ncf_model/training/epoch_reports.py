"""Tells of a training: observers during an epoch, log and TensorBoard after it."""

import numbers
import os
import time
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from absl import logging

from ncf_model.training import progress

_SECONDS_BETWEEN_EVENTS = 0.2


class EpochReports:
    """What both kinds of training tell while they run.

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

    def epoch(self, phase: progress.Phase, record: Mapping[str, Any]) -> None:
        """Writes the figures of an epoch that has ended.

        Args:
            phase: of the training.
            record: `epoch`, the number; all other numbers in it are figures.
        """
        values = {
            name: float(value)
            for name, value in record.items()
            if name != "epoch" and isinstance(value, numbers.Real)
        }
        logging.info(
            "%s epoch %d: %s",
            phase,
            record["epoch"],
            ", ".join(f"{name} {value:.4g}" for name, value in values.items()),
        )
        if phase not in self._writers:
            folder = os.path.join(self._log_dir, phase)
            self._writers[phase] = tf.summary.create_file_writer(folder)
        with self._writers[phase].as_default(step=record["epoch"]):
            for name, value in values.items():
                tf.summary.scalar(name, value)
