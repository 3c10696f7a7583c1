"""Which served models are entered into metadata that lacks them, and in what form."""

import itertools
import json
import pathlib
import shutil

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from ncf_model.serving import folders, versions
from ncf_model.serving.version_record import VersionRecord
from pipeline.local import adoption, trust


@pytest.fixture
def store():
    config = mlmd.ConnectionConfig()
    config.fake_database.SetInParent()
    return metadata_store.MetadataStore(config)


class Place:
    """A serving folder with versions whose records in ML Metadata are gone."""

    def __init__(self, folder):
        self.root, self.serving = folder / "root", folder / "serving"
        self._numbers = itertools.count(1)

    def push(self, level, *, blessed=1, **more):
        """Pushes a new model, whose blessing has the level `level`."""
        number = next(self._numbers)
        model = self.root / "gone" / str(number) / "saved_model.pb"
        model.parent.mkdir(parents=True)
        model.write_bytes(b"\x08" + bytes([number]))
        record = VersionRecord(
            model_uri=f"/old/Trainer/model/{number}",
            model_id=100 + number,
            blessing_uri=f"/old/Evaluator/blessing/{number}",
            blessing={
                "blessed": blessed,
                "level": level if isinstance(level, str) else repr(level),
                "current_model": f"/old/Trainer/model/{number}",
                "current_model_id": 100 + number,
                "baseline_model": "/old/Trainer/model/0",
                **more,
            },
        )
        return versions.push(
            self.serving, model.parent, record=record, number=number
        ).version

    def adopt(self, store, pipeline="p"):
        return list(
            adoption.adopt(
                store, pipeline=pipeline, root=str(self.root), serving=str(self.serving)
            )
        )

    def record(self, version):
        return versions.records(self.serving)[version.number]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def _models(store):
    """Returns the content of each model in the store, oldest artifact first."""
    return [
        pathlib.Path(artifact.uri, folders.SERVING_MODEL, "saved_model.pb").read_bytes()
        for artifact in sorted(store.get_artifacts_by_type("Model"), key=lambda a: a.id)
    ]


def _models_known(store):
    return {artifact.uri for artifact in store.get_artifacts_by_type("Model")}


def _content(version):
    return pathlib.Path(version.path, "saved_model.pb").read_bytes()


def test_what_a_model_is_entered_as(store, place):
    served = place.push(0.5, note="kept")
    # A file of an execution whose record is gone.
    left = place.root / "ServedModel" / "model" / "1" / "left"
    left.parent.mkdir(parents=True)
    left.touch()
    [line] = place.adopt(store)
    assert f"version {served.number}" in line
    [model] = store.get_artifacts_by_type("Model")
    [blessing] = store.get_artifacts_by_type("ModelBlessing")
    assert _models(store) == [_content(served)]
    assert not left.exists()
    assert pathlib.Path(blessing.uri, "BLESSED").exists()
    said = blessing.custom_properties
    assert said["blessed"].int_value == 1
    assert said["current_model"].string_value == model.uri
    assert said["current_model_id"].int_value == model.id
    assert said["level"].string_value == "0.5"
    assert said["note"].string_value == "kept"
    assert "baseline_model" not in said  # The records do not know that one.
    for artifact in (model, blessing):
        assert artifact.state == mlmd.Artifact.LIVE
        noted = artifact.custom_properties[trust.FILES_PROPERTY].string_value
        assert noted == trust.consists_of(artifact.uri)
    [execution] = store.get_executions()
    assert execution.last_known_state == mlmd.Execution.COMPLETE
    contexts = store.get_contexts_by_execution(execution.id)
    assert {context.name for context in contexts} == {"p", "p.ServedModel"}
    record = place.record(served)
    assert (record.model_uri, record.model_id) == (model.uri, model.id)
    assert record.blessing_uri == blessing.uri
    assert record.blessing["current_model"] == model.uri
    # The records know the version now.
    assert place.adopt(store) == []
    assert len(store.get_executions()) == 1


def test_the_one_in_service_and_the_eight_best_others(store, place):
    levels = [0.3, 0.9, 0.2, 0.8, 0.7, 0.6, 0.5, 0.55, 0.65, 0.1]
    pushed = [place.push(level) for level in levels]
    lines = place.adopt(store)
    # Level .2 is neither in service, as .1 is, nor among the eight best others.
    kept = [version for version in pushed if version.number != 3]
    assert _models(store) == [_content(version) for version in kept]
    assert len(lines) == 9
    left = place.record(pushed[2])
    # A new model may get the folder that the model of level .2 had.
    assert (left.model_uri, left.blessing_uri) == ("", "")


def test_what_was_not_blessed_is_taken_back_or_edited_is_none_to_beat(store, place):
    place.push(0.9, blessed=0)
    edited = place.push(0.8)
    good = place.push(0.5)
    place.push(0.7)
    back = versions.restore(place.serving, good.number).version
    pathlib.Path(edited.path, "saved_model.pb").write_bytes(b"\x08\x63")  # Same size.
    [line] = place.adopt(store)
    assert f"version {back.number}" in line
    assert _models(store) == [_content(good)]
    # Two versions have this model, and share one artifact.
    [model] = store.get_artifacts_by_type("Model")
    assert place.record(good).model_uri == model.uri
    assert place.record(back).model_uri == model.uri
    assert place.record(edited).model_uri == ""


def test_a_model_that_was_collected_stays_away_and_its_record_as_it_is(store, place):
    pushed = [place.push(level) for level in (0.4, 0.5)]
    place.adopt(store)
    noted = place.record(pushed[0])
    shutil.rmtree(noted.model_uri)  # As `ncf gc` does.
    assert place.adopt(store) == []
    assert place.record(pushed[0]) == noted
    assert len(_models_known(store)) == 2


def test_a_version_that_was_left_out_is_entered_once_it_is_served(store, place):
    levels = [0.1, *(0.2 + number / 100 for number in range(9))]
    pushed = [place.push(level) for level in levels]
    place.adopt(store)
    assert place.record(pushed[0]).model_uri == ""
    back = versions.restore(place.serving, pushed[0].number).version
    [line] = place.adopt(store)
    assert f"version {back.number}" in line
    assert place.record(back).model_uri in _models_known(store)
    assert place.adopt(store) == []


def test_the_records_of_another_pipeline_know_none_of_this_ones(store, place):
    served = place.push(0.5)
    place.adopt(store, pipeline="other")
    known = place.record(served).model_uri
    [line] = place.adopt(store)
    assert f"version {served.number}" in line
    assert place.record(served).model_uri != known


def test_a_killed_adoption_is_made_again(store, place, monkeypatch):
    served = place.push(0.5)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(adoption.trust, "copy_model", killed)
        with pytest.raises(KeyboardInterrupt):
            place.adopt(store)
    [dead] = trust.repair(
        store, outputs={}, root=str(place.root), serving=str(place.serving)
    )
    assert "had died" in dead
    [line] = place.adopt(store)
    assert f"version {served.number}" in line
    assert _models(store) == [_content(served)]


def _put_by_hand(place, number, content=b"\x08\x63"):
    (place.serving / str(number)).mkdir(parents=True)
    (place.serving / str(number) / "saved_model.pb").write_bytes(content)


def test_what_was_put_there_by_hand_is_entered_once_it_is_served(store, place):
    _put_by_hand(place, 0)  # Version 0 is not the newest.
    pushed = [place.push(level) for level in (0.4, 0.3)]
    place.adopt(store)
    assert _models(store) == [_content(version) for version in pushed]
    _put_by_hand(place, 9, b"\x08\x64")
    told, line = place.adopt(store)
    assert "Version 9" in told
    assert "version 9" in line
    assert _models(store)[2:] == [b"\x08\x64"]
    # It gets the best level, so that later models are compared with it.
    record = versions.records(place.serving)[9]
    assert record.level == 0.4
    assert record.model_uri in _models_known(store)
    assert place.adopt(store) == []
    # Other content in the version's folder is another model.
    (place.serving / "9" / "saved_model.pb").write_bytes(b"\x08\x65")
    assert len(place.adopt(store)) == 2
    assert _models(store)[3:] == [b"\x08\x65"]
    assert place.adopt(store) == []


def test_a_copy_of_a_version_put_there_by_hand_has_its_level(store, place):
    pushed = [place.push(level) for level in (0.2, 0.4)]
    place.adopt(store)
    _put_by_hand(place, 9, _content(pushed[0]))
    place.adopt(store)
    assert versions.records(place.serving)[9].level == 0.2
    # A model that a rollback took back is not entered, even if it is served by hand.
    versions.restore(place.serving, pushed[1].number)
    entered = len(_models(store))
    _put_by_hand(place, 2_000_000_000, _content(pushed[0]))
    place.adopt(store)
    assert len(_models(store)) == entered


def test_a_rollback_to_what_never_was_the_newest_is_compared_with(store, place):
    _put_by_hand(place, 0)
    taken = place.push(0.4)
    place.adopt(store)
    back = versions.restore(place.serving, 0, rolled_back_by="me").version
    [line] = place.adopt(store)
    assert f"version {back.number}" in line
    assert _models(store)[1:] == [b"\x08\x63"]
    record = place.record(back)
    assert record.model_uri in _models_known(store)
    assert record.level == 0.4
    # The version is still recorded as that of a rollback.
    assert (record.restores, record.rolled_back_by) == (0, "me")
    assert not record.by_hand
    assert versions.withdrawn(place.serving) == {taken.record.digest}
    assert place.adopt(store) == []


def test_versions_put_there_by_hand_leave_room_for_the_best(store, place):
    pushed = [place.push(level) for level in (0.4, 0.3)]
    for number in range(10, 20):
        _put_by_hand(place, number, b"\x08" + bytes([number]))
        place.adopt(store)
        assert versions.records(place.serving)[number].level_is_assumed
    place.adopt(store, pipeline="other")
    known = {v.number for v in pushed} | {18, 19}
    uris = _models_known(store)
    contexts = store.get_contexts_by_type("pipeline")
    [other] = [context for context in contexts if context.name == "other"]
    entered = {a.uri for a in store.get_artifacts_by_context(other.id)} & uris
    records = versions.records(place.serving)
    assert {n for n, r in records.items() if r.model_uri in entered} == known


def test_an_odd_value_in_a_record_makes_it_no_version_by_hand(store, place):
    place.push(0.3)
    good, _ = place.push(0.4), place.push(0.2)
    back = versions.restore(place.serving, good.number).version
    file = place.serving / ".ncf" / "versions" / f"{back.number}.json"
    odd = {"metrics": {"auc": {"mean": 0.9}}, "run": 7}
    file.write_text(json.dumps(json.loads(file.read_text()) | odd))
    assert not any("by hand" in line for line in place.adopt(store))
    noted = json.loads(file.read_text())
    assert {name: noted[name] for name in odd} == odd
    assert noted["takes_back"] == back.record.takes_back != []


@pytest.mark.parametrize("level", ["high", "nan"])
def test_a_level_that_is_no_number_is_not_entered(store, place, level):
    """The resolvers and BlessedRanks could not read it, and every run would fail."""
    place.push(level)
    place.adopt(store)
    [blessing] = store.get_artifacts_by_type("ModelBlessing")
    assert blessing.custom_properties["blessed"].int_value == 1
    assert "level" not in blessing.custom_properties


def _moved_away(place, store, *pushed):
    """Puts the versions' models into folders of artifacts that no record names."""
    execution_type = store.put_execution_type(mlmd.ExecutionType(name="Trainer"))
    for version in pushed:
        [number] = store.put_executions([mlmd.Execution(type_id=execution_type)])
        target = place.root / "Trainer" / "model" / str(number) / folders.SERVING_MODEL
        shutil.copytree(version.path, target)


def _remove(version):
    shutil.rmtree(version.path)


def _cut(version):
    pathlib.Path(version.path, "saved_model.pb").write_bytes(b"\x08")


def _flip(version):
    pathlib.Path(version.path, "saved_model.pb").write_bytes(b"\x08\x63")


@pytest.mark.parametrize("damage", [_remove, _cut, _flip])
def test_a_damaged_version_whose_artifact_is_whole_is_entered(store, place, damage):
    """The version is damaged, and as the folder was moved, the records are wrong."""
    older, served = place.push(0.4), place.push(0.5)
    content = _content(served)
    _moved_away(place, store, older, served)
    damage(served)
    _remove(older)
    first, second = place.adopt(store)
    assert f"version {older.number}" in first
    assert f"version {served.number}" in second
    assert str(place.root / "Trainer" / "model" / "2") in second
    assert _models(store) == [b"\x08\x01", content]
    for version in (older, served):
        assert place.record(version).model_uri in _models_known(store)
    assert place.adopt(store) == []


def test_a_damaged_version_that_was_taken_back_is_none_to_beat(store, place):
    good, taken = place.push(0.4), place.push(0.5)
    _moved_away(place, store, good, taken)
    _flip(taken)
    versions.restore(place.serving, good.number)
    place.adopt(store)
    assert _models(store) == [_content(good)]


def test_what_is_only_like_a_damaged_version_is_not_taken_for_it(store, place):
    served = place.push(0.5)
    _moved_away(place, store, served)
    for file in place.root.rglob("saved_model.pb"):
        file.write_bytes(b"\x08\x63")
    _flip(served)
    assert place.adopt(store) == []
    assert place.record(served).model_uri == ""


def test_a_folder_that_a_model_is_entered_into_is_none_to_enter_it_from(store, place):
    """A folder without its records numbers executions from 1 again."""
    served = place.push(0.5)
    old = place.root / "ServedModel" / "model" / "1" / folders.SERVING_MODEL
    shutil.copytree(served.path, old)
    _flip(served)
    assert place.adopt(store) == []
    assert _digest_is(old, served)


def test_what_was_removed_from_this_folder_is_not_looked_for(store, place, monkeypatch):
    """Else all models would be read for each record that `ncf gc --forget` removed."""
    pushed = [place.push(level) for level in (0.4, 0.5)]
    _moved_away(place, store, *pushed)
    here = str(place.root / "Trainer" / "model" / "9")
    versions.annotate(place.serving, pushed[0].number, model_uri=here)
    _remove(pushed[0])
    read = []
    digest = folders.digest

    def noting(folder, files=None):
        read.append(folder)
        return digest(folder, files)

    monkeypatch.setattr(folders, "digest", noting)
    place.adopt(store)
    assert not any("Trainer" in folder for folder in read)
    assert _models(store) == [_content(pushed[1])]


def _digest_is(folder, version):
    return folders.digest(str(folder)) == version.record.digest


def test_an_empty_serving_folder(store, place):
    assert place.adopt(store) == []
    assert store.get_executions() == []
