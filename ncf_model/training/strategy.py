"""Chooses on which devices and machines training runs: a tf.distribute strategy."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ncf_model import config

_HOLDERS = ("chief", "master")


def make_strategy(settings: config.TrainConfig) -> tf.distribute.Strategy:
    """Returns the strategy that `settings` name.

    `one_device` takes the first GPU, or else the CPU. `mirrored` keeps a copy of the
    model on every GPU of this machine, or else on every logical CPU device, and splits
    each step's groups among them. `multi_worker_mirrored` does the same on all machines
    of TF_CONFIG. `parameter_server` keeps the model on TF_CONFIG's `ps` tasks; workers
    train it without waiting for each other. `tpu` takes the TPU that `train.tpu` names.
    `auto` takes the first of parameter_server, multi_worker_mirrored, tpu, mirrored and
    one_device that TF_CONFIG and the devices of this machine allow.

    Call this before TensorFlow has run anything, because several machines can only be
    joined then.

    Raises:
        ValueError: TF_CONFIG does not describe the cluster that the strategy needs, or
            there are fewer GPUs than asked for, or no such TPU.
    """
    auto = settings.strategy == "auto"
    return _STRATEGIES[_suited(settings) if auto else settings.strategy](settings)


def is_chief() -> bool:
    """Returns whether this process writes: it is the only one, or the chief."""
    cluster, kind, index = _cluster()
    if not cluster:
        return True
    if any(cluster.get(holder) for holder in _HOLDERS):
        return kind in _HOLDERS
    return kind == "worker" and index == 0


def serve_forever() -> None:
    """Serves as one of TF_CONFIG's `worker` or `ps` tasks for parameter_server.

    This never returns: the process ends when its pod does.
    """
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    tf.distribute.Server(
        resolver.cluster_spec(),
        job_name=resolver.task_type,
        task_index=resolver.task_id,
        protocol=resolver.rpc_layer or "grpc",
        start=True,
    ).join()


def is_server(settings: config.TrainConfig) -> bool:
    """Returns whether this process serves a training that another process leads."""
    _, kind, _ = _cluster()
    serves = settings.strategy in ("parameter_server", "auto") and _has_ps()
    return serves and kind in ("worker", "ps")


def per_replica(value: np.ndarray) -> tf.Variable:
    """Returns a variable that every replica holds a copy of; all copies stay equal.

    The variable belongs to the strategy in whose scope this is called.
    """
    return tf.Variable(
        value,
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Returns once all machines of a synchronous training have called this."""
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        strategy.run(_meet)


@tf.function(autograph=False)
def _meet() -> tf.Tensor:
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.ones([]))


def _suited(settings: config.TrainConfig) -> str:
    cluster, _, _ = _cluster()
    if _has_ps():
        return "parameter_server"
    if sum(len(cluster.get(kind, ())) for kind in ("worker", *_HOLDERS)) > 1:
        return "multi_worker_mirrored"
    if tf.config.list_physical_devices("TPU"):
        return "tpu"
    return "mirrored" if len(_gpus(settings)) > 1 else "one_device"


def _one_device(settings: config.TrainConfig) -> tf.distribute.Strategy:
    gpus = _gpus(settings)
    return tf.distribute.OneDeviceStrategy(gpus[0] if gpus else "/cpu:0")


def _mirrored(settings: config.TrainConfig) -> tf.distribute.Strategy:
    gpus = _gpus(settings)
    # TensorFlow's default between CPU devices are collectives, which fail when a second
    # model of other shapes is trained in the same process.
    operations = None if gpus else tf.distribute.ReductionToOneDevice()
    devices = gpus or [d.name for d in tf.config.list_logical_devices("CPU")]
    return tf.distribute.MirroredStrategy(devices, operations)


def _multi_worker_mirrored(settings: config.TrainConfig) -> tf.distribute.Strategy:
    cluster, _, _ = _cluster()
    if not cluster:
        raise ValueError(
            "`train.strategy: multi_worker_mirrored` needs TF_CONFIG to name the "
            "workers and this process' place among them; it is not set. Kubeflow's "
            "training operator and Vertex AI set it; on one machine use `mirrored`."
        )
    _check_gpus(settings, len(tf.config.list_physical_devices("GPU")))
    return tf.distribute.MultiWorkerMirroredStrategy()


def _parameter_server(settings: config.TrainConfig) -> tf.distribute.Strategy:
    del settings  # The workers choose their devices themselves.
    cluster, kind, _ = _cluster()
    if not (_has_ps() and cluster.get("worker") and kind in _HOLDERS):
        raise ValueError(
            "`train.strategy: parameter_server` needs a TF_CONFIG with one `chief`, "
            "and `worker` and `ps` tasks; got "
            f"{ {name: len(tasks) for name, tasks in cluster.items()} } and this "
            f"process as {kind!r}."
        )
    return tf.distribute.ParameterServerStrategy(
        tf.distribute.cluster_resolver.TFConfigClusterResolver()
    )


def _tpu(settings: config.TrainConfig) -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=settings.tpu)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        said = (str(error).strip() or repr(error)).splitlines()[0]  # Then pages follow.
        raise ValueError(
            f"`train.strategy: tpu` needs the TPU `train.tpu: {settings.tpu}`, which "
            f"does not answer: {said[:200]}. On a TPU's own machine it is `local`, and "
            "TensorFlow must be its TPU build (`tensorflow-tpu`)."
        ) from error
    return tf.distribute.TPUStrategy(resolver)


def _gpus(settings: config.TrainConfig) -> list[str]:
    """Returns the names of the GPUs to use."""
    gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
    _check_gpus(settings, len(gpus))
    return gpus[: settings.num_gpus]


def _check_gpus(settings: config.TrainConfig, found: int) -> None:
    if settings.num_gpus and settings.num_gpus > found:
        raise ValueError(
            f"`train.num_gpus` asks for {settings.num_gpus}, but TensorFlow sees "
            f"{found} here. Is its GPU build installed (`tensorflow[and-cuda]`), and "
            "the driver? Without GPUs leave `train.num_gpus` out."
        )


def _has_ps() -> bool:
    return bool(_cluster()[0].get("ps"))


def _cluster() -> tuple[dict[str, Any], str, int]:
    """Returns the cluster of TF_CONFIG, {} without one, and this process' task."""
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return {}, "", 0
    found = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    try:
        if not text.startswith("{"):  # The resolver takes a list for no cluster.
            raise ValueError(f"it is {text[:80]!r}")
        cluster = found.cluster_spec().as_dict()
        return cluster, found.task_type or "", found.task_id or 0
    except (ValueError, TypeError) as error:
        raise ValueError(f"TF_CONFIG is not a cluster in JSON: {error}.") from None


_STRATEGIES: dict[str, Callable[[config.TrainConfig], tf.distribute.Strategy]] = {
    "one_device": _one_device,
    "mirrored": _mirrored,
    "multi_worker_mirrored": _multi_worker_mirrored,
    "parameter_server": _parameter_server,
    "tpu": _tpu,
}
