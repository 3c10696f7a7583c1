"""The fingerprint of the input, computed from the contents of its files."""

import concurrent.futures
import hashlib
import os
from collections.abc import Iterable, Iterator

from components.interactions_example_gen import files

PIECE_BYTES = 1 << 24
_WORKERS = 4


def fingerprint(paths: Iterable[str]) -> str:
    """Returns a digest of names and contents of files, with their number and size.

    Pieces of a file are digested in parallel: SHA-256 reads half a gigabyte a second
    on one core, and more on two.

    Args:
        paths: of the files, on this machine or in a bucket; their order counts.

    Example:
        `num_files:1,total_bytes:1979173,sha256:8f7c...`
    """
    total, count, size = hashlib.sha256(), 0, 0
    with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
        for path in paths:
            count += 1
            length = 0
            total.update(os.path.basename(path).encode() + b"\0")
            # hashlib lets other threads run while it digests a large piece.
            for done in _ahead(pool, _pieces(path)):
                digest, piece = done.result()
                total.update(digest)
                length += piece
            total.update(length.to_bytes(8, "big"))
            size += length
    return f"num_files:{count},total_bytes:{size},sha256:{total.hexdigest()[:32]}"


def _pieces(path: str) -> Iterator[bytes]:
    with files.open_binary(path) as f:
        while piece := f.read(PIECE_BYTES):
            yield piece


def _digest(piece: bytes) -> tuple[bytes, int]:
    return hashlib.sha256(piece).digest(), len(piece)


def _ahead(
    pool: concurrent.futures.Executor, pieces: Iterator[bytes]
) -> Iterator["concurrent.futures.Future[tuple[bytes, int]]"]:
    """Yields the result of each piece, in order, while the next are worked on."""
    waiting: list[concurrent.futures.Future[tuple[bytes, int]]] = []
    for piece in pieces:
        waiting.append(pool.submit(_digest, piece))
        if len(waiting) > _WORKERS:
            yield waiting.pop(0)
    yield from waiting
