"""Submits a compiled pipeline to Kubeflow Pipelines: once, or on a schedule."""

import contextlib
import pathlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from pipeline.cluster import cron as cron_lines
from pipeline.cluster import package, submission
from pipeline.cluster.submission import POLL_S, RunState, Submission
from pipeline.kfp import api, schedules

SUCCEEDED = ("SUCCEEDED", "SKIPPED")
FAILED = ("FAILED", "CANCELED", "ERROR")
_CRON_FIELDS = 6


class Cluster(api.KubeflowApi):
    """A Kubeflow Pipelines API to which pipelines are submitted."""

    def submit(
        self,
        file: pathlib.Path,
        *,
        parameters: Sequence[str] = (),
        experiment: str = "ncf",
        name: str | None = None,
        pipeline_root: str | None = None,
        service_account: str | None = None,
        cron: str | None = None,
    ) -> Submission:
        """Starts a run, or schedules runs.

        Args:
            file: the compiled pipeline.
            parameters: `name=value`, for parameters that differ from their defaults.
            experiment: the group of the runs in the UI; made if need be.
            name: of the run; None is the pipeline's name and the time.
            pipeline_root: where artifacts go; None is the server's default place.
            service_account: the service account of the pods; None is the cluster's
                default.
            cron: a schedule in UTC: second, minute, hour, day, month, weekday. With
                five fields, runs start at second 0. None runs once, now. A schedule of
                the same name in the same experiment is replaced.

        Raises:
            ValueError: the file, a parameter or `cron` is wrong, scheduled runs would
                all read the same data, or the server refuses.
        """
        documents = package.read(file)
        values = package.parse_parameters(documents[0], parameters)
        package.cache_data(documents[0], values)
        line = None
        if cron is not None:
            line = check_cron(cron)
            package.check_schedule(values)
        name = name or _name(documents[0], scheduled=line is not None)
        with _written(documents) as path, self.explained():
            group = self.client.create_experiment(experiment, namespace=self.namespace)
            common = {
                "experiment_id": group.experiment_id,
                "job_name": name,
                "pipeline_package_path": path,
                "params": values,
                "pipeline_root": pipeline_root,
                "service_account": service_account,
            }
            if line is not None:
                return self._schedule(line, common)
            run = self.client.run_pipeline(**common)
        return Submission(run.run_id, self.page(f"runs/details/{run.run_id}"), values)

    def _schedule(self, line: str, common: dict[str, Any]) -> Submission:
        """Makes a schedule, and deletes earlier ones of its name and experiment."""
        before = [
            one
            for one in schedules.find(self, common["experiment_id"])
            if one.name == common["job_name"]
        ]
        made = self.client.create_recurring_run(
            cron_expression=line, no_catchup=True, max_concurrency=1, **common
        )
        for one in before:  # Last: should this fail, two are better than none.
            self.client.delete_recurring_run(one.id)
        page = self.page(f"recurringrun/details/{made.recurring_run_id}")
        notes = tuple(f"It takes the place of {one.id}, {one.cron}." for one in before)
        return Submission(made.recurring_run_id, page, common["params"], notes)

    def wait(
        self, run: Submission, *, timeout_s: float, poll_s: float = POLL_S
    ) -> None:
        """Returns when the run has succeeded; see `submission.wait`."""
        submission.wait(
            run, lambda: self._state(run.id), timeout_s=timeout_s, poll_s=poll_s
        )

    def _state(self, run_id: str) -> RunState:
        with self.explained():
            found = self.client.get_run(run_id)
        state = str(found.state or "PENDING").upper()
        failure = None
        if state in FAILED:
            detail = getattr(found.error, "message", None)
            failure = f"The run is {state.lower()}{f': {detail}' if detail else ''}."
        return RunState(state.lower(), state in SUCCEEDED, failure)


def check_cron(cron: str) -> str:
    """Returns a line of cron in Kubeflow's form, with the seconds first.

    Raises:
        ValueError: the text is no line of cron.
    """
    fields = cron_lines.check(cron, option="--cron", seconds=True)
    return " ".join(fields if len(fields) == _CRON_FIELDS else ["0", *fields])


def _name(spec: dict[str, Any], *, scheduled: bool) -> str:
    base = spec["pipelineInfo"]["name"]
    if scheduled:
        return f"{base} schedule"
    return f"{base} {time.strftime('%Y-%m-%d %H:%M:%S')}"


@contextlib.contextmanager
def _written(documents: list[dict[str, Any]]) -> Iterator[str]:
    """Yields the path of a file with the documents, which the client reads."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "pipeline.yaml"
        path.write_text(yaml.dump_all(documents, sort_keys=True), encoding="utf-8")
        yield str(path)
