"""Finds the data that a configuration names, and reads the beginning of it."""

import dataclasses
import glob
import pathlib
from collections.abc import Mapping

from components.interactions_example_gen import overview, reading, spans
from pipeline import config as config_module
from pipeline.data import catalogue, titles

LOOKED_AT_BYTES = 1 << 26  # Of larger data only the beginning is read before a run.


def find_data(
    config: config_module.PipelineConfig, data_dir: pathlib.Path | None
) -> catalogue.Dataset:
    """Finds or fetches the data set and reads the beginning of it.

    Args:
        config: names the data set and says how it is read.
        data_dir: a folder of data sets, searched before anything is downloaded.

    Raises:
        ValueError: the data set cannot be found, fetched or read.
    """
    if config.data.source == "bigquery":
        raise ValueError(
            "`data.source: bigquery` is for Vertex AI (`ncf compile vertex`), because "
            "BigQuery writes to gs:// alone. Here, export the query's result to a file "
            "and name that in `data.dataset`."
        )
    dataset = catalogue.resolve(
        config.data.dataset, data_dir=data_dir, synthetic=config.data.synthetic
    )
    if glob.has_magic(str(dataset.path.parent)):
        raise ValueError(
            "The folder of the data must have none of `*?[` in its path, which TFX "
            f"takes for a pattern; got {dataset.path.parent}. Rename it, or move the "
            "file."
        )
    how = config.data.reading()
    if dataset.spans:
        base = str(dataset.path)
        window = spans.window(base, dataset.spans, config.data.spans, how)
        dataset = dataclasses.replace(dataset, pattern=window.pattern(base))
    reading.check_input(str(dataset.path), how, pattern=dataset.pattern)
    return dataset


@dataclasses.dataclass(frozen=True)
class Understood:
    """How the data are read, and the titles of the items."""

    overview: overview.Overview
    titles: Mapping[str, str]


def understand(
    config: config_module.PipelineConfig,
    dataset: catalogue.Dataset,
    *,
    at_most: float = LOOKED_AT_BYTES,
) -> Understood:
    """Reads the data as a run would, without running anything.

    Args:
        config: says how the data are read.
        dataset: the result of `find_data`.
        at_most: bytes; of larger data only the beginning is read.

    Raises:
        ValueError: the data, or titles that the configuration names, cannot be read.
    """
    return Understood(
        overview.survey(
            str(dataset.path), config.data, pattern=dataset.pattern, at_most=at_most
        ),
        titles.find(config.data.titles, config.data, dataset),
    )
