"""Finds a data set in a folder of the user, in the cache, or on the network.

This module imports neither TFX nor TensorFlow.
"""

import csv
import dataclasses
import difflib
import hashlib
import io
import pathlib
from collections.abc import Callable, Iterator

import platformdirs

from components.interactions_example_gen import files, span_marks
from pipeline.data import downloads
from pipeline.data.synthetic import SyntheticConfig

SYNTHETIC = "synthetic"
# The MD5 that GroupLens publishes (<archive>.zip.md5). ml-latest-small changes with
# time.
MOVIELENS: dict[str, str | None] = {
    "ml-100k": "0e33842e24a9c977be4e0107933c0723",
    "ml-1m": "c4d9eecfca2ab87c1945afe126590906",
    "ml-10m": "ce571fd55effeba0271552578f2648bd",
    "ml-20m": "cd245b17a1ae2cc31bb14903e1204af3",
    "ml-25m": "6b51fb2759a8657d3bfcbfc42b592ada",
    "ml-32m": "d472be332d4daa821edc399621853b57",
    "ml-latest-small": None,
}
NAMES = (*MOVIELENS, SYNTHETIC)
RATINGS_FILES = (
    *("u.data", "u.data.gz", "ratings.dat", "ratings.dat.gz", "ratings.csv"),
    *("ratings.csv.gz", "ratings.parquet", "ml-100k.inter"),
)
TITLES_FILES = ("u.item", "movies.dat", "movies.csv", "movies.csv.gz", "ml-100k.item")
_ARCHIVE_FOLDERS = {"ml-10m": "ml-10M100K"}
_LARGEST_TITLES = 1 << 28
_LICENCES = ("README", "README.txt", "README.html")


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set on this machine.

    Attributes:
        name: the name of the data set, or of the user's file without its extension.
        path: the file of interactions, or a folder of such files.
        pattern: which files of the folder are read, a pattern of `files.find`.
        spans: the pattern with marks of a folder of spans; "" for other data.
        titles: MovieLens' file of titles, for `read_titles`; None for other data.
        key: distinguishes this data from other data of the same name; "" for a known
            data set.
    """

    name: str
    path: pathlib.Path
    titles: pathlib.Path | None = None
    key: str = ""
    pattern: str = "*"
    spans: str = ""

    @property
    def location(self) -> str:
        """The path as it was given, with the marks of spans, if there are any."""
        return str(self.path / self.spans) if self.spans else str(self.path)


def resolve(
    dataset: str,
    *,
    data_dir: pathlib.Path | None = None,
    cache_dir: pathlib.Path | None = None,
    synthetic: SyntheticConfig | None = None,
    base_url: str = downloads.BASE_URL,
    make_bar: Callable[[str], downloads.Bar] = downloads.RichBar,
) -> Dataset:
    """Finds a data set, or fetches or generates it.

    Args:
        dataset: one of `NAMES`, or the path of a file or folder.
        data_dir: the folder that is searched first. A data set is there as a folder of
            its name (or of the name in GroupLens' archive) or as the archive,
            `<name>.zip`.
        cache_dir: the folder that is searched next, and where data that are fetched or
            generated stay. None is the user's cache folder.
        synthetic: the size of the data set `synthetic`; None is the default size.
        base_url: the address of GroupLens' archives.
        make_bar: makes a progress bar with a title.

    Raises:
        ValueError: there is no such name or path, or the data can neither be found nor
            fetched; the message says where to put the files.
    """
    cache = cache_dir or platformdirs.user_cache_path("ncf", appauthor=False)
    if dataset == SYNTHETIC:
        return _synthetic(synthetic or SyntheticConfig(), cache, make_bar)
    if dataset not in MOVIELENS:
        return _from_path(dataset)
    if data_dir is not None and not data_dir.is_dir():
        raise ValueError(f"The data folder must exist; there is no {data_dir}.")
    found = _look_up(dataset, data_dir, cache)
    if found is None:
        _fetch(dataset, data_dir, cache, base_url, make_bar)
        found = _in_folder(cache / dataset, dataset)
    if found is None:
        raise ValueError(f"{dataset} came without any of {list(RATINGS_FILES)}.")
    return found


def read_titles(path: pathlib.Path) -> dict[str, str]:
    """Returns item id -> title.

    Args:
        path: MovieLens' u.item, movies.dat or movies.csv, RecBole's `.item`, or any CSV
            whose first two columns are id and title; packed, if its name says so.

    Raises:
        ValueError: the file cannot be read or unpacked, has more than
            `_LARGEST_TITLES` bytes, or a row has no title.
    """
    content = bytearray()
    for piece in files.read_pieces(str(path)):
        content += piece
        if len(content) > _LARGEST_TITLES:
            raise ValueError(
                f"{path}: must have at most {_LARGEST_TITLES >> 20} MB of titles."
            )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:  # GroupLens' older data sets are in Latin-1.
        text = content.decode("latin-1")
    titles: dict[str, str] = {}
    line = 0
    try:
        for row in _title_rows(files.unpacked_name(str(path)), text):
            line += 1
            if len(row) < 2:
                raise ValueError("must have an item id and a title")
            titles.setdefault(row[0], row[1])
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}, row {max(line, 1)} of titles: {error}.") from None
    return titles


def _title_rows(name: str, text: str) -> Iterator[list[str]]:
    if name.endswith(".item") and name != "u.item":
        yield from _recbole_titles(text)
    elif name.endswith((".dat", "u.item")):
        delimiter = "::" if name.endswith(".dat") else "|"
        yield from (line.split(delimiter) for line in text.splitlines() if line)
    else:
        rows = csv.reader(io.StringIO(text, newline=""))
        next(rows, None)  # the header
        yield from (row for row in rows if row)


def _recbole_titles(text: str) -> Iterator[list[str]]:
    """Yields id and `Title (year)`, as GroupLens writes it."""
    rows = csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    names = next(rows, [])
    columns = ("item_id:token", "movie_title:token_seq", "release_year:token")
    if absent := [name for name in columns if name not in names]:
        raise ValueError(f"the header must have {', '.join(absent)}")
    places = [names.index(name) for name in columns]
    for row in rows:
        if len(row) <= max(places):
            yield []
            continue
        item, title, year = (row[place] for place in places)
        yield [item, f"{title} ({year})" if year else title]


def _from_path(dataset: str) -> Dataset:
    path = pathlib.Path(dataset).expanduser()
    if "://" in dataset:
        raise ValueError(
            f"`data.dataset` must be on this machine; got {dataset!r}. Copy it here, "
            "or give it to a runner that reads from buckets."
        )
    marks = ""
    if span_marks.has_marks(dataset):
        base, marks = span_marks.split(dataset)
        path = pathlib.Path(base).expanduser()
    try:
        there = bool(dataset) and path.exists()  # Path("") is the working folder.
    except OSError as error:  # The name has 5,000 characters, or permission is missing.
        raise ValueError(
            f"`data.dataset` must be a path that can be looked at; got "
            f"{dataset[:100]!r}: {error.strerror}."
        ) from None
    if not there:
        near = difflib.get_close_matches(dataset, NAMES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"`data.dataset` must be one of {', '.join(NAMES)}, or the path of an "
            f"existing file or folder; got {dataset[:100]!r}.{hint}"
        )
    whole = str(path.resolve()) + marks
    key = hashlib.sha256(whole.encode(errors="surrogateescape")).hexdigest()[:8]
    if marks:
        return Dataset(path.resolve().name, path, key=key, spans=marks)
    if path.is_dir():
        name = path.resolve().name
        found = _in_folder(path, name) or Dataset(name, path)
        return dataclasses.replace(found, key=key)
    movielens = path.name in RATINGS_FILES
    titles = _titles_in(path.parent) if movielens else None
    return Dataset(_stem(path.name), path, titles, key)


def _stem(name: str) -> str:
    """Returns a file's name without the extensions of its form and packing."""
    for extension in files.PACKED:
        name = name.removesuffix(extension)
    return name.rsplit(".", 1)[0]


def _look_up(
    name: str, data_dir: pathlib.Path | None, cache: pathlib.Path
) -> Dataset | None:
    folder_names = (name, _ARCHIVE_FOLDERS.get(name, name))
    folders = [base / n for base in (data_dir, cache) if base for n in folder_names]
    if data_dir is not None and data_dir.name in folder_names:
        folders.insert(0, data_dir)
    return next(filter(None, (_in_folder(folder, name) for folder in folders)), None)


def _in_folder(folder: pathlib.Path, name: str) -> Dataset | None:
    try:
        for file in RATINGS_FILES:
            if (folder / file).is_file():
                return Dataset(name, folder / file, _titles_in(folder))
        return None
    except OSError as error:
        raise ValueError(f"{folder}: cannot be read: {error.strerror}.") from None


def _titles_in(folder: pathlib.Path) -> pathlib.Path | None:
    beside = (folder / file for file in TITLES_FILES)
    return next((file for file in beside if file.is_file()), None)


def _fetch(
    name: str,
    data_dir: pathlib.Path | None,
    cache: pathlib.Path,
    base_url: str,
    make_bar: Callable[[str], downloads.Bar],
) -> None:
    """Brings a MovieLens data set into the cache."""
    wanted = (*RATINGS_FILES, *TITLES_FILES, *_LICENCES)
    archive = data_dir / f"{name}.zip" if data_dir else None
    if archive is not None and archive.is_file():
        downloads.unpack(archive, cache / name, wanted=wanted)
        return
    try:
        downloads.fetch_archive(
            *(name, MOVIELENS[name], cache / name),
            wanted=wanted,
            base_url=base_url,
            make_bar=make_bar,
        )
        return
    except OSError as error:
        said = str(error)
    if name == "ml-100k":
        try:
            downloads.fetch_wheel(cache / name)
            return
        except OSError as error:
            said += f"; {error}"
    raise ValueError(
        f"{name} is not in {data_dir or cache}, and could not be fetched from "
        f"{base_url}{name}.zip. Put its files into {(data_dir or cache) / name}, or "
        f"put the archive, {name}.zip, into a folder and give that as data folder. "
        f"What went wrong: {said}."
    )


def _synthetic(
    config: SyntheticConfig,
    cache: pathlib.Path,
    make_bar: Callable[[str], downloads.Bar],
) -> Dataset:
    path = cache / SYNTHETIC / config.file_name()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        bar = make_bar(f"{config.num_interactions:,} synthetic interactions")
        bar.total = config.num_interactions
        from pipeline.data import latent_factors  # Late: it imports Arrow.

        try:
            latent_factors.write(config, path, progress=bar.update)
        finally:
            bar.close()
    usual = config == SyntheticConfig()
    digest = hashlib.sha256(config.file_name().encode()).hexdigest()
    return Dataset(SYNTHETIC, path, key="" if usual else digest[:8])
