"""The drawings of the page: SVG by matplotlib, put into the page.

An SVG inside the page needs no network and no script, prints sharply and takes its
colours from the page's style sheet, so that a dark page has light lines.
"""

import html
import io
import itertools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Lines that are drawn in one of these colours get the style sheet's colour of that
# name, so these values themselves are never seen.
COLOURS = {
    "--text": "#010203",
    "--muted": "#020304",
    "--line": "#030405",
    "--series-0": "#040506",
    "--series-1": "#050607",
    "--series-2": "#060708",
    "--series-3": "#070809",
    "--series-4": "#08090a",
    "--series-5": "#090a0b",
    "--series-6": "#0a0b0c",
}
SERIES = [name for name in COLOURS if name.startswith("--series")]
_MARKERS = "osD^vPX"
# Narrow enough for a telephone, which shows a drawing in its full size.
_WIDTH, _HEIGHT = 3.6, 2.5
_MOST_TICKS = 6
_STYLE = {
    "axes.edgecolor": COLOURS["--line"],
    "axes.labelcolor": COLOURS["--muted"],
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": COLOURS["--text"],
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.size": 8,
    "grid.color": COLOURS["--line"],
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "legend.labelcolor": COLOURS["--text"],
    "svg.fonttype": "none",  # Text stays text: it can be found, read aloud and copied.
    "text.color": COLOURS["--text"],
    "xtick.color": COLOURS["--muted"],
    "ytick.color": COLOURS["--muted"],
}


class Curve(NamedTuple):
    """A line through points; None leaves a gap."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]


class Drawing(NamedTuple):
    """What `svg` draws.

    Attributes:
        title: the text above the drawing, which a screen reader says; no two drawings
            of a page have the same title.
        draw: draws on the axes that it is given.
        height: in inches.
    """

    title: str
    draw: Callable[[Axes], Any]
    height: float = _HEIGHT


class Dot(NamedTuple):
    """A value with its error, one row of a drawing; None is not drawn."""

    name: str
    value: float | None
    error: float | None


def lines(
    title: str, drawn: Iterable[Curve], *, label: str, marked: float | None = None
) -> Drawing:
    """Returns lines over whole numbers.

    Args:
        title: the text above the drawing.
        drawn: the lines, each in its own colour and with its own marker.
        label: of the horizontal axis.
        marked: the place of a vertical line; None draws none.
    """

    def draw(axes: Axes) -> None:
        shown = list(drawn)
        for number, line in enumerate(shown):
            axes.plot(
                line.x,
                [math.nan if y is None else y for y in line.y],
                color=series(number),
                marker=_MARKERS[number % len(_MARKERS)],
                markersize=3.5,
                linewidth=1.8 if number == 0 else 1.1,
                label=line.name,
            )
        if marked is not None:
            axes.axvline(marked, color=COLOURS["--muted"], linestyle=":", linewidth=1)
        places = sorted({x for line in shown for x in line.x})
        if len(places) <= _MOST_TICKS:
            axes.set_xticks(places)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(label)
        axes.grid(axis="y")
        if len(shown) > 1:
            axes.legend(fontsize=7)

    return Drawing(title, draw)


def dots(title: str, rows: Sequence[Dot], *, label: str) -> Drawing:
    """Returns a row per value, with a bar of one standard error; the first on top."""

    def draw(axes: Axes) -> None:
        for number, row in enumerate(rows):
            if row.value is not None:
                axes.errorbar(
                    row.value,
                    number,
                    xerr=row.error,
                    fmt=_MARKERS[number % len(_MARKERS)],
                    color=series(number),
                    markersize=5,
                    capsize=3,
                )
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.locator_params(axis="x", nbins=_MOST_TICKS)
        axes.set_xlabel(label)
        axes.grid(axis="x")

    return Drawing(title, draw, 0.7 + 0.28 * len(rows))


def bars(
    title: str, edges: Sequence[float], counts: Sequence[int], *, label: str
) -> Drawing:
    """Returns a histogram with equally wide bins, each named by its bounds."""

    def draw(axes: Axes) -> None:
        axes.bar(range(len(counts)), counts, width=0.9, color=series(0))
        names = [
            f"{low:.0f}" if high - low == 1 else f"{low:.0f} to {high - 1:.0f}"
            for low, high in itertools.pairwise(edges)
        ]
        axes.set_xticks(range(len(counts)), names, rotation=45, ha="right")
        axes.set_xlabel(label)
        axes.grid(axis="y")
        axes.set_axisbelow(True)

    return Drawing(title, draw)


def rows(
    title: str, names: Sequence[str], values: Sequence[float], label: str
) -> Drawing:
    """Returns a horizontal bar per name, with its value beside it."""

    def draw(axes: Axes) -> None:
        drawn = axes.barh(range(len(values)), values, color=series(0), height=0.7)
        axes.bar_label(drawn, fmt="%.1f", padding=2, color=COLOURS["--text"])
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.margins(x=0.15)
        axes.set_xlabel(label)

    return Drawing(title, draw, 0.6 + 0.2 * len(names))


def series(number: int) -> str:
    """Returns the colour of line number `number`; 0 is the model's."""
    return COLOURS[SERIES[number % len(SERIES)]]


def svg(drawing: Drawing) -> str:
    """Returns a drawing as an `<svg>` element."""
    # With this salt the ids of this drawing differ from those of other drawings.
    with matplotlib.rc_context(_STYLE | {"svg.hashsalt": drawing.title}):
        figure = Figure(figsize=(_WIDTH, drawing.height))
        axes = figure.subplots()
        drawing.draw(axes)
        axes.set_title(drawing.title)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return styled(buffer.getvalue(), drawing.title)


def found_in(page: str) -> dict[str, str]:
    """Returns the `<svg>` elements of a page by their titles."""
    form = r'<svg role="img" aria-label="(.*?)".*?</svg>'
    elements = re.finditer(form, page, re.DOTALL)
    return {html.unescape(element[1]): element[0] for element in elements}


def styled(svg: str, title: str) -> str:
    """Returns matplotlib's SVG file as an element with a name and the page's colours.

    Args:
        svg: the content of the file.
        title: the name, which a screen reader says.
    """
    element = svg[svg.index("<svg") :].strip()
    element = re.sub(r"<(metadata|style).*?</\1>", "", element, flags=re.DOTALL)
    # These ids are the same in each drawing, but an id must be unique in a page.
    element = re.sub(r'<g id="[^"]*"', "<g", element)
    for name, colour in COLOURS.items():
        element = element.replace(colour, f"var({name})")
    name = html.escape(title)
    return element.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)
