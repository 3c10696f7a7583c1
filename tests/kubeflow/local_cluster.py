"""Open-source Kubeflow Pipelines 2.17 on this machine, as far as a task can tell.

Each task of a compiled pipeline runs as a process of its own, with what the backend's
driver and launcher hand to a container and with nothing else of this process:

- driver (backend/src/v2/driver): parameters resolved and checked, artifacts by number,
  without type, their metadata sent through ML Metadata's values, outputs provisioned
  under the run's root, the cache asked;
- launcher (backend/src/v2/component/launcher_v2.go): inputs copied from the object
  store to a fresh pod, placeholders filled, the command run, what it reports parsed
  strictly, the declared outputs copied back.

A pod's file system is a folder; NCF_OBJECT_STORE_ROOT tells the entry point which.
As on Kubeflow, no driver of TFX is run.

A container takes 10 to 20 s to start, nearly all of it for imports. So most tasks are
forked from a process that has imported everything; tasks in `cold`, or all tasks if
COLD_TASKS is set in the environment, run the command as it is written.
"""

import concurrent.futures
import dataclasses
import hashlib
import json
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import uuid

import warm_task
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PRELOADED = (
    "ncf_model.trainer",
    "pipeline.cluster.example_gen_driver",
    "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
)
LOGS = "executor-logs"
TIMEOUT_S = 600


class TaskFailed(Exception):
    """A task ended badly; the message has the end of its log."""


def warm_context():
    """Returns how to start processes that have imported everything already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([warm_task.__name__, *PRELOADED])
    return context


@dataclasses.dataclass
class Run:
    """The result of a run: task -> its outputs, and the tasks that were not run."""

    outputs: dict = dataclasses.field(default_factory=dict)
    cached: set = dataclasses.field(default_factory=set)
    inputs: dict = dataclasses.field(default_factory=dict)


class LocalCluster:
    """A Kubernetes namespace: an object store, the known artifacts, the cache.

    Args:
        folder: an empty folder.
        root: the URI under which runs put their artifacts.
        cold: tasks that run their container's command in a new process.
    """

    def __init__(self, folder, root="s3://bucket/v2/artifacts", cold=()):
        self.folder = pathlib.Path(folder)
        self._cold = cold
        self._warm = warm_context()
        self.root = root
        self._artifacts = 0
        self._cache = {}

    def store(self, uri):
        """Returns the folder of the object store that holds `uri`."""
        return self.folder / "store" / uri.replace("://", "/", 1)

    def run(self, text, **parameters):
        """Runs a compiled pipeline; raises TaskFailed at the first bad task."""
        spec = self._spec(text)
        values = _root_parameters(spec, parameters)
        root = f"{self.root}/{spec['pipelineInfo']['name']}/{uuid.uuid4()}"
        tasks = spec["root"]["dag"]["tasks"]
        run, waiting, running = Run(), dict(tasks), {}
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            while waiting or running:
                for name in [n for n, t in waiting.items() if _ready(t, run)]:
                    task = waiting.pop(name)
                    work = pool.submit(self._task, spec, name, task, values, root, run)
                    running[work] = name
                done, _ = concurrent.futures.wait(
                    running, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for work in done:
                    run.outputs[running.pop(work)] = work.result()
        return run

    def _spec(self, text):
        spec, _ = yaml.safe_load_all(text)
        return spec

    def _task(self, spec, name, task, values, root, run):
        component = spec["components"][task["componentRef"]["name"]]
        executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
        container = executor["container"]
        inputs = _inputs(task, component, values, run)
        run.inputs[name] = inputs
        pod = self.folder / "pods" / f"{name}-{uuid.uuid4()}"
        outputs = _provision(component, f"{root}/{name}/{uuid.uuid4()}", pod)
        key = _cache_key(inputs, outputs, container)
        if task.get("cachingOptions", {}).get("enableCache") and key in self._cache:
            run.cached.add(name)
            return self._cache[key]
        found = self._launch(name, pod, container, inputs, outputs, root)
        self._cache[key] = found
        return found

    def _launch(self, name, pod, container, inputs, outputs, root):
        for artifacts in inputs.get("artifacts", {}).values():
            for artifact in artifacts["artifacts"]:
                _copy_files(self.store(artifact["uri"]), _local(pod, artifact["uri"]))
        executor_input = {"inputs": inputs, "outputs": outputs}
        for artifacts in outputs["artifacts"].values():
            for artifact in artifacts["artifacts"]:
                _local(pod, artifact["uri"]).parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(executor_input)
        args = [arg.replace("{{$}}", text) for arg in container["args"]]
        self._execute(name, pod, [*container["command"], *args])
        return self._collect(pod, outputs, root)

    def _execute(self, name, pod, command):
        assert command[:3] == ["python", "-m", "pipeline.cluster.entrypoint"], command
        pod.mkdir(parents=True, exist_ok=True)
        log = pod / "log.txt"
        environment = self._environment(pod) | {
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONWARNINGS": "ignore",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        if name in self._cold or os.environ.get("COLD_TASKS"):
            code = _run_cold(command, pod, environment, log)
        else:
            process = self._warm.Process(
                target=warm_task.run, args=(command[3:], pod, environment, log)
            )
            process.start()
            process.join(TIMEOUT_S)
            process.kill()
            code = process.exitcode
        if code:
            raise TaskFailed(f"{name}, code {code}:\n{log.read_text()[-6000:]}")

    def _environment(self, pod):
        return {"NCF_OBJECT_STORE_ROOT": str(pod)}

    def _collect(self, pod, outputs, root):
        """Merges what the task reported, copies outputs back, numbers them."""
        reported = read_output(pathlib.Path(outputs["outputFile"]))
        found = {}
        for key, artifacts in outputs["artifacts"].items():
            (artifact,) = artifacts["artifacts"]
            for source in (
                reported.get("artifacts", {}).get(key, {}).get("artifacts", [])
            ):
                if key != LOGS:
                    artifact["uri"] = source.get("uri") or artifact["uri"]
                    artifact.setdefault("metadata", {}).update(source["metadata"])
            assert artifact["uri"].startswith(root), artifact["uri"]
            _copy_files(_local(pod, artifact["uri"]), self.store(artifact["uri"]))
            self._artifacts += 1
            found[key] = {
                "name": str(self._artifacts),
                "uri": artifact["uri"],
                "type": {"instanceSchema": ""},
                "metadata": _through_mlmd(artifact.get("metadata", {}))
                | {"display_name": key, "store_session_info": "{}"},
            }
        return found


def _root_parameters(spec, given):
    declared = spec["root"]["inputDefinitions"]["parameters"]
    assert not given.keys() - declared.keys(), "parameter(s) not required by pipeline"
    defaults = {name: item["defaultValue"] for name, item in declared.items()}
    return defaults | given


def _ready(task, run):
    inputs = task.get("inputs", {}).get("artifacts", {}).values()
    producers = {i["taskOutputArtifact"]["producerTask"] for i in inputs}
    return producers | set(task.get("dependentTasks", ())) <= run.outputs.keys()


def _inputs(task, component, values, run):
    declared = component.get("inputDefinitions", {})
    result = {"parameterValues": {}, "artifacts": {}}
    for name, source in task.get("inputs", {}).get("parameters", {}).items():
        if "componentInputParameter" in source:
            value = values[source["componentInputParameter"]]
        else:
            value = source["runtimeValue"]["constant"]
        kind = declared["parameters"][name]["parameterType"]
        result["parameterValues"][name] = _checked(name, value, kind)
    assert result["parameterValues"].keys() == declared.get("parameters", {}).keys()
    for name, source in task.get("inputs", {}).get("artifacts", {}).items():
        output = source["taskOutputArtifact"]
        artifact = run.outputs[output["producerTask"]][output["outputArtifactKey"]]
        copy = json.loads(json.dumps(artifact))
        result["artifacts"][name] = {"artifacts": [copy]}
    return result


def _checked(name, value, kind):
    """Converts a parameter to its declared type or refuses it, as the driver does."""
    if kind == "STRING":
        return value if isinstance(value, str) else json.dumps(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    assert kind in ("NUMBER_INTEGER", "NUMBER_DOUBLE"), (name, kind)
    assert number, f"input parameter {name!r} type mismatch: expect {kind}"
    return int(value) if value == int(value) else value  # 3 in protojson, never 3.0


def _provision(component, task_root, pod):
    declared = component.get("outputDefinitions", {}).get("artifacts", {})
    types = {name: item["artifactType"] for name, item in declared.items()}
    types[LOGS] = {"schemaTitle": "system.Artifact"}
    artifacts = {
        name: {
            "artifacts": [{"name": name, "uri": f"{task_root}/{name}", "type": kind}]
        }
        for name, kind in types.items()
    }
    output_file = _local(pod, task_root) / "output_metadata.json"
    return {"artifacts": artifacts, "outputFile": str(output_file)}


def _cache_key(inputs, outputs, container):
    names = {
        key: [artifact["name"] for artifact in item["artifacts"]]
        for key, item in inputs["artifacts"].items()
    }
    parts = [names, inputs["parameterValues"], sorted(outputs["artifacts"])]
    parts += [container["command"], container["args"], container["image"]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _run_cold(command, pod, environment, log):
    # Two kinds of OpenBLAS' kernels differ in the last digit of a metric.
    names = ("PATH", "HOME", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    kept = {key: os.environ[key] for key in names if key in os.environ}
    with open(log, "wb") as stream:
        ended = subprocess.run(
            [sys.executable, *command[1:]],
            cwd=pod,
            env=kept | environment,
            stdout=stream,
            stderr=stream,
            timeout=TIMEOUT_S,
            check=False,
        )
    return ended.returncode


def read_output(file):
    """Returns a file's ExecutorOutput, parsed as strictly as protojson parses."""
    return parse_output(file.read_text() if file.exists() else None)


def parse_output(text):
    """Returns the ExecutorOutput in a text, which is None if the task wrote none."""
    if text is None:
        return {}
    json_format.Parse(text, pipeline_spec_pb2.ExecutorOutput())
    return json.loads(text)


def _through_mlmd(metadata):
    """Applies the driver's `StructValueToMLMDValue` and the conversion back."""
    return {name: _mlmd_value(value) for name, value in metadata.items()}


def _mlmd_value(value):
    if value is None:
        raise ValueError("unknown/unsupported value type NullValue")
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, list):
        return {"list": value}
    return {"struct": value} if isinstance(value, dict) else value


def _local(pod, uri):
    """Returns the launcher's `LocalPathForURI`, in the pod's file system."""
    scheme, path = uri.split("://", 1)
    return pod / {"gs": "gcs", "s3": "s3", "minio": "minio"}[scheme] / path


def _copy_files(source, target):
    """Copies files but no empty folders, which an object store does not have."""
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return
    for file in source.rglob("*"):
        if file.is_file():
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
