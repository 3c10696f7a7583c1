"""Imports Vertex AI's client, and checks regions and networks."""

import difflib
import re
import warnings
from typing import Any

_NETWORK = re.compile(r"projects/\d+/global/networks/[a-z]([-a-z0-9]*[a-z0-9])?")


def import_client() -> Any:
    """Returns `google.cloud.aiplatform`, imported without its warnings of versions.

    The import takes seconds, so it is done only when the client is needed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from google.cloud import aiplatform
    return aiplatform


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
