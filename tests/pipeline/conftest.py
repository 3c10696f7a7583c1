"""Models and lists with known ranks, for tests that run the real Evaluator.

List `i` holds the item `u<i>`, which is held out, and the items n0 to n11. These score
40, 38, 36 and so on, so that `u<i>` has rank r if it scores 41 - 2 r.
"""

import pathlib
import signal

import numpy as np
import pytest

NEGATIVES = 12


def _scores(rank):
    return [41 - 2 * rank] + [40 - 2 * i for i in range(NEGATIVES)]


@pytest.fixture
def _ctrl_c_is_heard():
    """Restores Ctrl-C, which processes in a shell's background ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def save_ranker():
    """Returns a function that saves a model with rank `ranks[i]` in list `i`."""
    import tensorflow as tf

    class Ranker(tf.Module):
        def __init__(self, scores):
            super().__init__()
            ids = tf.lookup.KeyValueTensorInitializer(
                tf.constant(list(scores)), tf.constant(list(scores.values()))
            )
            # An id outside the vocabulary, as if trained on other data, scores -9.
            self._scores = tf.lookup.StaticHashTable(ids, default_value=-9.0)

        @tf.function(
            input_signature=[tf.TensorSpec([None], tf.string, name="examples")]
        )
        def evaluate(self, examples):
            spec = {
                name: tf.io.RaggedFeature(tf.string)
                for name in ("candidate_ids", "seen_ids")
            }
            parsed = tf.io.parse_example(examples, spec)
            scores = tf.ragged.map_flat_values(
                self._scores.lookup, parsed["candidate_ids"]
            ).to_tensor(default_value=float("-inf"))
            if tf.size(parsed["seen_ids"].values) > 0:
                items = tf.constant([f"n{i}" for i in range(NEGATIVES)] + ["seen"])
                row = tf.where(items == "seen", -np.inf, self._scores.lookup(items))
                rows = tf.tile(row[tf.newaxis], [tf.shape(scores)[0], 1])
                scores = tf.concat([scores[:, :1], rows], axis=1)
            return {"scores": scores}

    def save(path: pathlib.Path, ranks, **changed):
        scores = {f"n{i}": float(s) for i, s in enumerate(_scores(0)[1:])}
        scores |= {f"u{i}": float(_scores(rank)[0]) for i, rank in enumerate(ranks)}
        ranker = Ranker(scores | changed)
        signatures = {"evaluate": ranker.evaluate}
        tf.saved_model.save(ranker, str(path), signatures=signatures)

    return save


@pytest.fixture(scope="session")
def write_lists():
    """Returns a function that writes lists with rank `ranks[i]` by popularity.

    `lengths[i]` candidates are kept of list `i`. With `catalogue` a list has only the
    held-out item and that item's rank by popularity.
    """
    import tensorflow as tf

    def record(i, rank, length, catalogue):
        ids = [f"u{i}".encode()] + [f"n{j}".encode() for j in range(NEGATIVES)]
        example = tf.train.Example()
        feature = example.features.feature
        feature["user_id"].bytes_list.value.append(b"user")
        feature["candidate_ids"].bytes_list.value.extend(ids[:length])
        feature["candidate_popularity"].int64_list.value.extend(_scores(rank)[:length])
        if catalogue:
            feature["seen_ids"].bytes_list.value.extend([b"seen"] * (1 + i % 3))
            feature["popularity_rank"].int64_list.value.append(rank)
        return example.SerializeToString()

    def write(folder: pathlib.Path, ranks, lengths=None, *, catalogue=False):
        length = 1 if catalogue else 1 + NEGATIVES
        lengths = lengths or [length] * len(ranks)
        folder.mkdir(parents=True)
        path = folder / "data_tfrecord-00000-of-00001.gz"
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for i, (rank, length) in enumerate(zip(ranks, lengths, strict=True)):
                writer.write(record(i, rank, length, catalogue))

    return write


@pytest.fixture(scope="session")
def run_evaluator():
    """Returns a function that runs BlessedRanks and the Evaluator on lists and models.

    It returns the artifacts `evaluation` and `blessing`, which lie in `folder`. A model
    blessed before may come with its level. `catalogue` are the items of the data.
    """
    from tfx.types import artifact_utils, standard_artifacts
    from tfx.utils import proto_utils

    from components.blessed_ranks import executor as ranks_executor
    from components.explaining_evaluator import executor
    from pipeline import evaluation

    def graph(folder, catalogue):
        assets = folder / "graph/transform_fn/assets"
        assets.mkdir(parents=True)
        (folder / "graph/transformed_metadata").mkdir()
        (assets / "item_id").write_text("".join(f"{item}\n" for item in catalogue))
        artifact = standard_artifacts.TransformGraph()
        artifact.uri = str(folder / "graph")
        return [artifact]

    def ranked(folder, examples, inputs):
        with_ranks = standard_artifacts.Examples()
        with_ranks.uri = str(folder / "ranked")
        ranks_executor.Executor().Do(
            {"lists": [examples], **inputs}, {"examples": [with_ranks]}, {}
        )
        return with_ranks

    def model(path, model_id, level=None):
        artifact = standard_artifacts.Model()
        artifact.uri, artifact.id = str(path), model_id
        if level is not None:
            artifact.set_string_custom_property("level", repr(level))
        return [artifact]

    def run(
        folder,
        *,
        lists,
        candidate,
        config,
        negatives,
        blessed=None,
        best=None,
        level=None,
        catalogue=(*(f"n{i}" for i in range(NEGATIVES)), "seen"),
        beam=(),
    ):
        examples = standard_artifacts.Examples()
        examples.uri = str(lists)
        examples.split_names = artifact_utils.encode_split_names(["eval"])
        rivals = {"transform_graph": graph(folder, catalogue)}
        if blessed is not None:
            rivals["baseline_model"] = model(blessed, 2, level)
        if best is not None:
            rivals["best_model"] = model(best, 3, level)
        examples = ranked(folder, examples, rivals)
        inputs = {"examples": [examples], "model": model(candidate, 1)}
        outputs = {
            "evaluation": [standard_artifacts.ModelEvaluation()],
            "blessing": [standard_artifacts.ModelBlessing()],
        }
        for name, (artifact,) in outputs.items():
            artifact.uri = str(folder / name)
        context = executor.Executor.Context(
            beam_pipeline_args=list(beam), tmp_dir=str(folder / "tmp"), unique_id="1"
        )
        eval_config = evaluation.eval_config(config, eval_negatives=negatives)
        properties = {
            "eval_config": proto_utils.proto_to_json(eval_config),
            "example_splits": '["eval"]',
            "fairness_indicator_thresholds": "null",
        }
        executor.Executor(context).Do(inputs, outputs, properties)
        return outputs["evaluation"][0], outputs["blessing"][0]

    return run
