import pytest

from components.pusher import blessing

MODEL = blessing.Model(12, "/root/Trainer/model/12")
GIVEN = {"blessed": 1, "current_model": MODEL.uri, "current_model_id": 12}


def test_a_blessing_of_this_model_lets_it_pass():
    assert blessing.refusal(MODEL, GIVEN, ["BLESSED"]) == ""


def test_a_refusal_has_its_reason():
    given = {"blessed": 0, "not_blessed_because": "too low"}
    assert blessing.refusal(MODEL, given, ["NOT_BLESSED"]) == "too low"
    assert blessing.refusal(MODEL, {"blessed": 0}, []) != ""


@pytest.mark.parametrize(
    ("given", "files"),
    [
        (GIVEN, []),
        (GIVEN, ["NOT_BLESSED"]),
        (GIVEN, ["BLESSED", "NOT_BLESSED"]),
        ({"blessed": 0}, ["BLESSED"]),
        ({}, ["BLESSED"]),
        ({}, []),
    ],
)
def test_a_blessing_that_contradicts_itself_stops_the_run(given, files):
    with pytest.raises(ValueError, match="must say in its file and in its property"):
        blessing.refusal(MODEL, given, files)


@pytest.mark.parametrize(
    "changed",
    [
        {"current_model": "/root/Trainer/model/11"},
        {"current_model": "s3://root/Trainer/model/11"},
        {"current_model": ""},
        {"current_model_id": 11},
    ],
)
def test_the_blessing_of_another_model_stops_the_run(changed):
    with pytest.raises(ValueError, match="must be of the model to be pushed"):
        blessing.refusal(MODEL, GIVEN | changed, ["BLESSED"])


def test_a_model_whose_files_were_changed_after_its_evaluation_stops_the_run():
    given = GIVEN | {"model_digest": "of the files that were evaluated"}
    same = MODEL._replace(digest="of the files that were evaluated")
    assert blessing.refusal(same, given, ["BLESSED"]) == ""
    with pytest.raises(ValueError, match="must be those that were evaluated"):
        blessing.refusal(same._replace(digest="of others"), given, ["BLESSED"])


def test_kubeflow_names_the_bucket_and_hands_over_a_copy():
    model = blessing.Model(7, "/pod/s3/bucket/run/model")
    given = {
        "blessed": 1,
        "current_model": "s3://bucket/run/model",
        "current_model_id": "12",
    }
    assert blessing.refusal(model, given, ["BLESSED"]) == ""
