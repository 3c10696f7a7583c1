"""Decides whether a blessing allows a model to be pushed; free of TFX."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

BLESSED_FILE, NOT_BLESSED_FILE = "BLESSED", "NOT_BLESSED"
REASONS = "not_blessed_because"
DIGEST = "model_digest"


class Model(NamedTuple):
    """The model to be pushed: id and URI of its artifact, digest of its files."""

    id: int
    uri: str
    digest: str = ""


def refusal(model: Model, properties: Mapping[str, Any], files: Collection[str]) -> str:
    """Returns why the model may not be pushed; "" if it may be.

    Args:
        model: the model to be pushed.
        properties: custom properties of the ModelBlessing.
        files: names of the files in the folder of the ModelBlessing.

    Raises:
        ValueError: files and properties of the blessing do not agree, the blessing is
            of another model, or the model's files are not those that were evaluated. As
            it is not known then whether the model was blessed, the run stops.

    Example:
        >>> refusal(Model(3, "m"), {"blessed": 0}, ["NOT_BLESSED"])
        'The Evaluator did not bless it.'
    """
    says = properties.get("blessed")
    markers = {BLESSED_FILE, NOT_BLESSED_FILE} & set(files)
    if says == 0 and BLESSED_FILE not in markers:
        return str(properties.get(REASONS) or "The Evaluator did not bless it.")
    if says != 1 or markers != {BLESSED_FILE}:
        raise ValueError(
            "The blessing must say in its file and in its property whether "
            f"{model.uri} is blessed; it has the files {sorted(files)} and "
            f"blessed={says}. Nothing is pushed. Run the same command again."
        )
    uri, number = properties.get("current_model"), properties.get("current_model_id")
    other_id = isinstance(number, int) and model.id and number != model.id
    if other_id or not uri or not _same_place(str(uri), model.uri):
        raise ValueError(
            f"The blessing must be of the model to be pushed, {model.uri} "
            f"({model.id}); it is of {uri} ({number}). Nothing is pushed."
        )
    evaluated = properties.get(DIGEST)  # A blessing of an earlier release has none.
    if evaluated and model.digest and evaluated != model.digest:
        raise ValueError(
            f"The files of {model.uri} must be those that were evaluated; they have "
            "been changed since. Nothing is pushed. Remove that folder and run the "
            "same command again: it is made anew."
        )
    return ""


def _same_place(noted: str, uri: str) -> bool:
    """Returns whether both are the same folder; Kubeflow copies s3://b/m to /s3/b/m."""
    noted, uri = noted.rstrip("/"), uri.rstrip("/")
    return noted == uri or uri.endswith("/" + noted.replace("://", "/"))
