import json

import pytest
from tfx.types import channel, standard_artifacts

from components.latest_blessed_model import strategy
from ncf_model.config import BaselinesConfig

POPULARITY_ONLY = BaselinesConfig(item_knn_neighbours=None, ease_l2=None)

A, B, C = 11, 12, 13  # Ids of models, in the order in which they were trained.


def _model(model_id):
    model = standard_artifacts.Model()
    model.id = model_id
    return model


def _blessing(blessing_id, model_id, blessed=1):
    blessing = standard_artifacts.ModelBlessing()
    blessing.id = blessing_id
    blessing.set_int_custom_property("blessed", blessed)
    blessing.set_int_custom_property("current_model_id", model_id)
    return blessing


@pytest.mark.parametrize(
    ("candidate", "blessings", "expected"),
    [
        (A, [], []),  # The first run.
        (A, [(21, A, 1)], []),  # The first run again: not itself.
        (B, [(21, A, 1)], [A]),
        (C, [(21, A, 1), (22, B, 1)], [B]),
        (C, [(22, B, 1), (21, A, 1)], [B]),
        (C, [(21, A, 1), (22, B, 0)], [A]),  # B was refused.
        (C, [(21, A, 0), (22, B, 0)], []),
        (C, [(22, B, 1), (23, A, 1)], [A]),  # A was judged again and came back.
        (B, [(21, A, 1), (22, B, 1), (23, A, 0)], [A]),
        (C, [(21, 99, 1)], []),  # The model is gone.
    ],
)
def test_latest_other_blessed_model(candidate, blessings, expected):
    known = {model_id: _model(model_id) for model_id in (A, B, C)}
    resolved = strategy.LatestOtherBlessedModel().resolve_artifacts(
        None,
        {
            "model": list(known.values()),
            "model_blessing": [_blessing(*blessing) for blessing in blessings],
            "candidate": [known[candidate]],
        },
    )
    assert [model.id for model in resolved["model"]] == expected
    assert [model.id for model in resolved["candidate"]] == [candidate]
    ids = [
        blessing.get_int_custom_property("current_model_id")
        for blessing in resolved["model_blessing"]
    ]
    assert ids == expected


AGAINST_A = {"blessing": {"baseline_model": "/root/model/11"}}
FIRST = {"blessing": {}}
GONE = {"baseline_model": "x"}
BACK_TO_A = [(A, FIRST), (B, AGAINST_A), (A, FIRST | {"takes_back": ["of 12"]})]
BOTH = [(21, A, 1), (22, B, 1)]
THREE = [*BOTH, (23, C, 1)]


@pytest.mark.parametrize(
    ("candidate", "pushes", "blessings", "expected"),
    [
        (C, [(A, FIRST), (B, AGAINST_A)], BOTH, [B]),
        (B, [(A, FIRST), (B, AGAINST_A)], BOTH, [A]),  # The same run again.
        (B, [(B, AGAINST_A)], BOTH, [A]),  # The same, A's version is gone.
        (A, [(A, FIRST)], BOTH, []),  # B was blessed, and never pushed.
        (C, [(A, FIRST)], BOTH, [A]),
        (B, [(A, FIRST)], BOTH, [A]),
        (C, BACK_TO_A, BOTH, [A]),
        (A, BACK_TO_A, BOTH, []),
        (C, [(A, FIRST), (B, AGAINST_A), (A, {})], BOTH, [A]),  # From the cache.
        # The model that C was judged against is gone: the newest other version.
        (C, [(A, FIRST), (B, {}), (C, {"blessing": GONE})], THREE, [B]),
        # Records that say nothing of it: the newest other version.
        (C, [(A, {}), (B, {}), (C, {})], [*THREE, (24, A, 1)], [B]),
        (C, [], BOTH, [B]),  # The serving folder was removed.
    ],
)
def test_what_is_served_is_what_counts(
    tmp_path, candidate, pushes, blessings, expected
):
    known = {model_id: _model(model_id) for model_id in (A, B, C)}
    for model_id, model in known.items():
        model.uri = f"/root/model/{model_id}"
    for number, (model_id, more) in enumerate(pushes, start=1):
        version = tmp_path / str(number)
        version.mkdir()
        (version / "saved_model.pb").write_bytes(b"\x08\x01")
        records = tmp_path / ".ncf" / "versions"
        records.mkdir(parents=True, exist_ok=True)
        record = {"digest": f"of {model_id}", "model_uri": known[model_id].uri, **more}
        (records / f"{number}.json").write_text(json.dumps(record))
    resolved = strategy.LatestOtherBlessedModel(str(tmp_path)).resolve_artifacts(
        None,
        {
            "model": list(known.values()),
            "model_blessing": [_blessing(*blessing) for blessing in blessings],
            "candidate": [known[candidate]],
        },
    )
    assert [model.id for model in resolved["model"]] == expected


@pytest.fixture
def judge(tmp_path, save_ranker, write_lists):
    """Returns a function that runs a pipeline which judges a model with given ranks.

    All runs share one metadata store. The function returns which model the Evaluator
    compared with, whether it blessed, and how often it has been executed so far.
    """
    from tfx.orchestration import metadata, pipeline
    from tfx.orchestration.local import local_dag_runner

    write_lists(tmp_path / "examples/Split-eval", [10, 10, 10, 10])
    connection = metadata.sqlite_metadata_connection_config(str(tmp_path / "db"))

    def run(name, ranks):
        folder = tmp_path / name
        if not folder.exists():
            save_ranker(folder / "Format-Serving", ranks)
        local_dag_runner.LocalDagRunner().run(
            pipeline.Pipeline(
                pipeline_name="judge",
                pipeline_root=str(tmp_path / "root"),
                components=_nodes(examples=tmp_path / "examples", model=folder),
                metadata_connection_config=connection,
                enable_cache=True,
            )
        )
        with metadata.Metadata(connection) as handle:
            blessings = handle.store.get_artifacts_by_type("ModelBlessing")
        last = max(blessings, key=lambda artifact: artifact.id).custom_properties
        compared = (
            last["baseline_model"].string_value if "baseline_model" in last else ""
        )
        return compared.rpartition("/")[2], last["blessed"].int_value, len(blessings)

    return run


def _nodes(*, examples, model):
    from tfx.components.evaluator.component import Evaluator
    from tfx.dsl.components.common.importer import Importer
    from tfx.dsl.components.common.resolver import Resolver

    from pipeline import evaluation

    gate = evaluation.GateConfig(tolerance=0.0, replace_equal=False)
    lists = Importer(
        str(examples),
        standard_artifacts.Examples,
        properties={"split_names": '["eval"]'},
    ).with_id("Lists")
    trainer = Importer(str(model), standard_artifacts.Model).with_id("Trainer")
    baseline = Resolver(
        strategy_class=strategy.LatestOtherBlessedModel,
        model=channel.Channel(type=standard_artifacts.Model),
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
        candidate=trainer.outputs["result"],
    ).with_id("Baseline")
    evaluator = Evaluator(
        examples=lists.outputs["result"],
        model=trainer.outputs["result"],
        baseline_model=baseline.outputs["model"],
        eval_config=evaluation.eval_config(
            evaluation.EvaluationConfig(gate=gate, baselines=POPULARITY_ONLY),
            eval_negatives=12,
        ),
    )
    return [lists, trainer, baseline, evaluator]


def test_better_worse_better_in_one_store(judge):
    assert judge("first", [0, 0, 10, 10]) == ("", 1, 1)
    assert judge("first", [0, 0, 10, 10]) == ("", 1, 1)  # From the cache.
    assert judge("worse", [0, 10, 10, 10]) == ("first", 0, 2)
    assert judge("better", [0, 0, 0, 10]) == ("first", 1, 3)
    assert judge("better", [0, 0, 0, 10]) == ("first", 1, 3)  # Not against itself.
