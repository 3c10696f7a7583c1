"""A LocalDagRunner that uses a cached result only while its files are undamaged.

TFX records results in ML Metadata, and only checks that the folder of a result exists.
This runner notes the files of each artifact before a result is published. Before a run
it marks results as failed or deleted whose files have changed: see `trust`. It also
ends the run if a resolver raises, as ShrinkGuard does, where TFX's own runner goes on,
and records a run that Ctrl-C stopped as stopped.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from absl import logging
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.local import local_dag_runner, runner_utils
from tfx.orchestration.portable import (
    beam_executor_operator,
    launcher,
    python_executor_operator,
)
from tfx.orchestration.portable import execution_publish_utils as _publish
from tfx.orchestration.portable import inputs_utils as _inputs
from tfx.orchestration.portable.input_resolution import exceptions
from tfx.proto.orchestration import (
    executable_spec_pb2,
    pipeline_pb2,
    placeholder_pb2,
)

from pipeline import interrupts
from pipeline.local import adoption, early_start, space, trust
from pipeline.local.beam import processes, quick
from pipeline.local.beam import workers as beam_workers


class _PythonOperator(python_executor_operator.PythonExecutorOperator):
    """Runs a Python executor, and notes the files of its outputs."""

    def run_executor(self, execution_info: Any) -> Any:
        _check_space(execution_info)
        return trust.note_files(super().run_executor(execution_info))


class _BeamOperator(beam_executor_operator.BeamExecutorOperator):
    """Runs an executor on Beam, and notes the files of its outputs.

    The number of processes is decided here, after the lookup in the cache, so that a
    result is found whatever number made it.
    """

    def __init__(self, workers: int | None, **spec: Any) -> None:
        """Keeps the number of processes; None chooses by the node's input."""
        super().__init__(**spec)
        self._workers = workers

    def run_executor(self, execution_info: Any, *args: Any, **options: Any) -> Any:
        _check_space(execution_info)
        inputs = (a for found in execution_info.input_dict.values() for a in found)
        workers = beam_workers.choose(
            self._workers, inputs, execution_info.exec_properties
        )
        for argument in beam_workers.arguments(workers):
            self.beam_pipeline_args.append(_constant(argument))
        result = super().run_executor(execution_info, *args, **options)
        return trust.note_files(result)


def _constant(text: str) -> placeholder_pb2.PlaceholderExpression:
    """Returns the expression that TFX resolves to `text`."""
    value = metadata_store_pb2.Value(string_value=text)
    return placeholder_pb2.PlaceholderExpression(value=value)


def _check_space(execution_info: Any) -> None:
    outputs = [a for found in execution_info.output_dict.values() for a in found]
    inputs = [a for found in execution_info.input_dict.values() for a in found]
    for artifact in outputs[:1]:
        space.check_node(
            artifact.uri,
            inputs,
            execution_info.exec_properties,
            node=execution_info.pipeline_node.node_info.id,
        )


@contextlib.contextmanager
def _whole_lists() -> Iterator[None]:
    """Makes ML Metadata list a context's executions by id, not by time.

    By time, its default, it lists a hundred and then only those with lower ids. So
    after the clock went back, TFX did not find the outputs of the present run.
    """
    options = metadata_store.ListOptions(
        order_by=metadata_store.OrderByField.ID, is_asc=False
    )
    store = metadata_store.MetadataStore
    before = store.get_executions_by_context
    by_id = functools.partialmethod(before, list_options=options)
    setattr(store, before.__name__, by_id)
    try:
        yield
    finally:
        setattr(store, before.__name__, before)


class Runner(local_dag_runner.LocalDagRunner):
    """A LocalDagRunner for a folder that this process has locked."""

    def __init__(
        self, *, root: str, serving: str, beam_workers: int | None = None
    ) -> None:
        """Keeps the folders.

        Args:
            root: the folder of all artifacts.
            serving: the serving folder, which has a copy of each model that was pushed.
            beam_workers: the number of processes for each node on Beam; None chooses
                by the size of the node's input.
        """
        super().__init__()
        self._root, self._serving = root, serving
        self._beam_workers = beam_workers

    @_whole_lists()
    def run_with_ir(
        self,
        pipeline: pipeline_pb2.Pipeline,
        run_options: pipeline_pb2.RunOptions | None = None,
        **kwargs: Any,
    ) -> None:
        """Runs the compiled pipeline, after a repair of what earlier runs left."""
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        config = deployment.metadata_connection_config
        connection = getattr(config, config.WhichOneof("connection_config"))
        with metadata.Metadata(connection) as handle:
            outputs = {
                node.pipeline_node.node_info.type.name: set(
                    node.pipeline_node.outputs.outputs
                )
                for node in pipeline.nodes
            }
            for line in trust.repair(
                handle.store, outputs=outputs, root=self._root, serving=self._serving
            ):
                logging.warning("%s", line)
            for line in adoption.adopt(
                handle.store,
                pipeline=pipeline.pipeline_info.id,
                root=self._root,
                serving=self._serving,
            ):
                logging.warning("%s", line)
            before = max((e.id for e in handle.store.get_executions()), default=0)
        try:
            with (
                _ours_in_tfx(self._beam_workers),
                early_start.of_export_check(),
                processes.contained(),
                quick.remembering(),
                quick.large_batches(),
            ):
                super().run_with_ir(pipeline, run_options=run_options, **kwargs)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) or interrupts.was_pressed():
                with metadata.Metadata(connection) as handle:
                    trust.note_stopped(handle.store, after=before)
            raise


@contextlib.contextmanager
def _ours_in_tfx(workers: int | None) -> Iterator[None]:
    """Replaces operators and error handling in TFX's launcher, which has no option."""
    table = launcher.DEFAULT_EXECUTOR_OPERATORS
    before = dict(table)
    on_beam = functools.partial(_BeamOperator, workers)
    table[executable_spec_pb2.PythonClassExecutableSpec] = _PythonOperator
    table[executable_spec_pb2.BeamExecutableSpec] = on_beam
    try:
        with _resolvers_end_the_run():
            yield
    finally:
        table.update(before)


@contextlib.contextmanager
def _resolvers_end_the_run() -> Iterator[None]:
    """Raises what a resolver's strategy raised, once ML Metadata knows of the failure.

    TFX catches errors of its own type, publishes a failed execution, and runs all nodes
    that need no output of the failed one.
    """
    resolve, publish = (
        _inputs.resolve_input_artifacts,
        _publish.publish_failed_execution,
    )
    causes: list[BaseException] = []

    def resolve_and_note(*args: Any, **named: Any) -> Any:
        try:
            return resolve(*args, **named)
        except exceptions.InputResolutionError as error:
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            causes.append(RuntimeError(str(error)) if cause is error else cause)
            raise

    def publish_and_raise(*args: Any, **named: Any) -> None:
        publish(*args, **named)
        if causes:
            raise causes.pop() from None

    _inputs.resolve_input_artifacts = resolve_and_note
    _publish.publish_failed_execution = publish_and_raise
    try:
        yield
    finally:
        _inputs.resolve_input_artifacts = resolve
        _publish.publish_failed_execution = publish
