"""Random sequences of runs of the whole pipeline: what is reported is what is served.

Between two runs of `ncf run` a setting, the data or a copy of the code is changed, or
something is removed or damaged in serving/ or pipeline_root/, or a run is killed. Each
sequence is drawn from a seed and takes some six minutes of CPU time. `make reliability`
draws NCF_SEEDS sequences of NCF_RUNS runs each, from seed NCF_SEED on. The default
suite makes the same checks after the runs of tests/e2e/chain_test.py, and toy_test.py
draws sequences of a pipeline that trains in no time.
"""

import json
import os
import random
import shutil

import pytest

from tests.reliability import ncf_folder, run_server, scale

SEEDS = range(scale.SEED, scale.SEED + int(os.environ.get("NCF_SEEDS", "3")))
RUNS = int(os.environ.get("NCF_RUNS", "12"))
TOLERANCE = 0.05
TIMEOUT_S = 900

GROUPS, OF_GROUP, USERS = 4, 24, 80
ITEMS = [b"item %02d" % i for i in range(GROUPS * OF_GROUP)]
SETTINGS = [
    {},
    {"seed": 1},
    {"train.epochs": 1},
    {
        "model.history.linear_items": 0,
        "model.history.ials_shares": [0],
        "train.epochs": 1,
    },  # A model that has learned little.
    {"model.history.learning_rate": 0.02},
    {"sampling.eval_negatives": "all"},
    {"model.history": "null", "train.epochs": 2, "model.layers": "[8,4]"},
]
FIXED = {
    "train.epochs": 3,
    "train.batch_size": 256,
    "model.history.factors": 8,
    "evaluation.gate.tolerance": TOLERANCE,
    "evaluation.baselines.ease_l2": "null",
    "evaluation.baselines.ials_l2": "null",
    "evaluation.baselines.item_knn_neighbours": "null",
}
# Files of the code, and for each a node that must run again after the file was edited.
EDITS = {
    "ncf_model/history/encoder.py": "Trainer",
    "ncf_model/preprocessing.py": "Transform",
    "ncf_model/evaluation/metrics.py": "Evaluator",
    "components/negative_sampling/splitting.py": "NegativeSampling",
    "components/report/page.html.j2": "Report",
    "ncf_model/serving/versions.py": "Pusher",
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    started = run_server.Runs(tmp_path_factory.mktemp("server"))
    yield started
    started.close()


def _write_data(file, variant, part=1.0):
    """Writes the users' items into `file`, always with the same time of modification.

    Each user likes the items of one group. In variant 1 every fourth user likes another
    group, in a file of the same size; in variant 2 there are a quarter more users.
    """
    rng = random.Random(7)
    users = int(USERS * part) + (USERS // 4 if variant == 2 else 0)
    with open(file, "w", encoding="utf-8") as f:
        f.write("user,item,time\n")
        for user in range(users):
            group = user + (variant == 1 and user % 4 == 0)
            own = rng.sample(range(OF_GROUP), 8)
            first = rng.randrange(len(ITEMS))
            items = [first, *(group % GROUPS * OF_GROUP + item for item in own)]
            for time, item in enumerate(items):
                f.write(f"u{user:03},item {item:02},{1_000_000 + time}\n")
    os.utime(file, (1_700_000_000, 1_700_000_000))


class World:
    """An output folder, its data, a copy of the code, and what happens to them."""

    def __init__(self, folder, rng, runs):
        self.rng, self.runs = rng, runs
        self.out, self.code, self.file = (
            folder / "out",
            folder / "code",
            folder / "d.csv",
        )
        for package in ("ncf_model", "components", "pipeline"):
            hidden = shutil.ignore_patterns("__pycache__")
            shutil.copytree(
                run_server.ROOT / package, self.code / package, ignore=hidden
            )
        self.settings, self.variant, self.edits = SETTINGS[0], 0, 0
        _write_data(self.file, self.variant)
        self.steps = 400  # A guess at the steps of a run, until one has ended.
        self.must_run, self.same_again = set(), False
        self.blessed, self.figures, self.last = set(), {}, None

    # What may happen between two runs.

    def nothing(self):
        """Changes nothing: the same command runs once more."""

    def another_setting(self):
        self.settings = self.rng.choice(SETTINGS)
        self.same_again = False

    def other_data(self):
        self.variant = self.rng.randrange(3)
        _write_data(self.file, self.variant)
        self.same_again = False

    def an_edit(self):
        file, node = self.rng.choice(sorted(EDITS.items()))
        self.edits += 1
        with open(self.code / file, "a", encoding="utf-8") as f:
            f.write(f"\nEDIT = {self.edits}\n")
        self.must_run.add(node)
        self.same_again = False
        return f"{file} for {node}"

    def truncated_data(self):
        """Truncates the data for one run, which must refuse them and change nothing.

        Without a blessed model there is nothing to compare the data with.
        """
        if not self.blessed:
            return None
        before = ncf_folder.served(self.out)
        _write_data(self.file, self.variant, part=0.4)
        status, _ = self.start()
        assert status == 1, self.runs.said()
        assert "of the users are gone" in self.runs.said()
        assert ncf_folder.summary(self.out) is None
        assert ncf_folder.served(self.out) == before
        _write_data(self.file, self.variant)
        self.must_run.clear()
        self.same_again = False
        return None

    def removed_artifact(self):
        return self.remove(self.out.glob("pipeline_root/*/*/*"))

    def removed_file(self):
        files = self.out.glob("pipeline_root/**/*")
        return self.remove(path for path in files if path.is_file())

    def removed_root(self):
        return self.remove([self.out / "pipeline_root"])

    def moved(self):
        """Moves the output folder, so that the records name folders that are gone."""
        self.out = self.out.rename(self.out.with_name(f"{self.out.name}-moved"))
        self.same_again = False

    def removed_serving(self):
        return self.remove([self.out / "serving"])

    def removed_version(self):
        return self.remove([ncf_folder.newest_version(self.out)])

    def removed_file_of_version(self):
        version = ncf_folder.newest_version(self.out)
        found = version.rglob("*") if version else ()
        return self.remove(path for path in found if path.is_file())

    def damaged_version(self):
        if version := ncf_folder.newest_version(self.out):
            [file] = version.glob("variables/variables.data-*")
            content = bytearray(file.read_bytes())
            content[self.rng.randrange(len(content))] ^= 1
            file.write_bytes(content)
        self.same_again = False

    def killed(self):
        steps = self.rng.randrange(1, self.steps)
        status, _ = self.start(kill_after=steps)
        assert status in (-9, 0), self.runs.said()
        self.must_run.clear()
        self.same_again = False
        return f"after {steps} of {self.steps} steps: {status}"

    def remove(self, paths):
        found = sorted(path for path in paths if path is not None and path.exists())
        if not found:
            return None
        path = self.rng.choice(found)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.same_again = False
        return str(path.relative_to(self.out))

    def start(self, **options):
        arguments = ["run", "--dataset", str(self.file), "--out", str(self.out)]
        pairs = self.settings.get("model.history") == "null"
        for name, value in {**FIXED, **self.settings}.items():
            if not (pairs and name.startswith("model.history.")):
                arguments += ["--set", f"{name}={value}"]
        return self.runs.run(self.code, arguments, **options)

    # What must be true after a run.

    def run(self):
        before = ncf_folder.served(self.out)
        loadable = self.blessed & ncf_folder.models(self.out).keys()
        status, steps = self.start()
        assert status == 0, self.runs.said()
        self.steps = max(self.steps, steps)
        done = ncf_folder.check(self.out, ITEMS, before)
        if done.summary["pushed_to"]:
            self.check_against(loadable, done)
            self.blessed.add(ncf_folder.digest(done.model))
        self.last = done.quality, done.summary["pushed_to"]
        # The same data and settings give the same figures, even from the cache or when
        # training goes on from a checkpoint.
        key = (json.dumps(self.settings), self.variant)
        known = self.figures.setdefault(key, done.quality)
        assert done.quality == pytest.approx(known)
        assert not self.must_run & done.recorded.cached
        if self.same_again:
            resolvers = {"LatestBlessedModel", "ShrinkGuard"}
            assert done.summary["seconds"].keys() - done.recorded.cached == resolvers
        self.must_run, self.same_again = set(), True

    def check_against(self, blessed, done):
        """Checks that no earlier model is better by more than the gate's tolerance.

        Args:
            blessed: the digests of earlier blessed models that can be loaded.
            done: the result of the run.
        """
        others = ncf_folder.models(self.out)
        for other in blessed & others.keys():
            than = ncf_folder.quality(others[other], done.ranked)
            least = than["hit_rate@10"] - TOLERANCE - 1e-9
            assert done.quality["hit_rate@10"] >= least, (done.quality, than)


EVENTS = [
    *(World.nothing, World.another_setting, World.another_setting, World.other_data),
    *(World.an_edit, World.truncated_data, World.removed_artifact, World.removed_file),
    *(World.removed_root, World.removed_serving, World.removed_version),
    *(World.removed_file_of_version, World.damaged_version, World.moved),
    *(World.killed, World.killed),
]


@pytest.mark.skipif(not scale.FULL, reason="takes long; `make reliability` runs it")
@pytest.mark.parametrize("seed", SEEDS)
def test_any_sequence(tmp_path, runs, seed):
    rng = random.Random(seed)
    world = World(tmp_path, rng, runs)
    for event in [*(rng.choice(EVENTS) for _ in range(RUNS)), World.nothing]:
        told = event(world)
        print(
            f"{event.__name__}: {told or ''}", flush=True
        )  # pytest shows it if the test fails.
        world.run()
        print(f"  {world.settings} {world.variant}: {world.last}", flush=True)
