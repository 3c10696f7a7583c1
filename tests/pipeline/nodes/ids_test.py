"""The names of the nodes stand in one place, and are those that the pipeline has."""

import ast
import pathlib

from pipeline import config, pipeline
from pipeline.nodes import ids

ROOT = pathlib.Path(__file__).resolve().parents[3]
NAMES = {value for name, value in vars(ids).items() if name.isupper()}
EVERYTHING = [
    "tune={trials: 3, space: {train.epochs: [5, 9]}}",
    "train.warm_start=latest_blessed",
    "evaluation.served=true",
    "push.bulk={k: 5}",
    "push.infra_validator={tries: 1}",
]


def test_every_node_of_the_pipeline_is_named():
    made = pipeline.create_pipeline(
        config.load(None, EVERYTHING),
        pipeline.Locations(interactions="a.csv", pipeline_root="r", serving="o/s"),
        dataset="a",
    )
    assert {node.id for node in made.components} == NAMES - {ids.NOTIFY}


def test_no_other_module_writes_a_name():
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        if path == pathlib.Path(ids.__file__):
            continue
        found = {
            (node.lineno, node.value)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and node.value in NAMES
        }
        assert not found, f"{path.relative_to(ROOT)}: use pipeline.nodes.ids; {found}"
