"""The page of a result: every figure drawn, and what changed since the last result."""

import html
import pathlib
from collections.abc import Iterator

from benchmarks.comparison import SpeedChange, pace
from benchmarks.results import Figure, Result
from components.report import drawing

_STYLE = pathlib.Path(drawing.__file__).with_name("style.css")
_NEGLIGIBLE = {"s": 0.05, "CPU s": 0.05}


def render(new: Result, old: Result | None, found: list[SpeedChange]) -> str:
    """Returns one HTML page that needs nothing but itself.

    Args:
        new: the result that is shown.
        old: the earlier result with which `new` was compared; None without one.
        found: the differences between the two.
    """
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Benchmarks, {new.made}</title><style>{_STYLE.read_text()}</style>",
        f"<h1>Benchmarks</h1><p class='muted'>{html.escape(_machine(new))}</p>",
        _changes(new, old, found),
    ]
    for part, figures in _by_part(new).items():
        drawings = "".join(_drawn(title, group) for title, group in _groups(figures))
        parts.append(f"<h2>{html.escape(part)}</h2>")
        parts.append(f"<div class='drawings'>{drawings}</div>{_table(figures)}")
    return "\n".join(parts) + "\n</html>\n"


def _machine(new: Result) -> str:
    told = [f"{new.made}, {new.machine['processor']}, {new.machine['cores']} cores"]
    told += [f"{name} {version}" for name, version in new.versions.items()]
    told += [
        f"load of {part} {before:.1f} to {after:.1f}"
        for part, (before, after) in new.load.items()
    ]
    return "; ".join(told)


def _changes(new: Result, old: Result | None, found: list[SpeedChange]) -> str:
    if old is None:
        return (
            "<p>There is no earlier result of this kind of machine to compare with.</p>"
        )
    told = [change for change in found if change.verdict != "same"]
    lines = [
        f"<li>{html.escape(change.name)}: {change.verdict}, {change.slower:.2f} times "
        f"as slow (noise {change.noise:.0%})</li>"
        for change in told
    ]
    beyond = (
        f"<ul>{''.join(lines)}</ul>" if lines else "<p>Nothing beyond the noise.</p>"
    )
    return (
        f"<div class='verdict {'no' if any(c.slower > 1 for c in told) else 'yes'}'>"
        f"Against {old.made}; a fixed calculation took {pace(new, old):.2f} times as "
        f"long as then, which is taken out:{beyond}</div>"
    )


def _by_part(new: Result) -> dict[str, list[Figure]]:
    """Returns the figures of each part of the benchmarks."""
    parts: dict[str, list[Figure]] = {}
    for figure in new.figures.values():
        parts.setdefault(figure.name.split("/")[0], []).append(figure)
    return parts


def _groups(figures: list[Figure]) -> Iterator[tuple[str, list[Figure]]]:
    """Yields the figures that can share an axis: those of one case and unit."""
    groups: dict[tuple[str, str], list[Figure]] = {}
    for figure in figures:
        if figure.median >= _NEGLIGIBLE.get(figure.unit, 0):
            case, _ = _case_and_name(figure)
            groups.setdefault((case, figure.unit), []).append(figure)
    for (case, unit), group in groups.items():
        if len(group) > 1:
            yield f"{case}, {unit}", group


def _case_and_name(figure: Figure) -> tuple[str, str]:
    """Returns what a figure shares with others of its case, and its name among them."""
    *case, name = figure.name.split("/")
    if case[0] == "scaling":  # A node's figures have units of their own.
        name = case.pop()
    return "/".join(case), name


def _drawn(title: str, figures: list[Figure]) -> str:
    rows = [
        drawing.Dot(_case_and_name(f)[1], f.median, (f.spread or 0) * abs(f.median))
        for f in figures
    ]
    label = f"{figures[0].unit}, median and spread"
    return drawing.svg(drawing.dots(title, rows, label=label))


def _table(figures: list[Figure]) -> str:
    rows = [
        f"<tr><td>{html.escape(f.name.partition('/')[2])}</td>"
        f"<td>{f.median:,.4g}</td><td>{html.escape(f.unit)}</td>"
        f"<td>{'' if f.spread is None else format(f.spread, '.0%')}</td>"
        f"<td>{len(f.values)}</td></tr>"
        for f in figures
    ]
    return (
        "<div class='scroll'><table><tr><th></th><th>median</th><th>unit</th>"
        f"<th>spread</th><th>rounds</th></tr>{''.join(rows)}</table></div>"
    )
