"""Base of the typed JSON documents that a run leaves: history, evaluation, summary."""

import math
from typing import Annotated, Any

import pydantic


def _finite(value: Any) -> Any:
    """Returns None in place of NaN and infinities, which JSON does not have."""
    is_odd = isinstance(value, float) and not math.isfinite(value)
    return None if is_odd else value


# A measured value. None stands for "not a number".
Figure = Annotated[float | None, pydantic.BeforeValidator(_finite)]
Figures = dict[str, Figure]


class Document(pydantic.BaseModel):
    """A JSON document, or a part of one, with its fields declared once.

    A key that is not declared is kept as it is, so that a file of a newer release can
    be read and written again without loss.
    """

    model_config = pydantic.ConfigDict(
        extra="allow", frozen=True, populate_by_name=True, protected_namespaces=()
    )

    def to_json(self) -> str:
        """Returns the document as indented, strict JSON with a final newline."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"
