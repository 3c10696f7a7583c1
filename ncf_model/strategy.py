"""Where training runs: a tf.distribute strategy by name."""

from collections.abc import Callable

import tensorflow as tf


def _one_device() -> tf.distribute.Strategy:
    gpus = tf.config.list_logical_devices("GPU")
    return tf.distribute.OneDeviceStrategy(gpus[0].name if gpus else "/cpu:0")


def _mirrored() -> tf.distribute.Strategy:
    gpus = tf.config.list_logical_devices("GPU")
    # Between CPU devices TensorFlow would use collectives, which fail when a second
    # model of other shapes is trained in the same process.
    operations = None if gpus else tf.distribute.ReductionToOneDevice()
    devices = gpus or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([d.name for d in devices], operations)


_STRATEGIES: dict[str, Callable[[], tf.distribute.Strategy]] = {
    "one_device": _one_device,
    "mirrored": _mirrored,
}


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns the strategy of that name.

    Args:
        name: `one_device` takes the first GPU, or else the CPU; `mirrored` keeps a copy
            of the model on every GPU of this machine, or else on every logical CPU
            device, and splits each step's groups among them.

    Raises:
        ValueError: there is no such strategy.
    """
    if name not in _STRATEGIES:
        raise ValueError(
            f"`strategy` must be one of {sorted(_STRATEGIES)}; got {name!r}."
        )
    return _STRATEGIES[name]()
