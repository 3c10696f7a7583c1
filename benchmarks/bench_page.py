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
    for title, figures in _groups(new):
        parts.append(f"<h2>{html.escape(title)}</h2>")
        parts.append(f"<div class='drawings'>{_drawn(title, figures)}</div>")
        parts.append(_table(figures))
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


def _groups(new: Result) -> Iterator[tuple[str, list[Figure]]]:
    """Yields the figures that can share an axis: those of one part, case and unit."""
    groups: dict[str, list[Figure]] = {}
    for figure in new.figures.values():
        case = figure.name.rpartition("/")[0]
        if figure.name.startswith("scaling/"):
            case = case.rpartition("/")[0]
        groups.setdefault(f"{case}, {figure.unit}", []).append(figure)
    yield from groups.items()


def _short(figure: Figure) -> str:
    parts = figure.name.split("/")
    return parts[-2] if parts[0] == "scaling" else parts[-1]


def _drawn(title: str, figures: list[Figure]) -> str:
    shown = [f for f in figures if f.median >= _NEGLIGIBLE.get(f.unit, 0)]
    if not shown:
        return ""
    rows = [
        drawing.Dot(_short(f), f.median, (f.spread or 0) * abs(f.median)) for f in shown
    ]
    label = f"{figures[0].unit}, median and spread"
    return drawing.svg(drawing.dots(title, rows, label=label))


def _table(figures: list[Figure]) -> str:
    rows = [
        f"<tr><td>{html.escape(_short(f))}</td><td>{f.median:,.4g}</td>"
        f"<td>{'' if f.spread is None else format(f.spread, '.0%')}</td>"
        f"<td>{len(f.values)}</td></tr>"
        for f in figures
    ]
    return (
        "<div class='scroll'><table><tr><th></th><th>median</th><th>spread</th>"
        f"<th>rounds</th></tr>{''.join(rows)}</table></div>"
    )
