"""The loops over single draws, compiled by Numba.

A draw is a few multiplications and one access to a table that stays in the processor's
cache. NumPy needs a pass over a block of draws for each of these, and 2 to 6 times as
long (benchmarks/README.md). All compiled functions are in this file, since Numba's
cache of a function notices when the function's own file has changed, but not those it
calls.
"""

import numba
import numpy as np

from ncf_model.sampling import compiled_cache

# Up to so many items, two draws share a random word and a table fits into the cache.
NARROW = 1 << 16
# How many places an index of items has; the index fits into the processor's cache.
_PLACES = 1 << 16
_NONE = -1

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_UNIT = 2.0**-53
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


def finalise(state):  # type: ignore[no-untyped-def]  # A word or an array of them.
    """SplitMix64's output function, of uint64 or an array of it; not compiled."""
    state = (state ^ (state >> _SHIFTS[0])) * _MULTIPLIERS[0]
    state = (state ^ (state >> _SHIFTS[1])) * _MULTIPLIERS[1]
    return state ^ (state >> _SHIFTS[2])


_finalise = numba.njit(finalise)


@numba.njit
def word(first: np.uint64, number: int) -> np.uint64:
    """Returns random word `number`, from 0, of the user who begins at `first`."""
    return _finalise(first + (np.uint64(number) + np.uint64(1)) * GOLDEN)


@numba.njit
def integer(first: np.uint64, number: int, bound: int, num_items: int) -> np.int64:
    """Returns integer `number`, from 0, of a user: uniform in [0, bound).

    A word is multiplied by the bound, and its upper bits are taken. A number's
    probability is therefore off by a factor of at most 1 +- bound / 2**32 for
    catalogues up to `NARROW` items, where two numbers share a word, and of at most
    1 +- bound / 2**64 for larger ones.

    Args:
        first: where the user's words begin.
        number: which of the user's integers.
        bound: from 1 to `num_items`.
        num_items: size of the catalogue, below 2**32. It decides whether two numbers
            share a word.
    """
    scale = np.uint64(bound)
    if num_items <= NARROW:
        half = word(first, number >> 1) >> (_HALF * np.uint64(number & 1)) & _LOW
        return np.int64(half * scale >> _HALF)
    bits = word(first, number)
    # The upper half of the product's 128 bits.
    return np.int64((bits >> _HALF) * scale + ((bits & _LOW) * scale >> _HALF) >> _HALF)


@numba.njit
def below(bits: np.uint64, bound: int) -> np.int64:
    """Scales a word to an integer in [0, bound), exact to bound / 2**53.

    `integer` is faster; this one serves bounds up to 2**52.
    """
    # The product is at most (1 - 2**-53) * bound, so rounding never reaches the bound.
    return np.int64(np.float64(bits >> np.uint64(11)) * (bound * _UNIT))


@compiled_cache.compiled()
def draw_by_table(
    first: np.ndarray,
    sizes: np.ndarray,
    seen_counts: np.ndarray,
    items: np.ndarray,
    stand_ins: np.ndarray,
    offsets: np.ndarray,
    num_items: int,
) -> np.ndarray:
    """Draws unseen items uniformly, from a table of the whole (small) catalogue.

    Args:
        first: [U] uint64, where each user's words begin.
        sizes: [U] int64, how many draws each user gets.
        seen_counts: [U] int64, how many items each user has seen.
        items: [E] int32, the seen items that are exceptions, user after user.
        stand_ins: [E] int32, the item that takes the place of each.
        offsets: [U + 1] int64, where each user's exceptions begin.
        num_items: size of the catalogue, `NARROW` at most.

    Returns:
        [sum(sizes)] int32, user after user.
    """
    drawn = np.empty(sizes.sum(), np.int32)
    table = np.arange(num_items).astype(np.uint16)
    done = 0
    for user in range(len(sizes)):
        own = items[offsets[user] : offsets[user + 1]]
        others = stand_ins[offsets[user] : offsets[user + 1]]
        for at in range(len(own)):
            table[own[at]] = others[at]
        seen = seen_counts[user]
        begin, bound = first[user], num_items - seen
        out = drawn[done : done + sizes[user]]
        for number in range(len(out)):
            out[number] = table[seen + integer(begin, number, bound, num_items)]
        done += len(out)
        for item in own:
            table[item] = item
    return drawn


@compiled_cache.compiled()
def draw_by_index(
    first: np.ndarray,
    sizes: np.ndarray,
    seen_counts: np.ndarray,
    items: np.ndarray,
    stand_ins: np.ndarray,
    offsets: np.ndarray,
    num_items: int,
) -> np.ndarray:
    """Draws what `draw_by_table` draws, for a catalogue too large for a table."""
    drawn = np.empty(sizes.sum(), np.int32)
    heads, links = _new_index(num_items, offsets)
    done = 0
    for user in range(len(sizes)):
        own = items[offsets[user] : offsets[user + 1]]
        others = stand_ins[offsets[user] : offsets[user + 1]]
        _enter(own, heads, links)
        seen = seen_counts[user]
        begin, bound = first[user], num_items - seen
        out = drawn[done : done + sizes[user]]
        for number in range(len(out)):
            item = seen + integer(begin, number, bound, num_items)
            at = _find(item, own, heads, links)
            out[number] = item if at == _NONE else others[at]
        done += len(out)
        _leave(own, heads)
    return drawn


@compiled_cache.compiled()
def draw_lists(
    first: np.ndarray,
    count: int,
    with_replacement: bool,
    seen_counts: np.ndarray,
    items: np.ndarray,
    stand_ins: np.ndarray,
    offsets: np.ndarray,
    num_items: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws distinct unseen items, a list per user, in the order of drawing.

    A user with no more than `count` unseen items gets all of them. With replacement,
    `count` items are drawn for every user, and equal ones are kept once. The other
    arguments are those of `draw_by_table`.

    Returns:
        The items, int32, user after user, and how many each user gets, [U] int64.
    """
    most = 0
    for seen in seen_counts:
        most += min(num_items - seen, count)
    listed, kept = np.empty(most, np.int32), np.empty_like(seen_counts)
    heads, links = _new_index(num_items, offsets)
    numbers = np.empty(count, np.int64)
    number_heads = np.full(len(heads), _NONE, np.int32)
    number_links = np.empty(count, np.int32)
    done = 0
    for user in range(len(first)):
        begin, seen = first[user], seen_counts[user]
        bound, length = num_items - seen, 0
        if bound <= count and not with_replacement:
            while length < bound:
                numbers[length] = length
                length += 1
        else:
            draws = 0
            while bound and (draws if with_replacement else length) < count:
                number = integer(begin, draws, bound, num_items)
                draws += 1
                found = _find(number, numbers, number_heads, number_links)
                if found == _NONE:
                    numbers[length] = number
                    _enter_one(number, length, number_heads, number_links)
                    length += 1
            _leave(numbers[:length], number_heads)
        own = items[offsets[user] : offsets[user + 1]]
        others = stand_ins[offsets[user] : offsets[user + 1]]
        _enter(own, heads, links)
        for place in range(length):
            item = seen + numbers[place]
            at = _find(item, own, heads, links)
            listed[done + place] = item if at == _NONE else others[at]
        _leave(own, heads)
        kept[user] = length
        done += length
    return listed[:done], kept


@compiled_cache.compiled()
def draw_by_weight(
    first: np.ndarray,
    sizes: np.ndarray,
    items: np.ndarray,
    offsets: np.ndarray,
    weights: np.ndarray,
    ends: np.ndarray,
    buckets: np.ndarray,
    bucket_bits: int,
    tries: int,
) -> np.ndarray:
    """Draws unseen items by weight.

    Args:
        first: [U] uint64, where each user's words begin.
        sizes: [U] int64, how many draws each user gets.
        items: [P] int32, what each user has seen, user after user, ascending.
        offsets: [U + 1] int64, where each user's items begin.
        weights: [N] int64, 1 or more.
        ends: [N] int64, where each item's segment of the line of all items ends; see
            `weighted`.
        buckets: int32, the first item of each bucket of the line; see `item_at`.
        bucket_bits: a bucket is 2**bucket_bits long.
        tries: how many points of the line of all items are tried before the line of
            the user's unseen items is searched.

    Returns:
        [sum(sizes)] int32, user after user.
    """
    drawn = np.empty(sizes.sum(), np.int32)
    heads, links = _new_index(len(weights), offsets)
    # Where each seen item is cut out of the user's line, and the length cut before it.
    cuts = np.empty(len(links), np.int64)
    removed = np.empty(len(links) + 1, np.int64)
    total, done = ends[-1], 0
    for user in range(len(sizes)):
        own = items[offsets[user] : offsets[user + 1]]
        _enter(own, heads, links)
        removed[0] = 0
        for at in range(len(own)):
            removed[at + 1] = removed[at] + weights[own[at]]
            cuts[at] = ends[own[at]] - removed[at + 1]
        begin, left = first[user], total - removed[len(own)]
        out = drawn[done : done + sizes[user]]
        for number in range(len(out)):
            at, turn = 0, 0
            while at != _NONE and turn < tries:
                bits = word(begin, number + turn * len(out))
                item = item_at(below(bits, total), ends, buckets, bucket_bits)
                at = _find(item, own, heads, links)
                turn += 1
            if at != _NONE:
                point = below(word(begin, number + tries * len(out)), left)
                cut = np.searchsorted(cuts[: len(own)], point, side="right")
                item = item_at(point + removed[cut], ends, buckets, bucket_bits)
            out[number] = item
        done += len(out)
        _leave(own, heads)
    return drawn


@numba.njit
def item_at(
    point: np.int64, ends: np.ndarray, buckets: np.ndarray, bucket_bits: int
) -> np.int64:
    """Returns the item whose segment of the line covers a point.

    A bucket holds the item that it begins with, or the complement of that item's number
    if more items begin in the bucket.
    """
    item = np.int64(buckets[point >> bucket_bits])
    if item < 0:
        # This loop is short on average: a point falls into a bucket as often as the
        # bucket is long, however many items begin in it.
        item = ~item
        while ends[item] <= point:
            item += 1
    return item


# An index of values. The lowest bits of a value are its place. `heads` holds for each
# place the position of the value entered last, `links` the position of the one before.


@numba.njit
def _new_index(num_values: int, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns an empty index, which holds the values of one user at a time."""
    places = 1
    while places < min(num_values, _PLACES):
        places *= 2
    longest = 0
    for user in range(len(offsets) - 1):
        longest = max(longest, offsets[user + 1] - offsets[user])
    return np.full(places, _NONE, np.int32), np.empty(longest, np.int32)


@numba.njit
def _enter(values: np.ndarray, heads: np.ndarray, links: np.ndarray) -> None:
    for at in range(len(values)):
        _enter_one(values[at], at, heads, links)


@numba.njit
def _enter_one(value: np.int64, at: int, heads: np.ndarray, links: np.ndarray) -> None:
    place = value & (len(heads) - 1)
    links[at] = heads[place]
    heads[place] = at


@numba.njit
def _find(
    value: np.int64, values: np.ndarray, heads: np.ndarray, links: np.ndarray
) -> int:
    """Returns the position of `value` among the entered `values`, or `_NONE`."""
    at = heads[value & (len(heads) - 1)]
    while at != _NONE and values[at] != value:
        at = links[at]
    return at


@numba.njit
def _leave(values: np.ndarray, heads: np.ndarray) -> None:
    """Removes `values` from the index."""
    for value in values:
        heads[value & (len(heads) - 1)] = _NONE
