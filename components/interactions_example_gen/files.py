"""Finds and opens input files, on this machine or in a bucket."""

import glob
import gzip
import os
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

EXTENSIONS = (".csv", ".tsv", ".dat", ".data", ".inter", ".txt", ".parquet")
_READ_BYTES = 1 << 20


def find(input_base: str, pattern: str = "*") -> list[str]:
    """Returns the input files in a folder, sorted by name.

    Args:
        input_base: folder, or a file (then `pattern` is not looked at).
        pattern: glob inside the folder.

    Returns:
        Paths whose extension is one of `EXTENSIONS`, with or without `.gz`. Hidden
        files and those that begin with `_`, such as Spark's `_SUCCESS`, are left out.

    Raises:
        ValueError: nothing fits.
    """
    paths = _match(input_base, pattern)
    fitting = [p for p in paths if is_interactions_file(p)]
    if not fitting:
        seen = f"; found {[os.path.basename(p) for p in paths][:10]}" if paths else ""
        raise ValueError(
            f"There must be a file of interactions ({', '.join(EXTENSIONS)}, or .gz of "
            f"these) at {os.path.join(input_base, pattern)}; there is none{seen}. "
            "Check the path given as data set."
        )
    return fitting


def is_interactions_file(path: str) -> bool:
    """Returns whether the name is one that is read."""
    name = os.path.basename(path)
    known = name.removesuffix(".gz").lower().endswith(EXTENSIONS)
    return known and not name.startswith((".", "_"))


def is_remote(path: str) -> bool:
    """Returns whether `path` is a URL such as gs://bucket/file."""
    return "://" in path


def size(path: str) -> int:
    """Returns the bytes `path` has once unpacked; an estimate for packed files."""
    if is_remote(path):
        stored = _beam_file_systems().match([path])[0].metadata_list[0].size_in_bytes
    else:
        stored = os.path.getsize(path)
    return stored * (4 if path.endswith((".gz", ".parquet")) else 1)


def open_binary(path: str) -> BinaryIO:
    """Opens `path` as it is stored, for reading bytes; the stream can seek."""
    if is_remote(path):
        systems = _beam_file_systems()
        return systems.open(path, compression_type="uncompressed")
    return open(path, "rb")


def read_pieces(path: str) -> Iterator[bytes]:
    """Yields the content of `path` piece by piece, unpacked if it ends in .gz.

    Raises:
        ValueError: the archive is cut short or damaged.
    """
    with open_binary(path) as stored:
        packed = path.endswith(".gz")
        stream = gzip.GzipFile(fileobj=stored) if packed else stored
        done = 0
        try:
            while piece := stream.read(_READ_BYTES):
                done += len(piece)
                yield piece
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(
                f"{path}: must be a complete gzip file, but after {done} bytes of "
                f"content: {error}. Fetch or write the file again; if it is not "
                "packed, drop `.gz` from its name."
            ) from error


def _match(input_base: str, pattern: str) -> list[str]:
    if is_remote(input_base):
        found = _beam_file_systems().match([os.path.join(input_base, pattern)])
        return sorted(m.path for m in found[0].metadata_list)
    if os.path.isfile(input_base):
        return [input_base]
    return sorted(glob.glob(os.path.join(glob.escape(input_base), pattern)))


def _beam_file_systems() -> Any:
    # Late: Beam takes seconds to import, and a local file does not need it.
    from apache_beam.io import filesystems

    return filesystems.FileSystems
