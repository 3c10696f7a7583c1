"""How runs end: a resolver that raises, which TFX only logs, and Ctrl-C."""

import os
import signal
import sqlite3

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.components.common import importer, resolver
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import channel, standard_artifacts

from components.shrink_guard import strategy
from ncf_model.serving import versions
from ncf_model.serving.version_record import VersionRecord
from pipeline import interrupts
from pipeline.local import dag_runner, runs
from tests.reliability import toy


def _run(folder, users):
    """Trains on data of `users` users if the guard allows; the served model had 100."""
    (folder / "examples").mkdir(exist_ok=True)
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "saved_model.pb").write_bytes(b"\x0a\x01m")
    counts = {"num_users": 100, "num_items": 10}
    serving = folder / "serving"
    versions.push(serving, folder / "model", record=VersionRecord(blessing=counts))
    examples = importer.Importer(
        str(folder / "examples"),
        standard_artifacts.Examples,
        custom_properties={"num_users": users, "num_items": 10},
    ).with_id("Examples")
    guard = resolver.Resolver(
        strategy_class=strategy.ShrinkGuardStrategy,
        config={"max_shrink": 0.3, "serving": str(serving)},
        examples=examples.outputs["result"],
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("Guard")
    trainer = toy.Trainer(quality=1, seed=1, code="0")
    trainer.add_upstream_node(guard)
    root = str(folder / "root")
    dag_runner.Runner(root=root, serving=str(serving)).run(
        tfx_pipeline.Pipeline(
            pipeline_name="guarded",
            pipeline_root=root,
            components=[examples, guard, trainer],
            metadata_connection_config=toy.store_config(folder),
        )
    )


def test_truncated_data_train_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"^90.0% of the users are gone"):
        _run(tmp_path, 10)
    assert not (tmp_path / "root" / "Trainer").exists()
    [stopped] = runs.rows(tmp_path)
    assert stopped.state == "failed at Guard"
    _run(tmp_path, 70)
    assert (tmp_path / "root" / "Trainer").exists()


def test_a_clock_that_went_back_hides_nothing_from_a_run(tmp_path):
    _run(tmp_path, 70)
    _add_executions(tmp_path, 100)
    with sqlite3.connect(tmp_path / "metadata.sqlite") as records:
        for table in ("Execution", "Artifact"):
            records.execute(
                f"UPDATE {table} SET create_time_since_epoch = "
                "create_time_since_epoch + 86400000"
            )
    with pytest.raises(ValueError, match="users are gone"):
        _run(tmp_path, 10)


def _add_executions(folder, number):
    """Adds executions to the pipeline, as of many earlier runs."""
    store = metadata_store.MetadataStore(toy.store_config(folder))
    [context] = store.get_contexts_by_type("pipeline")
    kind = store.get_execution_types()[0].id
    for _ in range(number):
        execution = metadata_store_pb2.Execution(type_id=kind, last_known_state=3)
        store.put_execution(execution, [], [context])


@pytest.mark.usefixtures("_ctrl_c_is_heard")
@pytest.mark.parametrize("swallowed", [False, True])
def test_a_run_that_ctrl_c_ends_was_stopped(tmp_path, monkeypatch, swallowed):
    def press(*_):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            if swallowed:  # So does a package that is being imported.
                raise ImportError("partially initialized") from None
            raise

    monkeypatch.setattr(toy.TrainerExecutor, "Do", press)
    with pytest.raises(KeyboardInterrupt), interrupts.never_lost():
        _run(tmp_path, 70)
    [stopped] = runs.rows(tmp_path)
    assert stopped.state == "stopped at Trainer"
    monkeypatch.undo()
    _run(tmp_path, 70)
    assert [row.state for row in runs.rows(tmp_path)] == [
        "stopped at Trainer",
        "stopped after Trainer",
    ]
