import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats

from ncf_model.sampling import compiled_loops, random_words

FIRST = np.uint64(1234567)
# 2**16 is the largest limit at which one random word gives two numbers.
LIMITS = [1 << 16, (1 << 16) + 1, 10_000_000, (1 << 31) - 1]


def _words(count, first=FIRST):
    return [int(compiled_loops.word(first, number)) for number in range(count)]


def _integers(count, bound, *, limit, first=FIRST):
    numbers = range(count)
    return [compiled_loops.integer(first, number, bound, limit) for number in numbers]


def test_words_are_splitmix64():
    # The published outputs of the reference implementation for seed 1234567.
    assert _words(5) == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_two_narrow_integers_share_a_word_the_low_half_first():
    word = _words(1)[0]
    halves = [word & 0xFFFFFFFF, word >> 32]
    expected = [half * 1000 >> 32 for half in halves]
    assert _integers(2, 1000, limit=1 << 16) == expected


@pytest.mark.parametrize("limit", LIMITS[1:])
def test_a_wide_integer_is_a_scaled_word(limit):
    for bound in (1, 9_999, limit):
        expected = [word * bound >> 64 for word in _words(100)]
        assert _integers(100, bound, limit=limit) == expected


@pytest.mark.parametrize("limit", LIMITS)
def test_integers_are_uniform(limit):
    counts = np.bincount(_integers(600_000, 6, limit=limit), minlength=6)
    assert len(counts) == 6
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("limit", LIMITS)
def test_integers_reach_the_whole_of_a_large_bound_and_no_more(limit):
    numbers = np.array(_integers(100_000, limit, limit=limit))
    assert numbers.min() >= 0
    assert numbers.max() < limit
    counts = np.bincount(numbers * 8 // limit)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_integers_follow_each_other_independently():
    numbers = np.array(_integers(400_000, 4, limit=4))
    pairs = np.bincount(numbers[:-1] * 4 + numbers[1:], minlength=16)
    assert scipy.stats.chisquare(pairs).pvalue > 1e-3


def test_users_are_independent():
    keys = random_words.user_keys([b"%d" % user for user in range(100_000)], 0)
    first = random_words.starts(keys, epoch=0, stream=0)
    drawn = [compiled_loops.integer(begin, 0, 10, 10) for begin in first]
    assert scipy.stats.chisquare(np.bincount(drawn)).pvalue > 1e-3


def test_below_covers_large_bounds():
    bound = 1 << 52
    words = map(np.uint64, _words(100_000))
    points = np.array([compiled_loops.below(word, bound) for word in words])
    assert points.min() >= 0
    assert points.max() < bound
    counts = np.bincount(points >> 49)
    assert len(counts) == 8
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_below_of_one_is_zero():
    assert {compiled_loops.below(np.uint64(word), 1) for word in _words(3)} == {0}


def test_largest_word_stays_below():
    word = np.uint64((1 << 64) - 1)
    assert compiled_loops.below(word, 1 << 52) == (1 << 52) - 1
    assert compiled_loops.below(word, 3) == 2


DRAW = """
import numpy as np
from ncf_model.sampling import negatives
drawn = negatives.training_negatives(
    np.array([0, 3]), np.array([0, 2]), np.array([7], np.uint64), epoch=0,
    num_negatives=4, num_items=6)
print(*drawn)
"""


def _draw(copy, folder):
    """Draws in a process that imports `copy`; returns the numbers as printed."""
    environment = {**os.environ, "PYTHONPATH": str(copy.parent), "HOME": "/nonexistent"}
    environment.pop("NUMBA_CACHE_DIR", None)
    # Root could create any folder, but not below a file.
    environment["XDG_CACHE_HOME"] = str(copy / "config.py")
    return subprocess.run(
        [sys.executable, "-c", DRAW],
        env=environment,
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture
def copy(tmp_path):
    """Returns a copy of the package without cached compiled loops."""
    package = pathlib.Path(compiled_loops.__file__).parents[1]
    copy = tmp_path / "copy" / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def _zeroed(content):
    half = len(content) // 2
    return content[:half] + bytes(len(content) - half)


def _flipped(content):
    rng = np.random.default_rng(17)
    changed = np.frombuffer(content, np.uint8).copy()
    places = rng.integers(len(changed), size=200)
    changed[places] ^= 1 << rng.integers(8, size=200, dtype=np.uint8)
    return changed.tobytes()


def test_what_was_compiled_is_kept_and_may_be_broken(copy, tmp_path):
    found = _draw(copy, tmp_path)
    assert len(found.split()) == 8
    kept = {path: path.read_bytes() for path in copy.rglob("*.nb[ci]")}
    assert {path.suffix for path in kept} == {".nbc", ".nbi"}
    for damage in (_zeroed, _flipped):
        for path, content in kept.items():
            path.write_bytes(damage(content))
        assert _draw(copy, tmp_path) == found
        # The loops were compiled again and cached again.
        for path in kept:
            stored = path.read_bytes()
            assert hashlib.sha256(stored[32:]).digest() == stored[:32]


def test_nowhere_to_keep_what_was_compiled(copy, tmp_path):
    # A file in place of the folder stops even root; permissions would not.
    (copy / "sampling" / "__pycache__").touch()
    assert len(_draw(copy, tmp_path).split()) == 8
    assert not list(tmp_path.rglob("*.nbc"))
