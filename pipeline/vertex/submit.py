"""Submits a compiled pipeline to Vertex AI Pipelines: once, or on a schedule."""

import json
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

from pipeline.cluster import buckets, google_cloud, submission
from pipeline.cluster import cron as cron_lines
from pipeline.cluster import package as kfp_package
from pipeline.cluster.submission import POLL_S, RunState, Submission
from pipeline.vertex import api, package, schedules
from pipeline.vertex import google_cloud as vertex_client

_SUCCEEDED = "PIPELINE_STATE_SUCCEEDED"
_ENDED = ("PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED")
_FAILED_TASK = "FAILED"


class Vertex(api.VertexApi):
    """Vertex AI Pipelines in one region, to which pipelines are submitted."""

    def submit(
        self,
        file: pathlib.Path,
        *,
        root: str | None = None,
        parameters: Sequence[str] = (),
        name: str | None = None,
        service_account: str | None = None,
        network: str | None = None,
        caching: bool | None = None,
        cron: str | None = None,
    ) -> Submission:
        """Starts a run, or schedules runs.

        Args:
            file: the compiled pipeline.
            root: where artifacts go, gs://...; None is the compiled one.
            parameters: `name=value`, for parameters that differ from their defaults.
            name: of the run in the console; None is the pipeline's name.
            service_account: the service account of the tasks; None is Compute Engine's
                default.
            network: the VPC network to peer with; None peers with none.
            caching: whether tasks are taken from the cache; None is as compiled.
            cron: a schedule: minute, hour, day, month, weekday, in UTC unless the text
                begins with `TZ=...`. None runs once, now. A schedule of the same name
                in the region is replaced.

        Raises:
            ValueError: an argument is wrong, or the service refuses. No run and no
                schedule was made then.
        """
        job = package.read(file)
        values = check(
            job, root=root, parameters=parameters, network=network, cron=cron
        )
        spec = job["pipelineSpec"]
        if caching is not None:
            kfp_package.set_caching(spec, caching)
        kfp_package.cache_data(spec, values)
        root = root or job["runtimeConfig"]["gcsOutputDirectory"]
        needs = kfp_package.needs(spec, values)
        notes = buckets.check(
            {**needs, root: buckets.WRITE | buckets.GET_BUCKET},
            buckets.Caller(self.project, self.credentials),
            runs_as=service_account,
        )
        display_name = name or spec["pipelineInfo"]["name"]
        made = self._make(job, display_name, root, values)
        runs_as = {"service_account": service_account, "network": network}
        with google_cloud.explained(), google_cloud.quiet():
            if cron is not None:
                options = {"cron": cron, "display_name": display_name, **runs_as}
                id_, more = self._schedule(made, options)
                page = self.page("schedules", id_)
                return Submission(id_, page, values, (*notes, *more))
            made.submit(**runs_as)
        page = self.page("runs", made.resource_name)
        return Submission(made.resource_name, page, values, tuple(notes))

    def _make(
        self, job: dict[str, Any], name: str, root: str, values: dict[str, Any]
    ) -> Any:
        """Returns the client's PipelineJob, which can only be made from a file."""
        with tempfile.TemporaryDirectory() as folder:
            template = pathlib.Path(folder) / "pipeline.json"
            template.write_text(json.dumps(job), encoding="utf-8")
            return self.client.PipelineJob(
                display_name=name,
                template_path=str(template),
                pipeline_root=root,
                parameter_values=values,
                labels={
                    "source": "ncf",
                    "pipeline": job["pipelineSpec"]["pipelineInfo"]["name"],
                },
            )

    def _schedule(self, job: Any, options: dict[str, Any]) -> tuple[str, list[str]]:
        """Makes a schedule, deletes earlier ones of its name; returns id, notes."""
        before = schedules.find(self, options["display_name"])
        made = job.create_schedule(**options)
        for one in before:  # Last: should this fail, two are better than none.
            schedules.deeds(self)["delete"](one.id)
        notes = [f"It takes the place of {one.id}, {one.cron}." for one in before]
        return made.resource_name, notes

    def wait(
        self, run: Submission, *, timeout_s: float, poll_s: float = POLL_S
    ) -> None:
        """Returns when the run has succeeded; see `submission.wait`."""
        submission.wait(
            run, lambda: self._state(run), timeout_s=timeout_s, poll_s=poll_s
        )

    def _state(self, run: Submission) -> RunState:
        with google_cloud.explained(), google_cloud.quiet():
            found = self._job(run).to_dict()
        state = found.get("state", "PIPELINE_STATE_PENDING")
        failure = _reason(found) if state in _ENDED else None
        return RunState(_word(state), state == _SUCCEEDED, failure)

    def cancel(self, run: Submission) -> None:
        """Asks Vertex to cancel a run, which takes a while."""
        with google_cloud.explained(), google_cloud.quiet():
            self._job(run).cancel()

    def _job(self, run: Submission) -> Any:
        return self.client.PipelineJob.get(run.id)


def check(
    job: dict[str, Any],
    *,
    root: str | None,
    parameters: Sequence[str],
    network: str | None,
    cron: str | None,
) -> dict[str, Any]:
    """Checks the arguments of a submission, without any request; returns parameters.

    Raises:
        ValueError: an argument is impossible.
    """
    if root is not None:
        buckets.check_root(root)
    vertex_client.check_network(network)
    if cron is not None:
        zone = ("TZ=", "CRON_TZ=")
        fields = [field for field in cron.split() if not field.startswith(zone)]
        cron_lines.check(" ".join(fields), option="--schedule")
    values = kfp_package.parse_parameters(job["pipelineSpec"], parameters)
    if cron is not None:
        kfp_package.check_schedule(values)
    return values


def _reason(job: dict[str, Any]) -> str:
    """Returns why a run failed: its state, and its failed tasks with their errors."""
    text = f"The run is {_word(job['state'])}"
    if message := job.get("error", {}).get("message"):
        text += f": {message}"
    failed = [
        f"{task['taskName']} ({task.get('error', {}).get('message', 'no message')})"
        for task in job.get("jobDetail", {}).get("taskDetails", ())
        if task.get("state") == _FAILED_TASK
    ]
    return text + "." + (f" Failed tasks: {', '.join(failed)}." if failed else "")


def _word(state: str) -> str:
    return state.removeprefix("PIPELINE_STATE_").lower()
