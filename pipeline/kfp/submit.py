"""Submits a compiled pipeline to Kubeflow Pipelines: once, or on a schedule."""

import contextlib
import os
import pathlib
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from pipeline.cluster import cron as cron_lines
from pipeline.cluster import package, submission
from pipeline.cluster.submission import POLL_S, State, Submission
from pipeline.kfp import schedules

SUCCEEDED = ("SUCCEEDED", "SKIPPED")
FAILED = ("FAILED", "CANCELED", "ERROR")
_CRON_FIELDS = 6
_PROBE_TIMEOUT_S = 20.0
# Google's proxy, for which kfp.Client fetches a token of its own.
_PROXY = ".googleusercontent.com"


class Cluster:
    """A Kubeflow Pipelines API, with errors that say what to do.

    Args:
        host: URL of the API or of the UI, such as http://localhost:8080.
        namespace: of the user's profile; None where Kubeflow has one user.
        token: a bearer token; None if the host asks for none.

    Raises:
        ValueError: nobody answers there, or not to this token.
    """

    def __init__(
        self, host: str, *, namespace: str | None = None, token: str | None = None
    ) -> None:
        self.host = host.rstrip("/")
        if "://" not in self.host:
            self.host = f"https://{self.host}"
        self.namespace = namespace
        with self.explained():
            self.client = self._connect(token)

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
            parameters: `name=value`, for those that differ from the defaults.
            experiment: the runs' group in the UI; made if need be.
            name: of the run; None is the pipeline's name and the time.
            pipeline_root: where artifacts go; None is the server's own place.
            service_account: of the pods, where the cluster's default may not.
            cron: second, minute, hour, day, month, weekday, in UTC. With five fields
                it starts at second 0. None runs once, now. A schedule of the same
                name in the same experiment is replaced.

        Raises:
            ValueError: the file, a parameter or `cron` is wrong, or the server refuses.
        """
        documents = package.read(file)
        values = package.parse_parameters(documents[0], parameters)
        package.cache_data(documents[0], values)
        line = check_cron(cron) if cron is not None else None
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
        """Makes a schedule; earlier ones of its name in its experiment end."""
        before = [
            one
            for one in schedules.find(self, common["experiment_id"])
            if one.name == common["job_name"]
        ]
        made = self.client.create_recurring_run(
            cron_expression=line, no_catchup=True, max_concurrency=1, **common
        )
        for one in before:  # After: if this fails, there are two, and never none.
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

    def _state(self, run_id: str) -> State:
        with self.explained():
            found = self.client.get_run(run_id)
        state = str(found.state or "PENDING").upper()
        failure = None
        if state in FAILED:
            detail = getattr(found.error, "message", None)
            failure = f"The run is {state.lower()}{f': {detail}' if detail else ''}."
        return State(state.lower(), state in SUCCEEDED, failure)

    def _connect(self, token: str | None) -> Any:
        import kfp  # Late: it takes seconds, and wrong parameters need none of it.
        import kfp_server_api
        import urllib3

        if not self.host.endswith(_PROXY):
            # Asked first: kfp.Client asks five times before it believes a refusal.
            answer = urllib3.PoolManager().request(
                "GET",
                f"{self.host}/apis/v2beta1/healthz",
                headers={"authorization": f"Bearer {token}"} if token else {},
                redirect=False,
                retries=False,
                timeout=_PROBE_TIMEOUT_S,
            )
            if answer.status != 200:
                status = 401 if 300 <= answer.status < 400 else answer.status  # a login
                raise kfp_server_api.ApiException(status=status, reason=answer.reason)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # "works only with 2.x"
            return kfp.Client(
                host=self.host,
                existing_token=token,
                namespace=self.namespace or "kubeflow",
            )

    def page(self, path: str) -> str:
        """Returns the address of a page of the UI."""
        return f"{self.host}/#/{path}"

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turns what the client raises into one sentence that helps."""
        import kfp_server_api
        import urllib3

        with open(os.devnull, "w") as quiet, contextlib.redirect_stdout(quiet):
            try:
                yield
            except kfp_server_api.ApiException as error:
                raise ValueError(self._refusal(error)) from None
            except urllib3.exceptions.HTTPError as error:
                raise ValueError(
                    f"No Kubeflow Pipelines API answers at {self.host} ({error}). "
                    "Check --host; for a cluster's own service, first: kubectl "
                    "port-forward -n kubeflow svc/ml-pipeline-ui 8080:80"
                ) from None

    def _refusal(self, error: Any) -> str:
        if error.status in (401, 403):
            return (
                f"{self.host} does not let you in (HTTP {error.status}). Give a token "
                "with --token or KFP_TOKEN and, where every user has a profile, its "
                "--namespace."
            )
        if error.status == 404:
            return (
                f"{self.host} is no Kubeflow Pipelines 2.x API (HTTP 404). --host is "
                "the address of the UI or of ml-pipeline, without a path."
            )
        body = error.body.decode() if isinstance(error.body, bytes) else error.body
        return f"{self.host} refuses (HTTP {error.status}): {body or error.reason}"


def check_cron(cron: str) -> str:
    """Returns a schedule as Kubeflow reads it, seconds first.

    Raises:
        ValueError: it is none.
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
    """Yields the path of a file with the documents, as the client wants it."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "pipeline.yaml"
        path.write_text(yaml.dump_all(documents, sort_keys=True), encoding="utf-8")
        yield str(path)
