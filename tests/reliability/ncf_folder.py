"""Reads and checks an output folder of `ncf run` without the project's own code.

What is served, what ML Metadata has and what summary.json says are read with
TensorFlow, ML Metadata's client and plain Python alone, so that a mistake in the
project's readers cannot hide a mistake in its writers.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

_OUTPUTS = (mlmd.Event.OUTPUT, mlmd.Event.DECLARED_OUTPUT)
_SAVED_MODEL = "Format-Serving"


@dataclasses.dataclass(frozen=True)
class Recorded:
    """The latest run in ML Metadata.

    Attributes:
        outputs: the artifacts, by (node, output key).
        cached: the ids of the nodes whose result came from the cache.
    """

    outputs: dict
    cached: set

    def property_of(self, node, key, name):
        value = self.outputs[node, key].custom_properties[name]
        return getattr(value, value.WhichOneof("value") or "string_value")

    def folder(self, node, key):
        return pathlib.Path(self.outputs[node, key].uri)


def latest_run(out):
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(out / "metadata.sqlite")
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    store = metadata_store.MetadataStore(config)
    run = max(store.get_contexts_by_type("pipeline_run"), key=lambda c: c.id)
    outputs, cached = {}, set()
    for execution in store.get_executions_by_context(run.id):
        [node] = [
            context.name.rpartition(".")[2]
            for context in store.get_contexts_by_execution(execution.id)
            if context.type == "node"
        ]
        if execution.last_known_state == mlmd.Execution.CACHED:
            cached.add(node)
        for event in store.get_events_by_execution_ids([execution.id]):
            if event.type in _OUTPUTS:
                [artifact] = store.get_artifacts_by_id([event.artifact_id])
                outputs[node, event.path.steps[0].key] = artifact
    return Recorded(outputs, cached)


def summary(out):
    file = out / "report" / "summary.json"
    return json.loads(file.read_text()) if file.exists() else None


def newest_version(out):
    """Returns the folder of the highest version, which TensorFlow Serving would serve.

    Without any version, None is returned.
    """
    found = [path for path in (out / "serving").glob("*") if path.name.isdigit()]
    return max(found, key=lambda path: int(path.name), default=None)


def digest(folder):
    """Returns a digest of the names and the contents of all files of a SavedModel."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder)} {content}\n".encode())
    return total.hexdigest()


def models(out):
    """Returns the folder of each complete SavedModel in an output folder, by digest."""
    found = [
        *out.glob(f"pipeline_root/Trainer/model/*/{_SAVED_MODEL}"),
        *(path for path in (out / "serving").glob("*") if path.name.isdigit()),
    ]
    return {digest(path): path for path in found if (path / "saved_model.pb").exists()}


def lists(recorded, catalogue):
    """Returns a run's evaluation lists as (user, candidates).

    The held-out item is the first of the candidates.

    Args:
        recorded: the result of `latest_run`.
        catalogue: all ids of items. They are the candidates where the records name
            only the items to leave out.
    """
    folder = recorded.folder("NegativeSampling", "examples") / "Split-eval"
    files = sorted(map(str, folder.glob("*")))
    found = []
    for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        [user] = feature["user_id"].bytes_list.value
        candidates = list(feature["candidate_ids"].bytes_list.value)
        if "seen_ids" in feature:
            seen = {*feature["seen_ids"].bytes_list.value, candidates[0]}
            candidates += sorted(set(catalogue) - seen)
        found.append((user, candidates))
    return found


def quality(model, ranked):
    """Returns a SavedModel's HR@10 and NDCG@10 on lists, computed list by list."""
    evaluate = _load(str(model), digest(model)).signatures["evaluate"]
    records = []
    for user, candidates in ranked:
        example = tf.train.Example()
        example.features.feature["user_id"].bytes_list.value.append(user)
        example.features.feature["candidate_ids"].bytes_list.value.extend(candidates)
        records.append(example.SerializeToString())
    scores = evaluate(examples=tf.constant(records))["scores"].numpy()
    hits = gain = 0.0
    for row, (_, candidates) in zip(scores, ranked, strict=True):
        own, others = row[0], row[1 : len(candidates)]
        if (place := int(np.sum(others >= own))) < 10:
            hits += 1
            gain += 1 / np.log2(place + 2)
    return {"hit_rate@10": hits / len(ranked), "ndcg@10": gain / len(ranked)}


@functools.lru_cache(maxsize=64)
def _load(path, of):
    """Loads a SavedModel, once for each path and digest `of`."""
    del of
    return tf.saved_model.load(path)


@dataclasses.dataclass(frozen=True)
class Checked:
    """The result of a run.

    Attributes:
        summary: the content of summary.json.
        recorded: the run in ML Metadata.
        model: the folder of the SavedModel that was trained, or taken from the cache.
        ranked: the evaluation lists, in the form of `lists`.
        quality: the model's metrics on these lists, computed by `quality`.
    """

    summary: dict
    recorded: Recorded
    model: pathlib.Path
    ranked: list
    quality: dict


def served(out):
    """Returns the newest version's number and digest; None without any version."""
    newest = newest_version(out)
    return newest and (newest.name, digest(newest))


def check(out, catalogue, before=None):
    """Checks that the report, ML Metadata and serving/ agree on one model.

    Args:
        out: the output folder of a run that has just succeeded.
        catalogue: all ids of items in the data.
        before: the result of `served` before that run.
    """
    told, recorded = summary(out), latest_run(out)
    uri = recorded.folder("Trainer", "model")
    model = uri / _SAVED_MODEL
    assert recorded.property_of("Evaluator", "blessing", "current_model") == str(uri)
    blessed = recorded.property_of("Evaluator", "blessing", "blessed")
    assert told["blessed"] == bool(blessed)
    unpushed = told.get("not_pushed_because")
    assert told["blessed"] == (told["pushed_to"] is not None or unpushed is not None)
    to = recorded.property_of("Pusher", "pushed_model", "pushed_destination")
    assert to == (told["pushed_to"] or "")
    if told["pushed_to"]:
        assert str(newest_version(out)) == told["pushed_to"]
        assert digest(newest_version(out)) == digest(model)
    else:
        assert served(out) == before
    ranked = lists(recorded, catalogue)
    found = quality(model, ranked)
    for name, value in found.items():
        assert told["metrics"][name] == pytest.approx(value, abs=1e-6)
    return Checked(told, recorded, model, ranked, found)
