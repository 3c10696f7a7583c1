"""Bad models before the real Evaluator: none is blessed, and the reason is given.

Of 48 items, item i belongs to group i // 12 and is the more popular the smaller i % 12.
Each of 40 users has four items of their own group and holds out another, one of the six
most popular. A list is all that the user has not seen. A model that knows the groups
ranks each held-out item among the first eight; popularity has 16 of 40 among ten.
"""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.eval_context.config import BaselinesConfig
from ncf_model.config import ModelConfig
from ncf_model.network import model
from ncf_model.sampling.ragged import Ragged
from ncf_model.serving import folders, saved_model
from ncf_model.training import data
from pipeline import evaluation

GROUPS, OF_GROUP, USERS = 4, 12, 40
ITEMS = GROUPS * OF_GROUP
USER_IDS = [b"user %d" % u for u in range(USERS)]
ITEM_IDS = [b"item %d" % i for i in range(ITEMS)]
POPULARITY = OF_GROUP - np.arange(ITEMS) % OF_GROUP
HELD_OUT = [u % GROUPS * OF_GROUP + u // GROUPS % 6 for u in range(USERS)]
POSITIVES = [
    [u % GROUPS * OF_GROUP + 6 + (u // GROUPS + i) % 6 for i in range(4)]
    for u in range(USERS)
]
BEAM = ("--runner=FnApiRunner", "--sdk_container_image=none")
HISTORY = {
    "epochs": [],
    "best_epoch": 1,
    "examples_per_second": 1.0,
    "final_loss": 0.5,
}


def _lists(rows):
    sizes = [len(row) for row in rows]
    return Ragged(
        np.array([x for row in rows for x in row], np.int32),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
    )


def _export(folder, network, *, user_ids=USER_IDS, item_ids=ITEM_IDS):
    """Exports as the trainer does; index j stands for the j-th of the ids."""
    folder.mkdir()
    vocabularies = {}
    for name, ids in (("user", user_ids), ("item", item_ids)):
        vocabularies[f"{name}_vocabulary"] = str(folder / name)
        (folder / name).write_bytes(b"".join(raw + b"\n" for raw in ids))
    interactions = data.Interactions(
        user_ids=list(user_ids),
        user_index=np.arange(len(user_ids), dtype=np.int32),
        positives=_lists([[0]] * len(user_ids)),
        validation_items=_lists([[]] * len(user_ids)),
        eval_items=_lists([[]] * len(user_ids)),
    )
    path = str(folder / "Format-Serving")
    saved_model.export(network, interactions, path, refitted=False, **vocabularies)
    return folder


def _of_groups(users, items):
    """A model that scores user u and item i by the product of their rows."""
    settings = ModelConfig(type="gmf", mf_dim=GROUPS, gmf_output="ones")
    network = model.NeuMF(settings, num_users=len(users), num_items=len(items))
    for table, rows in ((network.user_table, users), (network.item_table, items)):
        table.embeddings.assign(np.concatenate([rows, np.zeros((1, GROUPS))]))
    return network


OF_USERS = np.eye(GROUPS)[np.arange(USERS) % GROUPS]
OF_ITEMS = np.eye(GROUPS)[np.arange(ITEMS) // OF_GROUP]


def _good(folder):
    return _export(folder, _of_groups(OF_USERS, OF_ITEMS))


def _wrong_about_a_group(folder):
    """A model that is right for three of the four groups."""
    signs = np.where(np.arange(USERS) % GROUPS == 0, -1, 1)
    return _export(folder, _of_groups(OF_USERS * signs[:, np.newaxis], OF_ITEMS))


def _untrained(folder):
    keras.utils.set_random_seed(0)
    return _export(folder, model.NeuMF(ModelConfig(), num_users=USERS, num_items=ITEMS))


def _constant(folder):
    return _export(folder, _of_groups(OF_USERS, np.ones((ITEMS, GROUPS))))


def _inverted(folder):
    return _export(folder, _of_groups(-OF_USERS, OF_ITEMS))


def _with_nan(folder):
    """A good model, but for NaN in the row of one user."""
    users = OF_USERS.copy()
    users[7] = np.nan
    return _export(folder, _of_groups(users, OF_ITEMS))


def _of_other_ids(folder):
    """A model trained on users and items of which none is in the lists."""
    return _export(
        folder,
        _of_groups(OF_USERS, OF_ITEMS),
        user_ids=[b"other " + raw for raw in USER_IDS],
        item_ids=[b"other " + raw for raw in ITEM_IDS],
    )


def _good_in_another_order(folder):
    """A model as good as `_good`, with more ids, in another order."""
    users, items = (np.random.default_rng(0).permutation(n) for n in (USERS, ITEMS))
    return _export(
        folder,
        _of_groups(
            np.concatenate([np.ones((3, GROUPS)), OF_USERS[users]]),
            np.concatenate([np.ones((5, GROUPS)), OF_ITEMS[items]]),
        ),
        user_ids=[b"a", b"b", b"c", *(USER_IDS[u] for u in users)],
        item_ids=[b"a", b"b", b"c", b"d", b"e", *(ITEM_IDS[i] for i in items)],
    )


def _good_among_many(folder):
    """A model as good as `_good` that also knows 480 items which it scores higher."""
    more = 480
    return _export(
        folder,
        _of_groups(OF_USERS, np.concatenate([OF_ITEMS, np.full((more, GROUPS), 2)])),
        item_ids=[*ITEM_IDS, *(b"more %d" % i for i in range(more))],
    )


def _record(user, whole):
    held_out = HELD_OUT[user]
    seen = {held_out, *POSITIVES[user]}
    candidates = [held_out, *(i for i in range(ITEMS) if i not in seen)]
    example = tf.train.Example()
    feature = example.features.feature
    feature["user_id"].bytes_list.value.append(USER_IDS[user])
    if whole:
        feature["seen_ids"].bytes_list.value.extend(
            ITEM_IDS[i] for i in POSITIVES[user]
        )
        rank = (POPULARITY[candidates[1:]] >= POPULARITY[held_out]).sum()
        feature["popularity_rank"].int64_list.value.append(int(rank))
        candidates = [held_out]
    feature["candidate_ids"].bytes_list.value.extend(ITEM_IDS[i] for i in candidates)
    feature["candidate_popularity"].int64_list.value.extend(POPULARITY[candidates])
    group = b"head" if user % GROUPS else b"tail"
    feature["item_popularity"].bytes_list.value.append(group)
    return example.SerializeToString()


@pytest.fixture(scope="module")
def attack(tmp_path_factory, run_evaluator):
    """Returns a function that evaluates a model and reads `summary.json`."""
    from tfx.types import standard_artifacts

    from components.report import executor, spec

    root = tmp_path_factory.mktemp("attack")
    models = {}

    def lists(users, whole):
        folder = root / f"lists of {users} {whole}" / "Split-eval"
        if not folder.exists():
            folder.mkdir(parents=True)
            path = str(folder / "data_tfrecord-00000-of-00001.gz")
            with tf.io.TFRecordWriter(path, "GZIP") as writer:
                for user in range(users):
                    writer.write(_record(user, whole))
        return folder.parent

    def saved(make):
        if make and make not in models:
            models[make] = make(root / make.__name__)
        return models[make] if make else None

    def report(folder, evaluation_artifact, blessing):
        counts = standard_artifacts.Examples()
        for name in ("num_users", "num_items", "num_interactions"):
            counts.set_int_custom_property(name, 1)
        run = standard_artifacts.ModelRun()
        run.uri = str(folder)
        (folder / "history.json").write_text(json.dumps(HISTORY))
        written = spec.RunReport()
        written.uri = str(folder)
        inputs = {
            spec.INTERACTIONS_KEY: counts,
            spec.LISTS_KEY: standard_artifacts.Examples(),
            spec.MODEL_RUN_KEY: run,
            spec.EVALUATION_KEY: evaluation_artifact,
            spec.BLESSING_KEY: blessing,
            spec.PUSHED_MODEL_KEY: standard_artifacts.PushedModel(),
        }
        executor.Executor().Do(
            {key: [artifact] for key, artifact in inputs.items()},
            {spec.REPORT_KEY: [written]},
            {spec.DATASET_KEY: "groups"},
        )
        return json.loads((folder / "summary.json").read_text())

    def run(candidate, *, blessed=None, best=None, users=USERS, whole=False, **gate):
        folder = tmp_path_factory.mktemp("run")
        evaluation_artifact, blessing = run_evaluator(
            folder,
            lists=lists(users, whole),
            candidate=saved(candidate),
            blessed=saved(blessed),
            best=saved(best),
            level=0.5 if blessed else None,
            catalogue=[raw.decode() for raw in ITEM_IDS],
            config=evaluation.EvaluationConfig(
                top_k=(10,),
                gate=evaluation.GateConfig(**gate),
                baselines=BaselinesConfig(
                    item_knn_neighbours=None, ease_l2=None, ials_l2=None
                ),
            ),
            negatives="all" if whole else ITEMS,
            beam=BEAM,
        )
        summary = report(folder, evaluation_artifact, blessing)
        reasons = blessing.get_string_custom_property("not_blessed_because")
        assert reasons.splitlines() == summary["not_blessed_because"]
        assert blessing.get_int_custom_property("blessed") == summary["blessed"]
        digest = blessing.get_string_custom_property("model_digest")
        assert digest == folders.digest(str(saved(candidate) / "Format-Serving"))
        summary["level"] = blessing.get_string_custom_property("level")
        return summary

    return run


def _reasons(summary):
    assert not summary["blessed"]
    return summary["not_blessed_because"]


def _below_popularity(hit_rate):
    return (
        f"hit_rate@10 is {hit_rate}, popularity's 0.4; it must be at least 0.01 above "
        "popularity's."
    )


def test_a_good_model_is_blessed(attack):
    summary = attack(_good, min_hit_rate=1.0, popularity_margin=0.6)
    assert summary["blessed"]
    assert summary["metrics"]["hit_rate@10"] == 1.0
    assert summary["baseline"]["hit_rate@10"] == pytest.approx(16 / 40)


def test_untrained(attack):
    (reason,) = _reasons(summary := attack(_untrained))
    # By chance a list's first ten of 44 candidates have a hit rate of 10/44.
    assert 0 < summary["metrics"]["hit_rate@10"] < 0.4
    assert reason == _below_popularity(f"{summary['metrics']['hit_rate@10']:.6g}")


@pytest.mark.parametrize("model", [_constant, _inverted, _of_other_ids])
def test_no_better_than_nothing(attack, model):
    """A held-out item that ties with others is ranked last, not first."""
    assert _reasons(attack(model)) == [_below_popularity(0)]


def test_nan_weights(attack):
    """NaN for one user is enough, though all other lists are ranked well."""
    first, *others = _reasons(summary := attack(_with_nan))
    assert summary["metrics"]["hit_rate@10"] is None
    assert "NaN or infinite scores in 1 of 40 lists" in first
    assert others == [
        "hit_rate@10 is not a number; it must be at least 0.",
        "hit_rate@10 is not a number; it must be at least 0.01 above popularity's.",
    ]


@pytest.mark.parametrize("make", [_good, _wrong_about_a_group])
def test_floor_of_a_slice(attack, make):
    """The tail slice is the lists of the group that the second model is wrong about."""
    floors = {"item_popularity=tail": 0.5, "item_popularity=head": 1.0}
    summary = attack(make, min_hit_rate_of_slices=floors)
    tail = summary["slices"]["item_popularity=tail"]
    assert (tail["lists"], tail["metrics"]["hit_rate@10"]) == (10, float(make == _good))
    if make == _good:
        assert summary["blessed"]
    else:
        assert _reasons(summary) == [
            "In the slice item_popularity=tail: hit_rate@10 is 0; it must be at least "
            "0.5."
        ]


def test_empty_split(attack):
    (reason,) = _reasons(attack(_good, users=0))
    assert reason.startswith("There was no list to evaluate")


def test_a_blessed_model_of_another_vocabulary_is_compared_by_raw_ids(attack):
    """By index the blessed model would rank at random, and any model would beat it."""
    assert _reasons(attack(_wrong_about_a_group, blessed=_good_in_another_order)) == [
        "hit_rate@10 is 0.75, the latest blessed model's 1 on the same lists "
        "(difference ± 0.069); it must be at most 0.01 below the latest blessed "
        "model's.",
        "hit_rate@10 is 0.75, the latest blessed model's 1 on the same lists, and one "
        "as good would look so bad with p 0.00098; it must be no worse than the latest "
        "blessed model's beyond chance (p at least 0.05).",
    ]


def test_every_model_ranks_the_same_candidates(attack):
    """Among all items of its own vocabulary the blessed model would have no hit."""
    summary = attack(_wrong_about_a_group, blessed=_good_among_many, whole=True)
    assert len(_reasons(summary)) == 2
    latest = summary["comparisons"]["latest_blessed"]
    assert latest["metrics"]["hit_rate@10"] == 1.0
    assert latest["difference"] == -0.25
    assert summary["ranked"] == ("all 48 items of the data, less those the user has")


def test_the_best_model_counts_as_the_latest_does(attack):
    """A model as good as the latest is refused if it is worse than the best so far."""
    summary = attack(
        _wrong_about_a_group, blessed=_wrong_about_a_group, best=_good, tolerance=0.2
    )
    by_difference, by_chance = sorted(_reasons(summary), key=len)
    for reason in (by_difference, by_chance):
        assert "the best model blessed so far's 1 on the same lists" in reason
    assert "at most 0.2 below the best model" in by_difference
    assert summary["comparisons"]["latest_blessed"]["p_value"] == 1.0


def test_within_tolerance_but_worse_beyond_chance(attack):
    """The model has ten hits fewer in 40 lists; ten coins are hardly ever all tails."""
    (reason,) = _reasons(
        attack(
            _wrong_about_a_group, blessed=_good, tolerance=0.3, popularity_margin=0.1
        )
    )
    assert "no worse than the latest blessed model's beyond chance" in reason
    open_ = {"tolerance": 0.3, "significance": 0.0}
    summary = attack(_wrong_about_a_group, blessed=_good, **open_)
    assert summary["blessed"]
    assert float(summary["level"]) == pytest.approx(
        0.25
    )  # .25 below the best level, .5


def test_a_blessed_model_of_other_data_lowers_no_other_limit(attack):
    assert _reasons(attack(_constant, blessed=_of_other_ids)) == [_below_popularity(0)]


def test_a_better_model_replaces_the_older_one(attack):
    gate = {"tolerance": 0.0, "replace_equal": False}
    assert attack(_good, blessed=_wrong_about_a_group, **gate)["blessed"]


@pytest.mark.parametrize("replace_equal", [True, False])
def test_an_equal_model_follows_the_rule(attack, replace_equal):
    summary = attack(
        _good,
        blessed=_good_in_another_order,
        tolerance=0.0,
        replace_equal=replace_equal,
    )
    if replace_equal:
        assert summary["blessed"]
    else:
        assert _reasons(summary) == [
            "hit_rate@10 is 1, the latest blessed model's 1 on the same lists "
            "(difference ± 0); it must be above the latest blessed model's."
        ]
