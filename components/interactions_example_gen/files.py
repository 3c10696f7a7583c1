"""Finds and opens input files, on this machine or in a bucket."""

import bz2
import glob
import gzip
import lzma
import os
import shlex
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

TEXT = (".csv", ".tsv", ".dat", ".data", ".inter", ".txt")
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"
EXTENSIONS = (*TEXT, *JSON_LINES, PARQUET)
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_READ_BYTES = 1 << 20
_DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
# Kinds of files that are not read, and how to convert each of them.
_CONVERSIONS: Mapping[tuple[str, ...], str] = {
    (".xlsx", ".xls", ".ods"): "a spreadsheet: save the sheet as CSV (in Excel, File, "
    "Save As, `CSV UTF-8`; or `libreoffice --convert-to csv {name}`)",
    (".json",): "JSON: make it one object per line, `jq -c '.[]' {name} > data.jsonl`",
    (".sqlite", ".sqlite3", ".db"): "a database: "
    "`sqlite3 -header -csv {name} 'SELECT ...' > data.csv`",
    (".pkl", ".pickle", ".feather", ".arrow", ".orc", ".avro", ".h5", ".hdf5"): (
        "a table: read it in the program that wrote it and write Parquet, in pandas "
        "`frame.to_parquet('data.parquet')`"
    ),
    (".tar", ".tgz", ".7z", ".rar"): "an archive: unpack it, and name the file or the "
    "folder in it",
}


def find(input_base: str, pattern: str = "*") -> list[str]:
    """Returns the input files in a folder, sorted by name.

    Args:
        input_base: folder, or a file (then `pattern` is ignored).
        pattern: glob inside the folder; each of several lines is a glob, in that order.

    Returns:
        Paths whose extension is one of `EXTENSIONS`, with or without one of `PACKED`.
        Hidden files and those that begin with `_`, such as Spark's `_SUCCESS`, are left
        out.

    Raises:
        ValueError: no file matches, or a match is no regular file.
    """
    paths = [p for line in pattern.split("\n") for p in matching(input_base, line)]
    fitting = [p for p in paths if is_interactions_file(p)]
    for path in fitting:
        _check_regular(path)
    if not fitting:
        seen = f"; found {[os.path.basename(p)[:60] for p in paths][:10]}"
        alone = paths == [input_base]
        raise ValueError(
            f"{_advice(paths)} There must be a file of interactions "
            f"({', '.join(EXTENSIONS)}; packed as {', '.join(PACKED)} or not) at "
            f"{input_base if alone else os.path.join(input_base, pattern)}; there is "
            f"none{seen if paths else ''}."
        )
    return fitting


def is_interactions_file(path: str) -> bool:
    """Returns whether files with such a name are read."""
    name = os.path.basename(path)
    known = unpacked_name(path).endswith(EXTENSIONS) or name.lower().endswith(".zip")
    return known and not name.startswith((".", "_"))


def unpacked_name(path: str) -> str:
    """Returns the file's name in lower case, without the extension of its packing."""
    name = os.path.basename(path).lower()
    for extension in PACKED:
        name = name.removesuffix(extension)
    return name


def is_remote(path: str) -> bool:
    """Returns whether `path` is a URL such as gs://bucket/file."""
    return "://" in path


def size(path: str) -> int:
    """Returns the bytes of `path` when unpacked; an estimate for packed files."""
    if is_remote(path):
        stored = _beam_file_systems().match([path])[0].metadata_list[0].size_in_bytes
    else:
        stored = os.path.getsize(path)
    return stored * (4 if path.lower().endswith((*PACKED, PARQUET)) else 1)


def open_binary(path: str) -> BinaryIO:
    """Opens `path` for reading bytes, without unpacking; the stream can seek.

    Raises:
        ValueError: the file cannot be opened.
    """
    if is_remote(path):
        systems = _beam_file_systems()
        return systems.open(path, compression_type="uncompressed")
    try:
        return open(path, "rb")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}.") from error


def read_pieces(path: str) -> Iterator[bytes]:
    """Yields the content of `path` piece by piece, unpacked if its name says so.

    Raises:
        ValueError: the archive is cut short or damaged, or holds several files.
    """
    packed = os.path.splitext(path.lower())[1]
    unpack = _UNPACKERS.get(packed)
    with open_binary(path) as stored:
        if unpack is None:
            yield from iter(lambda: stored.read(_READ_BYTES), b"")
            return
        done = 0
        try:
            stream = unpack(stored, path)
            while piece := stream.read(_READ_BYTES):
                done += len(piece)
                yield piece
        except (*_DAMAGED, RuntimeError, NotImplementedError) as error:
            name = "gzip" if packed == ".gz" else packed.lstrip(".")
            raise ValueError(
                f"{path}: must be a complete {name} file, but after {done} bytes of "
                f"content: {error}. Fetch or write the file again; if it is not "
                f"packed, drop `{packed}` from its name."
            ) from error


def _unzip(stored: BinaryIO, path: str) -> Any:
    archive = zipfile.ZipFile(stored)
    names = [n for n in archive.namelist() if not n.endswith("/")]
    fitting = [
        name
        for name in names
        if is_interactions_file(name) and unpacked_name(name).endswith(TEXT)
    ]
    if len(fitting) != 1 or fitting[0].lower().endswith(PACKED):
        raise ValueError(
            f"{path}: a .zip must hold one file of interactions ({', '.join(TEXT)}); "
            f"it has {[name[:60] for name in names][:10]}. Unpack it, and name the "
            "file or its folder."
        )
    return archive.open(fitting[0])


def _unzst(stored: BinaryIO, _: str) -> Any:
    import pyarrow as pa  # Late: looking at names needs no Arrow.

    return pa.CompressedInputStream(pa.PythonFile(stored), "zstd")


_UNPACKERS: Mapping[str, Callable[[BinaryIO, str], Any]] = {
    ".gz": lambda stored, _: gzip.GzipFile(fileobj=stored),
    ".bz2": lambda stored, _: bz2.BZ2File(stored),
    ".xz": lambda stored, _: lzma.LZMAFile(stored),  # noqa: SIM115
    ".zst": _unzst,
    ".zip": _unzip,
}


def _check_regular(path: str) -> None:
    if is_remote(path):
        return
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise ValueError(
            f"{path}: must be a regular file, as it is read more than once; it is "
            f"{what}. Move it away, or write its content to a file."
        )


def _advice(paths: list[str]) -> str:
    for path in paths:
        name = os.path.basename(path)
        for extensions, how in _CONVERSIONS.items():
            if unpacked_name(path).endswith(extensions):
                return f"{name} is {how.format(name=shlex.quote(name))}."
    return "Check the path given as data set."


def matching(input_base: str, pattern: str) -> list[str]:
    """Returns the paths that match a glob inside a folder, sorted, of any form."""
    if is_remote(input_base):
        found = _beam_file_systems().match([os.path.join(input_base, pattern)])
        return sorted(m.path for m in found[0].metadata_list)
    if not os.path.isdir(input_base) and os.path.lexists(input_base):
        return [input_base]
    return sorted(glob.glob(os.path.join(glob.escape(input_base), pattern)))


def _beam_file_systems() -> Any:
    # Late: Beam takes seconds to import, and local files do not need it.
    from apache_beam.io import filesystems

    return filesystems.FileSystems
