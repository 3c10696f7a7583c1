"""Answers as JSON."""

import json
from typing import Any

from starlette.responses import Response


def json_response(content: Any, status: int = 200) -> Response:
    """Returns `content` as JSON.

    As in TensorFlow Serving, an infinity of `evaluate` is written `-Infinity`, which
    Python and JavaScript libraries for it read, though JSON itself does not have it.
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate cannot be sent.
    body = text.encode(errors="replace")
    return Response(body, status_code=status, media_type="application/json")
