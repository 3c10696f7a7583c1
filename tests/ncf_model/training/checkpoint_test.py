"""Checkpoints: what was saved is loaded again, and damaged files are not used."""

import os
import random
import time

import numpy as np

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


def test_the_same_training_may_run_twice_at_once(tmp_path, monkeypatch):
    """As when a pipeline is submitted twice. The state of either is that of both."""
    one, two = (checkpoint.Checkpoint(str(tmp_path), "abc") for _ in range(2))
    rename = checkpoint.tf.io.gfile.rename

    def other_is_faster(*args, **kwargs):
        monkeypatch.undo()
        two.save({"epoch": 3}, ARRAYS)
        rename(*args, **kwargs)

    monkeypatch.setattr(checkpoint.tf.io.gfile, "rename", other_is_faster)
    one.save({"epoch": 3}, ARRAYS)
    assert one.load()[0] == {"epoch": 3}


def test_the_other_training_may_end_while_the_state_is_read(tmp_path, monkeypatch):
    one, two = (checkpoint.Checkpoint(str(tmp_path), "abc") for _ in range(2))
    one.save({"epoch": 3}, ARRAYS)
    gfile = checkpoint.tf.io.gfile.GFile

    def other_ends(*args):
        two.remove()
        return gfile(*args)

    monkeypatch.setattr(checkpoint.tf.io.gfile, "GFile", other_ends)
    assert one.load() is None


def _damaged(content, rng):
    content = bytearray(content)
    how, place = rng.randrange(3), rng.randrange(len(content))
    if how == 0:
        del content[place:]
    elif how == 1:
        content[place] ^= 1 << rng.randrange(8)
    else:
        content[place : place + 50] = bytes(len(content[place : place + 50]))
    return bytes(content)


def test_a_damaged_file_is_no_reason_not_to_train(tmp_path, caplog):
    saved = checkpoint.Checkpoint(str(tmp_path), "abc")
    saved.save({"epoch": 1}, ARRAYS)
    path, rng = tmp_path / "abc.npz", random.Random(17)
    whole = path.read_bytes()
    refused = 0
    for _ in range(300):
        path.write_bytes(_damaged(whole, rng))
        found = saved.load()
        refused += found is None
        # Damage in bytes that nobody reads, such as a file's date, is not noticed.
        if found:
            assert found[0] == {"epoch": 1}
            for name, group in ARRAYS.items():
                for array, expected in zip(found[1][name], group, strict=True):
                    np.testing.assert_array_equal(array, expected)
    assert refused > 200
    assert "abc.npz is damaged" in caplog.text
    saved.save({"epoch": 2}, ARRAYS)
    assert saved.load()[0] == {"epoch": 2}


def test_what_nobody_came_back_to_goes_with_the_next(tmp_path):
    saved = checkpoint.Checkpoint(str(tmp_path), "abc")
    for name in ("abc.npz", "old.npz", "old.npz.partial", "new.npz", "foreign.txt"):
        (tmp_path / name).write_bytes(b"x")
    for name in ("old.npz", "old.npz.partial", "foreign.txt"):
        os.utime(tmp_path / name, (0, time.time() - checkpoint.FORGOTTEN_S - 60))
    saved.remove()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["foreign.txt", "new.npz"]


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
