"""Pusher's driver and executor on real artifacts; versions_test tests the copying."""

import json

import pytest
from tfx.orchestration.portable import data_types
from tfx.types import standard_artifacts

from components.pusher import driver, executor
from ncf_model.serving import folders, versions


class Pusher:
    """One model's Pusher, run as by LocalDagRunner, but without the cache."""

    def __init__(self, folder, serving, content=b"A", blessed=True):
        self.serving, self.folder = serving, folder
        graph = folder / "model" / "Format-Serving" / "saved_model.pb"
        graph.parent.mkdir(parents=True)
        graph.write_bytes(b"\x08\x01\x12\x01" + content)
        self.model = standard_artifacts.Model()
        self.model.uri, self.model.id = str(folder / "model"), 12
        self.blessing = standard_artifacts.ModelBlessing()
        self.blessing.uri = str(folder / "blessing")
        (folder / "blessing").mkdir()
        self.mark = folder / "blessing" / ("BLESSED" if blessed else "NOT_BLESSED")
        self.mark.touch()
        self.blessing.set_int_custom_property("blessed", int(blessed))
        self.blessing.set_string_custom_property("current_model", self.model.uri)
        self.blessing.set_int_custom_property("current_model_id", 12)
        self.inputs = {"model": [self.model], "model_blessing": [self.blessing]}
        destination = {"filesystem": {"base_directory": str(serving)}}
        self.properties = {
            "push_destination": json.dumps(destination),
            "custom_config": json.dumps({"push": {"keep": 2}}),
        }

    def state(self):
        info = data_types.ExecutionInfo(
            input_dict=self.inputs, exec_properties=self.properties
        )
        found = driver.Driver(None).run(info).exec_properties
        return found["destination_state"].string_value

    def run(self, **properties):
        pushed = standard_artifacts.PushedModel()
        pushed.uri = str(self.folder / "pushed")
        executor.Executor().Do(
            self.inputs, {"pushed_model": [pushed]}, self.properties | properties
        )
        return pushed


@pytest.fixture
def pusher(tmp_path):
    def make(name, **options):
        return Pusher(tmp_path / name, tmp_path / "serving", name.encode(), **options)

    return make


def _pushed_to(artifact):
    assert artifact.get_int_custom_property("pushed") == 1
    return artifact.get_string_custom_property("pushed_destination")


def test_a_blessed_model_becomes_the_newest_version_and_is_noted(pusher):
    a = pusher("A")
    state = a.state()
    pushed = a.run(destination_state=state)
    newest = versions.newest(a.serving)
    assert _pushed_to(pushed) == newest.path
    assert pushed.get_string_custom_property("pushed_version") == state
    assert newest.record.model_uri == a.model.uri
    assert newest.record.blessing["blessed"] == 1


def test_the_state_is_as_announced_until_another_model_is_pushed(pusher):
    a, b = pusher("A"), pusher("B")
    state = a.state()
    a.run(destination_state=state)
    assert a.state() == state
    b.run(destination_state=b.state())
    assert int(a.state()) > int(b.state()) > int(state)


@pytest.mark.parametrize("harm", ["remove", "edit"])
def test_the_state_changes_with_the_version_that_is_harmed(pusher, harm):
    a = pusher("A")
    state = a.state()
    pushed = a.run(destination_state=state)
    graph = versions.pathlib.Path(_pushed_to(pushed), "saved_model.pb")
    graph.unlink() if harm == "remove" else graph.write_bytes(b"\x08\x01\x12\x01Z")
    assert int(a.state()) > int(state)
    again = a.run(destination_state=a.state())
    assert _pushed_to(again) == versions.newest(a.serving).path
    assert again.get_int_custom_property("is_new") == 1


def test_the_same_model_again_names_the_version_that_holds_it(pusher):
    a = pusher("A")
    first, second = a.run(), a.run()
    assert _pushed_to(second) == _pushed_to(first)
    assert second.get_int_custom_property("is_new") == 0


def test_a_refused_model_is_not_pushed_and_its_state_stays(pusher):
    a = pusher("A", blessed=False)
    a.blessing.set_string_custom_property("not_blessed_because", "too low")
    pushed = a.run()
    assert pushed.get_int_custom_property("pushed") == 0
    assert pushed.get_string_custom_property("not_pushed_because") == "too low"
    assert not a.serving.exists()
    assert a.state() == a.state() == "not blessed"


@pytest.mark.parametrize("blessing", [{}, {"model_blessing": []}])
def test_without_a_blessing_nothing_is_pushed(pusher, blessing):
    a = pusher("A")
    a.inputs = {"model": [a.model], **blessing}
    assert a.state() == "not blessed"
    with pytest.raises(ValueError, match="There must be a blessing of the model"):
        a.run()
    assert not a.serving.exists()


def test_a_blessing_whose_file_is_gone_pushes_nothing(pusher):
    a = pusher("A")
    a.mark.unlink()
    with pytest.raises(ValueError, match="must say in its file"):
        a.run()
    assert not a.serving.exists()


def test_a_model_that_was_changed_since_is_not_pushed(pusher):
    a = pusher("A")
    folder = versions.pathlib.Path(a.model.uri, "Format-Serving")
    a.blessing.set_string_custom_property("model_digest", folders.digest(str(folder)))
    (folder / "saved_model.pb").write_bytes(b"\x08\x01\x12\x01B")
    with pytest.raises(ValueError, match="must be those that were evaluated"):
        a.run()
    assert versions.newest(a.serving) is None


def test_a_model_that_was_taken_back_does_not_return(pusher):
    a, b = pusher("A"), pusher("B")
    first = a.run()
    b.run()
    number = int(first.get_string_custom_property("pushed_version"))
    versions.restore(a.serving, number)
    assert b.state() == b.state() == "taken back"
    pushed = b.run()
    assert pushed.get_int_custom_property("pushed") == 0
    assert "rollback" in pushed.get_string_custom_property("not_pushed_because")


def test_the_last_two_stay(pusher):
    for name in "ABC":
        pusher(name).run()
    assert len(versions.look(pusher("D").serving).versions) == 2


def test_what_is_no_version_is_named(pusher, monkeypatch):
    a = pusher("A")
    (a.serving / "backup").mkdir(parents=True)
    (a.serving / "5").mkdir()
    lines = []
    monkeypatch.setattr(
        executor.logging, "warning", lambda text, *values: lines.append(text % values)
    )
    a.run()
    assert lines == [
        f"{a.serving}/5 is no whole model: saved_model.pb is missing.",
        f"Not versions, left alone in {a.serving}: ('backup',)",
    ]


def test_another_destination_than_a_folder_is_refused(pusher):
    with pytest.raises(ValueError, match="must be a `filesystem`"):
        pusher("A").run(push_destination="{}")


def test_on_a_cluster_properties_come_as_json_values(pusher):
    a = pusher("A")
    properties = a.blessing.mlmd_artifact.custom_properties
    for name, value in (("blessed", 1.0), ("current_model_id", 12.0)):
        del properties[name]
        a.blessing.set_json_value_custom_property(name, value)
    stored = a.blessing.mlmd_artifact.custom_properties["blessed"]
    assert stored.WhichOneof("value") == "struct_value"
    assert _pushed_to(a.run()) == versions.newest(a.serving).path
