"""Counter-based random numbers, vectorised over users.

Draw number t of a user is a pure function of (key, epoch, stream, t): no generator is
kept, so users can be drawn in any order and in any blocks. The words are those of
SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), each user starting at a place of its
own in the sequence. One NumPy generator per user would promise the same, but costs 4
to 10 times as much on MovieLens 1M, and more where users have few items
(benchmarks/sampling.py).
"""

import functools
import hashlib
from collections.abc import Sequence

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
# Up to this bound two numbers share a word: 32 bits leave a bias of 2**-16 at most.
_NARROW = 1 << 16


def user_keys(user_ids: Sequence[bytes], seed: int) -> np.ndarray:
    """Returns one key per user, [U] uint64: a hash of the raw id, keyed by the seed.

    Not `hash()`: Python salts it per process, so Beam workers would disagree.

    Raises:
        ValueError: `seed` is outside [0, 2**64).
    """
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"`seed` must be in [0, 2**64); got {seed}.")
    seeded = hashlib.blake2b(key=seed.to_bytes(8, "little"), digest_size=8)
    digests = bytearray()
    for user_id in user_ids:
        hasher = seeded.copy()
        hasher.update(user_id)
        digests += hasher.digest()
    return np.frombuffer(bytes(digests), "<u8").astype(np.uint64)


def starts(keys: np.ndarray, *, epoch: int | np.ndarray, stream: int) -> np.ndarray:
    """Returns where each user's words of one epoch and stream begin, [U] uint64.

    Args:
        keys: [U] uint64 of `user_keys`.
        epoch: in [0, 2**32), one for all or [U] integers.
        stream: in [0, 2**31), one for each purpose.
    """
    purpose = np.atleast_1d(np.asarray(epoch, np.int64) + (stream << 32))
    purpose = purpose.astype(np.uint64) * _GOLDEN + _GOLDEN
    return _finalise(keys ^ _finalise(purpose))


def words(first: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns the first `counts[u]` random words of every user, flat, uint64.

    Args:
        first: [U] uint64 of `starts`.
        counts: [U] int64, >= 0.
    """
    before = (np.cumsum(counts) - counts).astype(np.uint64)
    state = np.repeat(first - _GOLDEN * before, counts)
    size = 1 << max(16, len(state).bit_length())
    state += _ramp(size)[: len(state)]
    return _finalise(state)


def integers(
    first: np.ndarray, counts: np.ndarray, bounds: np.ndarray, *, limit: int
) -> np.ndarray:
    """Draws `counts[u]` integers in [0, bounds[u]) for every user, with replacement.

    A word is scaled by its bound and cut. A number's probability is therefore off by a
    factor of 1 +- 2**-16 at most for limits to 2**16, and to 2**24; it is 2**-32 at
    MovieLens 1M's 3,706 items.

    Args:
        first: [U] uint64 of `starts`.
        counts: [U] int64, >= 0.
        bounds: [U] int64, from 1 to `limit` where `counts` is above 0.
        limit: what all bounds of all blocks stay within; it alone, not the bounds of
            this block, decides how words are cut, so users do not affect each other.

    Returns:
        [sum(counts)] int64, user after user. Fewer draws are a prefix of more.
    """
    per_word = 2 if limit <= _NARROW else 1
    needed = -(-counts // per_word)
    bits = words(first, needed)
    if per_word == 2:
        bits, cut = bits.astype("<u8", copy=False).view("<u4"), 32
    else:
        cut = 64 - limit.bit_length()
        bits >>= np.uint64(64 - cut)
    numbers = np.repeat(bounds.astype(np.uint64), needed * per_word)
    np.multiply(numbers, bits, out=numbers)
    numbers >>= np.uint64(cut)
    spare = counts % per_word == 1
    if per_word == 2 and spare.any():
        numbers = np.delete(numbers, (2 * np.cumsum(needed) - 1)[spare])
    return numbers.view(np.int64)


def words_at(first: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Returns word number `number[d]` of the user who begins at `first[d]`, uint64."""
    return _finalise(first + (number.astype(np.uint64) + np.uint64(1)) * _GOLDEN)


def below(bits: np.ndarray, bounds: int | np.ndarray) -> np.ndarray:
    """Scales words to integers in [0, bounds), int64, exact to bounds / 2**53.

    `integers` is faster; this one serves bounds up to 2**52.
    """
    fractions = (bits >> np.uint64(11)).astype(np.float64)
    # At most (1 - 2**-53) * bound, and its rounding cannot reach the bound itself.
    fractions *= bounds * 2.0**-53
    return fractions.astype(np.int64)


@functools.lru_cache(maxsize=1)
def _ramp(size: int) -> np.ndarray:
    """The steps of the first `size` words, shared by all blocks: never written to."""
    return np.arange(1, size + 1, dtype=np.uint64) * _GOLDEN


def _finalise(state: np.ndarray) -> np.ndarray:
    """SplitMix64's output function, in place."""
    shifted = np.empty_like(state)
    for shift, multiplier in zip(_SHIFTS, _MULTIPLIERS, strict=False):
        np.right_shift(state, shift, out=shifted)
        np.bitwise_xor(state, shifted, out=state)
        np.multiply(state, multiplier, out=state)
    np.right_shift(state, _SHIFTS[2], out=shifted)
    np.bitwise_xor(state, shifted, out=state)
    return state
