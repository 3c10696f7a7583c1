import json

import pytest
from tfx.types import channel, standard_artifacts

from components.eval_context.config import BaselinesConfig
from components.latest_blessed_model import strategy
from ncf_model import features
from ncf_model.serving import versions
from ncf_model.serving.version_record import VersionRecord

POPULARITY_ONLY = BaselinesConfig(item_knn_neighbours=None, ease_l2=None, ials_l2=None)

A, B, C, D = 11, 12, 13, 15  # Ids of models.
LOST = 14  # A model whose files are gone.


@pytest.fixture
def _all_can_be_loaded(monkeypatch):
    """The artifacts have no files, but all count as loadable, except LOST."""
    monkeypatch.setattr(strategy, "can_be_loaded", lambda model: model.id != LOST)


def _model(model_id):
    model = standard_artifacts.Model()
    model.id = model_id
    return model


def _blessing(blessing_id, model_id, blessed=1, level=None):
    blessing = standard_artifacts.ModelBlessing()
    blessing.id = blessing_id
    blessing.set_int_custom_property("blessed", blessed)
    blessing.set_int_custom_property("current_model_id", model_id)
    if level is not None:
        blessing.set_string_custom_property("level", repr(level))
    return blessing


@pytest.mark.parametrize(
    ("candidate", "blessings", "expected"),
    [
        (A, [], []),  # The first run.
        (A, [(21, A, 1)], []),  # The first run again: A is not compared with itself.
        (B, [(21, A, 1)], [A]),
        (C, [(21, A, 1), (22, B, 1)], [B]),
        (C, [(22, B, 1), (21, A, 1)], [B]),
        (C, [(21, A, 1), (22, B, 0)], [A]),  # B was refused.
        (C, [(21, A, 0), (22, B, 0)], []),
        (C, [(22, B, 1), (23, A, 1)], [A]),  # A was evaluated again and came back.
        (B, [(21, A, 1), (22, B, 1), (23, A, 0)], [A]),
        (C, [(21, 99, 1)], []),  # The model is gone.
    ],
)
@pytest.mark.usefixtures("_all_can_be_loaded")
def test_latest_other_blessed_model(candidate, blessings, expected):
    resolved = _resolve(candidate, blessings)
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


@pytest.mark.usefixtures("_all_can_be_loaded")
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
        # The model that C was compared with is gone: the newest other version.
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


def _resolve(candidate, blessings):
    known = {model_id: _model(model_id) for model_id in (A, B, C, D, LOST)}
    return strategy.LatestOtherBlessedModel().resolve_artifacts(
        None,
        {
            "model": list(known.values()),
            "model_blessing": [
                _blessing(*blessing) if isinstance(blessing, tuple) else blessing
                for blessing in blessings
            ],
            "candidate": [known[candidate]],
            "best_model": [],
            "best_blessing": [],
        },
    )


@pytest.mark.parametrize(
    ("blessings", "latest", "best"),
    [
        ([(21, A, 1, 0.0), (22, B, 1, -0.01)], [B], [A]),
        # The latest has the highest level. On this run's lists A may be better.
        ([(21, A, 1, 0.0), (22, B, 1, 0.01)], [B], [A]),
        # The highest level first, of equals the later; a model's latest level counts.
        ([(21, A, 1, 0.0), (22, D, 1, 0.2), (23, B, 1, 0.1)], [B], [D, A]),
        ([(21, A, 1, 0.0), (22, D, 1, 0.0), (23, B, 1, 0.1)], [B], [D, A]),
        ([(21, A, 1, 0.9), (22, A, 1, -0.3), (23, B, 1, 0.1)], [B], [A]),
        ([(21, A, 0, 0.5), (22, B, 1, 0.01)], [B], []),  # A was not blessed.
        ([(21, A, 1), (22, B, 1)], [B], []),  # An earlier release noted no level.
        ([(21, A, 1, 0.1), (22, LOST, 1, 0.9), (23, B, 1, 0.0)], [B], [A]),
        ([(21, A, 1, 0.1), (22, LOST, 1, 0.0)], [A], []),
        ([(21, C, 1, 0.9), (22, B, 1, 0.0)], [B], []),  # Not the candidate itself.
    ],
)
@pytest.mark.usefixtures("_all_can_be_loaded")
def test_the_best_that_can_still_be_loaded(blessings, latest, best):
    resolved = _resolve(C, blessings)
    assert [model.id for model in resolved["model"]] == latest
    assert [model.id for model in resolved["best_model"]] == best
    assert best == [
        blessing.get_int_custom_property("current_model_id")
        for blessing in resolved["best_blessing"]
    ]


@pytest.mark.parametrize(
    ("levels", "best"),
    [
        # Of equal levels a measured one comes first, though D was blessed later.
        ([(A, 0.2, False), (D, 0.2, True)], [A, D]),
        ([(A, 0.1, False), (D, 0.2, True)], [D, A]),
        # Of the levels that were not measured only the last one counts.
        ([(A, 0.3, True), (D, 0.2, True)], [D]),
        ([(A, 0.3, True), (D, 0.2, False)], [A, D]),
    ],
)
@pytest.mark.usefixtures("_all_can_be_loaded")
def test_a_level_that_was_not_measured(levels, best):
    blessings = [_blessing(23, B, 1, 0.1)]
    for number, (model_id, level, is_assumed) in enumerate(levels, start=21):
        blessings.append(_blessing(number, model_id, 1, level))
        if is_assumed:
            blessings[-1].set_int_custom_property("level_is_assumed", 1)
    resolved = _resolve(C, blessings)
    assert [model.id for model in resolved["best_model"]] == best


def test_what_is_best_but_not_served_counts_where_nothing_else_does(tmp_path):
    """A is served and evaluated again; B was blessed, and its version is gone."""
    models = [_model(A), _model(B)]
    for model in models:
        model.uri = str(tmp_path / str(model.id))
        graph = tmp_path / str(model.id) / "Format-Serving" / "saved_model.pb"
        graph.parent.mkdir(parents=True)
        graph.write_bytes(b"\x08\x01")
    record = VersionRecord(model_uri=models[0].uri, blessing={})
    versions.push(tmp_path / "serving", graph.parent, record=record)
    found = strategy.LatestOtherBlessedModel(str(tmp_path / "serving"))
    resolved = found.resolve_artifacts(
        None,
        {
            "model": models,
            "model_blessing": [_blessing(21, A, 1, 0.0), _blessing(22, B, 1, 0.1)],
            "candidate": models[:1],
            "best_model": [],
            "best_blessing": [],
        },
    )
    assert resolved["model"] == []
    assert resolved["best_model"] == models[1:]


def test_the_best_are_few(monkeypatch):
    monkeypatch.setattr(features, "MOST_BEST", 1)
    monkeypatch.setattr(strategy, "can_be_loaded", lambda model: True)
    blessings = [(21, A, 1, 0.0), (22, D, 1, 0.2), (23, B, 1, 0.1)]
    assert [model.id for model in _resolve(C, blessings)["best_model"]] == [D]


@pytest.fixture
def evaluate(tmp_path, save_ranker, write_lists):
    """Returns a function that runs a pipeline which evaluates a model with given ranks.

    All runs share one metadata store. The function returns which model the Evaluator
    compared with, whether it blessed, and how often the Evaluator has run so far.
    """
    from tfx.orchestration import metadata, pipeline
    from tfx.orchestration.local import local_dag_runner

    write_lists(tmp_path / "examples/Split-eval", [10, 10, 10, 10])
    assets = tmp_path / "graph/transform_fn/assets"
    assets.mkdir(parents=True)
    (tmp_path / "graph/transformed_metadata").mkdir()
    (assets / "item_id").write_text("n0\nn1\n")
    connection = metadata.sqlite_metadata_connection_config(str(tmp_path / "db"))

    def run(name, ranks):
        folder = tmp_path / name
        if not folder.exists():
            save_ranker(folder / "Format-Serving", ranks)
        local_dag_runner.LocalDagRunner().run(
            pipeline.Pipeline(
                pipeline_name="evaluate",
                pipeline_root=str(tmp_path / "root"),
                components=_nodes(examples=tmp_path / "examples", model=folder),
                metadata_connection_config=connection,
                enable_cache=True,
            )
        )
        with metadata.Metadata(connection) as handle:
            blessings = handle.store.get_artifacts_by_type("ModelBlessing")
        last = max(blessings, key=lambda artifact: artifact.id).custom_properties
        compared = [
            json.loads(last[name].string_value)["uri"].rpartition("/")[2]
            for name in ("latest_blessed", "best_blessed")
            if name in last
        ]
        return compared, last["blessed"].int_value, len(blessings)

    return run


def _nodes(*, examples, model):
    from tfx.dsl.components.common.importer import Importer
    from tfx.dsl.components.common.resolver import Resolver

    from components.blessed_ranks.component import BlessedRanks
    from components.explaining_evaluator.component import ExplainingEvaluator
    from pipeline import evaluation

    gate = evaluation.GateConfig(tolerance=0.3)
    lists = Importer(
        str(examples),
        standard_artifacts.Examples,
        properties={"split_names": '["eval"]'},
    ).with_id("Lists")
    graph = Importer(
        str(examples.parent / "graph"), standard_artifacts.TransformGraph
    ).with_id("Graph")
    trainer = Importer(str(model), standard_artifacts.Model).with_id("Trainer")
    baseline = Resolver(
        strategy_class=strategy.LatestOtherBlessedModel,
        model=channel.Channel(type=standard_artifacts.Model),
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
        best_model=channel.Channel(type=standard_artifacts.Model),
        best_blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
        candidate=trainer.outputs["result"],
    ).with_id("Baseline")
    ranks = BlessedRanks(
        lists=lists.outputs["result"],
        transform_graph=graph.outputs["result"],
        baseline_model=baseline.outputs["model"],
        best_model=baseline.outputs["best_model"],
        latest_blessing=baseline.outputs["model_blessing"],
        best_blessing=baseline.outputs["best_blessing"],
    )
    evaluator = ExplainingEvaluator(
        examples=ranks.outputs["examples"],
        example_splits=["eval"],
        model=trainer.outputs["result"],
        eval_config=evaluation.eval_config(
            evaluation.EvaluationConfig(gate=gate, baselines=POPULARITY_ONLY),
            eval_negatives=12,
        ),
    )
    return [lists, graph, trainer, baseline, ranks, evaluator]


def test_better_worse_better_in_one_store(evaluate):
    """Each model is .25 worse than the last, the tolerance .3: the best counts."""
    assert evaluate("first", [0, 0, 0, 0]) == ([], 1, 1)
    assert evaluate("first", [0, 0, 0, 0]) == ([], 1, 1)  # From the cache.
    assert evaluate("worse", [0, 0, 0, 10]) == (["first"], 1, 2)
    assert evaluate("worst", [0, 0, 10, 10]) == (["worse", "first"], 0, 3)
    assert evaluate("worst", [0, 0, 10, 10]) == (["worse", "first"], 0, 3)
    assert evaluate("equal", [0, 0, 0, 0]) == (["worse", "first"], 1, 4)
    assert evaluate("again", [0, 0, 10, 0]) == (["equal"], 1, 5)
    assert evaluate("again", [0, 0, 10, 0]) == (["equal"], 1, 5)
