"""Which fields are searched, and how a trial's values become a configuration.

A value has the form that it has in the configuration. A value that is neither a number
nor true or false, such as a list of widths, is JSON text in the search.
"""

import copy
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pydantic

from ncf_model.config import ModelConfig, SamplingConfig, TrainConfig
from ncf_model.tuning.config import Range, TuneConfig

Values = Range | tuple[Any, ...]
Space = Mapping[str, Values]

_HISTORY: Space = {
    "model.history.factors": (32, 64, 128, 256),
    "model.history.learning_rate": Range(min=1e-3, max=2e-2, log=True),
    "model.history.l2": Range(min=1e-6, max=1e-2, log=True),
    "model.history.dropout": Range(min=0.0, max=0.8),
    "model.history.users_per_batch": (32, 64, 128, 256),
    "train.epochs": (8, 15, 25, 40),
}
_PAIRS: Space = {
    "model.mf_dim": (8, 16, 32, 64),
    "model.layers": ((32, 16, 8), (64, 32, 16, 8), (128, 64, 32, 16), (256, 128, 64)),
    "model.mf_regularization": (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2),
    "model.mlp_regularization": (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2),
    "model.dropout": (0.0, 0.1, 0.2, 0.4),
    "train.learning_rate": Range(min=5e-4, max=2e-2, log=True),
    "train.batch_size": (512, 1024, 2048, 4096),
    "train.epochs": (8, 15, 25),
    "sampling.num_negatives": (2, 4, 8),
}
# Fields that change what trials are evaluated on, or where and how fast they run.
_FIXED = {
    "train.refit",
    "train.hit_rate_target",
    "train.strategy",
    "train.num_gpus",
    "train.tpu",
    "train.mlperf_log",
    "train.jit_compile",
    "train.warm_start",
    "train.warm_epochs",
    "train.warm_rate",
    "train.cold_beside",
    "sampling.mode",
    "sampling.eval_negatives",
    "sampling.eval_with_replacement",
    "sampling.split",
    "sampling.split_time",
}
_KINDS = (int, float, str, list, tuple, type(None))
# Fields that NegativeSampling has used already if it writes the rows.
_WRITTEN = ("sampling.", "train.epochs", "train.pretrain_epochs")
_SECTIONS = {"model": ModelConfig, "train": TrainConfig, "sampling": SamplingConfig}


def of(tune: TuneConfig, model: ModelConfig, sampling: SamplingConfig) -> Space:
    """Returns the fields to search.

    Raises:
        ValueError: a field cannot be searched.
    """
    written = _WRITTEN if sampling.mode == "materialised" else ()
    if not isinstance(tune.space, str):
        for name in tune.space:
            _check_name(name, written)
        return tune.space
    space = _PAIRS if model.history is None else _HISTORY
    return {
        name: values
        for name, values in space.items()
        if not (written and name.startswith(written))
    }


def _check_name(name: str, written: tuple[str, ...]) -> None:
    if name.split(".")[0] not in _SECTIONS or name in _FIXED:
        raise ValueError(
            "`space` must name fields of `model`, `train` or `sampling` that change "
            f"what is learned; got {name!r}."
        )
    if written and name.startswith(written):
        raise ValueError(
            f"`{name}` cannot be searched: with `sampling.mode: materialised` the rows "
            "are written before the search. Set `sampling.mode: streaming`."
        )


def check(space: Space, custom: Mapping[str, Any]) -> None:
    """Raises ValueError if the space has an impossible value.

    Args:
        space: the result of `of`.
        custom: `model`, `train` and `sampling` as dictionaries.
    """
    for name, values in space.items():
        if not isinstance(get(custom, name), _KINDS):
            raise ValueError(f"`space` names {name!r}, which is no single field.")
        bounds = (values.min, values.max) if isinstance(values, Range) else values
        for value in bounds:
            _check_value(custom, name, value)


def _check_value(custom: Mapping[str, Any], name: str, value: Any) -> None:
    try:
        settings(apply(custom, {name: _held([value])[0]}))
    except pydantic.ValidationError as error:
        raise ValueError(
            f"`space` has an impossible value of `{name}`, {value!r}: "
            f"{error.errors()[0]['msg']}."
        ) from None


def get(custom: Mapping[str, Any], name: str) -> Any:
    """Returns the field `name`, such as `train.epochs`.

    Raises:
        ValueError: there is no such field.
    """
    value: Any = custom
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise ValueError(
                f"`space` must name fields of this configuration; {name!r} is none."
            )
        value = value[part]
    return value


def apply(custom: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy of `custom` with the values of a trial.

    Args:
        custom: nested dictionaries.
        values: by dotted name, in the form that the search has.

    Example:
        >>> apply({"train": {"epochs": 15}, "seed": 1}, {"train.epochs": 8})
        {'train': {'epochs': 8}, 'seed': 1}
        >>> apply({"model": {"layers": [8, 4]}}, {"model.layers": "[16, 8]"})
        {'model': {'layers': [16, 8]}}
    """
    result: dict[str, Any] = copy.deepcopy(dict(custom))
    for name, value in values.items():
        before = get(result, name)
        *parents, leaf = name.split(".")
        section = result
        for parent in parents:
            section = section[parent]
        value = plain(value)
        # A single number serves a field of several: one penalty for all layers.
        several = isinstance(before, list | tuple) and not isinstance(value, list)
        section[leaf] = [value] if several else value
    return result


def plain(value: Any) -> Any:
    """Returns a value of the search in the form that the configuration has.

    Example:
        >>> plain(0.5), plain("[8, 4]")
        (0.5, [8, 4])
    """
    return json.loads(value) if isinstance(value, str) else value


def settings(
    custom: Mapping[str, Any],
) -> tuple[ModelConfig, TrainConfig, SamplingConfig]:
    """Returns the typed configuration.

    Raises:
        ValueError: the values do not go together.
    """
    return (
        ModelConfig(**custom["model"]),
        TrainConfig(**custom["train"]),
        SamplingConfig(**custom["sampling"]),
    )


class SearchedField(NamedTuple):
    """A field to search, in the form that the search has.

    Attributes:
        values: the values to choose from, all of one type, or a range.
        own: the configuration's own value, which is one of `values`.
    """

    values: Values
    own: Any


def start(space: Space, custom: Mapping[str, Any]) -> dict[str, SearchedField]:
    """Returns the fields to search, with the configuration's own values among them.

    Args:
        space: the result of `of`.
        custom: the configuration, without any `auto`.

    Raises:
        ValueError: a value of the configuration is outside its range.
    """
    found = {}
    for name, values in space.items():
        own = _single(get(custom, name))
        if isinstance(values, Range):
            found[name] = SearchedField(_widened(name, values, own), own)
        else:
            choices = _with(values, own)
            found[name] = SearchedField(
                _held(choices), _held(choices)[choices.index(own)]
            )
    return found


def _single(value: Any) -> Any:
    """Returns the value; of a list with one value, that value."""
    if isinstance(value, list | tuple):
        return value[0] if len(value) == 1 else list(value)
    return value


def _with(values: tuple[Any, ...], own: Any) -> list[Any]:
    found = [list(v) if isinstance(v, tuple) else v for v in values]
    if own not in found:
        found.append(own)
        if all(_is_number(value) for value in found):
            found.sort()
    return found


def _widened(name: str, values: Range, own: Any) -> Range:
    fits = _is_number(own) and not (values.log and own <= 0)
    if not fits or (values.whole and not isinstance(own, int)):
        raise ValueError(
            f"The first trial is the configuration itself, so the range of `{name}` "
            f"must have a place for its value, {own!r}. Give a list of values, or set "
            f"`{name}`."
        )
    return Range(min=min(values.min, own), max=max(values.max, own), log=values.log)


def _held(values: Sequence[Any]) -> tuple[Any, ...]:
    """Returns values in the form that the search has: all of one type."""
    if all(isinstance(value, bool) for value in values):
        return tuple(values)
    if all(_is_number(value) for value in values):
        whole = all(isinstance(value, int) for value in values)
        return tuple(value if whole else float(value) for value in values)
    return tuple(json.dumps(value) for value in values)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )
