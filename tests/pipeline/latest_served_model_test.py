"""The model that a training begins with: served, and trained on other data."""

import types

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.types import standard_artifacts

from components.latest_blessed_model import strategy, warm_start
from ncf_model.serving.version_record import VersionRecord

NIGHTS = {1: 101, 2: 102}  # model -> the examples that it was trained on


class Store:
    """ML Metadata, in which execution n made model n of its examples."""

    def get_events_by_artifact_ids(self, ids):
        return [_event(model, model, "OUTPUT") for model in ids]

    def get_events_by_execution_ids(self, ids):
        return [_event(NIGHTS[made], made, "INPUT") for made in ids]


def _event(artifact, execution, kind):
    number = metadata_store_pb2.Event.Type.Value(kind)
    return types.SimpleNamespace(
        artifact_id=artifact, execution_id=execution, type=number
    )


def _artifact(kind, number):
    artifact = kind()
    artifact.id, artifact.uri = number, f"/root/{number}"
    return artifact


@pytest.mark.parametrize(
    ("examples", "served", "expected"),
    [
        (101, [], []),  # The first night.
        (101, [1], []),  # The first night again: 1 does not begin with itself.
        (102, [1], [1]),
        (102, [2, 1], [1]),  # The second night again: as before.
        (103, [2, 1], [2]),
        (103, [1], [1]),  # 2 was refused, or taken back.
        (103, [9, 1], [1]),  # 9 is a model of another store.
    ],
)
def test_latest_served_model(monkeypatch, examples, served, expected):
    monkeypatch.setattr(strategy, "can_be_loaded", lambda model: True)
    found = types.SimpleNamespace(
        versions=[
            types.SimpleNamespace(record=VersionRecord(model_uri=f"/root/{number}"))
            for number in served
        ]
    )
    monkeypatch.setattr(warm_start.versions, "look", lambda serving: found)
    resolved = warm_start.LatestServedModel("serving").resolve_artifacts(
        Store(),
        {
            "model": [_artifact(standard_artifacts.Model, n) for n in NIGHTS],
            "examples": [_artifact(standard_artifacts.Examples, examples)],
        },
    )
    assert [model.id for model in resolved["model"]] == expected
    assert [artifact.id for artifact in resolved["examples"]] == [examples]
