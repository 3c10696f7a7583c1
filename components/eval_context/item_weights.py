"""Item-kNN: an item's score is the sum of its cosines to the user's items.

The method is linear: with X [users, items] the 0/1 matrix of training positives, the
scores of user u are row u of X @ W. EASE has this form, too: see
`ncf_model.history.linear`.
"""

import concurrent.futures

import numpy as np
import scipy.sparse

from ncf_model import cores

# How many rows of the similarity matrix are dense at a time, and in what memory.
_BLOCK = 512
BLOCK_BYTES = 1 << 28


def item_knn(
    positives: scipy.sparse.csr_matrix, *, neighbours: int
) -> scipy.sparse.csr_matrix:
    """Returns the cosine similarity of each item to its nearest neighbours.

    Args:
        positives: [users, items] float32, 1 where the user has the item.
        neighbours: how many of an item's neighbours count, 1 or more.

    Returns:
        [items, items] float32; column i has the similarities of the at most
        `neighbours` items most similar to item i, without item i itself. Of equally
        similar items the more popular ones stay, of equally popular ones those with the
        lower index.

    Raises:
        ValueError: `neighbours` is below 1.
    """
    return Nearest(positives, most=neighbours).weights(neighbours)


class Nearest:
    """The nearest items, found once for several numbers of neighbours."""

    def __init__(self, positives: scipy.sparse.csr_matrix, *, most: int) -> None:
        """Finds the `most` nearest items of each; `weights` can ask for no more."""
        if most < 1:
            raise ValueError(f"`neighbours` must be 1 or more; got {most}.")
        norms = np.sqrt(np.asarray(positives.sum(axis=0)).ravel())
        unit = positives @ scipy.sparse.diags(1 / np.maximum(norms, 1)).tocsr()
        # Neighbours are in descending popularity, so that ties are broken by place.
        order = np.argsort(-norms, kind="stable")
        self._place = np.argsort(order)
        items, ranked = unit.T.tocsr(), unit[:, order]
        threads = cores.usable()
        width = block_width(len(norms), threads)

        def block(start: int) -> scipy.sparse.csr_matrix:
            own = self._place[start : start + width]
            return _nearest(items[start : start + width] @ ranked, own, most)

        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            blocks = list(pool.map(block, range(0, len(norms), width)))
        self._near = scipy.sparse.vstack(blocks, format="csr", dtype=np.float32)

    def weights(self, neighbours: int) -> scipy.sparse.csr_matrix:
        """Returns the result of `item_knn` for so many neighbours, at most `most`."""
        near = self._near
        sizes = np.diff(near.indptr)
        item = np.repeat(np.arange(len(sizes)), sizes)
        order = np.lexsort((near.indices, -near.data, item))
        rank = np.empty(near.nnz, np.int64)
        rank[order] = np.arange(near.nnz) - np.repeat(near.indptr[:-1], sizes)
        kept = rank < neighbours
        return scipy.sparse.csr_matrix(
            (near.data[kept], (near.indices[kept], item[kept])), near.shape
        )[self._place]


def block_width(num_items: int, threads: int) -> int:
    """Returns the number of items whose similarities are dense at a time in a thread.

    All threads together stay within `BLOCK_BYTES`. For each other item a row takes at
    most 8 bytes in a sparse product, 4 in a dense one, and 16 while its largest values
    are found.
    """
    row_bytes = 28 * max(num_items, 1)
    return int(np.clip(BLOCK_BYTES // (row_bytes * threads), 1, _BLOCK))


def _nearest(
    similarity: scipy.sparse.csr_matrix, own: np.ndarray, neighbours: int
) -> scipy.sparse.csr_matrix:
    """Returns the `neighbours` largest values above 0 of each row.

    Of equal values the first ones stay.

    Args:
        similarity: [width, items].
        own: [width], the column of each row's own item, which is left out.
        neighbours: 1 or more.
    """
    dense = similarity.toarray()
    dense[np.arange(len(dense)), own] = 0
    if neighbours < dense.shape[1]:
        limit = np.partition(dense, -neighbours, axis=1)[:, [-neighbours]]
        above = dense > limit
        # Zeros are not stored, so they need no room.
        row, column = np.nonzero((dense == limit) & (limit > 0))
        place = np.arange(len(row)) - np.searchsorted(row, row)
        stays = place < (neighbours - above.sum(axis=1))[row]
        dense *= above
        dense[row[stays], column[stays]] = limit[row[stays], 0]
    return scipy.sparse.csr_matrix(dense)
