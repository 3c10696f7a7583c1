"""A folder with three runs, as TFX would have recorded them."""

import json

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as proto

from pipeline.local.store import Store
from tests.components.report import examples

COMPLETE, CACHED, FAILED = (
    proto.Execution.COMPLETE,
    proto.Execution.CACHED,
    proto.Execution.FAILED,
)


class Recorder:
    """Writes runs of a small pipeline into `metadata.sqlite`."""

    def __init__(self, out):
        self.out = out
        config = proto.ConnectionConfig()
        config.sqlite.filename_uri = str(out / "metadata.sqlite")
        config.sqlite.connection_mode = 3  # READWRITE_OPENCREATE
        self._store = metadata_store.MetadataStore(config)

    def run(self, name):
        """Returns the context of a new run."""
        return self._context("pipeline_run", name)

    def artifact(self, kind, folder, **properties):
        """Makes a folder with a file of ten bytes; returns the artifact's id."""
        path = self.out / "pipeline_root" / folder
        path.mkdir(parents=True)
        (path / "file").write_text("x" * 10)
        type_id = self._store.put_artifact_type(proto.ArtifactType(name=kind))
        artifact = proto.Artifact(type_id=type_id, uri=str(path), state=2)
        _set(artifact, properties)
        return self._store.put_artifacts([artifact])[0]

    def execution(
        self, run, node, state, inputs=(), outputs=(), found=(), **properties
    ):
        """Records what a node did; `found` is what a Resolver passes on."""
        type_id = self._store.put_execution_type(proto.ExecutionType(name=f"t.{node}"))
        execution = proto.Execution(type_id=type_id, last_known_state=state)
        _set(execution, properties)
        events = []
        for type_, ids in (
            (proto.Event.INPUT, inputs),
            (proto.Event.OUTPUT, outputs),
            (proto.Event.INTERNAL_OUTPUT, found),
        ):
            for id_ in ids:
                [artifact] = self._store.get_artifacts_by_id([id_])
                events.append((artifact, proto.Event(type=type_)))
        contexts = [run, self._context("node", f"ncf.{node}")]
        self._store.put_execution(execution, events, contexts)

    def _context(self, kind, name):
        type_id = self._store.put_context_type(proto.ContextType(name=kind))
        found = self._store.get_context_by_type_and_name(kind, name)
        if found is None:
            made = proto.Context(type_id=type_id, name=name)
            [id_] = self._store.put_contexts([made])
            [found] = self._store.get_contexts_by_id([id_])
        return found


def _set(message, properties):
    for name, value in properties.items():
        kind = "int_value" if isinstance(value, int) else "string_value"
        setattr(message.custom_properties[name], kind, value)


def pushing_run(recorder, number, examples_id, *, epochs, base=()):
    """Records a run that trains from `base`, blesses and pushes version `number`.

    Returns the ids of its model and its blessing.
    """
    run = recorder.run(f"run {number}")
    state = COMPLETE if number == 1 else CACHED
    recorder.execution(
        run,
        "ExampleGen",
        state,
        outputs=[examples_id],
        input_base="/data",
        input_config=json.dumps({"splits": [{"name": "all", "pattern": "a[[]1].csv"}]}),
    )
    model = recorder.artifact("Model", f"Trainer/model/{number}")
    recorder.execution(run, "Trainer", COMPLETE, [examples_id, *base], [model])
    blessing = recorder.artifact(
        "ModelBlessing", f"Evaluator/{number}", blessed=1, current_model_id=model
    )
    recorder.execution(run, "Evaluator", COMPLETE, [model], [blessing])
    pushed = recorder.artifact(
        "PushedModel",
        f"Pusher/{number}",
        pushed=1,
        pushed_destination=str(recorder.out / "serving" / str(number)),
    )
    recorder.execution(run, "Pusher", COMPLETE, [model, blessing], [pushed])
    report = recorder.artifact("ncf.RunReport", f"Report/{number}")
    folder = recorder.out / "pipeline_root" / "Report" / str(number)
    (folder / "summary.json").write_text(examples.result().to_json())
    config = {"train.epochs": {"value": epochs, "default": 15}}
    recorder.execution(
        run, "Report", COMPLETE, [pushed], [report], config=json.dumps(config)
    )
    return model, blessing


@pytest.fixture
def recorder(tmp_path):
    """Returns a `Recorder` of runs in an empty folder."""
    return Recorder(tmp_path)


@pytest.fixture
def three_runs(tmp_path):
    """Returns a folder: run 1 and 2 push versions 1 and 2, run 3 fails in Trainer.

    Version 2 alone is still in the serving folder.
    """
    recorder = Recorder(tmp_path)
    data = recorder.artifact("Examples", "ExampleGen/1")
    pushing_run(recorder, 1, data, epochs=15)
    blessed = pushing_run(recorder, 2, data, epochs=3)
    run = recorder.run("run 3")
    recorder.execution(run, "ExampleGen", CACHED, outputs=[data])
    recorder.execution(run, "LatestBlessedModel", COMPLETE, found=blessed)
    recorder.execution(run, "Trainer", FAILED, [data])
    serve(tmp_path / "serving" / "2")
    return tmp_path


def serve(folder):
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    for name in ("variables.index", "variables.data-00000-of-00001"):
        (folder / "variables" / name).write_text("")


@pytest.fixture
def warm_runs(tmp_path):
    """Returns a folder: each of four runs begins with the model of the one before."""
    recorder = Recorder(tmp_path)
    base = ()
    for number in range(1, 5):
        data = recorder.artifact("Examples", f"ExampleGen/{number}")
        base = pushing_run(recorder, number, data, epochs=1, base=base)
    serve(tmp_path / "serving" / "4")
    return tmp_path


@pytest.fixture
def store(three_runs):
    """Returns the metadata of `three_runs`."""
    return Store(three_runs)
