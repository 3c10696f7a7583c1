"""Credentials of Google Cloud, and its errors in words."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


def find_credentials() -> Any:
    """Returns this machine's application default credentials.

    Raises:
        ValueError: this machine has no credentials.
    """
    import google.auth
    import google.auth.exceptions

    try:
        with quiet():
            found, _ = google.auth.default(scopes=SCOPES)
    except google.auth.exceptions.DefaultCredentialsError as error:
        raise ValueError(
            "There are no Google credentials here. Log in: gcloud auth "
            "application-default login; or name a key file in "
            f"GOOGLE_APPLICATION_CREDENTIALS. ({_first_line(error)})"
        ) from None
    return found


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turns errors of Google's clients into a ValueError that says what to do."""
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
    """Hides the log of Google's client, with its tracebacks of failed tries."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else "?"
