"""What is noted of a version when it is pushed, as a JSON document."""

import json
import math
from collections.abc import Collection, Iterable
from typing import Any

import pydantic

from ncf_model import features
from ncf_model.documents import Document, Figures

_JSON: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(Any)


class VersionRecord(Document):
    """Where a version of the serving folder comes from, and what it consists of.

    A version that was put there by hand has no record until a run finds it in service;
    the record without a digest stands for that.

    Attributes:
        digest: of the model, as `folders.digest` returns it; "" if there is no record.
        files: path -> bytes of the files of the model.
        number: the number of the version.
        pushed_at: when the version was pushed, UTC, ISO 8601.
        pipeline: the name of the pipeline that pushed.
        run: the run that pushed.
        model_id: of the model's artifact, a number in ML Metadata, a name on clusters.
        model_uri: the folder of the model's artifact; "" if the artifact is not known
            any more, null if the version was not made from one.
        blessing_uri: the folder of the blessing's artifact, as `model_uri`.
        blessing: the custom properties of the blessing; null without a blessing.
        dataset: the name of the data that the model was trained on.
        metrics: the metrics of the model when it was evaluated.
        registered_model: the address of the version in Kubeflow's Model Registry.
        vertex_model: the name of the version in Vertex AI's Model Registry.
        restores: the version that a rollback made the newest again under this number.
        takes_back: digests of the models that this rollback took from service.
        rolled_back_by: who rolled back.
        rollback_reason: why.
        by_hand: whether the version was put there by hand, and found by a run.
    """

    digest: str = ""
    files: dict[str, int] = {}
    number: int | None = None
    pushed_at: str = ""
    pipeline: str | None = None
    run: str | None = None
    model_id: int | str | None = None
    model_uri: str | None = None
    blessing_uri: str | None = None
    blessing: dict[str, int | float | str] | None = None
    dataset: str = ""
    metrics: Figures = {}
    registered_model: str | None = None
    vertex_model: str | None = None
    restores: int | None = None
    takes_back: list[str] = []
    rolled_back_by: str = ""
    rollback_reason: str = ""
    by_hand: bool = False

    # Values of a wrong type in the file, by field; `to_file` writes them unchanged.
    _odd: dict[str, Any] = pydantic.PrivateAttr(default_factory=dict)

    @classmethod
    def from_file(cls, content: bytes) -> "VersionRecord":
        """Returns the record in a file; raises ValueError if there is no JSON object.

        Other programs may write such files, too. A value of a wrong type is left out;
        all other values count.
        """
        given = _JSON.validate_json(content)
        if not isinstance(given, dict):
            raise ValueError("A record must be a JSON object.")
        values, odd = given, set()
        # First single entries are left out, such as one metric; if that does not help,
        # whole fields.
        for depth in (2, 1):
            places = {place[:depth] for place in _of_other_types(values)}
            values = _without(values, places)
            odd |= {place[0] for place in places}
        record = cls.model_validate(values)
        record._odd = {name: value for name, value in given.items() if name in odd}
        return record

    @property
    def level(self) -> float | None:
        """Returns the level of the blessing; None if there is none."""
        try:
            level = float((self.blessing or {}).get("level", ""))
        except (OverflowError, ValueError):
            return None
        return level if math.isfinite(level) else None

    @property
    def level_is_assumed(self) -> bool:
        """Whether the level is that of a model put there by hand: not measured."""
        return bool((self.blessing or {}).get(features.ASSUMED_LEVEL_PROPERTY))

    @property
    def measured_level(self) -> float | None:
        """Returns the level if it was measured, else None."""
        return None if self.level_is_assumed else self.level

    def with_values(self, **values: Any) -> "VersionRecord":
        """Returns a record with other values; what is not named stays, known or not."""
        record = VersionRecord.model_validate(self._set() | values)
        record._odd = {k: value for k, value in self._odd.items() if k not in values}
        return record

    def to_file(self) -> bytes:
        """Returns the contents of the record's file: what is set, and nothing else."""
        said = self._set() | self._odd
        return (json.dumps(said, indent=1, sort_keys=True) + "\n").encode()

    def _set(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_unset=True)


def assumed_level(records: Iterable[VersionRecord]) -> float:
    """Returns the level with which a version counts that was put there by hand.

    The level is that of the best version, so that later models are compared with this
    version for as long as with the best one.
    """
    return max([0.0, *(r.level for r in records if r.level is not None)])


def _of_other_types(values: dict[str, Any]) -> list[tuple[int | str, ...]]:
    """Returns the places of values that do not have the type of their field."""
    try:
        VersionRecord.model_validate(values)
    except pydantic.ValidationError as error:
        return [detail["loc"] for detail in error.errors()]
    return []


def _without(
    document: dict[str, Any], places: Collection[tuple[int | str, ...]]
) -> dict[str, Any]:
    """Returns a document without some values, or items of its lists and objects."""
    kept: dict[str, Any] = {}
    for name, value in document.items():
        if (name,) in places:
            continue
        if isinstance(value, dict):
            value = {k: item for k, item in value.items() if (name, k) not in places}
        elif isinstance(value, list):
            value = [v for i, v in enumerate(value) if (name, i) not in places]
        kept[name] = value
    return kept
