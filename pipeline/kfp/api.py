"""The client of a Kubeflow Pipelines API, with addresses of its UI and its errors."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from typing import Any

_PROBE_TIMEOUT_S = 20.0
# Google's proxy, for which kfp.Client itself fetches a token.
_PROXY = ".googleusercontent.com"


class KubeflowApi:
    """A Kubeflow Pipelines API, with errors that say what to do.

    Args:
        host: URL of the API or of the UI, such as http://localhost:8080.
        namespace: the namespace of the user's profile; None where Kubeflow has only one
            user.
        token: a bearer token; None if the host needs none.

    Raises:
        ValueError: no API answers at `host`, or it refuses the token.
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

    def _connect(self, token: str | None) -> Any:
        import kfp  # Late: importing it takes seconds.
        import kfp_server_api
        import urllib3

        if not self.host.endswith(_PROXY):
            # This comes first: kfp.Client asks five times before it accepts a refusal.
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
        """Turns errors of the client into a ValueError that says what to do."""
        import kfp_server_api
        import urllib3

        with open(os.devnull, "w") as quiet, contextlib.redirect_stdout(quiet):
            try:
                yield
            except kfp_server_api.ApiException as error:
                raise ValueError(self._refusal(error)) from None
            except urllib3.exceptions.HTTPError as error:
                # urllib3 puts the address of an object in front of the reason.
                _, _, why = str(error).rpartition("object at 0x")[2].partition(": ")
                raise ValueError(
                    f"No Kubeflow Pipelines API answers at {self.host} "
                    f"({why or error}). "
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
