"""What is written comes back; what was cut off is not believed."""

import numpy as np
import pytest

from ncf_model.training import checkpoint

ARRAYS = {
    "loop": [np.arange(i, dtype=np.float32) for i in range(12)],
    "start": [np.float32(3), np.zeros((2, 0), np.int32)],
}


def test_round_trip(tmp_path):
    saved = checkpoint.Checkpoint(str(tmp_path / "new/folder"), "abc")
    assert saved.load() is None
    saved.save({"epoch": 1}, {})
    saved.save({"epoch": 2, "name": "é"}, ARRAYS)
    info, arrays = saved.load()
    assert info == {"epoch": 2, "name": "é"}
    assert arrays.keys() == ARRAYS.keys()
    for name, group in ARRAYS.items():
        for array, expected in zip(arrays[name], group, strict=True):
            np.testing.assert_array_equal(array, expected)
            assert array.dtype == expected.dtype
    assert [path.name for path in (tmp_path / "new/folder").iterdir()] == ["abc.npz"]
    saved.remove()
    assert saved.load() is None
    saved.remove()


def test_only_one_machine_writes(tmp_path):
    saved = checkpoint.Checkpoint(str(tmp_path), "abc")
    saved.save({"epoch": 1}, {})
    other = checkpoint.Checkpoint(str(tmp_path), "abc", writes=False)
    other.save({"epoch": 2}, {})
    other.remove()
    assert other.load() == ({"epoch": 1}, {})


def test_a_damaged_file(tmp_path):
    saved = checkpoint.Checkpoint(str(tmp_path), "abc")
    saved.save({"epoch": 1}, ARRAYS)
    path = tmp_path / "abc.npz"
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ValueError, match=r"abc\.npz cannot be read .* Remove it"):
        saved.load()


def test_identity():
    one, two = np.arange(3), np.arange(4)
    names = {
        checkpoint.identity({"a": 1}, [one, two]),
        checkpoint.identity({"a": 2}, [one, two]),
        checkpoint.identity({"a": 1}, [two, one]),
        checkpoint.identity({"a": 1}, [one, two.astype(np.int32)]),
        checkpoint.identity({"a": 1}, [one, two + 1]),
    }
    assert len(names) == 5
    assert checkpoint.identity({"a": 1}, [one, two]) in names
