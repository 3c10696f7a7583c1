"""Which entries of ML Metadata are withdrawn, in a store in memory and a real run."""

import shutil

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline

from components.interactions_example_gen.component import InteractionsExampleGen
from components.interactions_example_gen.config import ReadingConfig
from ncf_model.serving import versions
from ncf_model.serving.version_record import VersionRecord
from pipeline.local import dag_runner, node_events, running, trust

OUTPUTS = {"Evaluator": {"evaluation", "blessing"}, "Trainer": {"model"}}
STATES = mlmd.Execution


class Store:
    """ML Metadata in memory, with what a test needs of it."""

    def __init__(self, folder):
        config = mlmd.ConnectionConfig()
        config.fake_database.SetInParent()
        self.store = metadata_store.MetadataStore(config)
        self.root = folder / "root"
        self.serving = folder / "serving"
        self._types = {}
        for name in OUTPUTS:
            kind = mlmd.ExecutionType(name=name)
            self._types[name] = self.store.put_execution_type(kind)
        for name in ("Model", "evaluation", "blessing"):
            self._types[name] = self.store.put_artifact_type(
                mlmd.ArtifactType(name=name)
            )

    def execution(self, name, state, outputs):
        execution = mlmd.Execution(type_id=self._types[name], last_known_state=state)
        [number] = self.store.put_executions([execution])
        for key in outputs:
            folder = self.root / name / key / str(number)
            (folder / "Format-Serving").mkdir(parents=True)
            (folder / "Format-Serving" / "saved_model.pb").write_bytes(b"\x08\x01")
            (folder / "more").write_text("text")
            kind = "Model" if key == "model" else key
            artifact = mlmd.Artifact(
                type_id=self._types[kind], uri=str(folder), state=mlmd.Artifact.LIVE
            )
            noted = artifact.custom_properties["files"]
            noted.string_value = trust.consists_of(str(folder))
            [made] = self.store.put_artifacts([artifact])
            event = mlmd.Event(
                artifact_id=made, execution_id=number, type=mlmd.Event.OUTPUT
            )
            event.path.steps.add().key = key
            self.store.put_events([event])
        return number

    def repair(self):
        return trust.repair(
            self.store,
            outputs=OUTPUTS,
            root=str(self.root),
            serving=str(self.serving),
        )

    def state(self, number):
        [execution] = self.store.get_executions_by_id([number])
        return execution.last_known_state

    def live(self):
        return [a.state == mlmd.Artifact.LIVE for a in self.store.get_artifacts()]

    def uri(self, place):
        return trust.pathlib.Path(self.store.get_artifacts()[place].uri)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_what_is_whole_is_left_as_it_is(store):
    done = store.execution("Evaluator", STATES.COMPLETE, ["evaluation", "blessing"])
    failed = store.execution("Evaluator", STATES.FAILED, [])
    assert store.repair() == []
    assert store.state(done) == STATES.COMPLETE
    assert store.state(failed) == STATES.FAILED
    assert store.live() == [True, True]


@pytest.mark.parametrize("state", [STATES.COMPLETE, STATES.CACHED])
@pytest.mark.parametrize("outputs", [[], ["evaluation"]])
def test_a_result_without_all_outputs_is_none(store, state, outputs):
    half = store.execution("Evaluator", state, outputs)
    [line] = store.repair()
    assert f"Execution {half} (Evaluator) has no blessing" in line.replace(
        ", evaluation", ""
    )
    assert store.state(half) == STATES.FAILED
    assert store.repair() == []


@pytest.mark.parametrize("state", [STATES.NEW, STATES.RUNNING])
def test_who_died_has_failed_and_its_folders_go(store, state):
    other = store.execution("Trainer", STATES.COMPLETE, ["model"])
    dead = store.execution("Evaluator", state, [])
    left = store.root / "Evaluator" / "evaluation" / str(dead)
    (left / "beam-temp-metrics").mkdir(parents=True)
    system = store.root / "Evaluator" / ".system" / "executor_execution" / str(dead)
    system.mkdir(parents=True)
    [line] = store.repair()
    assert f"Execution {dead} (Evaluator) had died" in line
    assert store.state(dead) == STATES.FAILED
    [execution] = store.store.get_executions_by_id([dead])
    assert execution.custom_properties["died"].int_value == 1
    assert store.state(other) == STATES.COMPLETE
    assert not left.exists()
    assert not system.exists()


def test_what_was_stopped_stays_so_and_its_folders_go(store):
    earlier = store.execution("Trainer", STATES.FAILED, [])
    done = store.execution("Trainer", STATES.COMPLETE, ["model"])
    under_way = store.execution("Evaluator", STATES.RUNNING, [])
    failed = store.execution("Evaluator", STATES.FAILED, [])
    left = store.root / "Evaluator" / "evaluation" / str(under_way)
    left.mkdir(parents=True)
    trust.note_stopped(store.store, after=earlier)
    states = [STATES.FAILED, STATES.COMPLETE, STATES.CANCELED, STATES.CANCELED]
    assert store.repair() == []
    assert [store.state(n) for n in (earlier, done, under_way, failed)] == states
    assert not left.exists()
    assert store.live() == [True]


@pytest.mark.parametrize("harm", ["folder", "file", "cut", "added"])
def test_an_artifact_whose_files_are_others_is_deleted(store, harm):
    store.execution("Evaluator", STATES.COMPLETE, ["evaluation", "blessing"])
    folder = store.uri(0)
    if harm == "folder":
        shutil.rmtree(folder)
    elif harm == "file":
        (folder / "more").unlink()
    elif harm == "cut":
        (folder / "more").write_text("tex")
    else:
        (folder / "other").write_text("")
    [line] = store.repair()
    assert f"the node that made it runs again: {folder}" in line
    assert store.live() == [False, True]
    assert store.repair() == []


def test_an_artifact_of_elsewhere_or_without_a_note_is_believed(store, tmp_path):
    kind = store.store.put_artifact_type(mlmd.ArtifactType(name="evaluation"))
    (store.root / "old").mkdir(parents=True)
    for uri in (tmp_path / "elsewhere", store.root / "old"):
        artifact = mlmd.Artifact(type_id=kind, uri=str(uri), state=mlmd.Artifact.LIVE)
        store.store.put_artifacts([artifact])
    assert store.repair() == []
    (store.root / "old").rmdir()
    assert len(store.repair()) == 1


def test_what_was_made_before_the_folder_was_moved_is_gone(store, tmp_path):
    store.execution("Trainer", STATES.COMPLETE, ["model"])
    # The old folder is there again, with another run's artifact of this very name.
    shutil.copytree(store.root, tmp_path / "moved")
    store.root = tmp_path / "moved"
    [line] = store.repair()
    assert f"the node that made it runs again: {tmp_path / 'root'}" in line
    assert store.live() == [False]
    assert store.uri(0).exists()  # A run must not touch another run's files.


@pytest.mark.parametrize("state", ["pushed", "unknown", "damaged"])
def test_a_model_comes_back_from_the_serving_folder(store, state):
    pushed = state == "pushed"
    store.execution("Trainer", STATES.COMPLETE, ["model"])
    folder = store.uri(0)
    (folder / "more").unlink()
    [artifact] = store.store.get_artifacts()
    noted = artifact.custom_properties["files"]
    noted.string_value = trust.consists_of(str(folder))
    store.store.put_artifacts([artifact])
    record = VersionRecord(model_uri=None if state == "unknown" else str(folder))
    made, _ = versions.push(store.serving, folder / "Format-Serving", record=record)
    if state == "damaged":  # Of the same size.
        trust.pathlib.Path(made.path, "saved_model.pb").write_bytes(b"\x08\x02")
    shutil.rmtree(folder)
    [line] = store.repair()
    assert ("was put back" in line) is pushed
    assert store.live() == [pushed]
    assert (folder / "Format-Serving" / "saved_model.pb").exists() is pushed


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Returns a function that runs two real nodes, one on Beam, and what was cached."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "a.csv").write_text("user,item\n1,2\n1,3\n")
    (folder / "schema.pbtxt").write_text("")
    store = metadata.sqlite_metadata_connection_config(str(folder / "m.sqlite"))

    class Told:
        """A stand-in for the display, which keeps what it is told."""

        def __init__(self):
            self.nodes = []

        def started(self, node):
            self.nodes.append([node, None])

        def finished(self, *, cached):
            self.nodes[-1][1] = cached

    def run():
        told = Told()
        nodes = [
            ImportSchemaGen(schema_file=str(folder / "schema.pbtxt")),
            InteractionsExampleGen(str(folder / "a.csv"), reading=ReadingConfig()),
        ]
        runner = dag_runner.Runner(
            root=str(folder / "root"), serving=str(folder / "serving")
        )
        definition = tfx_pipeline.Pipeline(
            pipeline_name="p",
            pipeline_root=str(folder / "root"),
            components=nodes,
            metadata_connection_config=store,
            beam_pipeline_args=list(running.BEAM_ARGS),
            enable_cache=True,
        )
        with node_events.told_to(told):
            runner.run(definition)
        with metadata.Metadata(store) as handle:
            latest = sorted(handle.store.get_executions(), key=lambda e: e.id)[-2:]
        states = {e.type.rpartition(".")[2]: e.last_known_state for e in latest}
        cached = sorted(n for n, s in states.items() if s == STATES.CACHED)
        assert sorted(map(tuple, told.nodes)) == [(n, n in cached) for n in both]
        return cached

    both = ["ImportSchemaGen", "InteractionsExampleGen"]
    run.folder = folder
    return run


def test_a_node_runs_again_if_one_file_of_its_result_is_gone(chain):
    both = ["ImportSchemaGen", "InteractionsExampleGen"]
    assert chain() == []
    assert chain() == both
    [reading] = (chain.folder / "root").rglob("reading.json")
    reading.unlink()
    assert chain() == ["ImportSchemaGen"]
    assert chain() == both
    shutil.rmtree(chain.folder / "root" / "ImportSchemaGen" / "schema")
    assert chain() == ["InteractionsExampleGen"]
    shutil.rmtree(chain.folder / "root")
    assert chain() == []
    assert chain() == both
