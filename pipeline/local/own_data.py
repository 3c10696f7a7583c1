"""Finds the settings by which a person's own data can be read."""

import pathlib
from typing import Any

from components.interactions_example_gen import faults
from pipeline import inputs
from pipeline.config import PipelineConfig
from pipeline.data import catalogue

_TRIES = 4  # For a decimal comma, a date format, a time column, and bad rows.


def settle(
    settings: PipelineConfig, data_dir: pathlib.Path | None
) -> tuple[PipelineConfig, catalogue.Dataset, inputs.Understood]:
    """Returns settings that read the data, the data, and how they are understood.

    A setting is changed where only one value reads the data: the date format of all
    rows, numbers that are dates (20091214, or a spreadsheet's days), the only column
    that looks like a time. Rows that still cannot be read are left out.

    Raises:
        ValueError: several values would read the data, or none.
    """
    for _ in range(_TRIES):
        better = _better(settings, data_dir)
        if better is None:
            break
        settings = better
    return settings, *_read(settings, data_dir)


def _read(
    settings: PipelineConfig, data_dir: pathlib.Path | None
) -> tuple[catalogue.Dataset, inputs.Understood]:
    found = inputs.find_data(settings, data_dir)
    return found, inputs.understand(settings, found, at_most=float("inf"))


def _better(
    settings: PipelineConfig, data_dir: pathlib.Path | None
) -> PipelineConfig | None:
    """Returns settings that read the data better; None if there are none."""
    try:
        _, seen = _read(settings, data_dir)
    except faults.SettingError as error:
        return _changed(settings, **error.suggests) if error.suggests else None
    except ValueError:
        skips = settings.data.bad_rows == "skip"
        return None if skips else _changed(settings, bad_rows="skip")
    auto = settings.data.timestamp_format == "auto"
    if auto and (form := seen.overview.time_format) is not None:
        return _changed(settings, timestamp_format=form)
    if len(times := seen.overview.time_columns) != 1:
        return None
    columns = settings.data.columns.model_copy(update={"timestamp": times[0]})
    return _changed(settings, columns=columns)


def _changed(settings: PipelineConfig, **fields: Any) -> PipelineConfig:
    data = settings.data.model_copy(update=fields)
    return settings.model_copy(update={"data": data})
