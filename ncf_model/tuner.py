"""TFX Tuner's entry point: searches hyperparameters on the validation items."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
from absl import logging

from ncf_model import cores, trainer
from ncf_model.history import resolve
from ncf_model.training import checkpoint, data, validation
from ncf_model.tuning import config, oracle, search, space
from ncf_model.tuning.shared import Shared

TUNE, FOLDER = "tune", "tuning"
_MOST_PROCESSES = 8


class Tuning(NamedTuple):
    """What `tuner_fn` returns: TFX's Tuner calls `tuner.search(**fit_kwargs)`."""

    tuner: search.Tuner
    fit_kwargs: dict[str, Any]


def tuner_fn(fn_args: Any) -> Tuning:
    """Returns the search that TFX's Tuner runs.

    Args:
        fn_args: of TFX's Tuner. It has what `trainer.run_fn` reads. Its `custom_config`
            has two more keys: `tune` (the dict of `tuning.config.TuneConfig`), and
            `tuning`, a folder that outlives a killed search. The next search on the
            same data, by the same code and in the same space, continues there.

    Raises:
        ValueError: the configuration or the data cannot be searched on.
    """
    custom = dict(fn_args.custom_config)
    tune = config.TuneConfig(**custom[TUNE])
    model, train, sampling = space.settings(custom)
    shared = _shared(fn_args, materialised=sampling.mode == "materialised")
    if model.history:
        model = resolve.resolve(model, shared.interactions, num_items=shared.num_items)
        logging.info("Tuning starts from %s", model.history)
    base = {
        "model": model.model_dump(mode="json"),
        "train": train.model_dump(mode="json"),
        "sampling": sampling.model_dump(mode="json"),
        "seed": custom["seed"],
    }
    objective = tune.objective_of(model, sampling)
    fields = space.start(space.of(tune, model, sampling), base)

    def chooser() -> oracle.Oracle:
        return oracle.Oracle(
            objective,
            fields,
            trials=tune.trials,
            minutes=tune.minutes,
            stop_early=tune.stop_early,
            seed=custom["seed"],
        )

    decisive = {
        "base": base,
        "objective": objective,
        "fields": {name: [repr(f.values), f.own] for name, f in fields.items()},
        "stop_early": tune.stop_early,
        "code": checkpoint.code_digest(),
    }
    name = checkpoint.identity(decisive, list(shared.arrays().values()))
    processes = _processes(tune)
    return Tuning(
        _tuner(chooser, folder=custom[FOLDER], name=name),
        {
            "shared": shared,
            "custom": base,
            "objective": objective,
            "processes": processes,
            "threads": max(1, cores.usable() // processes),
        },
    )


def _tuner(
    chooser: Callable[[], oracle.Oracle], *, folder: str, name: str
) -> search.Tuner:
    """Returns a tuner that continues the search of that name, if there is one."""
    try:
        return search.Tuner(chooser(), folder=folder, name=name)
    except (ValueError, KeyError, RuntimeError) as error:
        # A kill may have cut off a file in the middle.
        logging.warning("The search in %s begins anew: %s", folder, error)
        return search.Tuner(chooser(), folder=folder, name=name, overwrite=True)


def _shared(fn_args: Any, *, materialised: bool) -> Shared:
    """Reads the data that all trials share."""
    vocabularies = trainer.vocabulary_files(fn_args.transform_graph_path)
    users, items = (trainer.index(vocabularies[name]) for name in trainer.VOCABULARIES)
    lists = data.load_lists(fn_args.eval_files)
    if not lists[0]:
        raise ValueError(
            "Tuning needs validation items: no user has three interactions or more. "
            "Set `tune` to null."
        )
    return Shared(
        data.load_interactions(fn_args.train_files, materialised=materialised),
        validation.by_index(*lists, users=users, items=items),
        len(users),
        len(items),
    )


def _processes(tune: config.TuneConfig) -> int:
    if not isinstance(tune.processes, str):
        return min(tune.processes, tune.trials)
    if tf.config.list_physical_devices("GPU"):
        return 1  # One core is not enough for two processes.
    return min(cores.usable(), _MOST_PROCESSES, tune.trials)
