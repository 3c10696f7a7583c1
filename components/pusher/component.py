"""Pusher: pushes blessed models, whole, into a folder of numbered versions."""

from tfx.components.pusher import component
from tfx.dsl.components.base import executor_spec

from components.pusher import driver, executor


class Pusher(component.Pusher):
    """TFX's Pusher with these promises.

    - A model is pushed only if the blessing, in its file and its properties, is one of
      this very model. A missing blessing is an error.
    - A version is whole from the moment it has its number, also for a server that
      polls the folder.
    - A model that is the newest version already is not pushed again.
    - The result depends on what is in the folder now, never on the cache alone.

    Arguments and outputs are those of `tfx.components.Pusher`. `custom_config` holds
    under `executor.CONFIG_KEY` the fields of `config.PushConfig`.

    Outputs:
        pushed_model: `PushedModel` with `pushed` (1 or 0), `pushed_destination`,
            `pushed_version` and `is_new` (0 if that version held the model before); or
            with `not_pushed_because`.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver
