"""Runs one task of the pipeline in a container of Kubeflow Pipelines or Vertex AI.

`python -m pipeline.cluster.entrypoint` is the command of every task of the compiled
pipeline. It takes the flags of TFX's own entry point, which it calls at the end.
Open-source Kubeflow gives a task less than TFX expects; each function that is called
here before makes up for one difference.
"""

import argparse
import importlib
import json
import os
import pathlib
import sys
import threading
from collections.abc import Sequence
from typing import Any

from ncf_model import libraries
from pipeline import packaged_files, start_up
from pipeline.cluster import (
    artifact_names,
    buckets,
    executor_input,
    parameters,
    ui_outputs,
)
from pipeline.data.synthetic import SyntheticConfig

KEEP_URIS_FLAG = "--keep_uris"
TIMEOUT_FLAG = "--timeout_s"
_TIMED_OUT = 124  # The status of the shell command `timeout`.


def main(argv: Sequence[str]) -> None:
    """Runs the task.

    Args:
        argv: the flags, without the program's name. Unknown flags go to Beam.
    """
    libraries.set_up(os.environ)
    flags, beam_args = _parse(argv)
    if flags.timeout_s is not None:
        end_after(flags.timeout_s)
    task = json.loads(flags.json_serialized_invocation_args)
    inputs_spec = json.loads(flags.json_serialized_inputs_spec_args)
    places = json.loads(flags.parameter_places)
    adapt(task, inputs_spec, places, keep_uris=flags.keep_uris)
    shown = ui_outputs.take(task)
    if not flags.keep_uris:  # In a bucket no folders are made.
        make_output_folders(task)
    # Late: importing TFX takes many seconds, and a wrong task is refused before.
    with start_up.first_import("tfx"):
        from pipeline.cluster import example_gen_driver, executor_output, object_store

        importlib.import_module(flags.executor_class_path.rpartition(".")[0])
    object_store.register()
    values = executor_input.parameters(task)
    if example_gen_driver.is_needed(values):
        output_folder = os.path.dirname(task["outputs"]["outputFile"])
        example_gen_driver.run_query(values, output_folder)
        example_gen_driver.check_reachable(values, beam_args)
        synthetic = SyntheticConfig.model_validate_json(flags.synthetic)
        example_gen_driver.set_input(values, synthetic)
        example_gen_driver.run(task, inputs_spec)
    try:
        _run_executor(flags.executor_class_path, task, inputs_spec, beam_args)
    except Exception as error:
        buckets.report(error, places=json.dumps(task))
        raise
    ui_outputs.write(shown, task)
    known = artifact_names.names(task)
    executor_output.publish(task["outputs"]["outputFile"], known)


def adapt(
    task: dict[str, Any],
    inputs_spec: dict[str, Any],
    places: dict[str, Any],
    *,
    keep_uris: bool = False,
) -> None:
    """Turns Kubeflow's ExecutorInput into one for TFX, in place.

    Args:
        task: the ExecutorInput.
        inputs_spec: the inputs that the component declares.
        places: where the values of runtime parameters go.
        keep_uris: whether artifacts are read and written at their URIs, as on Vertex,
            and not in local copies.
    """
    executor_input.drop_launcher_outputs(task)
    executor_input.restore_types(task, inputs_spec)
    executor_input.name_classes(task)
    executor_input.restore_metadata(task)
    if not keep_uris:
        executor_input.localise(task)
    executor_input.drop_empty_baseline(task)
    executor_input.restore_numbers(task, inputs_spec)
    values = executor_input.parameters(task)
    parameters.put(values, values, places)
    for name in places.keys() - {place[0] for place in places.values()}:
        values.pop(name, None)  # No executor knows the parameter.
    for name, value in values.items():
        if isinstance(value, str):
            values[name] = packaged_files.resolve(value)


def end_after(timeout_s: float) -> None:
    """Ends this process as failed if it still runs after that time.

    This is for services that have no time limit for a task. The process ends at once,
    whatever it is doing, because a task that hangs does not react to anything else.
    """

    def end() -> None:
        print(
            f"The task is ended: it took longer than `timeout_s`, {timeout_s:.0f} s.",
            file=sys.stderr,
            flush=True,
        )
        os._exit(_TIMED_OUT)

    clock = threading.Timer(timeout_s, end)
    clock.daemon = True
    clock.start()


def make_output_folders(task: dict[str, Any]) -> None:
    """Makes the folders of the outputs, as TFX's own runners do before a task."""
    pathlib.Path(task["outputs"]["outputFile"]).parent.mkdir(
        parents=True, exist_ok=True
    )
    for artifacts in task["outputs"].get("artifacts", {}).values():
        for artifact in artifacts["artifacts"]:
            pathlib.Path(artifact["uri"]).mkdir(parents=True, exist_ok=True)


def _run_executor(
    class_path: str,
    task: dict[str, Any],
    inputs_spec: dict[str, Any],
    beam_args: list[str],
) -> None:
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    namespace = argparse.Namespace(
        executor_class_path=class_path,
        json_serialized_invocation_args=json.dumps(task),
        json_serialized_inputs_spec_args=json.dumps(inputs_spec),
    )
    kubeflow_v2_run_executor.main((namespace, beam_args))


def _parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", required=True)
    parser.add_argument(parameters.PLACES_FLAG, default="{}")
    parser.add_argument("--synthetic", default="{}")
    parser.add_argument(KEEP_URIS_FLAG, action="store_true")
    parser.add_argument(TIMEOUT_FLAG, type=float)
    return parser.parse_known_args(argv)


if __name__ == "__main__":
    # Kubeflow's own containers set this, too. TFX needs one message of `kfp` here; so
    # its compiler and clients, a tenth of all imports, are not imported.
    os.environ.setdefault("_KFP_RUNTIME", "true")
    main(sys.argv[1:])
