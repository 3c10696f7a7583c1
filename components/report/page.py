"""The result of a run as one self-contained HTML page."""

from collections.abc import Mapping
from typing import Any

import jinja2

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("components.report", "."),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(summary: Mapping[str, Any], history: Mapping[str, Any]) -> str:
    """Returns the page; it loads nothing from elsewhere.

    Args:
        summary: of `components.report.summary.summarise`.
        history: the trainer's `history.json`.
    """
    template = _ENVIRONMENT.get_template("page.html.j2")
    return template.render(summary=summary, history=history)
