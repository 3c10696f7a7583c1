"""Pusher: into a folder of numbered versions, each whole, and only what is blessed."""

from tfx.components.pusher import component
from tfx.dsl.components.base import executor_spec

from components.pusher import driver, executor


class Pusher(component.Pusher):
    """TFX's Pusher with these promises.

    - Nothing is pushed unless the blessing, file and properties, is one of this model.
      No blessing at all is an error.
    - A version is whole from the moment it has its number, also for who polls.
    - The very model that is the newest version is not pushed again.
    - What it does depends on what is in the folder now, never on the cache alone.

    Arguments and outputs are those of `tfx.components.Pusher`. `custom_config` holds
    under `executor.CONFIG_KEY` the fields of `config.PushConfig`.

    Outputs:
        pushed_model: `PushedModel` with `pushed` (1 or 0), `pushed_destination`,
            `pushed_version`, `is_new` (0 if that version held the model before), or
            `not_pushed_because`.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver
