"""LocalDagRunner that trusts a cached result only while its files are there.

TFX remembers results in ML Metadata and looks no further than whether a folder exists.
This runner notes with each artifact what it consists of, before the result is
published; and before a run it takes back what is not true any more. See `trust`.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from absl import logging
from tfx.orchestration import metadata
from tfx.orchestration.local import local_dag_runner, runner_utils
from tfx.orchestration.portable import (
    beam_executor_operator,
    launcher,
    python_executor_operator,
)
from tfx.proto.orchestration import executable_spec_pb2, pipeline_pb2

from pipeline.local import space, trust


class _PythonOperator(python_executor_operator.PythonExecutorOperator):
    """Runs a Python executor; its outputs carry what they consist of."""

    def run_executor(self, execution_info: Any) -> Any:
        _check_space(execution_info)
        return trust.note_files(super().run_executor(execution_info))


class _BeamOperator(beam_executor_operator.BeamExecutorOperator):
    """The same for an executor on Beam."""

    def run_executor(self, execution_info: Any, *args: Any, **options: Any) -> Any:
        _check_space(execution_info)
        result = super().run_executor(execution_info, *args, **options)
        return trust.note_files(result)


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


_OPERATORS = {
    executable_spec_pb2.PythonClassExecutableSpec: _PythonOperator,
    executable_spec_pb2.BeamExecutableSpec: _BeamOperator,
}


class Runner(local_dag_runner.LocalDagRunner):
    """LocalDagRunner in a folder that nobody else works in."""

    def __init__(self, *, root: str, serving: str) -> None:
        """Keeps where things are.

        Args:
            root: the folder of all artifacts.
            serving: the serving folder, which has a copy of each model that was pushed.
        """
        super().__init__()
        self._root, self._serving = root, serving

    def run_with_ir(
        self,
        pipeline: pipeline_pb2.Pipeline,
        run_options: pipeline_pb2.RunOptions | None = None,
        **kwargs: Any,
    ) -> None:
        """Runs the compiled pipeline, after a look at what earlier runs left."""
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
        with _operators():
            super().run_with_ir(pipeline, run_options=run_options, **kwargs)


@contextlib.contextmanager
def _operators() -> Iterator[None]:
    """Has TFX's launcher run executors through ours; its runner takes none."""
    table = launcher.DEFAULT_EXECUTOR_OPERATORS
    before = dict(table)
    table.update(_OPERATORS)
    try:
        yield
    finally:
        table.update(before)
