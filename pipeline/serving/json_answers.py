"""Writes answers as JSON."""

import json
from typing import Any

from starlette.responses import Response


def json_response(content: Any, status: int = 200) -> Response:
    """Returns `content` as JSON.

    As in TensorFlow Serving, an infinity in the answer of `evaluate` is `-Infinity`.
    JSON has no infinities, but libraries for TensorFlow Serving read this.
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate cannot be encoded.
    body = text.encode(errors="replace")
    return Response(body, status_code=status, media_type="application/json")
