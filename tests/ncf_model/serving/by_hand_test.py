"""Versions that a person or another program put into the serving folder ("by hand")."""

import pathlib

import pytest

from ncf_model import features
from ncf_model.serving import versions
from ncf_model.serving.version_record import VersionRecord


def _write(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_bytes(b"\x0a\x01" + content)
    return folder


def _numbers(serving):
    return [version.number for version in versions.look(serving).versions]


def test_it_is_never_dropped(tmp_path):
    serving = tmp_path / "serving"
    _write(serving / "5", b"h")
    versions.enter(serving, versions.newest(serving), dataset="kept")
    entered = versions.newest(serving)
    assert entered.record.digest == versions.digest_of(entered)
    assert entered.record.dataset == "kept"
    for number in range(6, 10):
        model = _write(tmp_path / "model", b"%d" % number)
        versions.push(serving, model, keep=2, number=number)
    assert _numbers(serving) == [9, 8, 5]
    # A rollback to such a version makes a copy that counts as pushed, not as by hand.
    restored = versions.restore(serving, 5).version
    assert not restored.record.by_hand
    assert pathlib.Path(restored.path, "saved_model.pb").read_bytes()[2:] == b"h"
    # A version by hand that was edited is still whole.
    (serving / "5" / "more").write_bytes(b"1")
    assert not versions.look(serving).broken


@pytest.mark.parametrize("how", ["entered", "restored"])
def test_the_best_that_was_pushed_stays_beside_it(tmp_path, how):
    serving, model = tmp_path / "serving", tmp_path / "model"

    def push(number, blessing):
        record = VersionRecord(blessing=blessing)
        folder = _write(model, bytes([number]))
        versions.push(serving, folder, record=record, keep=2, number=number)

    push(5, {"level": "0.4"})
    push(6, {"level": "0.3"})
    assumed = {"level": "0.4", features.ASSUMED_LEVEL_PROPERTY: 1}
    if how == "entered":
        _write(serving / "9", b"h")
        # This version has the measured level of a pushed one, as if copied by hand.
        copied = {"level": "0.4"}
        versions.enter(serving, versions.newest(serving), blessing=copied)
        stays = [9]
    else:
        push(9, assumed)
        stays = []
    for number in (10, 11, 12):
        push(number, {"level": "0.1"})
    assert _numbers(serving) == [12, 11, *stays, 5]


def test_it_is_the_new_model_beside_a_broken_version_of_ours(tmp_path):
    serving, model = tmp_path / "serving", tmp_path / "model"
    versions.push(serving, _write(model, b"a"), number=3)
    (serving / "3" / "saved_model.pb").write_bytes(b"")
    _write(serving / "5", b"b")
    pushed = versions.push(serving, _write(model, b"b"), keep=2)
    assert (pushed.version.number, pushed.is_new) == (5, False)
