"""Random sequences of toy runs and faults: what is reported is what is served.

Each sequence is drawn from a seed. By default there is one sequence; `make reliability`
sets NCF_SEQUENCES=200 and so draws 200.
"""

import os
import pathlib
import random
import shutil
import types

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata

from ncf_model.serving import folders, versions
from pipeline.local import trust
from tests.reliability import toy

RUNS = 12
SEQUENCES = int(os.environ.get("NCF_SEQUENCES", "1"))


class Killed(BaseException):
    """Stands for the death of the process: no `except Exception` of TFX catches it."""


class World:
    """An output folder, and what a person may do to it between runs."""

    def __init__(self, folder, rng):
        self.folder, self.rng = folder, rng
        self.serving = folder / "serving"
        self.config = {"quality": 3, "seed": 1, "code": "0"}
        self.said = []

    # What may happen between two runs.

    def nothing(self):
        pass

    def another_setting(self):
        self.config = {
            "quality": self.rng.randrange(6),
            "seed": self.rng.randrange(2),
            "code": self.config["code"],
        }

    def an_edit(self):
        self.config |= {"code": str(self.rng.randrange(2))}

    def remove_served(self):
        if newest := versions.newest(self.serving):
            shutil.rmtree(newest.path)

    def cut_served(self):
        if newest := versions.newest(self.serving):
            file = pathlib.Path(newest.path, "saved_model.pb")
            file.write_bytes(file.read_bytes()[:-1])

    def edit_served(self):
        if newest := versions.newest(self.serving):
            file = pathlib.Path(newest.path, "saved_model.pb")
            file.write_bytes(file.read_bytes()[:-2] + b"9}")

    def remove_serving(self):
        shutil.rmtree(self.serving, ignore_errors=True)

    def add_foreign(self):
        (self.serving / "backup").mkdir(parents=True, exist_ok=True)
        (self.serving / "7").mkdir(exist_ok=True)

    def put_by_hand(self, quality=None):
        """Puts a model into the serving folder as another program would.

        No records know the model. Returns the number of its version.
        """
        number = versions.next_number(self.serving)
        folder = self.serving / str(number)
        folder.mkdir(parents=True)
        if quality is None:
            quality = self.rng.randrange(6)
        content = toy.pack({"quality": quality, "seed": number})
        (folder / "saved_model.pb").write_bytes(content)
        return number

    def roll_back(self):
        whole = versions.look(self.serving).versions
        if len(whole) > 1:
            versions.restore(self.serving, self.rng.choice(whole[1:]).number)

    def remove_artifact(self):
        folders_ = [path for path in self.folder.glob("root/*/*/*") if path.is_dir()]
        if folders_:
            shutil.rmtree(self.rng.choice(sorted(folders_)))

    def remove_file(self):
        files = [path for path in self.folder.glob("root/**/*") if path.is_file()]
        if files:
            self.rng.choice(sorted(files)).unlink()

    def run(self):
        toy.run(self.folder, **self.config)

    def run_killed(self, monkeypatch):
        """Runs the toy, which dies before a step on the disk or in the metadata."""
        left = self.rng.randrange(1, 40)

        def counted(function):
            def call(*args, **named):
                nonlocal left
                left -= 1
                if left < 0:
                    raise Killed
                return function(*args, **named)

            return call

        with monkeypatch.context() as patch:
            for module, names in (
                (folders, ("copy", "write", "digest", "sync_folder")),
                (os, ("rename", "replace")),
                (trust, ("consists_of",)),
                (metadata.Metadata, ("__enter__",)),
            ):
                for name in names:
                    patch.setattr(module, name, counted(getattr(module, name)))
            try:
                self.run()
            except Killed:
                self.said.append("killed")

    # What must be true after a run.

    def latest(self):
        """Returns the latest run's artifacts, by output key, and its nodes' states."""
        with metadata.Metadata(toy.store_config(self.folder)) as handle:
            store = handle.store
            run = max(store.get_contexts_by_type("pipeline_run"), key=lambda c: c.id)
            executions = store.get_executions_by_context(run.id)
            found = {}
            for event in store.get_events_by_execution_ids([e.id for e in executions]):
                if event.type in (mlmd.Event.OUTPUT, mlmd.Event.DECLARED_OUTPUT):
                    [artifact] = store.get_artifacts_by_id([event.artifact_id])
                    found.setdefault(event.path.steps[0].key, artifact)
            states = {e.type.rpartition(".")[2]: e.last_known_state for e in executions}
        return found, states

    def check(self, before):
        found, states = self.latest()
        model = pathlib.Path(found["model"].uri, toy.MODEL_FILE).read_bytes()
        assert toy.unpack(model)["quality"] == self.config["quality"]
        pushed = found["pushed_model"].custom_properties
        newest = versions.newest(self.serving)
        if pushed["pushed"].int_value:
            assert pushed["pushed_destination"].string_value == newest.path
            served = pathlib.Path(newest.path, "saved_model.pb").read_bytes()
            assert served == model
            assert not [b for b in self.broken() if b.number > newest.number]
            blessing = found["blessing"].custom_properties
            assert blessing["blessed"].int_value == 1
            assert blessing["current_model_id"].int_value == found["model"].id
            assert newest.record.digest not in versions.withdrawn(self.serving)
        elif before is not None:
            assert newest.number == before.number
        if before is not None:
            # The toy's gate has no tolerance and compares with the served model.
            assert self.quality(newest) >= self.quality(before, "kept")
        staging = self.serving / ".ncf" / "staging"
        assert not staging.exists() or not list(staging.iterdir())
        return states

    def broken(self):
        return versions.look(self.serving).broken

    def quality(self, version, kept=None):
        if kept is not None:
            return toy.unpack(self.content)["quality"]
        return toy.unpack(folders.read(version.path + "/saved_model.pb"))["quality"]

    def remember(self):
        """Returns the served version, and keeps its content for `check`."""
        newest = versions.newest(self.serving)
        if newest is not None:
            self.content = folders.read(newest.path + "/saved_model.pb")
        return newest


FAULTS = (
    *(World.nothing, World.another_setting, World.another_setting, World.an_edit),
    *(World.remove_served, World.cut_served, World.remove_serving),
    *(World.add_foreign, World.roll_back, World.remove_artifact, World.remove_file),
    *(World.put_by_hand, World.remove_artifact, World.run_killed, World.run_killed),
)


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_any_sequence_of_runs_and_faults(tmp_path, monkeypatch, seed):
    rng = random.Random(seed)
    world = World(tmp_path, rng)
    numbers = set()
    for _ in range(RUNS):
        fault = rng.choice(FAULTS)
        world.said.append(fault.__name__)
        if fault is World.run_killed:
            fault(world, monkeypatch)
        else:
            fault(world)
        before = world.remember()
        present = {version.number for version in versions.look(world.serving).versions}
        world.run()
        world.check(before)
        new = {v.number for v in versions.look(world.serving).versions} - present
        assert not new & numbers, (world.said, "a number was used twice")
        numbers |= new | present
        # A second run with the same configuration executes and changes nothing.
        held = sorted(folders.sizes(str(world.serving)).items())
        world.run()
        states = world.check(world.remember())
        ran = [n for n, state in states.items() if state != mlmd.Execution.CACHED]
        assert ran in ([], ["Resolver"]), (world.said, ran)
        assert sorted(folders.sizes(str(world.serving)).items()) == held


def test_back_and_forth_four_times(tmp_path):
    """The fourth run finds all in the cache, and its model must be served again."""
    world = World(tmp_path, random.Random(0))
    numbers = []
    for seed in (0, 1, 0, 1, 1):
        world.config = {"quality": 3, "seed": seed, "code": "0"}
        before = world.remember()
        world.run()
        world.check(before)
        newest = versions.newest(world.serving)
        content = folders.read(newest.path + "/saved_model.pb")
        assert toy.unpack(content)["seed"] == seed
        numbers.append(newest.number)
    # Each change gives a version of its own; the fifth run changes nothing.
    assert numbers[0] < numbers[1] < numbers[2] < numbers[3] == numbers[4]


def test_serving_that_is_gone_is_pushed_to_again_within_the_same_second(
    tmp_path, monkeypatch
):
    """A version's number is not used twice, although the serving folder is gone."""
    clock = types.SimpleNamespace(time=lambda: 1_800_000_000.0)
    monkeypatch.setattr(versions, "time", clock)
    world = World(tmp_path, random.Random(0))
    world.run()
    world.remove_serving()
    world.run()
    world.check(None)
    assert versions.newest(world.serving).number == 1_800_000_001


def test_what_the_records_do_not_know_is_not_replaced_by_a_worse_one(tmp_path):
    """A new model that gets the folder of an old one is not taken for the old one."""
    world = World(tmp_path, random.Random(0))
    for quality in (2, 3):
        world.config["quality"] = quality
        world.run()
    best = world.remember().number
    for path in (tmp_path / "metadata.sqlite", tmp_path / "root"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    world.config["quality"] = 1
    for _ in range(2):
        world.run()
        states = world.check(world.remember())
        assert versions.newest(world.serving).number == best
    # In the last of these runs nothing but the resolver executed.
    assert {s for n, s in states.items() if n != "Resolver"} == {mlmd.Execution.CACHED}
    shutil.rmtree(tmp_path / "root" / "ServedModel")  # Copied back from serving/.
    world.run()
    world.check(world.remember())
    assert versions.newest(world.serving).number == best
    world.config["quality"] = 4
    world.run()
    world.check(world.remember())
    assert versions.newest(world.serving).number > best


def test_without_its_artifacts_a_served_model_is_still_the_one_to_beat(tmp_path):
    world = World(tmp_path, random.Random(0))
    for quality in (2, 3):
        world.config["quality"] = quality
        world.run()
    best = world.remember().number
    shutil.rmtree(tmp_path / "root")
    world.config["quality"] = 1
    world.run()
    world.check(world.remember())
    assert versions.newest(world.serving).number == best


@pytest.mark.parametrize("in_use", [False, True])
def test_a_folder_that_was_moved_has_its_served_model_to_beat(tmp_path, in_use):
    """In a moved folder the records name no artifact, or that of another run."""
    world = World(tmp_path / "before", random.Random(0))
    world.folder.mkdir()
    for quality in (2, 3):
        world.config["quality"] = quality
        world.run()
    world = World((tmp_path / "before").rename(tmp_path / "after"), random.Random(0))
    best = world.remember().number
    if in_use:  # Another run starts in the old place; its artifacts have low ids.
        other = World(tmp_path / "before", random.Random(1))
        other.folder.mkdir()
        for quality in (0, 1):
            other.config["quality"] = quality
            other.run()
    for quality, served in ((1, best), (1, best), (3, best)):
        world.config["quality"] = quality
        world.run()
        assert versions.newest(world.serving).number == served
    world.config["quality"] = 4
    world.run()
    world.check(world.remember())
    assert versions.newest(world.serving).number > best


@pytest.mark.parametrize(
    "damage", [World.remove_served, World.cut_served, World.edit_served]
)
def test_a_damaged_version_in_a_folder_that_was_moved_is_the_one_to_beat(
    tmp_path, damage
):
    """The damaged version's artifact is whole, but no record says where it is."""
    world = World(tmp_path / "before", random.Random(0))
    world.folder.mkdir()
    world.run()
    best = world.remember().number
    damage(world)
    world = World((tmp_path / "before").rename(tmp_path / "after"), random.Random(0))
    for quality, pushed in ((1, False), (2, False), (3, True)):
        world.config["quality"] = quality
        world.run()
        _, states = world.latest()
        assert states["Evaluator"] == mlmd.Execution.COMPLETE
        newest = versions.newest(world.serving)
        assert (newest is not None and newest.number > best) == pushed
    world.check(None)


def test_what_was_put_there_by_hand_is_not_replaced_by_a_worse_one(tmp_path):
    world = World(tmp_path, random.Random(0))
    world.run()
    best = world.put_by_hand(quality=4)
    _only_a_better_model_replaces(world, best, worse=(3, 3, 2), better=5)
    assert best in [version.number for version in versions.look(world.serving).versions]


def test_what_a_rollback_to_a_version_put_there_by_hand_serves_is_compared_with(
    tmp_path,
):
    """No run noted that version, because it was not the newest when it was put in."""
    world = World(tmp_path, random.Random(0))
    world.run()
    (world.serving / "1").mkdir()
    content = toy.pack({"quality": 4, "seed": 1})
    (world.serving / "1" / "saved_model.pb").write_bytes(content)
    world.run()
    back = versions.restore(world.serving, 1).version.number
    _only_a_better_model_replaces(world, back, worse=(3, 2), better=5)


def _only_a_better_model_replaces(world, number, *, worse, better):
    for quality in (*worse, better):
        world.config["quality"] = quality
        world.run()
        world.check(world.remember())
        newest = versions.newest(world.serving).number
        assert newest > number if quality == better else newest == number
