"""Reads a run's `summary.json`, without what it takes to draw its page."""

import pathlib

from components.report.document import Summary

NAME = "summary.json"
REPORT_TYPE = "ncf.RunReport"  # of the artifact that holds it


def read(folder: pathlib.Path) -> Summary:
    """Returns the summary in a report's folder.

    Raises:
        ValueError: there is none, or it is none of this project's.
    """
    file = folder / NAME
    if not file.exists():
        raise ValueError(f"There is no {file}, so no run has ended there.")
    return Summary.model_validate_json(file.read_text(encoding="utf-8"))
