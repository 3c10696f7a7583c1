"""EvalContext tells the baselines the order of items only if the model knows it."""

import pytest

from pipeline import config
from pipeline import pipeline as definition


@pytest.mark.parametrize(
    ("overrides", "order"),
    [
        ([], None),
        (["model.history.recency=0.7"], 1),
        (["model.history=null"], None),
    ],
)
def test_baselines_know_the_order_of_items_where_the_model_does(
    tmp_path, overrides, order
):
    places = definition.Locations(
        interactions=str(tmp_path / "a.csv"),
        pipeline_root=str(tmp_path),
        serving=str(tmp_path / "serving"),
    )
    chosen = config.load(overrides=overrides)
    made = definition.create_pipeline(chosen, places, dataset="a")
    [context] = [node for node in made.components if node.id == "EvalContext"]
    assert context.exec_properties.get("order") == order
