import gzip

import pytest

from components.interactions_example_gen import files


def test_finds_what_can_be_read_by_name(tmp_path):
    for name in [
        "b.csv",
        "a.CSV.gz",
        "_SUCCESS",
        ".hidden.csv",
        "note.md",
        "c.parquet",
    ]:
        (tmp_path / name).touch()
    found = files.find(str(tmp_path))
    assert found == [str(tmp_path / n) for n in ("a.CSV.gz", "b.csv", "c.parquet")]
    assert files.find(str(tmp_path), "*.csv") == [str(tmp_path / "b.csv")]
    assert files.find(str(tmp_path / "b.csv")) == [str(tmp_path / "b.csv")]


def test_nothing_to_read(tmp_path):
    (tmp_path / "note.md").touch()
    with pytest.raises(ValueError, match=r"there is none; found \['note.md'\]"):
        files.find(str(tmp_path))
    with pytest.raises(ValueError, match=r"at .*/note\.md; there is none; found"):
        files.find(str(tmp_path / "note.md"))
    (tmp_path / "my data.json").touch()
    with pytest.raises(ValueError, match=r"jq -c '\.\[\]' 'my data\.json' > data"):
        files.find(str(tmp_path / "my data.json"))
    with pytest.raises(ValueError, match=r"^Check .* there is none\.$"):
        files.find(str(tmp_path / "absent"))


def test_folder_with_characters_of_patterns(tmp_path):
    folder = tmp_path / "a [1] *"
    folder.mkdir()
    (folder / "x.csv").touch()
    assert files.find(str(folder)) == [str(folder / "x.csv")]


def test_size_of_packed_files_is_what_they_may_unpack_to(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"1" * 10)
    (tmp_path / "x.csv.gz").write_bytes(b"1" * 10)
    assert files.size(str(tmp_path / "x.csv")) == 10
    assert files.size(str(tmp_path / "x.csv.gz")) == 40


def test_pieces_of_packed_files_one_after_the_other(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"one,") + gzip.compress(b"two"))
    assert b"".join(files.read_pieces(str(path))) == b"one,two"
