"""Tables that fit a narrow terminal, too."""

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from rich.box import Box

WIDE = 80  # Characters of a terminal that is not narrow.


def fitting(width: int, box: "Box | None") -> Table:
    """Returns an empty table, in a narrow terminal without lines.

    Args:
        width: of the terminal, in characters.
        box: the lines in a wide terminal; None draws none.
    """
    if width < WIDE:
        return Table(box=None, padding=(0, 1, 0, 0))
    return Table(box=box)
