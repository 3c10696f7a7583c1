"""Nightly retraining, simulated: data that grow, and nights on which they are spoilt.

Four groups of users each like their own items, some much more than others. Every night
brings events of known users, new users and, now and then, a new item for each group.
"""

import contextlib
import dataclasses
import gc as garbage
import io
import multiprocessing
import os
import pathlib
import time

import numpy as np

from pipeline import config, inputs
from pipeline.local import endings, forget, gc, running

GROUPS = 4
FIRST_USERS, FIRST_ITEMS = 160, 20  # users in all, items of a group
NEW_USERS = 8
EVENTS = 360  # of a night
NIGHTS_PER_ITEM = 5
SPOILT = ("truncated", "shuffled", "constant")
KEEP, HISTORY = 3, 10  # runs that keep their artifacts, and their record
# A night is a process of its own, as it is where it is scheduled: forked from one that
# has imported all of this, and nothing more has happened to it.
_NIGHTS = multiprocessing.get_context("forkserver")
_NIGHTS.set_forkserver_preload(
    [
        "tests.reliability.nights",  # First: others bring a `tests` of their own.
        "tensorflow_model_analysis",
        "tensorflow_transform",
        "tfx.v1",
        "tfx.orchestration.local.local_dag_runner",
        "pipeline.pipeline",
        "pipeline.local.dag_runner",
    ]
)
SETTINGS = [
    "data.drift.events=4",
    "data.drift.popularity=0.12",
    "data.drift.item_share=0.25",
    "train.warm_start=latest_blessed",
    "train.epochs=8",
    "train.jit_compile=false",
    "evaluation.baselines.ease_l2=null",
    "evaluation.baselines.ials_l2=null",
    "evaluation.baselines.item_knn_neighbours=null",
    f"push.keep={KEEP}",
]


class World:
    """Who there is, what they like and what they have."""

    def __init__(self, seed=7, items=FIRST_ITEMS):
        self._rng = np.random.default_rng(seed)
        self._group = {}
        self._had = {}
        self._items = [items] * GROUPS
        self._new_users(FIRST_USERS)

    def _new_users(self, count):
        for _ in range(count):
            user = f"u{len(self._group)}"
            self._group[user] = len(self._group) % GROUPS
            self._had[user] = set()

    def first_night(self):
        """Returns the rows of a long time: eight items of each user."""
        users = [user for user in self._group for _ in range(8)]
        return self._rows(0, users)

    def night(self, number):
        """Returns the rows of a night, from 1."""
        self._new_users(NEW_USERS)
        if number % NIGHTS_PER_ITEM == 0:
            self._items = [count + 1 for count in self._items]
        new = list(self._group)[-NEW_USERS:]
        known = self._rng.choice(list(self._group), EVENTS - 4 * NEW_USERS)
        return self._rows(number, [*new * 4, *known.tolist()])

    def _rows(self, number, users):
        rows = []
        for place, user in enumerate(users):
            group = self._group[user]
            names = [f"i{group}-{i}" for i in range(self._items[group])]
            left = [name for name in names if name not in self._had[user]]
            if not left:
                continue
            weights = np.array([1 / (1 + names.index(name)) for name in left])
            item = str(self._rng.choice(left, p=weights / weights.sum()))
            self._had[user].add(item)
            rows.append((user, item, number * 86_400 + place))
        return rows


def spoil(rows, how):
    """Returns rows as a broken delivery has them."""
    items = sorted({item for _, item, _ in rows})
    if how == "truncated":
        return rows[: len(rows) // 10]
    if how == "constant":
        return [(user, items[0], time) for user, _, time in rows]
    changed = np.random.default_rng(len(rows)).permutation(items).tolist()
    places = dict(zip(items, changed, strict=True))
    return [(user, places[item], time) for user, item, time in rows]


@dataclasses.dataclass
class Night:
    """What came of a night."""

    number: int
    spoilt: str | None
    stopped: str | None
    summary: dict | None
    seconds: float
    cpu_seconds: float
    store_bytes: int
    disk_bytes: int

    @property
    def start_up(self):
        """Seconds that are no node's."""
        return self.seconds - sum(self.summary["seconds"].values())


class Nights:
    """A folder of deliveries, and one of runs."""

    def __init__(self, root, *, settings=(), items=FIRST_ITEMS):
        self._data, self.out = root / "events", root / "out"
        self._data.mkdir()
        self._world = World(items=items)
        self._settings = [*SETTINGS, *settings]
        self._count = 0
        self.path = f"{self._data}/night-{{SPAN}}.csv"

    def deliver(self, rows, number):
        text = "".join(f"{user},{item},{time}\n" for user, item, time in rows)
        file = self._data / f"night-{number}.csv"
        file.write_text("user,item,timestamp\n" + text)

    def next(self, spoilt=None):
        """Delivers and runs a night; a spoilt one is delivered again, right, after."""
        number, self._count = self._count, self._count + 1
        rows = self._world.night(number) if number else self._world.first_night()
        self.deliver(spoil(rows, spoilt) if spoilt else rows, number)
        started = time.monotonic()
        summary, stopped, cpu_seconds = self._run()
        took = time.monotonic() - started, cpu_seconds
        night = Night(number, spoilt, stopped, summary, *took, *self._sizes())
        if spoilt:
            self.deliver(rows, number)
        return night

    def _run(self):
        told, tells = _NIGHTS.Pipe(duplex=False)
        arguments = (self._settings, self.path, self.out, tells)
        process = _NIGHTS.Process(target=_in_a_process, args=arguments)
        process.start()
        tells.close()
        try:
            return told.recv()
        finally:
            process.join()

    def _sizes(self):
        store = (self.out / "metadata.sqlite").stat().st_size
        return store, sum(
            file.stat().st_size for file in self.out.rglob("*") if file.is_file()
        )


def _in_a_process(overrides, dataset, out, tells):
    """Runs a night; tells its summary or what stopped it, and the seconds of CPU."""
    garbage.freeze()  # What was imported before the fork stays.
    summary, stopped = _run(overrides, dataset, out)
    # Of this process and of the ones it has waited for.
    tells.send((summary, stopped, sum(os.times()[:4])))


def _run(overrides, dataset, out):
    settings = config.load(overrides=overrides, dataset=dataset)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            found = inputs.find_data(settings, None)
            summary = running.run(settings, found, out=out, quiet=True)
    except (ValueError, endings.RunFailed) as error:
        return None, str(error)
    gc.remove(out, gc.plan(out, keep=KEEP))
    forget.forget(out, history=HISTORY)
    return summary.model_dump(mode="json", by_alias=True), None


def versions(out):
    """Returns the numbers in the serving folder, ascending."""
    return sorted(
        int(path.name) for path in pathlib.Path(out, "serving").glob("[0-9]*")
    )
