"""Interactions from BigQuery: the result of a query, exported to Parquet in a bucket.

The files are then read as any others, so types, bad rows and grouping by user are those
of InteractionsExampleGen.
"""

import os

from absl import logging

PREFIX = "bigquery:"
# Where a task of Vertex finds the project that it belongs to; the credentials there
# name one of Google's.
PROJECT_VARIABLE = "CLOUD_ML_PROJECT_ID"


def is_query(path: str) -> bool:
    """Returns whether a `data_path` is a query and not a path."""
    return path.startswith(PREFIX)


def statement(query: str, folder: str) -> str:
    """Returns the SQL that writes a query's result.

    Args:
        query: a SELECT with the columns user, item, perhaps rating, and timestamp.
        folder: gs://...; BigQuery numbers the files in it.

    Raises:
        ValueError: one of them is not of that kind.

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


def export(path: str, folder: str) -> str:
    """Runs the query of `path`; returns `folder`, where its result is.

    Raises:
        ValueError: it is no query, or BigQuery refuses it.
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
