"""Records of versions with odd values that another program wrote."""

import json

import pytest

from ncf_model.serving import versions
from ncf_model.serving.version_record import VersionRecord


def _push(tmp_path, content):
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    (folder / "saved_model.pb").write_bytes(b"\x0a\x01" + content)
    return versions.push(tmp_path / "serving", folder).version


def _file(tmp_path, number):
    return tmp_path / "serving" / ".ncf" / "versions" / f"{number}.json"


def _note(tmp_path, number, **values):
    file = _file(tmp_path, number)
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.mark.parametrize(
    "odd",
    [
        {"metrics": {"auc": {"mean": 0.9}}},
        {"metrics": [0.9]},
        {"pushed_at": None},
        {"run": 7},
        {"blessing": {"blessed": 1, "level": "0.5", "note": None}},
        {"model_id": {"int": 1}},
        {"registered_model": 3, "dataset": ["a"]},
    ],
    ids=str,
)
def test_a_value_of_another_type_hides_nothing_else(tmp_path, odd):
    first, second = (_push(tmp_path, content) for content in (b"a", b"b"))
    back = versions.restore(tmp_path / "serving", first.number).version
    _note(tmp_path, back.number, **odd)
    assert versions.withdrawn(tmp_path / "serving") == {second.record.digest}
    found = versions.newest(tmp_path / "serving")
    assert found.is_recorded
    assert (found.record.digest, found.record.files) == (
        first.record.digest,
        first.record.files,
    )
    # The odd value stays in the record's file, and in that of a copied version.
    versions.annotate(tmp_path / "serving", back.number, vertex_model="m")
    _push(tmp_path, b"c")
    again = versions.restore(tmp_path / "serving", back.number).version
    for number in (back.number, again.number):
        noted = json.loads(_file(tmp_path, number).read_text())
        assert noted["vertex_model"] == "m"
        kept = odd if number == back.number else odd.keys() - {"pushed_at"}
        assert {name: noted[name] for name in kept} == {n: odd[n] for n in kept}


def test_what_is_right_beside_an_odd_value_is_read():
    content = {
        "digest": "d",
        "metrics": {"auc": {"mean": 0.9}, "mrr": 0.4},
        "blessing": {"blessed": 1, "level": "0.5", "note": None},
        "takes_back": ["a", None, "b"],
        "run": 7,
    }
    record = VersionRecord.from_file(json.dumps(content).encode())
    assert record.metrics == {"mrr": 0.4}
    assert record.blessing == {"blessed": 1, "level": "0.5"}
    assert record.level == 0.5
    assert record.takes_back == ["a", "b"]
    assert record.run is None
    assert json.loads(record.to_file()) == content
    # A value that a run notes replaces the odd one.
    changed = record.with_values(run="r", dataset="shop")
    assert json.loads(changed.to_file()) == content | {"run": "r", "dataset": "shop"}


@pytest.mark.parametrize("level", ["high", "nan", "inf", 10**400])
def test_a_level_that_is_no_number_is_none(level):
    assert VersionRecord(blessing={"level": level}).level is None


@pytest.mark.parametrize("content", [b"", b"{", b'"\xff"', b"[]", b"7"])
def test_what_is_no_record_is_refused(content):
    with pytest.raises(ValueError, match=r"EOF|unicode|must be a JSON object"):
        VersionRecord.from_file(content)
