"""BulkRecommendations, the optional node after Pusher."""

import pytest

from pipeline import config
from pipeline import pipeline as definition


@pytest.mark.parametrize(
    ("overrides", "asked"), [((), None), (["push.bulk.k=7"], 7)], ids=["default", "on"]
)
def test_everybodys_list_is_written_where_it_is_asked_for(tmp_path, overrides, asked):
    places = definition.Locations(
        interactions=str(tmp_path / "a.csv"),
        pipeline_root=str(tmp_path),
        serving=str(tmp_path / "serving"),
        titles="titles.csv",
        titles_digest="abc",
    )
    chosen = config.load(overrides=overrides)
    made = definition.create_pipeline(chosen, places, dataset="a")
    nodes = {node.id: node for node in made.components}
    assert ("BulkRecommendations" in nodes) == (asked is not None)
    # Pusher's cache key does not depend on BulkRecommendations.
    assert "bulk" not in nodes["Pusher"].exec_properties["custom_config"]
    if asked:
        bulk = nodes["BulkRecommendations"]
        assert bulk.exec_properties["k"] == asked
        assert bulk.exec_properties["titles"] == "titles.csv"
        assert bulk.exec_properties["titles_digest"] == "abc"
        assert nodes["Pusher"] in bulk.upstream_nodes
