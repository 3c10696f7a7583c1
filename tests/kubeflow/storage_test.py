"""TensorFlow's, Beam's and Google's own clients on the Cloud Storage emulator.

The clients need the permissions that the guides ask for; this project's own operations
need permissions for objects only.
"""

import json
import re

import gcs_clients
import gcs_emulator
import pytest
import storage_calls

OBJECTS_ONLY = gcs_emulator.OBJECT_USER
GUIDES = ("kubeflow/README.md", "docs/vertex.md")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with gcs_emulator.Emulator(tmp_path_factory.mktemp("gcs")) as running:
        yield running


@pytest.fixture
def storage(shared):
    """An empty emulator, which grants the permissions of the guides' roles."""
    shared.objects.buckets["bucket"].clear()
    shared.calls.clear()
    shared.permissions = gcs_emulator.OBJECT_USER | gcs_emulator.BUCKET_READER
    return shared


def _call(storage, function, *arguments):
    return gcs_clients.call(function, storage.environment, *arguments)


def test_tensorflow(storage):
    assert _call(storage, storage_calls.tensorflow) == ("hello", False, ["text2"], 1)


def test_beam(storage):
    assert _call(storage, storage_calls.beam) == (
        "gs://bucket/a/two",
        b"x" * 3000,
        False,
    )


def test_tensorflows_makedirs_asks_for_the_bucket_itself(storage):
    """This is why a role for objects alone is not enough on Vertex."""
    storage.permissions = OBJECTS_ONLY
    _call(storage, storage_calls.makedirs)
    assert ("storage.buckets.get", "gs://bucket") in storage.calls


def test_tfx_copies_a_folder_with_rights_to_objects_only(storage, tmp_path):
    storage.permissions = OBJECTS_ONLY
    (tmp_path / "m" / "variables").mkdir(parents=True)
    (tmp_path / "m" / "saved_model.pb").write_text("model")
    (tmp_path / "m" / "variables" / "index").write_text("index")
    _call(storage, storage_calls.copy, str(tmp_path / "m"))
    # The copy has no empty objects that stand for folders.
    assert storage.objects.names("bucket") == [
        "serving/7/saved_model.pb",
        "serving/7/variables/index",
    ]


def test_a_training_is_saved_with_rights_to_objects_only(storage):
    storage.permissions = OBJECTS_ONLY
    info, arrays = _call(storage, storage_calls.checkpoint)
    assert info == {"epoch": 2}
    assert arrays["tables"][0].tolist() == [0, 1, 2]


def test_the_buckets_rules_leave_pushed_models_alone(pytestconfig):
    text = (pytestconfig.rootpath / "kubeflow" / "lifecycle.json").read_text()
    deleting = [r for r in json.loads(text)["rule"] if r["action"]["type"] == "Delete"]
    conditions = [rule["condition"] for rule in deleting]
    # A rule without a prefix would apply to the whole bucket.
    assert [c["matchesPrefix"] for c in conditions] == [["runs/"], ["temp/"]]
    assert all(c["age"] >= 7 for c in conditions)
    for guide in GUIDES:
        said = (pytestconfig.rootpath / guide).read_text()
        assert "--lifecycle-file kubeflow/lifecycle.json" in said


@pytest.mark.parametrize("guide", GUIDES)
def test_guides_grant_both_roles_wherever_they_grant_one(pytestconfig, guide):
    text = (pytestconfig.rootpath / guide).read_text().replace("\\\n", " ")
    granted = re.findall(r"add-iam-policy-binding gs://.*", text)
    loops = re.findall(r"for role in ([^;]*storage[^;]*);", text)
    assert granted
    assert loops
    for loop in loops:
        roles = {role.rpartition("/")[2] for role in loop.split()}
        assert roles == {"storage.objectUser", "storage.legacyBucketReader"}
    assert all("--role $role" in command for command in granted)
