import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ncf_model.sampling import compiled_loops, random_words, unseen


def _unseen(*users, num_items=5):
    offsets = np.cumsum([0, *(len(user) for user in users)])
    items = np.array([item for user in users for item in user], np.int64)
    return unseen.UnseenItems(items, offsets, num_items=num_items)


def _starts(users):
    keys = random_words.user_keys([b"%d" % user for user in range(users)], 0)
    return random_words.starts(keys, epoch=0, stream=0)


def _numbered(of):
    """Returns the unseen items that each user's numbers 0, 1, 2 ... stand for."""
    # A list that is long enough for all unseen items has them in order of numbers.
    values, lengths = of.draw_lists(
        _starts(len(of.sizes)), max(1, of.num_items), with_replacement=False
    )
    ends = np.cumsum(lengths)
    return [part.tolist() for part in np.split(values, ends[:-1])]


def test_numbers_begin_behind_as_many_items_as_were_seen():
    # Items 0 and 3 of 5 are seen. Numbers 0, 1, 2 would stand for items 2, 3, 4; as 3
    # is seen, number 1 stands for item 1, the unseen item below 2.
    assert _numbered(_unseen([3, 0])) == [[2, 1, 4]]


def test_each_user_has_numbers_of_its_own():
    of = _unseen([3, 0], [4, 3], [], [1])
    assert of.counts.tolist() == [3, 3, 5, 4]
    # If 3 and 4 are seen, 0 and 1 take their numbers; if none is, items keep theirs.
    assert _numbered(of) == [[2, 1, 4], [2, 0, 1], [0, 1, 2, 3, 4], [0, 2, 3, 4]]


def test_a_user_who_has_seen_everything_has_no_numbers():
    assert _numbered(_unseen([0, 1, 2, 3, 4], [1])) == [[], [0, 2, 3, 4]]


def test_order_of_items_does_not_matter():
    assert _numbered(_unseen([4, 0, 3])) == _numbered(_unseen([0, 3, 4]))


@st.composite
def _catalogues(draw):
    num_items = draw(st.integers(1, 40))
    items = st.lists(st.integers(0, num_items - 1), unique=True)
    return num_items, draw(st.lists(items, min_size=1, max_size=6))


@settings(deadline=None)
@given(_catalogues())
def test_numbers_reach_every_unseen_item_once(catalogue):
    num_items, users = catalogue
    for seen, found in zip(
        users, _numbered(_unseen(*users, num_items=num_items)), strict=True
    ):
        assert sorted(found) == sorted(set(range(num_items)) - set(seen))


@settings(deadline=None)
@given(_catalogues())
def test_a_draw_is_the_item_of_a_random_number(catalogue):
    num_items, users = catalogue
    of = _unseen(*users, num_items=num_items)
    sizes = np.where(of.counts > 0, 3, 0)
    first = _starts(len(users))
    expected = [
        items[compiled_loops.integer(begin, number, len(items), num_items)]
        for begin, items in zip(first, _numbered(of), strict=True)
        for number in range(3 if items else 0)
    ]
    assert of.draw(first, sizes, 0, len(users)).tolist() == expected


@settings(deadline=None)
@given(_catalogues())
def test_table_and_index_agree(catalogue):
    num_items, users = catalogue
    of = _unseen(*users, num_items=num_items)
    sizes = np.where(of.counts > 0, 20, 0)
    first = _starts(len(users))
    by_table = of.draw(first, sizes, 0, len(users))
    by_index = compiled_loops.draw_by_index(first, sizes, *of._users(0, len(users)))
    assert by_table.tolist() == by_index.tolist()


# Seen items are found by a table up to 2**16 items, and by an index beyond.
@pytest.mark.parametrize("num_items", [1 << 16, (1 << 16) + 1, 1 << 20])
class TestLargeCatalogues:
    def _seen(self, num_items):
        # Items with the same lowest 16 bits share a place of the index.
        alike = np.arange(num_items - 5, 0, -(1 << 16))
        return [*alike.tolist(), num_items - 1, 0]

    def test_draws_no_seen_item_and_all_others(self, num_items):
        seen = self._seen(num_items)
        of = _unseen(seen, num_items=num_items)
        (found,) = _numbered(of)
        assert sorted(found) == sorted(set(range(num_items)) - set(seen))

    def test_a_draw_is_the_item_of_a_random_number(self, num_items):
        of = _unseen(self._seen(num_items), [1], num_items=num_items)
        first = _starts(2)
        expected = [
            items[compiled_loops.integer(begin, number, len(items), num_items)]
            for begin, items in zip(first, _numbered(of), strict=True)
            for number in range(50)
        ]
        drawn = of.draw(first, np.array([50, 50]), 0, 2)
        assert drawn.dtype == np.int32
        assert drawn.tolist() == expected

    def test_users_in_the_middle(self, num_items):
        of = _unseen([3], self._seen(num_items), [2, 0], num_items=num_items)
        first = _starts(3)
        whole = of.draw(first, np.array([9, 9, 9]), 0, 3)
        part = of.draw(first[1:2], np.array([9]), 1, 2)
        assert part.tolist() == whole[9:18].tolist()

    def test_fewer_draws_are_a_prefix_of_more(self, num_items):
        of = _unseen([0, 3], num_items=num_items)
        more = of.draw(_starts(1), np.array([9]), 0, 1)
        fewer = of.draw(_starts(1), np.array([4]), 0, 1)
        assert fewer.tolist() == more[:4].tolist()


def test_catalogue_of_ten_million():
    of = _unseen([9_999_999, 0], num_items=10_000_000)
    # A list of all unseen items is in the order of their numbers.
    items, lengths = of.draw_lists(_starts(1), 10_000_000, with_replacement=False)
    assert lengths.tolist() == [9_999_998]
    assert items[[0, -1]].tolist() == [2, 1]
    drawn = of.draw(_starts(1), np.array([1000]), 0, 1)
    assert drawn.max() > 9_900_000
    assert not set(drawn) & {0, 9_999_999}


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


@pytest.mark.parametrize("offsets", [[0, 3], [0, 1], [1, 2]])
def test_offsets_that_do_not_fit(offsets):
    with pytest.raises(ValueError, match="must go from 0 to the number of items, 2"):
        unseen.UnseenItems(np.array([0, 1]), np.array(offsets), num_items=5)


@pytest.mark.parametrize("num_items", [0, 1 << 31])
def test_catalogue_size_out_of_range(num_items):
    with pytest.raises(ValueError, match="`num_items` must be in"):
        _unseen([], num_items=num_items)
