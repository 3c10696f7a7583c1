"""Makes one self-contained HTML page of the result of a run."""

import re
from typing import Any

import jinja2

from components.report import drawing, graph, standing, wording
from components.report.document import Histogram, Summary
from components.report.drawing import Drawing
from ncf_model import features
from ncf_model.evaluation.result import Paired

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("components.report", "."),
    autoescape=jinja2.select_autoescape(default=True),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_GATE = "evaluation.gate."
_HEADLINE = ("hit_rate@10", "ndcg@10", "mrr")


def render(summary: Summary, *, earlier: str = "") -> str:
    """Returns the page, which loads nothing from elsewhere.

    Args:
        summary: the contents of the page.
        earlier: a page of the same figures. Its drawings are taken over: drawing takes
            most of the time.
    """
    drawn = drawing.found_in(earlier)
    template = _ENVIRONMENT.get_template("page.html.j2")
    return template.render(
        summary=summary,
        words=wording,
        standing=standing.find(summary),
        sentences=standing.sentences(summary, of_pairs=summary.of_pairs),
        leads=_leads(summary),
        headline=[name for name in _HEADLINE if name in summary.metrics],
        methods=wording.methods(summary),
        changed={name: s for name, s in summary.config.items() if s.changed},
        limits={
            name.removeprefix(_GATE): setting
            for name, setting in summary.config.items()
            if name.startswith(_GATE)
        },
        drawings={
            name: drawn.get(wanted.title) or drawing.svg(wanted)
            for name, wanted in _drawings(summary).items()
        },
        show=_shown,
        types={artifact.number: artifact.type for artifact in summary.run.artifacts},
    )


def _leads(summary: Summary) -> dict[str, Paired]:
    """Returns the comparison with each other method, by the method's name."""
    leads = {wording.method(k): row for k, row in summary.against_baselines.items()}
    if latest := summary.comparisons.get(features.LATEST_BLESSED):
        leads[wording.LAST_BLESSED] = latest
    return {name: row for name, row in leads.items() if row.difference is not None}


def _shown(value: Any) -> str:
    """Returns a setting in plain text, with "none" for nothing."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, dict):
        pairs = (f"{name}: {_shown(one)}" for name, one in value.items())
        return ", ".join(pairs) or "none"
    return str(value)


def _drawings(summary: Summary) -> dict[str, Drawing]:
    """Returns the drawings by name, without those that would be empty."""
    found = {}
    for name in ("hit_rate", "ndcg"):
        if curves := _over_k(summary, name):
            title = f"{wording.metric(name)}@K over K"
            found[name] = drawing.lines(title, curves, label="K")
    rows = [
        drawing.Dot(row.name, *(kind.get(wording.GATE_METRIC) for kind in row[1:]))
        for row in wording.methods(summary)
    ]
    if any(row.value is not None for row in rows):
        found["methods"] = drawing.dots(
            "HR@10 ± one standard error", rows, label="HR@10"
        )
    found |= _of_training(summary)
    spread = summary.distribution
    for name, drawn in (("user", spread.per_user), ("item", spread.per_item)):
        if drawn.counts:
            found[f"per_{name}"] = _bars(name, drawn)
    if nodes := summary.run.nodes:
        found["seconds"] = drawing.rows(
            "Seconds per node",
            [node.name for node in nodes],
            [node.seconds or 0.0 for node in nodes],
            "seconds",
        )
        found["graph"] = graph.draw(nodes, summary.run.artifacts)
    return found


def _over_k(summary: Summary, name: str) -> list[drawing.Curve]:
    """Returns a line per method, over the values of K at which a metric is known."""
    matches = (re.fullmatch(rf"{name}@(\d+)", key) for key in summary.metrics)
    ks = sorted(int(match[1]) for match in matches if match)
    return [
        drawing.Curve(row.name, ks, [row.metrics.get(f"{name}@{k}") for k in ks])
        for row in wording.methods(summary)
        if ks and any(row.metrics.get(f"{name}@{k}") is not None for k in ks)
    ]


def _of_training(summary: Summary) -> dict[str, Drawing]:
    history = summary.history
    if history is None or not history.epochs:
        return {}
    epochs = [epoch.epoch for epoch in history.epochs]
    losses = [epoch.loss for epoch in history.epochs]
    quality = [
        drawing.Curve("HR@10", epochs, [epoch.hit_rate for epoch in history.epochs]),
        drawing.Curve("NDCG@10", epochs, [epoch.ndcg for epoch in history.epochs]),
    ]
    if cold := history.cold:
        numbers = [epoch.epoch for epoch in cold.epochs]
        rates = [epoch.hit_rate for epoch in cold.epochs]
        quality.append(drawing.Curve("HR@10 of a cold start", numbers, rates))
    best = history.best_epoch
    found = {
        "loss": drawing.lines(
            "Loss per epoch",
            [drawing.Curve("loss", epochs, losses)],
            label="epoch",
            marked=best,
        )
    }
    if values := wording.catalogue_figures(history):
        found["chosen"] = drawing.lines(
            "NDCG@10 in the catalogue per epoch",
            [drawing.Curve("NDCG@10", epochs, values)],
            label="epoch",
            marked=best,
        )
    if any(epoch.hit_rate is not None for epoch in history.epochs):
        found["validation"] = drawing.lines(
            "Validation quality per epoch", quality, label="epoch", marked=best
        )
    return found


def _bars(name: str, drawn: Histogram) -> Drawing:
    return drawing.bars(
        f"How many {name}s have how many interactions",
        drawn.edges,
        drawn.counts,
        label=f"interactions of the {name}",
    )
