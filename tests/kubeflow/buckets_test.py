"""Cloud Storage, here an emulator, is asked what an account may do."""

import gcs_emulator
import pytest

from pipeline.cluster import buckets, google_cloud

RUNNER = "runner@ncf-project.iam.gserviceaccount.com"
NEEDS = {
    "gs://bucket/runs": buckets.WRITE | buckets.GET_BUCKET,
    "gs://data/ratings.csv": buckets.READ,
}
GRANT = "gcloud storage buckets add-iam-policy-binding gs://bucket --role"


@pytest.fixture
def storage(tmp_path, monkeypatch):
    with gcs_emulator.Emulator(tmp_path, buckets=("bucket", "data")) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
        running.accounts[RUNNER] = running.permissions
        yield running


def _check(needs=NEEDS, runs_as=RUNNER, **options):
    caller = buckets.Caller("ncf-project", google_cloud.find_credentials())
    return buckets.check(needs, caller, runs_as=runs_as, **options)


def test_the_roles_of_the_guides_are_enough(storage):
    assert _check() == []


def test_the_role_for_objects_alone_is_refused_with_the_command_that_helps(storage):
    storage.accounts[RUNNER] = gcs_emulator.OBJECT_USER
    with pytest.raises(
        ValueError, match=r"lacks storage.buckets.get on gs://bucket,"
    ) as e:
        _check()
    assert (
        f"{GRANT} roles/storage.legacyBucketReader --member serviceAccount:{RUNNER}"
        in str(e.value)
    )
    assert "objectUser" not in str(e.value)
    assert "gs://data" not in str(e.value)


def test_the_right_to_look_alone(storage):
    storage.accounts[RUNNER] = gcs_emulator.BUCKET_READER
    with pytest.raises(
        ValueError, match=r"storage.objects.create.*on gs://bucket"
    ) as e:
        _check()
    assert f"{GRANT} roles/storage.objectUser" in str(e.value)
    assert "lacks storage.objects.get on gs://data" in str(e.value)


def test_what_cannot_be_asked_is_said(storage):
    del storage.accounts[RUNNER]
    (note,) = _check()
    assert "was not checked: you may not act as it" in note
    assert f"{GRANT} roles/storage.legacyBucketReader" in note


def test_a_bucket_that_is_not_there(storage):
    with pytest.raises(ValueError, match=r"no bucket gs://none. Make it: gcloud"):
        _check({"gs://none/runs": buckets.READ})


def test_a_bucket_that_the_caller_may_not_see(storage):
    storage.permissions = frozenset()
    with pytest.raises(ValueError, match=r"You may not list gs://bucket: .*list"):
        _check()
    # The service account, as which the pipeline runs, may list the bucket.
    assert _check(must_list=False) == []
    (first, second) = _check(must_list=False, runs_as=None)
    assert "gs://bucket" in first
    assert "gs://data" in second


def test_without_credentials_nothing_is_checked_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    (note,) = buckets.check_from_here(NEEDS, runs_as=RUNNER)
    assert "not checked: There are no Google credentials" in note
    assert buckets.check_from_here({}, runs_as=RUNNER) == []


@pytest.mark.parametrize(
    ("text", "places", "advice"),
    [
        (
            f"403: {RUNNER} does not have storage.buckets.get access to the Google "
            "Cloud Storage bucket. when reading metadata of gs://bucket",
            "",
            f"{GRANT} roles/storage.legacyBucketReader",
        ),
        (
            f"{RUNNER} does not have storage.objects.create access to the Google Cloud "
            "Storage object.",
            '{"uri": "gs://bucket/runs/7"}',
            f"{GRANT} roles/storage.objectUser",
        ),
    ],
)
def test_a_task_that_is_refused_says_what_helps(capsys, text, places, advice):
    buckets.report(RuntimeError(text), places)
    assert advice in capsys.readouterr().err


def test_any_other_error_is_left_alone(capsys):
    buckets.report(RuntimeError("out of memory on gs://bucket"), "")
    assert capsys.readouterr().err == ""
