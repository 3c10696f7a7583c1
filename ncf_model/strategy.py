"""Where training runs: a tf.distribute strategy by name."""

from collections.abc import Callable

import tensorflow as tf


def _one_device() -> tf.distribute.Strategy:
    gpus = tf.config.list_logical_devices("GPU")
    return tf.distribute.OneDeviceStrategy(gpus[0].name if gpus else "/cpu:0")


_STRATEGIES: dict[str, Callable[[], tf.distribute.Strategy]] = {
    "one_device": _one_device,
    "mirrored": tf.distribute.MirroredStrategy,
}


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns the strategy of that name.

    Args:
        name: `one_device` takes the first GPU, or else the CPU; `mirrored` keeps a copy
            of the model on every GPU of this machine, or else on the CPU.

    Raises:
        ValueError: there is no such strategy.
    """
    if name not in _STRATEGIES:
        raise ValueError(
            f"`strategy` must be one of {sorted(_STRATEGIES)}; got {name!r}."
        )
    return _STRATEGIES[name]()
