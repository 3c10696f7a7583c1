"""Reads the titles of items before a run, from the data or a file beside them."""

import csv
import hashlib
import pathlib
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.interactions_example_gen import files, layout, reading, tables
from components.interactions_example_gen.config import AUTO, ReadingConfig
from pipeline.data import catalogue

FILE_NAME = "titles.csv"  # The file in the folder of a run.
_OWN_FORMS = ("u.item", "movies.dat", ".item")  # MovieLens' and RecBole's


def find(
    titles: str | None, config: ReadingConfig, dataset: catalogue.Dataset
) -> dict[str, str]:
    """Returns item id -> title; empty where there are none.

    Args:
        titles: the field `data.titles`: a file, None, or `auto` for the file that
            MovieLens has beside its ratings, if it can be read.
        config: how the interactions are read. `columns.title` names the column of
            titles, in the file of titles or, without one, in the interactions.
        dataset: the interactions.

    Raises:
        ValueError: a file or column that the configuration names cannot be read.
    """
    column = config.columns.title
    if titles not in (None, AUTO):
        return of_file(pathlib.Path(str(titles)).expanduser(), column)
    if column is not None:
        return _of_interactions(dataset, config)
    if titles is None or dataset.titles is None:
        return {}
    try:
        return of_file(dataset.titles, None)
    except ValueError:  # The configuration does not name the file.
        return {}


def of_file(path: pathlib.Path, column: str | int | None) -> dict[str, str]:
    """Returns item id -> title, from a file of any form that interactions can have.

    Args:
        path: of the file.
        column: the name of the column of titles; None finds it by common names.

    Raises:
        ValueError: the file cannot be read, or has no such column.
    """
    try:
        there = path.is_file()
    except OSError as error:
        said = f"{str(path)[:100]}: cannot be read: {error.strerror}."
        raise ValueError(said) from None
    if not there:
        raise ValueError(f"`data.titles` must be a file; there is no {path}.")
    name = files.unpacked_name(str(path))
    if name.endswith(_OWN_FORMS):
        return catalogue.read_titles(path)
    if not files.is_interactions_file(str(path)):
        raise ValueError(
            f"`data.titles` must be a file such as {', '.join(files.EXTENSIONS)}; got "
            f"{path}."
        )
    if column is not None and not isinstance(column, str):
        raise ValueError(
            f"`data.columns.title` must be the name of a column of {path}; got "
            f"{column}."
        )
    found = _layout(path, column)
    return _read(str(path), found)


def write(titles: Mapping[str, str], out: pathlib.Path) -> None:
    """Writes the titles beside the model; without titles, removes earlier ones."""
    file = out / FILE_NAME
    if not titles:
        file.unlink(missing_ok=True)
        return
    partial = file.with_suffix(".partial")
    with open(partial, "w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(("item_id", "title"))
        writer.writerows(titles.items())
    partial.replace(file)


def digest(out: pathlib.Path) -> str:
    """Returns a digest of the titles kept in `out`; "" if there are none."""
    file = out / FILE_NAME
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def _layout(path: pathlib.Path, column: str | None) -> layout.Layout:
    name = str(path)
    if name.lower().endswith(files.PARQUET):
        return layout.of_titles(None, tables.parquet_names(name), name, column)
    lines = reading.first_lines(name)
    if files.unpacked_name(name).endswith(files.JSON_LINES):
        return layout.of_titles(None, tables.json_names(lines, name), name, column)
    return layout.of_titles(lines, (), name, column)


def _of_interactions(
    dataset: catalogue.Dataset, config: ReadingConfig
) -> dict[str, str]:
    titles: dict[str, str] = {}
    for path in files.find(str(dataset.path), dataset.pattern):
        found = reading.find_layout(path, config)
        titles = _read(path, found) | titles  # The first title of an item stays.
    return titles


def _read(path: str, found: layout.Layout) -> dict[str, str]:
    """Returns the first title of each item; text that is no UTF-8 is Windows-1252."""
    columns = {
        "item": found.names[found.item or 0],
        "title": found.names[found.title or 0],
    }
    titles: dict[str, str] = {}
    for block, _, _ in reading.read_columns(path, found, columns):
        try:
            items, names = (_plain(block[role]) for role in ("item", "title"))
        except pa.ArrowNotImplementedError as error:
            raise ValueError(
                f"{path}: ids and titles of items must be text or numbers, in the "
                f"columns {layout.short(sorted(columns.values()))}: {error}."
            ) from None
        told = pc.and_(pc.is_valid(items), pc.greater(pc.binary_length(names), 0))
        items, names = items.filter(told), names.filter(told)
        codes = items.dictionary_encode().indices.to_numpy()
        _, first = np.unique(codes, return_index=True)
        for row in first.tolist():
            titles.setdefault(_text(items[row].as_py()), _text(names[row].as_py()))
    return titles


def _plain(values: pa.Array) -> pa.Array:
    """Returns a column of any type as text."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    text = pa.types.is_binary(values.type) or pa.types.is_string(values.type)
    return values if text else values.cast(pa.string())


def _text(value: object) -> str:
    """Returns text without zero bytes, which no CSV can hold."""
    if isinstance(value, bytes):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = value.decode("cp1252", errors="replace")
    else:
        text = str(value)
    return text.replace("\0", "")
