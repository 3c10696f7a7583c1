"""Posting JSON to a webhook whose address is a secret; needs Python alone.

Whoever knows the path of a webhook's address can write there, so no message of this
module shows more of the address than the name of its host.
"""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

_TIMEOUT_S = 30


class WebhookError(Exception):
    """The webhook did not take the message; says why without the address."""


def check(url: str) -> None:
    """Raises ValueError, without showing `url`, unless `url` can be posted to."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("The webhook's address must begin with http:// or https://.")
    if " " in url or not url.isprintable():
        raise ValueError(
            "The webhook's address must hold no blank and no control character."
        )


def post(url: str, body: Mapping[str, Any]) -> str:
    """Posts `body` as JSON; returns the host and the status of its answer.

    Args:
        url: the address; white space around it, as secrets often have, is left out.
        body: what JSON can hold. Chat services show the value of `text`.

    Returns:
        Such as "chat.example: HTTP 200".

    Raises:
        WebhookError: the address cannot be one, nobody answers, or the answer is an
            error.
    """
    url = url.strip()
    try:
        check(url)
        request = urllib.request.Request(  # Only http and https: it was checked.
            url,
            json.dumps(body).encode(),
            {"content-type": "application/json; charset=UTF-8"},
        )
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            return f"{urllib.parse.urlsplit(url).hostname}: HTTP {answer.status}"
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        OSError,
        ValueError,
    ) as error:
        reason = str(error).replace(url, "URL").rstrip(".")
        raise WebhookError(reason) from None
