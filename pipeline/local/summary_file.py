"""Reads a run's `summary.json`, without importing what draws the page."""

import pathlib

from components.report.document import Summary

NAME = "summary.json"
REPORT_TYPE = "ncf.RunReport"  # The type of the artifact with the summary.


def read(folder: pathlib.Path) -> Summary:
    """Returns the summary in a report's folder.

    Raises:
        ValueError: there is no summary, or it is not one of this project.
    """
    file = folder / NAME
    if not file.exists():
        raise ValueError(f"There is no {file}, so no run has ended there.")
    return Summary.model_validate_json(file.read_text(encoding="utf-8"))
