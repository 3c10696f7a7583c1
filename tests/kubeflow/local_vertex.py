"""Vertex AI Pipelines on this machine, as far as a task can tell.

By TFX's own code and tests, Vertex differs from Kubeflow (`local_cluster`) in this:
artifacts come with their types and full resource names, their metadata as the tasks
wrote it, no output is added, and nothing is copied: tasks read and write gs:// with
TensorFlow's and Beam's own clients, which reach `gcs_emulator` instead of Google.

Dataflow's workers are other processes of this machine. As on Dataflow, they get the
code of a step pickled and import the rest.
"""

import json
import signal

import local_cluster
import warm_task

DATAFLOW = "--runner=DataflowRunner"
# Beam starts new worker processes for each step.
WORKER_PROCESSES = (
    "--runner=FnApiRunner",
    "--direct_running_mode=multi_processing",
    "--direct_num_workers=1",
)
ARTIFACTS = "projects/1/locations/us-central1/metadataStores/default/artifacts"


class LocalVertex(local_cluster.LocalCluster):
    """A Google Cloud project: a bucket, the known artifacts, the cache.

    Args:
        folder: an empty folder.
        storage: the running `gcs_emulator.Emulator`.
        root: where artifacts go.
        preempted: task -> prefix of object names: when the first such object exists,
            the machine is taken away, and the task is tried again.
    """

    def __init__(self, folder, storage, root, preempted=()):
        super().__init__(folder, root=root)
        self.storage = storage
        self._preempted = dict(preempted)

    def read(self, uri):
        """Returns the content of an object, None if there is no such object."""
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        found = self.storage.objects.buckets[bucket].get(name)
        return found[0] if found else None

    def _spec(self, text):
        job = json.loads(text)
        assert job["runtimeConfig"]["gcsOutputDirectory"] == self.root
        return job["pipelineSpec"]

    def _launch(self, name, pod, container, inputs, outputs, root):
        del outputs["artifacts"][local_cluster.LOGS]
        outputs["outputFile"] = f"{root}/{pod.name}/executor_output.json"
        task = json.dumps({"inputs": inputs, "outputs": outputs})
        args = [arg.replace("{{$}}", task) for arg in container["args"]]
        if DATAFLOW in args:
            place = args.index(DATAFLOW)
            args[place : place + 1] = WORKER_PROCESSES
        command = [*container["command"], *args]
        if prefix := self._preempted.pop(name, None):
            self._preempt(name, pod.with_name(f"{pod.name}-first"), command, prefix)
        self._execute(name, pod, command)
        return self._collect(pod, outputs, root)

    def _preempt(self, name, pod, command, prefix):
        """Kills a task's process as soon as an object with the prefix is complete."""
        pod.mkdir(parents=True)
        arguments = (command[3:], pod, self._environment(pod), pod / "log.txt")
        process = self._warm.Process(target=warm_task.run, args=arguments)

        def watch(bucket, object_name):
            uri = f"gs://{bucket}/{object_name}"
            if uri.startswith(prefix) and not uri.endswith(".partial"):
                process.kill()

        self.storage.objects.watch = watch
        process.start()
        process.join(local_cluster.TIMEOUT_S)
        self.storage.objects.watch = lambda bucket, object_name: None
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, (pod / "log.txt").read_text()

    def _environment(self, pod):
        return self.storage.environment

    def _collect(self, pod, outputs, root):
        text = self.read(outputs["outputFile"])
        reported = local_cluster.parse_output(text).get("artifacts", {})
        found = {}
        for key, artifacts in outputs["artifacts"].items():
            (artifact,) = artifacts["artifacts"]
            for source in reported.get(key, {}).get("artifacts", []):
                artifact["uri"] = source.get("uri") or artifact["uri"]
                artifact["metadata"] = source.get("metadata", {})
            assert artifact["uri"].startswith(root), artifact["uri"]
            self._artifacts += 1
            found[key] = artifact | {"name": f"{ARTIFACTS}/{self._artifacts}"}
        return found
