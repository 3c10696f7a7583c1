"""Shrinking data on both sides of the limit, as each of two runners checks it."""

import pytest
from tfx.types import standard_artifacts

from components.shrink_guard import executor, shrinking, strategy
from ncf_model.serving import versions
from ncf_model.serving.version_record import VersionRecord


@pytest.mark.parametrize("now", [(70, 100), (100, 70), (1000, 1000)])
def test_at_the_limit_the_run_goes_on(now):
    users, items = now
    before = {"num_users": 100, "num_items": 100}
    shrinking.check({"num_users": users, "num_items": items}, before, most=0.3)


@pytest.mark.parametrize(
    ("now", "message"),
    [
        ((69, 100), r"31.0% of the users are gone: the data have 69 users.* had 100"),
        ((100, 10), r"90.0% of the items are gone.*At most 30% may be"),
    ],
)
def test_beyond_it_the_run_stops(now, message):
    users, items = now
    before = {"num_users": 100, "num_items": 100}
    with pytest.raises(ValueError, match=message):
        shrinking.check({"num_users": users, "num_items": items}, before, most=0.3)


def test_the_limit_is_lifted_with_one():
    before = {"num_users": 100, "num_items": 100}
    shrinking.check({"num_users": 1, "num_items": 1}, before, most=1.0)


def test_a_blessing_without_counts_says_nothing():
    shrinking.check({"num_users": 1, "num_items": 1}, {}, most=0.0)


def _artifact(kind, number, users, items=1000, **more):
    artifact = kind()
    artifact.id = number
    for name, value in {"num_users": users, "num_items": items, **more}.items():
        artifact.set_int_custom_property(name, value)
    return artifact


def _examples(users):
    return _artifact(standard_artifacts.Examples, 9, users)


def _blessing(number, users, blessed):
    kind = standard_artifacts.ModelBlessing
    return _artifact(kind, number, users, blessed=blessed)


def test_the_latest_blessing_counts_and_no_refusal():
    blessings = [_blessing(3, 10, 0), _blessing(2, 100, 1), _blessing(1, 900, 1)]
    guard = strategy.ShrinkGuardStrategy(max_shrink=0.3)
    found = {"examples": [_examples(80)], "model_blessing": blessings}
    assert guard.resolve_artifacts(None, found)["model_blessing"] == [blessings[1]]
    found["examples"] = [_examples(60)]
    with pytest.raises(ValueError, match=r"40.0% of the users are gone"):
        guard.resolve_artifacts(None, found)


def test_after_a_rollback_the_model_in_service_counts(tmp_path):
    """Model B, of ten times the users, was pushed after A and then rolled back."""
    served = tmp_path / "serving"
    for name, users in (("a", 100), ("b", 1000)):
        model = tmp_path / name
        model.mkdir()
        (model / "saved_model.pb").write_bytes(b"\x0a\x01" + name.encode())
        counts = {"num_users": users, "num_items": 1000}
        record = VersionRecord(blessing=counts, blessing_uri=name)
        versions.push(served, model, record=record)
    blessings = [_blessing(1, 100, 1), _blessing(2, 1000, 1)]
    for blessing, name in zip(blessings, "ab", strict=True):
        blessing.uri = name
    guard = strategy.ShrinkGuardStrategy(max_shrink=0.3, serving=str(served))
    found = {"examples": [_examples(80)], "model_blessing": blessings}
    with pytest.raises(ValueError, match=r"92.0% of the users are gone"):
        guard.resolve_artifacts(None, found)
    versions.restore(served, versions.look(served).versions[-1].number)
    assert guard.resolve_artifacts(None, found)["model_blessing"] == blessings[:1]
    # The same holds if ML Metadata has lost the blessing of A.
    found = {"examples": [_examples(60)], "model_blessing": []}
    with pytest.raises(ValueError, match=r"40.0% of the users are gone"):
        guard.resolve_artifacts(None, found)


def test_nothing_blessed_yet():
    guard = strategy.ShrinkGuardStrategy(max_shrink=0.0)
    found = {"examples": [_examples(1)], "model_blessing": [_blessing(1, 9, 0)]}
    assert guard.resolve_artifacts(None, found)["model_blessing"] == []


def _put(folder, name, number, record=None):
    """Puts a model into the serving folder; without a record, as if by hand."""
    target = folder / "serving" / str(number) if record is None else folder / name
    target.mkdir(parents=True)
    (target / "saved_model.pb").write_bytes(b"\x0a\x01" + name.encode())
    if record is not None:
        noted = VersionRecord(**record)
        versions.push(folder / "serving", target, record=noted, number=number)


def test_the_newest_versions_record_counts(tmp_path):
    properties = {"serving": str(tmp_path / "serving"), "max_shrink": 0.3}
    executor.Executor().Do({"examples": [_examples(1)]}, {}, properties)
    counts = {"num_users": 100, "num_items": 1000}
    _put(tmp_path, "a", 5, {"blessing": {"num_users": 900, "num_items": 1000}})
    _put(tmp_path, "b", 6, {"blessing": counts})
    for by_hand in (False, True):
        # Nothing is known of the data of a model that was put there by hand.
        if by_hand:
            _put(tmp_path, "c", 7)
        executor.Executor().Do({"examples": [_examples(70)]}, {}, properties)
        with pytest.raises(ValueError, match="users are gone"):
            executor.Executor().Do({"examples": [_examples(69)]}, {}, properties)


@pytest.mark.parametrize("seen", [False, True])
def test_a_version_put_there_by_hand_does_not_lift_the_limit(tmp_path, seen):
    counts = {"num_users": 100, "num_items": 1000}
    _put(tmp_path, "a", 6, {"blessing": counts, "blessing_uri": "a"})
    _put(tmp_path, "b", 7)
    serving = tmp_path / "serving"
    blessings = [_blessing(1, 100, 1), _blessing(2, 0, 1)]
    blessings[0].uri, blessings[1].uri = "a", "b"
    if seen:
        noted = {"blessing": {"blessed": 1}, "blessing_uri": "b"}
        versions.enter(serving, versions.newest(serving), **noted)
    found = {"examples": [_examples(69)], "model_blessing": blessings}
    for where in (str(serving), ""):
        guard = strategy.ShrinkGuardStrategy(max_shrink=0.3, serving=where)
        with pytest.raises(ValueError, match=r"31.0% of the users are gone"):
            guard.resolve_artifacts(None, found)
