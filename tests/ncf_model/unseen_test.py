import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ncf_model import unseen


def _unseen(*users, num_items=5):
    offsets = np.cumsum([0, *(len(user) for user in users)])
    items = np.array([item for user in users for item in user], np.int64)
    return unseen.UnseenItems(items, offsets, num_items=num_items)


def _items(of, lookup, numbers, start=0, stop=None):
    """What the lookup makes of the same numbers for each user of a block."""
    users = (len(of.sizes) if stop is None else stop) - start
    sizes = np.full(users, len(numbers))
    out = np.empty(users * len(numbers), np.int32)
    lookup(start, start + users, sizes, np.tile(np.array(numbers, int), users), out)
    return out.reshape(users, -1).tolist()


LOOKUPS = {
    "table": lambda of: unseen.TableLookup(of, len(of.sizes)),
    "filter": unseen.FilterLookup,
}


@pytest.mark.parametrize("make", LOOKUPS.values(), ids=LOOKUPS)
class TestLookup:
    def test_numbers_begin_behind_as_many_items_as_were_seen(self, make):
        # Seen: 0 and 3 of 5. Numbers 0, 1, 2 stand for 2, 3, 4, but 3 is seen: its
        # number goes to 1, the unseen item below 2.
        of = _unseen([3, 0])
        assert _items(of, make(of), [0, 1, 2]) == [[2, 1, 4]]

    def test_each_user_has_numbers_of_its_own(self, make):
        of = _unseen([3, 0], [4, 3], [], [1])
        assert of.counts.tolist() == [3, 3, 5, 4]
        # Seen 3 and 4: their numbers go to 0 and 1. Nothing seen: items as they are.
        found = _items(of, make(of), [0, 1, 2])
        assert found == [[2, 1, 4], [2, 0, 1], [0, 1, 2], [0, 2, 3]]

    def test_a_block_in_the_middle(self, make):
        of = _unseen([3, 0], [4, 3], [], [1])
        assert _items(of, make(of), [2], start=1, stop=3) == [[1], [2]]

    def test_a_lookup_can_be_used_again(self, make):
        of = _unseen([3, 0], [4, 3])
        lookup = make(of)
        assert _items(of, lookup, [1], 0, 1) == [[1]]
        assert _items(of, lookup, [1], 1, 2) == [[0]]
        assert _items(of, lookup, [1], 0, 1) == [[1]]

    def test_all_but_two_seen(self, make):
        of = _unseen([0, 2, 3], num_items=5)
        assert sorted(_items(of, make(of), [0, 1])[0]) == [1, 4]


@st.composite
def _catalogues(draw):
    num_items = draw(st.integers(1, 40))
    items = st.lists(st.integers(0, num_items - 1), unique=True)
    return num_items, draw(st.lists(items, min_size=1, max_size=6))


@settings(deadline=None)
@given(_catalogues())
def test_numbers_reach_every_unseen_item_once(catalogue):
    num_items, users = catalogue
    of = _unseen(*users, num_items=num_items)
    for make in LOOKUPS.values():
        lookup = make(of)
        for user, seen in enumerate(users):
            numbers = range(num_items - len(seen))
            (found,) = _items(of, lookup, numbers, user, user + 1)
            assert sorted(found) == sorted(set(range(num_items)) - set(seen))


@settings(deadline=None)
@given(_catalogues())
def test_both_lookups_agree(catalogue):
    num_items, users = catalogue
    of = _unseen(*users, num_items=num_items)
    numbers = np.concatenate([np.arange(count) for count in of.counts])
    found = []
    for make in LOOKUPS.values():
        out = np.empty(len(numbers), np.int32)
        make(of)(0, len(users), of.counts, numbers.copy(), out)
        found.append(out.tolist())
    assert found[0] == found[1]


def test_order_of_items_does_not_matter():
    one, other = _unseen([4, 0, 3]), _unseen([0, 3, 4])
    lookups = [unseen.TableLookup(of, 1) for of in (one, other)]
    assert _items(one, lookups[0], [0, 1]) == _items(other, lookups[1], [0, 1])


def test_a_table_serves_many_draws_and_a_filter_few():
    of = _unseen([3, 0], [4, 3], num_items=10_000)
    assert isinstance(of.lookup(np.array([500, 500])), unseen.TableLookup)
    assert isinstance(of.lookup(np.array([4, 4])), unseen.FilterLookup)


def test_catalogue_of_ten_million():
    of = _unseen([9_999_999, 0], num_items=10_000_000)
    lookup = of.lookup(np.array([2]))
    assert _items(of, lookup, [0, 9_999_997]) == [[2, 1]]


def test_filter_survives_keys_that_collide():
    # 2**20 items apart, so that they share a place of the filter.
    of = _unseen([0, 5 + (1 << 20)], num_items=1 << 21)
    numbers = [3, 3 + (1 << 20)]  # items 5 and 5 + 2**20; the second is seen
    assert _items(of, unseen.FilterLookup(of), numbers) == [[5, 1]]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([2, 2, 2], [(0, 2), (2, 3)]),
        ([9, 1, 1], [(0, 1), (1, 3)]),
        ([0, 0, 0, 0], [(0, 3), (3, 4)]),
        ([1, 9, 3], [(0, 1), (1, 2), (2, 3)]),
        ([], []),
    ],
)
def test_blocks_of_four_draws_and_three_users(sizes, expected):
    assert list(unseen.blocks(np.array(sizes, int), size=4, rows=3)) == expected


@pytest.mark.parametrize("item", [-1, 5])
def test_item_outside_the_vocabulary(item):
    with pytest.raises(ValueError, match=r"must be in \[0, 5\)"):
        _unseen([0, item])


def test_item_twice():
    with pytest.raises(ValueError, match="user number 1 has item 3 twice"):
        _unseen([3], [3, 1, 3])


def test_offsets_that_do_not_fit():
    with pytest.raises(ValueError, match="must end at the number of items, 2; got 3"):
        unseen.UnseenItems(np.array([0, 1]), np.array([0, 3]), num_items=5)


@pytest.mark.parametrize("num_items", [0, 1 << 31])
def test_catalogue_size_out_of_range(num_items):
    with pytest.raises(ValueError, match="`num_items` must be in"):
        _unseen([], num_items=num_items)
