from components.latest_pushed_model import versions


def test_numbers_are_compared_as_numbers():
    assert versions.newest_first(["9", "10", "100/"]) == ["100", "10", "9"]


def test_other_names_are_no_versions():
    names = ["1700000000", "tmp-1700000001", "-1", "1.5", "", "/", "\u00b2", "v3"]
    assert versions.newest_first(names) == ["1700000000"]


def test_marks_differ_by_either_file():
    files = {"m/saved_model.pb": b"graph", "m/variables/variables.index": b"sums"}
    model = versions.marks("m", files.get)
    assert model == versions.marks("m", dict(files).get)
    assert model != versions.marks("m", (files | {"m/saved_model.pb": b"g2"}).get)
    other = files | {"m/variables/variables.index": b"s2"}
    assert model != versions.marks("m", other.get)
    assert model != versions.marks("n", files.get)
