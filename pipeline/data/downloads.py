"""Fetches MovieLens: from GroupLens, or ml-100k from a wheel of the package index.

Files are checked, and appear in their folder only when all of them are whole.
"""

import contextlib
import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

BASE_URL = "https://files.grouplens.org/datasets/movielens/"
TIMEOUT_S = (5, 30)  # Limits for connecting, and for the time between two pieces.
_COPY_BYTES = 1 << 20
_LEFTOVER_S = 86_400
WHEEL = "recbole==1.2.0"
_WHEEL_FOLDER = "recbole/dataset_example/ml-100k/"
_WHEEL_SHA256 = {  # The digests of the files in the wheel.
    "ml-100k.inter": "d4832a77576cb5a480517a9554eef1872331f1ba780ddcd3f4bf956d562ccfc2",
    "ml-100k.item": "d464074b022a10862d32e8885d298ad09464733be6effaf4bd26761995afea38",
}
_NOTICE = """\
MovieLens data by GroupLens, University of Minnesota: for research, not for sale, and
not to be passed on without permission; the terms are in its README and at
https://grouplens.org/datasets/movielens/. Please cite F. M. Harper and J. A. Konstan,
"The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015."""


class Bar(Protocol):
    """A progress bar that counts bytes; those of tqdm have this form."""

    total: float

    def update(self, amount: float) -> Any: ...

    def reset(self) -> Any: ...

    def close(self) -> Any: ...


class RichBar:
    """A progress bar on standard error."""

    def __init__(self, description: str) -> None:
        from rich import console, progress  # Late: most runs fetch nothing.

        self._progress = progress.Progress(console=console.Console(stderr=True))
        self._task = self._progress.add_task(description)
        self._progress.start()

    @property
    def total(self) -> float:
        """The amount at which the bar is full."""
        return self._progress.tasks[0].total or 0

    @total.setter
    def total(self, value: float) -> None:
        self._progress.update(self._task, total=value)

    def update(self, amount: float) -> None:
        """Moves the bar on by `amount`."""
        self._progress.advance(self._task, amount)

    def reset(self) -> None:
        """Moves the bar back to the start."""
        self._progress.reset(self._task)

    def close(self) -> None:
        """Ends the bar where it is."""
        self._progress.stop()


def fetch_archive(
    name: str,
    md5: str | None,
    folder: pathlib.Path,
    *,
    wanted: Iterable[str],
    base_url: str = BASE_URL,
    make_bar: Callable[[str], Bar] = RichBar,
) -> None:
    """Downloads `<name>.zip` and unpacks the wanted files into `folder`.

    Args:
        name: of the archive, without `.zip`.
        md5: the archive's digest as GroupLens publishes it; None if the archive
            changes with time.
        folder: the folder, which is made when all files are there.
        wanted: names of the files to keep.

    Raises:
        OSError: the server cannot be reached, or does not have the file.
        ValueError: the archive is not the one that was published, or has an entry that
            points outside `folder`.
    """
    import pooch  # Late: most runs fetch nothing.

    pooch.get_logger().setLevel("WARNING")  # The bar shows the progress.
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as temporary:
        bar = make_bar(f"{name}.zip")
        try:
            archive = pooch.retrieve(
                f"{base_url}{name}.zip",
                known_hash=md5 and f"md5:{md5}",
                fname=f"{name}.zip",
                path=temporary,
                downloader=pooch.HTTPDownloader(progressbar=bar, timeout=TIMEOUT_S),
            )
        finally:
            bar.close()
        unpack(pathlib.Path(archive), folder, wanted=wanted)
    _say(_NOTICE)


def unpack(
    archive: pathlib.Path, folder: pathlib.Path, *, wanted: Iterable[str]
) -> None:
    """Puts the wanted files of an archive into `folder`, without inner folders.

    Raises:
        ValueError: the archive is no zip, is damaged, has none of the wanted files, or
            has an entry that points outside `folder`.
    """
    try:
        with zipfile.ZipFile(archive) as opened, _new_folder(folder) as target:
            _refuse_entries_outside(opened, archive)
            entries = {os.path.basename(entry): entry for entry in opened.namelist()}
            found = entries.keys() & set(wanted)
            if not found:
                raise ValueError(
                    f"{archive.name} must hold one of {sorted(wanted)}; it has "
                    f"{sorted(entries)[:10]}."
                )
            for name in found:
                with (
                    opened.open(entries[name]) as packed,
                    open(target / name, "wb") as unpacked,
                ):
                    shutil.copyfileobj(packed, unpacked, _COPY_BYTES)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(
            f"{archive.name} must be a complete zip file: {error}. Fetch it again."
        ) from error


def fetch_wheel(folder: pathlib.Path) -> None:
    """Puts the ml-100k of the recbole wheel into `folder`.

    pip or uv fetches the wheel from the package index that the user has configured. The
    wheel is not installed.

    Raises:
        OSError: neither pip nor uv can fetch the wheel.
        ValueError: the files of the wheel do not have the known digests.
    """
    _say(f"Taking ml-100k from the wheel {WHEEL} of the package index.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as temporary:
        _get_wheel(temporary)
        found = _wheel_files(pathlib.Path(temporary))
    for name, digest in _WHEEL_SHA256.items():
        actual = hashlib.sha256(found.get(name, b"")).hexdigest()
        if actual != digest:
            raise ValueError(
                f"{name} of {WHEEL} must have the SHA-256 {digest}; got {actual}. "
                "The index does not serve the wheel as it was published."
            )
    with _new_folder(folder) as target:
        for name, content in found.items():
            (target / name).write_bytes(content)
    _say(_NOTICE)


def _refuse_entries_outside(opened: zipfile.ZipFile, archive: pathlib.Path) -> None:
    for entry in opened.infolist():
        path = pathlib.PurePosixPath(entry.orig_filename.replace("\\", "/"))
        drive = pathlib.PureWindowsPath(entry.orig_filename).drive
        if path.is_absolute() or ".." in path.parts or drive:
            raise ValueError(
                f"{archive.name}: all entries must be inside the archive's folder; got "
                f"{entry.orig_filename!r}. Do not trust this file."
            )


@contextlib.contextmanager
def _new_folder(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a temporary folder, which becomes `folder` if the block succeeds.

    If two processes fetch the same data at once, the folder of the first one stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(folder.parent)
    partial = pathlib.Path(tempfile.mkdtemp(prefix=".unpack-", dir=folder.parent))
    try:
        yield partial
        partial.chmod(0o755)
        names = [path.name for path in partial.iterdir()]
        if _has(folder, names):
            return
        if folder.exists():  # The old folder had none of the wanted files.
            shutil.rmtree(folder)
        try:
            partial.replace(folder)
        except OSError:
            if not _has(folder, names):
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _has(folder: pathlib.Path, names: Iterable[str]) -> bool:
    return all((folder / name).is_file() for name in names)


def _clear_leftovers(cache: pathlib.Path) -> None:
    """Removes leftovers of fetches that were killed a day ago or longer."""
    before = time.time() - _LEFTOVER_S
    for prefix in (".unpack-", ".fetch-"):
        for path in cache.glob(f"{prefix}*"):
            with contextlib.suppress(OSError):  # Another process may do the same.
                if path.stat().st_mtime < before:
                    shutil.rmtree(path)


def _get_wheel(target: str) -> None:
    """Fetches the wheel, or its content, into the folder `target`."""
    said = []
    for command in _wheel_commands(target):
        error = _run(command)
        if error is None:
            return
        said.append(error)
    raise OSError(f"{WHEEL} could not be got from the package index: {'; '.join(said)}")


def _run(command: list[str]) -> str | None:
    """Runs a command; returns the last line of its errors, None if it succeeds."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return None
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit status {done.returncode}"


def _wheel_commands(target: str) -> Iterator[list[str]]:
    """Yields commands that fetch the wheel, which is the same for every Python.

    pip is one of our requirements. uv is tried second, for machines on which only uv is
    configured with a package index.
    """
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    yield [*pip, "--dest", target, WHEEL]
    if uv := os.environ.get("UV") or shutil.which("uv"):
        yield [
            *(uv, "pip", "install", "--quiet", "--no-deps", "--python"),
            *(sys.executable, "--target", target, WHEEL),
        ]


def _wheel_files(target: pathlib.Path) -> dict[str, bytes]:
    """Returns the data set's files, from a wheel or from its unpacked content."""
    for wheel in target.glob("*.whl"):
        content = io.BytesIO(wheel.read_bytes())
        with zipfile.ZipFile(content) as opened:
            return {
                name: opened.read(_WHEEL_FOLDER + name)
                for name in _WHEEL_SHA256
                if _WHEEL_FOLDER + name in opened.namelist()
            }
    paths = [target / _WHEEL_FOLDER / name for name in _WHEEL_SHA256]
    return {path.name: path.read_bytes() for path in paths if path.exists()}


def _say(text: str) -> None:
    print(text, file=sys.stderr)
