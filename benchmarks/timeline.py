"""Draws where the time of `ncf run` goes, second by second.

Usage: python benchmarks/timeline.py PAGE.html [ARGUMENTS OF ncf run ...]

Ten times a second the script looks at each thread and adds the CPU time that the thread
has used since the last look to what the thread is doing: importing, or the package
whose code it is in. The axis of time is in CPU seconds. On an idle machine they are
nearly the seconds of the clock while one thread works; on a busy machine the seconds of
the clock would mean little. The script needs Linux.
"""

import collections
import contextlib
import os
import pathlib
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from types import FrameType

from pipeline.local import watching

_EVERY_S = 0.1
_TICK = os.sysconf("SC_CLK_TCK")
_IMPORTS = "imports"
_NATIVE, _OTHERS = "threads of libraries", "others"
_COLOURS = 7
_NAMED_S = 3.0  # A node that takes fewer seconds has no name in the drawing.
_OURS = ("pipeline", "components", "ncf_model")
_SHOWN = (
    "tensorflow_transform",
    "tensorflow_model_analysis",
    "tensorflow_data_validation",
    "apache_beam",
    "tensorflow",
    "keras",
    "tfx",
)
_BEFORE, _AFTER = "start", "end"


class Sampler(watching.Watcher):
    """A thread that looks at this process ten times a second until it is stopped.

    Attributes:
        samples: for each look and thread (CPU seconds of the process so far, node,
            activity, CPU seconds of the thread since the last look).
        node: the node that runs at present.
    """

    def __init__(self) -> None:
        super().__init__(name="timeline", every_s=_EVERY_S)
        self.samples: list[tuple[float, str, str, float]] = []
        self.node = _BEFORE
        self._last: dict[int, int] = {}

    def look(self) -> None:
        """Notes what each thread that has run since the last look is doing."""
        python = {t.native_id: t.ident for t in threading.enumerate()}
        frames = sys._current_frames()
        for task, spent in self._spent().items():
            frame = frames.get(python.get(task) or -1)
            if task == threading.get_native_id() or not spent:
                continue
            doing = _NATIVE if frame is None else activity(frame)
            at = sum(os.times()[:4])
            self.samples.append((at, self.node, doing, spent))

    def _spent(self) -> dict[int, float]:
        """Returns the CPU seconds of each thread since the last look."""
        found = {}
        for task in pathlib.Path("/proc/self/task").iterdir():
            with contextlib.suppress(OSError):
                after_name = (task / "stat").read_text().rpartition(")")[2].split()
                found[int(task.name)] = int(after_name[11]) + int(after_name[12])
        spent = {
            task: (ticks - self._last.get(task, 0)) / _TICK
            for task, ticks in found.items()
        }
        self._last = found
        return spent


def activity(frame: FrameType) -> str:
    """Returns what the thread of `frame` is doing: importing, or a package's name."""
    package = ""
    at: FrameType | None = frame
    while at is not None:
        name = str(at.f_globals.get("__name__", ""))
        if name.startswith("importlib._bootstrap"):
            return _IMPORTS
        top = name.partition(".")[0]
        if not package and (top in _SHOWN or top in _OURS):
            package = "ncf" if top in _OURS else top
        at = at.f_back
    return package or _OTHERS


def table(samples: list[tuple[float, str, str, float]]) -> dict[str, dict[str, float]]:
    """Returns the CPU seconds by node and activity, in order of appearance."""
    found: dict[str, dict[str, float]] = {}
    for _, node, doing, spent in samples:
        row = found.setdefault(node, collections.defaultdict(float))
        row[doing] += spent
    return found


def _largest(
    samples: list[tuple[float, str, str, float]],
) -> list[tuple[float, str, str, float]]:
    """Returns the samples with small activities merged, so that colours suffice."""
    totals: collections.Counter[str] = collections.Counter()
    for _, _, doing, spent in samples:
        totals[doing] += spent  # type: ignore[assignment]
    kept = {doing for doing, _ in totals.most_common(_COLOURS - 1)}
    return [
        (at, node, doing if doing in kept else _OTHERS, spent)
        for at, node, doing, spent in samples
    ]


def render(samples: list[tuple[float, str, str, float]], title: str) -> str:
    """Returns the HTML page with the drawing and a table of its figures."""
    from matplotlib.axes import Axes

    from components.report import drawing

    samples = _largest(samples)
    totals: dict[str, float] = collections.defaultdict(float)
    for _, _, doing, spent in samples:
        totals[doing] += spent
    doings = sorted(totals, key=lambda doing: -totals[doing])
    nodes = table(samples)

    def draw(axes: Axes) -> None:
        left: dict[str, float] = collections.defaultdict(float)
        for number, doing in enumerate(doings):
            values = [nodes[node].get(doing, 0.0) for node in nodes]
            starts = [left[node] for node in nodes]
            colour = drawing.series(number)
            axes.barh(list(nodes), values, left=starts, color=colour, label=doing)
            for node, value in zip(nodes, values, strict=True):
                left[node] += value
        axes.invert_yaxis()
        axes.set_xlabel("CPU seconds")
        axes.legend(fontsize=6)

    def over_time(axes: Axes) -> None:
        last = int(max((at for at, *_ in samples), default=0)) + 1
        below = [0.0] * last
        for number, doing in enumerate(doings):
            heights = [0.0] * last
            for at, _, what, spent in samples:
                heights[int(at)] += spent * (what == doing)
            axes.bar(
                range(last), heights, 1.0, bottom=below, color=drawing.series(number)
            )
            below = [a + b for a, b in zip(below, heights, strict=True)]
        for node in nodes:
            first = min(at for at, who, *_ in samples if who == node)
            if sum(nodes[node].values()) < _NAMED_S:
                continue
            axes.axvline(first, color=drawing.COLOURS["--muted"], linewidth=0.5)
            axes.text(first, max(below), node, rotation=90, fontsize=5, va="top")
        axes.set_xlabel("second of CPU")

    style = pathlib.Path(drawing.__file__).with_name("style.css").read_text()
    rows = "".join(
        f"<tr><td>{node}</td>"
        + "".join(f"<td>{row.get(doing, 0):.1f}</td>" for doing in doings)
        + f"<td>{sum(row.values()):.1f}</td></tr>"
        for node, row in nodes.items()
    )
    heads = "".join(f"<th>{name}</th>" for name in ("node", *doings, "all"))
    drawn = "".join(
        map(
            drawing.svg,
            (
                drawing.Drawing("Second by second", over_time, 3),
                drawing.Drawing("By node", draw, 0.8 + 0.25 * len(nodes)),
            ),
        )
    )
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><style>{style}</style>"
        f"<title>{title}</title><h1>{title}</h1><div class='drawings'>{drawn}</div>"
        f"<div class='scroll'><table><tr>{heads}</tr>{rows}</table></div></html>\n"
    )


def told(nodes: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Yields a line of text per node, with the node's largest activity first."""
    for node, row in nodes.items():
        parts = sorted(row.items(), key=lambda pair: -pair[1])
        cells = ", ".join(f"{name} {value:.1f}" for name, value in parts if value > 0.1)
        yield f"{node:<24}{sum(row.values()):7.1f}  {cells}"


def main() -> None:
    """Runs `ncf run` in this process, and writes the page."""
    page, *arguments = sys.argv[1:]
    sampler = Sampler()
    started = time.monotonic()
    with sampler.watching():
        from pipeline import cli
        from pipeline.local import terminal

        class Display(terminal.RunDisplay):
            def started(self, node: str) -> None:
                super().started(node)
                sampler.node = node

            def _end(self, mark: str, note: str) -> None:
                super()._end(mark, note)
                sampler.node = _AFTER

        terminal.RunDisplay = Display  # type: ignore[misc]
        cli.app(["run", *arguments], standalone_mode=False)
    seconds = time.monotonic() - started
    title = f"ncf run {' '.join(arguments)}: {sum(os.times()[:4]):.1f} s of CPU"
    pathlib.Path(page).write_text(render(sampler.samples, title))
    for line in told(table(sampler.samples)):
        print(line)
    print(f"{title}, {seconds:.1f} s of the clock")


if __name__ == "__main__":
    main()
