"""The serving folder: which versions it holds, and how a whole version is added.

    serving/1732495000/            a SavedModel, whole from the moment it has its number
    serving/.ncf/versions/*.json   a record of each version, kept when that is gone
    serving/.ncf/staging/          a copy under way; a later push removes leftovers

TensorFlow Serving and KServe look at numbered folders alone. What a record says is in
`version_record`. The number of a version is the time of its push in seconds since 1970,
or one more than the highest number that ever was there if that is larger. So no number
is used twice.

This module needs no TFX and, for a local folder, no TensorFlow.
"""

import contextlib
import dataclasses
import datetime
import fcntl
import os
import pathlib
import shutil
import time
import uuid
from collections.abc import Container, Iterable, Iterator
from typing import Any, NamedTuple

from ncf_model.serving import folders, whole
from ncf_model.serving.version_record import VersionRecord

HIDDEN = ".ncf"
MODEL_FILE = whole.MODEL_FILE
_LARGEST = 2**63 - 1  # TensorFlow Serving's version is an int64.


@dataclasses.dataclass(frozen=True)
class Version:
    """A numbered folder.

    Attributes:
        number: the name of the folder.
        path: of the folder, which holds a SavedModel.
        record: what was noted when the version was pushed; without a digest if nothing
            was.
        problem: what is wrong with the version; "" if it is whole.
    """

    number: int
    path: str
    record: VersionRecord
    problem: str = ""

    @property
    def is_recorded(self) -> bool:
        """Whether there is a record, as of each version that `push` made."""
        return bool(self.record.digest)


@dataclasses.dataclass(frozen=True)
class Serving:
    """The contents of a serving folder.

    Attributes:
        versions: the whole versions, the newest first.
        broken: numbered folders that are not whole, the newest first.
        foreign: names of everything else, which is left alone.
    """

    versions: tuple[Version, ...]
    broken: tuple[Version, ...]
    foreign: tuple[str, ...]


class Push(NamedTuple):
    """The version that holds a pushed model, and whether this push made it."""

    version: Version
    is_new: bool


def look(serving: str | os.PathLike[str]) -> Serving:
    """Returns what is in a serving folder, which need not exist.

    Looking is cheap: the sizes of files are compared with the record. Without a record
    `saved_model.pb` is checked to be complete. `holds` compares contents.
    """
    folder = os.fspath(serving)
    noted = records(folder)
    good: list[Version] = []
    broken: list[Version] = []
    foreign: list[str] = []
    for name in folders.children(folder):
        path = os.path.join(folder, name)
        number = _number(name)
        if name == HIDDEN:
            continue
        if number is None or not folders.is_folder(path):
            foreign.append(name)
            continue
        record = noted.get(number, VersionRecord())
        trouble = whole.problem(path, record.files or None)
        version = Version(number, path, record, trouble)
        (broken if trouble else good).append(version)
    return Serving(_newest_first(good), _newest_first(broken), tuple(foreign))


def newest(serving: str | os.PathLike[str]) -> Version | None:
    """Returns the newest whole version, which is served; None if there is none."""
    return next(iter(look(serving).versions), None)


def holds(serving: str | os.PathLike[str], digest: str) -> Version | None:
    """Returns the newest version if it has the very bytes of a model, else None.

    A broken folder with a higher number counts as the newest: a server would take it.

    Args:
        serving: the serving folder.
        digest: of the model, as `folders.digest` returns it.
    """
    found = look(serving)
    if not found.versions:
        return None
    last = found.versions[0]
    if any(version.number > last.number for version in found.broken):
        return None
    return last if digest_of(last) == digest else None


def digest_of(version: Version) -> str:
    """Returns the digest of the pushed files; files added later do not count."""
    files = version.record.files or folders.sizes(version.path)
    return folders.digest(version.path, dict(sorted(files.items())))


def next_number(serving: str | os.PathLike[str]) -> int:
    """Returns the next version's number, higher than any that ever was there."""
    return max(int(time.time()), _highest(os.fspath(serving)) + 1)


def _highest(folder: str) -> int:
    """Returns the highest number of a version or a record; 0 if there is none."""
    taken = [_number(name) for name in folders.children(folder)]
    known = [number for number in taken if number is not None]
    return max([0, *known, *records(folder)])


def records(serving: str | os.PathLike[str]) -> dict[int, VersionRecord]:
    """Returns all records by number, but for those that cannot be read."""
    place = os.path.join(serving, HIDDEN, "versions")
    found = {}
    for name in folders.children(place):
        number = _number(name.removesuffix(".json"))
        if number is None or not name.endswith(".json"):
            continue
        with contextlib.suppress(ValueError):
            content = folders.read(os.path.join(place, name)) or b""
            record = VersionRecord.from_file(content)
            if record.digest:
                found[number] = record
    return found


def withdrawn(serving: str | os.PathLike[str]) -> set[str]:
    """Returns the digests of the models that a rollback took back.

    No run pushes such a model again; `restore` can bring it back.
    """
    taken: set[str] = set()
    for _, record in sorted(records(os.fspath(serving)).items()):
        taken |= set(record.takes_back)
        if record.restores is not None:
            taken -= {record.digest}
    return taken


def push(
    serving: str | os.PathLike[str],
    model: str | os.PathLike[str],
    *,
    record: VersionRecord | None = None,
    keep: int | None = None,
    number: int | None = None,
) -> Push:
    """Makes a SavedModel the newest version, unless it already is.

    Readers see a whole version or none: on a disk the finished copy is renamed into its
    place, in a bucket `saved_model.pb` is copied last. The copy is read and compared.

    Args:
        serving: the folder, made if need be.
        model: folder of the SavedModel.
        record: what else is noted of the version.
        keep: how many versions stay, the new one included, >= 1; None keeps all. The
            version whose blessing has the highest `level` stays, too. Versions that
            were not pushed by this function stay.
        number: of the new version, as `next_number` returned it. Another number is
            taken if it is in use by now.

    Raises:
        ValueError: the model is not whole, or there is no space for it.
        OSError: copying failed; no version was made.
    """
    folder, source = os.fspath(serving), os.fspath(model)
    files = folders.sizes(source)
    if trouble := whole.problem(source, None):
        raise ValueError(f"No model to push: {source}: {trouble}")
    folders.make(folder)
    with _alone(folder):
        _clear_leftovers(folder)
        digest = folders.digest(source, files)
        if same := holds(folder, digest):
            if keep is not None:  # An earlier push may have died before this.
                _drop_old(folder, keep)
            return Push(same, False)
        folders.check_space(folder, sum(files.values()))
        if number is None or number <= _highest(folder):
            number = next_number(folder)
        noted = (record or VersionRecord()).with_values(
            number=number,
            digest=digest,
            files=files,
            pushed_at=f"{datetime.datetime.now(datetime.timezone.utc):%FT%TZ}",
        )
        target = os.path.join(folder, str(number))
        _write_record(folder, number, noted)
        place = _place_remote if folders.is_remote(folder) else _place_local
        place(source, target, noted)
        if keep is not None:
            _drop_old(folder, keep)
    return Push(Version(number, target, noted), True)


def restore(
    serving: str | os.PathLike[str],
    number: int,
    *,
    keep: int | None = None,
    **values: Any,
) -> Push:
    """Makes an older version the newest again, under a new number.

    The models of all later versions count as taken back: see `withdrawn`.

    Args:
        serving: the serving folder.
        number: of the older version, whose record is taken over.
        keep: how many versions stay; None keeps all.
        **values: JSON values added to the record, such as who rolled back.

    Raises:
        ValueError: there is no such version, or it is not whole.
    """
    found = look(serving)
    chosen = next((v for v in found.versions if v.number == number), None)
    if chosen is None:
        known = [version.number for version in found.versions]
        raise ValueError(f"{serving} has no whole version {number}; it has {known}.")
    later = {r.digest for n, r in records(str(serving)).items() if n > number}
    later |= {digest_of(v) for v in found.versions if v.number > number}
    noted = chosen.record.with_values(
        **values,
        by_hand=False,
        restores=number,
        takes_back=sorted(later - {digest_of(chosen)}),
    )
    return push(serving, chosen.path, record=noted, keep=keep)


def annotate(serving: str | os.PathLike[str], number: int, **values: Any) -> None:
    """Adds JSON values to the record of a version; raises ValueError without one."""
    folder = os.fspath(serving)
    record = records(folder).get(number)
    if record is None:
        raise ValueError(f"{folder} has no record of a version {number}.")
    _write_record(folder, number, record.with_values(**values))


def enter(serving: str | os.PathLike[str], version: Version, **values: Any) -> None:
    """Writes a record for a version put there by hand; `push` never drops it."""
    digest = folders.digest(version.path)
    record = VersionRecord(digest=digest, by_hand=True).with_values(**values)
    _write_record(os.fspath(serving), version.number, record)


def _number(name: str) -> int | None:
    """Returns the version number in a folder's name; None if there is none."""
    if not (name.isascii() and name.isdigit()) or str(int(name)) != name:
        return None
    return int(name) if int(name) <= _LARGEST else None


def _newest_first(versions: list[Version]) -> tuple[Version, ...]:
    return tuple(sorted(versions, key=lambda v: v.number, reverse=True))


def _write_record(folder: str, number: int, record: VersionRecord) -> None:
    path = os.path.join(folder, HIDDEN, "versions", f"{number}.json")
    folders.write(path, record.to_file())


def _place_local(source: str, target: str, record: VersionRecord) -> None:
    """Copies a model into the staging folder, compares, and renames the copy."""
    staging = os.path.join(os.path.dirname(target), HIDDEN, "staging")
    copy = os.path.join(staging, f"{record.number}-{uuid.uuid4().hex}")
    try:
        for name in record.files:
            path = os.path.join(copy, name)
            folders.make(os.path.dirname(path))
            folders.copy(os.path.join(source, name), path)
        _compare(copy, record)
        for where, _, _ in os.walk(copy):
            folders.sync_folder(where)
        os.rename(copy, target)
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise
    folders.sync_folder(os.path.dirname(target))


def _place_remote(source: str, target: str, record: VersionRecord) -> None:
    """Copies a model into its place in a bucket, `saved_model.pb` last."""
    names = sorted(record.files, key=lambda name: name == MODEL_FILE)
    for name in names:
        folders.copy(os.path.join(source, name), os.path.join(target, name))
    _compare(target, record)


def _compare(copy: str, record: VersionRecord) -> None:
    """Raises OSError if the copy differs from what was copied."""
    trouble = whole.problem(copy, record.files)
    if not trouble and folders.digest(copy) != record.digest:
        trouble = "its content differs from the model's."
    if trouble:
        raise OSError(f"The copy {copy} is bad, so it gets no number: {trouble}")


def _clear_leftovers(folder: str) -> None:
    """Removes what a killed push left behind, if it is known to be ours."""
    for place in ("staging", "trash"):
        folders.remove(os.path.join(folder, HIDDEN, place))
    if not folders.is_remote(folder):
        return
    for version in look(folder).broken:
        # The record says that a push began; without saved_model.pb it never ended.
        model = os.path.join(version.path, MODEL_FILE)
        if version.is_recorded and folders.read(model) is None:
            folders.remove(version.path)


def _drop_old(folder: str, keep: int) -> None:
    """Removes our versions older than the last `keep`, each in one step for readers.

    The best version stays: where no ML Metadata can be asked, a new model is compared
    with it, however many versions were pushed since.
    """
    found = look(folder)
    every = (*found.versions, *found.broken)
    ours = [v for v in every if v.is_recorded and not v.record.by_hand]
    oldest = min([v.number for v in ours if not v.problem][:keep], default=0)
    best = _best(found.versions, withdrawn(folder))
    for version in ours:
        if version.number >= oldest or version.number == best:
            continue
        if folders.is_remote(folder):
            folders.remove(os.path.join(version.path, MODEL_FILE))
        else:
            trash = os.path.join(folder, HIDDEN, "trash")
            folders.make(trash)
            moved = os.path.join(trash, str(version.number))
            os.rename(version.path, moved)
            version = dataclasses.replace(version, path=moved)
        folders.remove(version.path)


def _best(versions: Iterable[Version], taken_back: Container[str]) -> int | None:
    """Returns the version of the highest measured level; None if none has a level."""
    levels = {
        version.number: level
        for version in versions
        if (level := version.record.measured_level) is not None
        and not version.record.by_hand  # It stays anyway.
        and version.record.digest not in taken_back
    }
    return max(levels, key=lambda number: (levels[number], number), default=None)


@contextlib.contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Locks a local folder against other pushes; the lock ends with the process."""
    if folders.is_remote(folder):
        yield
        return
    file = pathlib.Path(folder, HIDDEN, "lock")
    file.parent.mkdir(exist_ok=True)
    with open(file, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
