"""What is noted of a version when it is pushed, as a JSON document."""

import json
from typing import Any

from ncf_model.documents import Document, Figures


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

    @property
    def level(self) -> float | None:
        """Returns the level of the blessing; None if there is none."""
        text = (self.blessing or {}).get("level")
        return None if text in (None, "") else float(text)

    def with_values(self, **values: Any) -> "VersionRecord":
        """Returns a record with other values; what is not named stays, known or not."""
        return VersionRecord.model_validate(self._set() | values)

    def to_file(self) -> bytes:
        """Returns the contents of the record's file: what is set, and nothing else."""
        return (json.dumps(self._set(), indent=1, sort_keys=True) + "\n").encode()

    def _set(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_unset=True)
