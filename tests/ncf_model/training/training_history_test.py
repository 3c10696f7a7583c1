"""A training history's part on the warm start, in its own file and in a summary."""

import json

from ncf_model.training import training_history


def _written(**told):
    start = training_history.WarmStart(**told)
    history = training_history.History(
        epochs=[], best_epoch=1, examples_per_second=1, final_loss=1, warm_start=start
    )
    return json.loads(history.to_json())["warm_start"]


def test_a_cold_start_has_no_counts_and_a_warm_one_no_reason():
    assert _written(cold_because="there is none") == {"cold_because": "there is none"}
    warm = {"from": "serving/7", "known_users": 3, "new_users": 0}
    assert _written(**warm) == warm
    assert _written(**warm, of_a_newer_release=1) == {**warm, "of_a_newer_release": 1}
