"""What the accounts of a run may do in its buckets, asked before anything is submitted.

Tasks that read and write gs:// themselves need rights to objects and, because
TensorFlow asks for the bucket before it makes a folder in one, the right to get the
bucket, which the role for objects does not include.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pipeline.cluster import google_cloud

READ = frozenset({"storage.objects.get", "storage.objects.list"})
WRITE = READ | {"storage.objects.create", "storage.objects.delete"}
GET_BUCKET = frozenset({"storage.buckets.get"})

_ROLES = {
    "storage.buckets.get": "roles/storage.legacyBucketReader",
    **dict.fromkeys(WRITE, "roles/storage.objectUser"),
}
_BUCKET = re.compile(r"gs://[a-z0-9][a-z0-9._-]+[a-z0-9](/.*)?")
# The text of a refusal of Cloud Storage, whichever client reports it.
_REFUSAL = re.compile(
    r"(\S+@\S+) does not have (storage\.[\w.]+) access to the Google Cloud Storage"
)
_PLACE = re.compile(r"gs://([a-z0-9][a-z0-9._-]+)")


class Caller(NamedTuple):
    """The account that asks Cloud Storage.

    Attributes:
        project: the project that is billed for the requests.
        credentials: the result of `google_cloud.find_credentials`.
    """

    project: str | None
    credentials: Any


def check_root(root: str) -> None:
    """Raises ValueError if `root` is not gs://bucket or a folder in it."""
    if not _BUCKET.fullmatch(root):
        raise ValueError(f"`--root` must be gs://bucket/folder; got {root!r}.")


def check_from_here(
    needs: Mapping[str, Iterable[str]], *, runs_as: str | None
) -> list[str]:
    """Checks the buckets with credentials of this machine, if any; see `check`.

    This is for runs whose submission needs no Google account.
    """
    if not needs:
        return []
    try:
        caller = Caller(None, google_cloud.find_credentials())
    except ValueError as error:
        return [f"The buckets were not checked: {error}"]
    return check(needs, caller, runs_as=runs_as, must_list=False)


def check(
    needs: Mapping[str, Iterable[str]],
    caller: Caller,
    *,
    runs_as: str | None,
    must_list: bool = True,
) -> list[str]:
    """Checks that the buckets are there and that the account of the tasks may use them.

    Args:
        needs: gs:// URI -> the permissions that tasks need in that bucket.
        caller: the account that submits the run.
        runs_as: the Google service account of the tasks; None if it is not known.
        must_list: whether it is an error if the caller may not list a bucket.

    Returns:
        A sentence for each thing that could not be checked.

    Raises:
        ValueError: a bucket does not exist, the caller may not list it, or `runs_as`
            lacks a permission. The message has the commands that help.
    """
    wanted: dict[str, set[str]] = {}
    for uri, permissions in needs.items():
        wanted.setdefault(_bucket_of(uri), set()).update(permissions)
    notes = [_check_exists(bucket, caller) for bucket in wanted]
    if must_list and any(notes):
        raise ValueError("\n".join(filter(None, notes)))
    if runs_as is None or not wanted:
        return [note for note in notes if note]
    missing = {}
    for bucket, permissions in wanted.items():
        granted = _granted(bucket, sorted(permissions), caller, runs_as)
        if granted is None:
            return [_unchecked(wanted, runs_as)]
        if lacking := sorted(permissions - granted):
            missing[bucket] = lacking
    if missing:
        raise ValueError(
            "\n".join(
                f"{runs_as} lacks {', '.join(lacking)} on gs://{bucket}, so tasks "
                "would fail. Grant it:\n"
                + "\n".join(_commands(bucket, lacking, runs_as))
                for bucket, lacking in missing.items()
            )
        )
    return []


def explain(error: BaseException, places: str) -> str | None:
    """Returns how to cure a refusal of Cloud Storage; None if `error` is no refusal.

    Args:
        error: the error that ended a task.
        places: any text that contains the URIs that the task used.
    """
    text = f"{error}"
    if not (found := _REFUSAL.search(text)):
        return None
    account, permission = found.groups()
    named = _PLACE.findall(text) or _PLACE.findall(places)
    lines = [
        line
        for bucket in dict.fromkeys(named)
        for line in _commands(bucket, [permission], account)
    ]
    return f"{account} lacks {permission}. Grant it:\n" + "\n".join(lines)


def report(error: BaseException, places: str) -> None:
    """Prints how to cure `error` if it is a refusal of Cloud Storage."""
    if advice := explain(error, places):
        print(advice, file=sys.stderr)


def _bucket_of(uri: str) -> str:
    return uri.removeprefix("gs://").partition("/")[0]


def _check_exists(bucket: str, caller: Caller) -> str | None:
    """Returns why the bucket could not be listed; None if it could be.

    This check comes first, because Google's client would make a missing bucket with
    default settings.
    """
    from google.api_core import exceptions

    with google_cloud.explained():
        try:
            blobs = client(caller).list_blobs(bucket, max_results=1)
            next(iter(blobs), None)
        except exceptions.NotFound:
            raise ValueError(
                f"There is no bucket gs://{bucket}. Make it: gcloud storage buckets "
                f"create gs://{bucket} --project {caller.project or 'PROJECT'} "
                "--location REGION --uniform-bucket-level-access"
            ) from None
        except exceptions.Forbidden as error:
            return (
                f"You may not list gs://{bucket}: {error.message} Ask for the role "
                "roles/storage.objectUser on it, or check the bucket's name."
            )
    return None


def _granted(
    bucket: str, permissions: list[str], caller: Caller, account: str
) -> set[str] | None:
    """Returns which of the permissions the account has; None if it cannot be asked."""
    import google.auth.exceptions
    from google.auth import impersonated_credentials

    acting = impersonated_credentials.Credentials(
        caller.credentials, account, google_cloud.SCOPES
    )
    asking = client(caller._replace(credentials=acting))
    with google_cloud.explained(), google_cloud.quiet():
        try:
            return set(asking.bucket(bucket).test_iam_permissions(permissions))
        except (
            google.auth.exceptions.RefreshError,  # The caller may not act as it.
            google.auth.exceptions.TransportError,  # That service does not answer.
        ):
            return None


def client(caller: Caller) -> Any:
    """Returns Google's client of Cloud Storage."""
    from google.cloud import storage  # Late: it takes a second.

    return storage.Client(project=caller.project, credentials=caller.credentials)


def _unchecked(wanted: Mapping[str, set[str]], account: str) -> str:
    commands = [
        command
        for bucket, permissions in wanted.items()
        for command in _commands(bucket, sorted(permissions), account)
    ]
    return (
        f"What {account} may do in the buckets was not checked: you may not act as it "
        "(roles/iam.serviceAccountTokenCreator). It needs:\n" + "\n".join(commands)
    )


def _commands(bucket: str, permissions: Iterable[str], account: str) -> list[str]:
    kind = "serviceAccount" if account.endswith("gserviceaccount.com") else "user"
    roles = dict.fromkeys(
        _ROLES.get(permission, "roles/storage.objectUser") for permission in permissions
    )
    return [
        f"  gcloud storage buckets add-iam-policy-binding gs://{bucket} "
        f"--role {role} --member {kind}:{account}"
        for role in roles
    ]
