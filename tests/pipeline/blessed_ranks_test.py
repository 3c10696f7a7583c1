"""BlessedRanks chooses the earlier blessed models that a new one is compared with."""

import json
import re

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.blessed_ranks import executor, rivals

# Ranks of the held-out items in four lists: hits in all, in three, in two lists.
GOOD, WORSE, WORST = [0, 0, 0, 0], [0, 0, 0, 11], [0, 0, 11, 11]
MODELS = {"good": GOOD, "worse": WORSE, "worst": WORST, "also good": [1, 1, 1, 1]}


def _save_others(folder):
    """Saves models that cannot rank any lists."""

    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "user")])
        def answer(self, user):
            return {"found": user}

    for name, signature in (("other", "evaluate"), ("none", "serving_default")):
        other = Other()
        path = str(folder / name / "Format-Serving")
        tf.saved_model.save(other, path, {signature: other.answer})

    class Answer(tf.Module):
        def __init__(self, score):
            super().__init__()
            self._score = score

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
        def evaluate(self, examples):
            return {"scores": self._score(tf.shape(examples)[0])}

    for name, score in (
        ("one score", lambda count: tf.zeros([count, 1])),
        ("whole numbers", lambda count: tf.zeros([count, 2], tf.int32)),
        ("fails", lambda count: tf.zeros([count, 2]) + tf.zeros([count + 1, 2])),
    ):
        answer = Answer(score)
        path = str(folder / name / "Format-Serving")
        tf.saved_model.save(answer, path, {"evaluate": answer.evaluate})


@pytest.fixture(scope="module")
def compare(tmp_path_factory, save_ranker, write_lists):
    """Returns a function that ranks lists and gives the note on each kind of model."""
    folder = tmp_path_factory.mktemp("ranks")
    write_lists(folder / "lists/Split-eval", [10, 10, 10, 10])
    assets = folder / "graph/transform_fn/assets"
    assets.mkdir(parents=True)
    (folder / "graph/transformed_metadata").mkdir()
    (assets / "item_id").write_text("n0\nn1\n")
    for name, ranks in MODELS.items():
        save_ranker(folder / name / "Format-Serving", ranks)
    (folder / "damaged" / "Format-Serving").mkdir(parents=True)
    _save_others(folder)

    def artifact(kind, path, number=0):
        made = kind()
        made.uri, made.id = str(folder / path), number
        return made

    def model(name, number, level):
        blessing = standard_artifacts.ModelBlessing()
        blessing.set_int_custom_property("current_model_id", number)
        blessing.set_string_custom_property("level", repr(level))
        return artifact(standard_artifacts.Model, name, number), blessing

    lists = artifact(standard_artifacts.Examples, "lists")
    lists.split_names = '["eval"]'

    def run(latest, *others, versions=()):
        inputs = {
            "lists": [lists],
            "transform_graph": [artifact(standard_artifacts.TransformGraph, "graph")],
        }
        kinds = {"baseline": [latest] if latest else [], "best": others}
        for kind, names in kinds.items():
            made = [model(n, 10 + i, 0.1 * i) for i, n in enumerate(names)]
            for found, _ in made:
                number = "7" if kind == "baseline" else "8"
                found.set_string_custom_property("pushed_version", number)
            inputs[f"{kind}_model"] = [m for m, _ in made]
            key = "latest_blessing" if kind == "baseline" else "best_blessing"
            inputs[key] = [b for _, b in reversed(made)]  # In any order.
        if versions:  # As on clusters: the first model's property names all.
            told = [
                {"id": i, "uri": str(folder / name / "Format-Serving"), "level": -0.1}
                for i, name in enumerate(versions, start=1)
            ]
            inputs["best_model"][0].set_string_custom_property(
                "more_best", json.dumps(told)
            )
        written = artifact(standard_artifacts.Examples, "out")
        executor.Executor().Do(inputs, {"examples": [written]}, {})
        run.told = written.get_string_custom_property("not_compared")
        texts = [
            written.get_string_custom_property(name)
            for name in ("latest_blessed", "best_blessed")
        ]
        noted = [json.loads(text) if text else None for text in texts]
        names = [n and n["uri"].removesuffix("/Format-Serving") for n in noted]
        return [
            n and (name.rpartition("/")[2], n["level"])
            for n, name in zip(noted, names, strict=True)
        ]

    return run


@pytest.mark.parametrize(
    ("models", "latest", "best"),
    [
        ([None], None, None),
        (["worst"], ("worst", 0), None),
        ([None, "worst"], None, ("worst", 0)),
        (["worse", "worst"], ("worse", 0), None),  # The latest model is the best too.
        (["good", "also good"], ("good", 0), None),
        (["worst", "worse", "good"], ("worst", 0), ("good", 0.1)),
        (["worst", "worst", "worse"], ("worst", 0), ("worse", 0.1)),
        # Of equal models the first: the resolver puts the higher level first.
        (["worst", "also good", "good"], ("worst", 0), ("also good", 0)),
        (["damaged", "worse"], None, ("worse", 0)),
        (["worse", "damaged"], ("worse", 0), None),
    ],
)
def test_the_best_on_these_lists_counts(compare, models, latest, best):
    assert compare(*models) == [latest, best]


@pytest.mark.parametrize(
    ("versions", "best"),
    [
        (["worst"], ("worse", 0)),
        (["good"], ("good", -0.1)),
        (["damaged", "also good", "good"], ("also good", -0.1)),
    ],
)
def test_versions_of_a_serving_folder_may_be_the_best(compare, versions, best):
    assert compare("worst", "worse", versions=versions) == [("worst", 0), best]


@pytest.mark.parametrize(
    ("models", "told"),
    [
        (["worse", "worst"], r"$"),
        (["damaged", "worse"], r"The model in service, version 7, is not compared: \S"),
        (["worse", "damaged"], r"The earlier model, version 8, is not compared: \S"),
        (["other"], r".* version 7, .* takes \['user'\] and returns \['found'\]; it"),
        (["one score"], r".* version 7, .* float32 of shape \(1, 1\)\.$"),
        (["whole numbers"], r".* version 7, .* got int32 of shape \(1, 2\)\.$"),
        (["fails"], r".* version 7, is not compared: \S"),
        (["none"], r".* version 7, is not compared: it has no signature `evaluate`\.$"),
    ],
)
def test_what_cannot_be_compared_is_named(compare, models, told):
    compare(*models)
    assert re.match(told, compare.told)


def test_it_is_chosen_on_the_first_lists(monkeypatch, compare):
    """Both models have the same hits in the first two lists."""
    monkeypatch.setattr(executor, "_BATCH", 2)
    assert compare("worst", "good")[1] == ("good", 0)
    monkeypatch.setattr(rivals, "_LISTS", 2)
    assert compare("worst", "good")[1] is None
