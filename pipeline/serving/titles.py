"""The titles of items: by id, and found by words."""

import csv
import pathlib
from collections.abc import Iterable

csv.field_size_limit(1 << 24)  # Longer than ids and titles of a run can be.


def read(file: pathlib.Path) -> dict[str, str]:
    """Returns item id -> title of a CSV of `item_id,title`; {} if it is absent.

    Raises:
        ValueError: the file is another one, or damaged; the message names it.
    """
    if not file.exists():
        return {}
    try:
        with open(file, newline="", encoding="utf-8") as f:
            rows = csv.DictReader(f)
            if absent := {"item_id", "title"} - {*(rows.fieldnames or ())}:
                raise ValueError(f"it has no column {' and no '.join(sorted(absent))}")
            return {row["item_id"]: row["title"] or "" for row in rows}
    except (ValueError, csv.Error) as error:
        raise ValueError(
            f"{file}: must be a CSV of item_id,title in UTF-8; {error}."
        ) from None


class Titles:
    """The titles of items, read again when the file changes.

    Example:
        >>> Titles(None).get("50")
        ''
    """

    def __init__(self, file: pathlib.Path | None) -> None:
        """Reads `file`, a CSV of `item_id,title`; without one no item has a title."""
        self._file = file
        self._changed: tuple[int, int] | None = None
        self._titles: dict[str, str] = {}
        self._lowered: dict[str, str] = {}
        self.refresh()

    def refresh(self) -> None:
        """Reads the file again if it has changed."""
        if self._file is None or not self._file.exists():
            return
        stat = self._file.stat()
        if (stat.st_mtime_ns, stat.st_size) == self._changed:
            return
        titles = read(self._file)
        self._lowered = {item: title.casefold() for item, title in titles.items()}
        self._titles = titles
        self._changed = (stat.st_mtime_ns, stat.st_size)

    def get(self, item_id: str) -> str:
        """Returns the title, "" if there is none."""
        return self._titles.get(item_id, "")

    def search(self, text: str, item_ids: Iterable[str], limit: int) -> list[str]:
        """Returns items whose title has all words of `text`, or whose id is `text`.

        Args:
            text: words, or an item id; "" finds all items.
            item_ids: the items to search, in the order of the result.
            limit: how many items to return at most.
        """
        words = text.casefold().split()
        found: list[str] = []
        for item in item_ids:
            title = self._lowered.get(item, "")
            if item == text or all(word in title for word in words):
                found.append(item)
                if len(found) == limit:
                    break
        return found
