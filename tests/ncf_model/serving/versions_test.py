"""The serving folder, on a disk and in an object store."""

import json
import os
import pathlib
import shutil
import signal
import threading

import pytest

from ncf_model.serving import folders, versions
from ncf_model.serving.version_record import VersionRecord
from tests.ncf_model.serving.fake_bucket import Bucket


@pytest.fixture
def bucket(monkeypatch):
    bucket = Bucket()
    monkeypatch.setattr(folders, "_gfile", lambda: bucket)
    return bucket


@pytest.fixture(params=["disk", "bucket"])
def serving(request, tmp_path):
    if request.param == "disk":
        return str(tmp_path / "serving")
    request.getfixturevalue("bucket")
    return "gs://bucket/serving"


@pytest.fixture
def model(tmp_path):
    """Returns a function that writes the files of a SavedModel, with dummy content."""

    def write(content, pad=0):
        folder = tmp_path / f"model {content}"
        (folder / "variables").mkdir(parents=True, exist_ok=True)
        text = content.encode() + bytes(pad)
        size = bytes([0x80 | len(text) & 127, len(text) >> 7])
        (folder / "saved_model.pb").write_bytes(b"\x08\x01\x12" + size + text)
        (folder / "variables" / "variables.index").write_bytes(b"index")
        (folder / "variables" / "variables.data-00000-of-00001").write_bytes(text)
        return folder

    return write


def _content(version):
    path = os.path.join(version.path, "variables", "variables.data-00000-of-00001")
    return folders.read(path).decode()


def _numbers(serving):
    return [version.number for version in versions.look(serving).versions]


def test_an_absent_folder_holds_nothing(serving):
    assert versions.newest(serving) is None
    assert versions.look(serving) == versions.Serving((), (), ())
    assert versions.holds(serving, "any") is None


def test_a_push_is_the_newest_version_and_keeps_its_record(serving, model):
    pushed = versions.push(serving, model("A"), record=VersionRecord(run="r1"))
    found = versions.newest(serving)
    assert pushed.is_new
    assert found.number == pushed.version.number
    assert _content(found) == "A"
    assert found.record.run == "r1"
    assert found.record.files["saved_model.pb"] == 6
    assert found.record.digest == folders.digest(str(model("A")))
    assert found.problem == ""


def test_the_same_bytes_are_not_pushed_again(serving, model):
    first = versions.push(serving, model("A"))
    again = versions.push(serving, model("A"))
    assert not again.is_new
    assert again.version.number == first.version.number
    assert len(_numbers(serving)) == 1


def test_back_and_forth_leaves_the_last_one_newest(serving, model):
    for name in "ABAB":
        assert versions.push(serving, model(name)).is_new
        assert _content(versions.newest(serving)) == name
    assert len(_numbers(serving)) == 4


def test_numbers_rise_even_after_the_newest_was_removed(serving, model):
    first = versions.push(serving, model("A")).version
    second = versions.push(serving, model("B")).version
    folders.remove(second.path)
    third = versions.push(serving, model("B")).version
    assert first.number < second.number < third.number


def test_a_number_that_was_announced_is_taken_unless_it_is_used(serving, model):
    """An older number is taken, too, for it is in Pusher's cache key."""
    announced = versions.next_number(serving) - 100
    first = versions.push(serving, model("A"), number=announced).version
    second = versions.push(serving, model("B"), number=announced).version
    assert first.number == announced
    assert second.number > announced


def test_the_last_few_stay_and_foreign_versions_do_too(serving, model):
    folders.write(os.path.join(serving, "7", "saved_model.pb"), b"\x08\x01")
    for name in "ABCD":
        versions.push(serving, model(name), keep=2)
    *ours, foreign = versions.look(serving).versions
    assert [_content(version) for version in ours] == ["D", "C"]
    assert foreign.number == 7


@pytest.mark.parametrize(("taken_back", "left"), [([], [0, 3, 4]), ([0], [1, 3, 4])])
def test_the_best_stays_besides(serving, model, taken_back, left):
    """Without the best, each model could be a little worse than those before it."""
    made = []
    for name, level in zip("ABCDE", ("0.2", "0.1", "0.0", "-0.1", ""), strict=True):
        back = [made[i].record.digest for i in taken_back] if name == "E" else []
        record = VersionRecord(blessing={"level": level}, takes_back=back)
        made.append(versions.push(serving, model(name), record=record, keep=9).version)
    versions.push(serving, model("F"), keep=3)
    numbers = {version.number for version in versions.look(serving).versions}
    assert numbers == {max(numbers), *(made[i].number for i in left)}


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("saved_model.pb", b"\x08", "1 bytes, 6 were pushed"),
        ("saved_model.pb", None, "saved_model.pb is missing"),
        ("variables/variables.index", None, "index has no bytes, 5 were pushed"),
    ],
)
def test_a_damaged_version_is_named_and_passed_over(
    serving, model, name, content, problem
):
    versions.push(serving, model("A"))
    damaged = versions.push(serving, model("B")).version
    path = os.path.join(damaged.path, name)
    if content is None:
        folders.remove(path)
    else:
        folders.write(path, content)
    assert _content(versions.newest(serving)) == "A"
    [broken] = versions.look(serving).broken
    assert problem in broken.problem
    # A server takes the highest number, so A must get a number above the broken one.
    last = versions.push(serving, model("A")).version
    assert all(b.number < last.number for b in versions.look(serving).broken)
    assert versions.push(serving, model("B")).is_new
    assert _content(versions.newest(serving)) == "B"


def test_a_version_edited_at_the_same_size_is_pushed_again(serving, model):
    version = versions.push(serving, model("A")).version
    folders.write(os.path.join(version.path, "saved_model.pb"), b"\x08\x01\x12\x81\0Z")
    assert versions.push(serving, model("A")).is_new


def test_a_file_added_to_a_version_changes_nothing(serving, model):
    version = versions.push(serving, model("A")).version
    folders.write(os.path.join(version.path, "assets.extra", "warm"), b"up")
    assert not versions.push(serving, model("A")).is_new


def test_a_version_without_record_is_checked_without_it(serving):
    def write(number, name, content):
        folders.write(os.path.join(serving, number, name), content)

    write("3", "saved_model.pb", b"\x08\x01\x12\x02ab")
    write("4", "saved_model.pb", b"\x08\x01\x12\x02a")
    write("5", "variables/variables.index", b"x")
    write("6", "saved_model.pb", b"\x08\x01")
    write("6", "variables/variables.index", b"x")
    found = versions.look(serving)
    assert [version.number for version in found.versions] == [3]
    assert [version.problem for version in found.broken] == [
        "a part of its variables is missing.",
        "saved_model.pb is missing.",
        "saved_model.pb is cut off or damaged.",
    ]


def test_foreign_names_are_left_alone_and_named(serving, model):
    for name in ("backup/saved_model.pb", "007/x", "1.5/x", "²/x", "9" * 20 + "/x"):
        folders.write(os.path.join(serving, name), b"\x08\x01")
    folders.write(os.path.join(serving, "12"), b"a file")
    versions.push(serving, model("A"), keep=1)
    foreign = sorted(["007", "1.5", "12", "9" * 20, "backup", "²"])
    assert sorted(versions.look(serving).foreign) == foreign


def test_a_model_that_is_not_whole_is_not_pushed(serving, model):
    folder = model("A")
    (folder / "saved_model.pb").write_bytes(b"\x08\x01\x12\x09a")
    with pytest.raises(ValueError, match="cut off or damaged"):
        versions.push(serving, folder)
    (folder / "saved_model.pb").unlink()
    with pytest.raises(ValueError, match="missing"):
        versions.push(serving, folder)
    assert versions.newest(serving) is None


def test_a_bad_copy_gets_no_number(serving, model, monkeypatch):
    def flip(source, target):
        content = pathlib.Path(source).read_bytes()
        folders.write(target, content[:-1] + bytes([content[-1] ^ 1]))

    versions.push(serving, model("A"))
    monkeypatch.setattr(folders, "copy", flip)
    with pytest.raises(OSError, match="its content differs from the model"):
        versions.push(serving, model("B"))
    if not folders.is_remote(serving):
        assert _content(versions.newest(serving)) == "A"
        assert versions.look(serving).broken == ()


def test_a_full_disk_is_found_before_copying(tmp_path, model, monkeypatch):
    monkeypatch.setattr(folders, "free_bytes", lambda folder: 1000)
    with pytest.raises(ValueError, match=r"No space left on .*serving: 1\.0 MB are"):
        versions.push(tmp_path / "serving", model("A"))
    assert versions.look(tmp_path / "serving") == versions.Serving((), (), ())


def test_in_a_bucket_the_model_file_comes_last_and_leftovers_go(bucket, model):
    serving, copied = "gs://bucket/serving", []
    copy = bucket.copy

    def stop(source, target, overwrite):
        copied.append(os.path.basename(target))
        if copied[-1] == "saved_model.pb":
            raise OSError("stopped")
        copy(source, target, overwrite)

    bucket.copy = stop
    with pytest.raises(OSError, match="stopped"):
        versions.push(serving, model("A"))
    assert copied[-1] == "saved_model.pb"
    assert versions.newest(serving) is None
    [left] = versions.look(serving).broken
    bucket.copy = copy
    pushed = versions.push(serving, model("A")).version
    assert pushed.number > left.number
    assert versions.look(serving).broken == ()
    assert not bucket.isdir(left.path)


def test_a_rollback_takes_back_what_came_after(serving, model):
    first, second, third = (versions.push(serving, model(n)).version for n in "ABC")
    back = versions.restore(serving, second.number, rolled_back_by="me").version
    assert _content(versions.newest(serving)) == "B"
    assert back.number > third.number
    assert back.record.restores == second.number
    assert back.record.rolled_back_by == "me"
    digest = {v.number: v.record.digest for v in (first, second, third)}
    assert versions.withdrawn(serving) == {digest[third.number]}
    versions.restore(serving, third.number)
    assert versions.withdrawn(serving) == {digest[second.number]}
    with pytest.raises(ValueError, match="has no whole version 5"):
        versions.restore(serving, 5)


def test_values_are_added_to_a_record(serving, model):
    number = versions.push(serving, model("A")).version.number
    versions.annotate(serving, number, vertex_model="m")
    record = versions.newest(serving).record
    assert record.vertex_model == "m"
    assert record.number == number
    with pytest.raises(ValueError, match="no record of a version 5"):
        versions.annotate(serving, 5, vertex_model="m")


def test_an_unreadable_record_is_as_if_it_were_not(serving, model):
    number = versions.push(serving, model("A")).version.number
    folders.write(os.path.join(serving, ".ncf", "versions", f"{number}.json"), b"{")
    assert versions.newest(serving).record == VersionRecord()
    assert not versions.push(serving, model("A")).is_new


def test_what_a_foreign_record_says_besides_survives(serving, model):
    """Another program may add fields, such as a newer release or a script."""
    first = versions.push(serving, model("A")).version
    path = os.path.join(serving, ".ncf", "versions", f"{first.number}.json")
    said = json.loads(folders.read(path)) | {"ticket": {"id": 7}, "owners": ["ann"]}
    folders.write(path, json.dumps(said).encode())
    versions.annotate(serving, first.number, dataset="shop")
    assert json.loads(folders.read(path)) == said | {"dataset": "shop"}
    versions.push(serving, model("B"))
    back = versions.restore(serving, first.number).version
    path = os.path.join(serving, ".ncf", "versions", f"{back.number}.json")
    restored = json.loads(folders.read(path))
    assert (restored["ticket"], restored["owners"]) == ({"id": 7}, ["ann"])
    assert restored["number"] == back.number


def _push_and_die(serving, model, steps):
    """Pushes in a process that is killed before its next step on the disk."""
    left = steps

    def counted(function):
        def call(*args, **named):
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **named)

        return call

    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for module, names in (
        (folders, ("copy", "make", "remove", "sync_folder")),
        (os, ("rename", "replace", "fsync")),
        (shutil, ("rmtree",)),
    ):
        for name in names:
            setattr(module, name, counted(getattr(module, name)))
    versions.push(serving, model, keep=2)
    os._exit(0)


def test_a_push_killed_at_any_step_leaves_whole_versions_only(tmp_path, model):
    serving, killed = tmp_path / "serving", 0
    versions.push(serving, model("A"))
    versions.push(serving, model("B"))
    last = "B"
    for step in range(100):
        name = f"C{step}"
        code = _push_and_die(serving, model(name), step)
        found = versions.look(serving)
        assert found.broken == ()
        assert _content(found.versions[0]) in (last, name)
        last = _content(found.versions[0])
        if code == 0:
            break
        assert code == -signal.SIGKILL
        killed += 1
    assert killed > 20
    assert last == name
    for place in ("staging", "trash"):
        assert not list((serving / ".ncf" / place).iterdir())
    assert {n for n in os.listdir(serving) if n.isdigit()} == {
        str(version.number) for version in found.versions
    }


def test_a_polling_reader_never_sees_less_than_a_whole_version(tmp_path, model):
    serving, stop, seen = tmp_path / "serving", threading.Event(), set()
    contents = {f"M{i}": model(f"M{i}", pad=1 << 12) for i in range(25)}

    def poll():
        ended = False
        while not ended:
            ended = stop.is_set()  # Look once more at the end.
            numbers = [n for n in os.listdir(serving) if n.isdigit()]
            for number in sorted(numbers, key=int)[-1:]:
                files = folders.sizes(str(serving / number))
                # Pushes since the listing may rightly have deleted this version.
                if (serving / number).exists():
                    seen.add((len(files), sum(files.values())))

    versions.push(serving, model("first", pad=1 << 12), keep=2)
    reader = threading.Thread(target=poll)
    reader.start()
    for folder in contents.values():
        versions.push(serving, folder, keep=2)
    stop.set()
    reader.join()
    # Three files each; sizes differ by the name's length: "first", "M1", "M10".
    assert {count for count, _ in seen} == {3}
    assert len({size for _, size in seen}) <= 3


def test_records_are_json_that_others_can_read(tmp_path, model):
    number = versions.push(
        tmp_path, model("A"), record=VersionRecord(run="r")
    ).version.number
    text = (tmp_path / ".ncf" / "versions" / f"{number}.json").read_text()
    assert json.loads(text) | {"pushed_at": ""} == {
        "number": number,
        "digest": folders.digest(str(model("A"))),
        "files": {
            "saved_model.pb": 6,
            "variables/variables.data-00000-of-00001": 1,
            "variables/variables.index": 5,
        },
        "pushed_at": "",
        "run": "r",
    }
