"""Counter-based random numbers: where the numbers of each user begin.

Draw number t of a user is a pure function of (key, epoch, stream, t). There is no
generator with a state, so users can be drawn in any order and in any blocks. The random
words are those of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014); each user begins at
an own place of the sequence. One NumPy generator per user would promise the same, but
costs 20 times as much on MovieLens 1M, and more where users have few items
(benchmarks/sampling.py).
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from ncf_model.sampling import compiled_loops


def user_keys(user_ids: Sequence[bytes], seed: int) -> np.ndarray:
    """Returns one key per user, [U] uint64: a hash of the raw id, keyed by the seed.

    Python's `hash()` would not do: it is salted per process, so Beam workers would
    disagree.

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
    """Returns where each user's words for an epoch and a stream begin, [U] uint64.

    Args:
        keys: [U] uint64, as `user_keys` returns them.
        epoch: in [0, 2**32), one number for all users or [U] integers.
        stream: in [0, 2**31), a number that each purpose has for itself.
    """
    purpose = np.atleast_1d(np.asarray(epoch, np.int64) + (stream << 32))
    purpose = purpose.astype(np.uint64) * compiled_loops.GOLDEN + compiled_loops.GOLDEN
    return compiled_loops.finalise(keys ^ compiled_loops.finalise(purpose))
