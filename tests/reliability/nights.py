"""Simulates nightly retraining on growing data, with spoilt deliveries on some nights.

There are four groups of users. Each group likes its own items, some of them much more
than others. Every night brings events of known users, new users and, every few nights,
a new item for each group.
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
FIRST_USERS, FIRST_ITEMS = 160, 20  # Users of all groups, items of each group.
NEW_USERS = 8
EVENTS = 360  # Events of one night.
NIGHTS_PER_ITEM = 5
SPOILT = ("truncated", "shuffled", "constant")
KEEP, HISTORY = 3, 10  # How many runs keep their artifacts, and how many their records.
# Each night runs in a process of its own, as a scheduled run does. The process is
# forked from one that has done nothing but import these modules.
_NIGHTS = multiprocessing.get_context("forkserver")
_NIGHTS.set_forkserver_preload(
    [
        # This module comes first, because other packages bring a `tests` of their own.
        "tests.reliability.nights",
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
    """The users, the items of each group, and the items that each user has."""

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
        """Returns the rows of the first delivery, with eight items of each user."""
        users = [user for user in self._group for _ in range(8)]
        return self._rows(0, users)

    def night(self, number):
        """Returns the rows of the night with that number, which is 1 or higher."""
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
    """Returns the rows as a broken delivery has them.

    Args:
        rows: the rows of a night.
        how: one of `SPOILT`. Nine tenths of the rows are missing, the items have
            changed places, or all rows have the same item.
    """
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
    """The result of one night."""

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
        """The seconds of the run that belong to no node."""
        return self.seconds - sum(self.summary["seconds"].values())


class Nights:
    """A folder of deliveries, and the output folder of the runs that read them."""

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
        """Delivers a night's rows and runs the pipeline; returns the result.

        A spoilt delivery is replaced by the correct one after the run.
        """
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
    """Runs a night, and sends its summary, what stopped it and its CPU seconds."""
    garbage.freeze()  # Objects from before the fork are never collected.
    summary, stopped = _run(overrides, dataset, out)
    # The CPU seconds are those of this process and of its ended children.
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
    """Returns the numbers of the versions in the serving folder, ascending."""
    return sorted(
        int(path.name) for path in pathlib.Path(out, "serving").glob("[0-9]*")
    )
