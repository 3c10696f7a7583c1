"""Exports the result of a BigQuery query to Parquet files in a bucket.

InteractionsExampleGen then reads these files like any others, with the same rules for
types, bad rows and grouping by user.
"""

import datetime
import os
from typing import Literal

from absl import logging

PREFIX = "bigquery:"
# The variable with the project of a task of Vertex; the credentials of such a task name
# a project of Google's.
PROJECT_VARIABLE = "CLOUD_ML_PROJECT_ID"
_MARKS = ("@span_begin_timestamp", "@span_end_timestamp", "@span_yyyymmdd_utc")
_EPOCH = datetime.date(1970, 1, 1)
_DAY = 86_400


def is_query(path: str) -> bool:
    """Returns whether a `data_path` is a query and not a path."""
    return path.startswith(PREFIX)


def statement(query: str, folder: str) -> str:
    """Returns the SQL that writes a query's result.

    Args:
        query: a SELECT with the columns user, item, perhaps rating, and timestamp.
        folder: gs://...; BigQuery numbers the files in it.

    Raises:
        ValueError: `query` is no SELECT, or `folder` is not gs://...

    Example:
        >>> print(statement("SELECT user, item, timestamp FROM d.t;", "gs://b/f"))
        EXPORT DATA OPTIONS (uri='gs://b/f/*.parquet', format='PARQUET', overwrite=true)
        AS SELECT user, item, timestamp FROM d.t
    """
    query = query.strip().rstrip(";")
    if not query.lower().startswith(("select", "with")):
        raise ValueError(
            "After `bigquery:` must come a SELECT with the columns user, item, perhaps "
            f"rating, and timestamp; got {query!r}."
        )
    if not folder.startswith("gs://"):
        raise ValueError(f"BigQuery exports to gs:// alone; got {folder!r}.")
    return (
        f"EXPORT DATA OPTIONS (uri='{folder}/*.parquet', format='PARQUET', "
        f"overwrite=true)\nAS {query}"
    )


def in_window(
    path: str,
    *,
    last: int | Literal["all"],
    newest: int | None = None,
    today: datetime.date | None = None,
) -> str:
    """Returns a query with the days that a run reads filled in.

    The marks are those of TFX: `@span_begin_timestamp` and `@span_end_timestamp`,
    seconds since 1970 (the window ends before the latter), and `@span_yyyymmdd_utc`,
    the newest day.

    Args:
        path: a `data_path` that is a query; without marks it is returned unchanged.
        last: how many days, or `all`.
        newest: the last of these days, in days since 1970; None is yesterday in UTC.
        today: the date of today; None asks the clock.

    Raises:
        ValueError: `newest` is given, but the query has no marks.

    Example:
        >>> query = "bigquery:SELECT u FROM t WHERE @span_begin_timestamp <= s"
        >>> in_window(query, last=2, newest=19753)
        'bigquery:SELECT u FROM t WHERE 1706572800 <= s'
    """
    if not any(mark in path for mark in _MARKS):
        if newest is not None:
            raise ValueError(
                f"`span` is {newest}, so the query must say where days go: "
                f"{', '.join(_MARKS)}; got {path!r}."
            )
        return path
    now = today or datetime.datetime.now(datetime.timezone.utc).date()
    day = newest if newest is not None else (now - _EPOCH).days - 1
    first = 0 if last == "all" else day - last + 1
    date = _EPOCH + datetime.timedelta(day)
    values = (str(first * _DAY), str((day + 1) * _DAY), f"'{date:%Y%m%d}'")
    for mark, value in zip(_MARKS, values, strict=True):
        path = path.replace(mark, value)
    return path


def export(path: str, folder: str) -> str:
    """Runs the query of `path`; returns `folder`, which then has the result.

    Raises:
        ValueError: the text is no query, or BigQuery refuses it.
    """
    sql = statement(path.removeprefix(PREFIX), folder)
    from google.api_core import exceptions
    from google.cloud import bigquery

    client = bigquery.Client(project=os.environ.get(PROJECT_VARIABLE))
    try:
        client.query(sql).result()
    except exceptions.GoogleAPICallError as error:
        raise ValueError(
            f"BigQuery refuses the query of `data_path`: {error.message} The tasks' "
            "account needs roles/bigquery.jobUser, roles/bigquery.dataViewer on the "
            "data and roles/storage.objectUser on the bucket."
        ) from None
    logging.info("The query's result is in %s.", folder)
    return folder
