"""Draws the graph of a run: which node read which artifact of which node."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from components.report import drawing
from components.report.document import Node, RunArtifact

_TITLE = "Which node reads what of which"


def edges(nodes: Sequence[Node]) -> list[tuple[int, int, int]]:
    """Returns (place of the writer, place of the reader, number of the artifact)."""
    made = {
        number: place for place, node in enumerate(nodes) for number in node.outputs
    }
    return [
        (made[number], place, number)
        for place, node in enumerate(nodes)
        for number in node.inputs
        if number in made and made[number] != place
    ]


def draw(nodes: Sequence[Node], artifacts: Sequence[RunArtifact]) -> drawing.Drawing:
    """Returns the nodes one below the other, with arcs from writers to readers.

    Arcs, unlike boxes side by side, fit on a telephone and cross no name. An arc has
    the colour and line of its artifact's type; the legend names the types.

    Args:
        nodes: in the order of running.
        artifacts: the artifacts that the nodes read and wrote.
    """
    types = {artifact.number: artifact.type for artifact in artifacts}
    found = edges(nodes)
    shown = list(dict.fromkeys(types[number] for *_, number in found))

    def fill(axes: Axes) -> None:
        for maker, reader, number in found:
            kind = shown.index(types[number])
            axes.add_patch(_arc(maker, reader, **_look(kind)))
        for place, node in enumerate(nodes):
            axes.text(-0.3, place, node.name, ha="right", va="center")
            axes.plot(0, place, "o", markersize=4, color=drawing.COLOURS["--text"])
        for kind, name in enumerate(shown):
            axes.plot([], [], label=name, **_look(kind))
        axes.legend(fontsize=6, loc="upper center", ncols=3, bbox_to_anchor=(0.5, 0))
        axes.set_xlim(-5, 5)
        axes.set_ylim(len(nodes) - 0.5, -0.5)
        axes.set_axis_off()

    return drawing.Drawing(_TITLE, fill, 0.9 + 0.24 * len(nodes))


def _look(kind: int) -> dict[str, Any]:
    """Returns colour and line of a type; where colours repeat, the line is dashed."""
    line = "-" if kind < len(drawing.SERIES) else "--"
    return {"color": drawing.series(kind), "linestyle": line}


def _arc(maker: int, reader: int, *, color: str, linestyle: str) -> FancyArrowPatch:
    return FancyArrowPatch(
        (0.12, maker),
        (0.12, reader),
        connectionstyle="arc3,rad=-0.55",  # The arc is on the right.
        arrowstyle="-|>",
        mutation_scale=6,
        linewidth=1,
        color=color,
        linestyle=linestyle,
        shrinkA=1,
        shrinkB=2,
    )
