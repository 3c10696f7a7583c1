"""Google Cloud as it is asked before anything is made: credentials, bucket, errors."""

import contextlib
import difflib
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_NETWORK = re.compile(r"projects/\d+/global/networks/[a-z]([-a-z0-9]*[a-z0-9])?")
_BUCKET = re.compile(r"gs://[a-z0-9][a-z0-9._-]+[a-z0-9](/.*)?")


def import_client() -> Any:
    """Returns `google.cloud.aiplatform`, imported without its notes on versions.

    Late: it takes seconds.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from google.cloud import aiplatform
    return aiplatform


def check_root(root: str) -> None:
    """Raises ValueError if `root` is not gs://bucket or a folder in it."""
    if not _BUCKET.fullmatch(root):
        raise ValueError(f"`--root` must be gs://bucket/folder; got {root!r}.")


def check_network(network: str | None) -> None:
    """Raises ValueError if `network` is not the full name of a VPC network."""
    if network is not None and not _NETWORK.fullmatch(network):
        raise ValueError(
            "`--network` must be projects/NUMBER/global/networks/NAME, with the "
            f"project's number and not its id; got {network!r}."
        )


def check_region(region: str) -> None:
    """Raises ValueError if Google's client knows no such region."""
    import_client()
    from google.cloud.aiplatform.constants import base

    known = sorted(base.SUPPORTED_REGIONS - {"global"})
    if region not in known:
        close = difflib.get_close_matches(region, known, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."
        raise ValueError(f"Vertex AI has no region {region!r}. {hint}")


def find_credentials() -> Any:
    """Returns this machine's application default credentials.

    Raises:
        ValueError: there are none.
    """
    import google.auth
    import google.auth.exceptions

    try:
        with quiet():
            found, _ = google.auth.default(scopes=_SCOPES)
    except google.auth.exceptions.DefaultCredentialsError as error:
        raise ValueError(
            "There are no Google credentials here. Log in: gcloud auth "
            "application-default login; or name a key file in "
            f"GOOGLE_APPLICATION_CREDENTIALS. ({_first_line(error)})"
        ) from None
    return found


def check_bucket(root: str, *, project: str, credentials: Any) -> None:
    """Raises ValueError if the bucket of `root` is not there or cannot be listed.

    Asked first because Google's client would make a missing bucket, with its defaults.
    """
    from google.api_core import exceptions
    from google.cloud import storage

    bucket, _, folder = root.removeprefix("gs://").partition("/")
    client = storage.Client(project=project, credentials=credentials)
    with explained():
        try:
            next(iter(client.list_blobs(bucket, prefix=folder, max_results=1)), None)
        except exceptions.NotFound:
            raise ValueError(
                f"There is no bucket gs://{bucket}. Make it: gcloud storage buckets "
                f"create gs://{bucket} --project {project} --location REGION "
                "--uniform-bucket-level-access"
            ) from None
        except exceptions.Forbidden as error:
            raise ValueError(
                f"You may not list gs://{bucket}: {error.message} Ask for the role "
                "roles/storage.objectUser on it, or check the bucket's name."
            ) from None


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turns what Google's clients raise into a ValueError that says what to do."""
    import google.auth.exceptions
    import requests
    from google.api_core import exceptions

    try:
        yield
    except (exceptions.Forbidden, exceptions.Unauthorized) as error:
        raise ValueError(
            f"Google refuses (HTTP {error.code}): {error.message} docs/vertex.md lists "
            "the APIs to enable and the roles to give."
        ) from None
    except exceptions.GoogleAPICallError as error:
        raise ValueError(
            f"Google refuses (HTTP {error.code}): {error.message}"
        ) from None
    except (
        google.auth.exceptions.TransportError,
        exceptions.RetryError,
        requests.exceptions.ConnectionError,
    ) as error:
        raise ValueError(
            f"Google Cloud does not answer ({_first_line(error)}). Check the network."
        ) from None
    except google.auth.exceptions.GoogleAuthError as error:
        raise ValueError(
            "Google does not take your credentials any more; log in anew: gcloud auth "
            f"application-default login. ({_first_line(error)})"
        ) from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps the client's own log from view, tracebacks of vain tries included."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else "?"
