"""The result of a run of the benchmarks, and its JSON file."""

import dataclasses
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from typing import Any

_VERSIONS = ("tensorflow", "tfx", "apache-beam", "keras", "numpy", "pyarrow", "numba")


@dataclasses.dataclass(frozen=True)
class Figure:
    """A quantity that was measured once or several times.

    Attributes:
        name: the name, which begins with the part: `training/small/2048/ours`.
        unit: of `s`, `CPU s`, `ns` and `MB` less is better, of a unit that ends in `/s`
            more; figures of any other unit, such as `metric`, are not compared.
        values: the measured values, round by round.
    """

    name: str
    unit: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> float | None:
        """Half of the distance between the quartiles, divided by the median.

        None for a single value.
        """
        if len(self.values) < 2 or not self.median:
            return None
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return (high - low) / 2 / abs(self.median)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """The figures of a run, and the machine on which they were measured.

    Attributes:
        made: when the run began, UTC.
        full: whether `FULL=1` was asked for.
        machine: processor and cores, which must be equal for a comparison.
        versions: the versions of Python and of the packages that decide the speed.
        load: by part, the machine's load over a minute before and after the part.
        pace: by part, the CPU seconds of a fixed calculation before the part.
        figures: the figures by name.
    """

    made: str
    full: bool
    machine: dict[str, Any]
    versions: dict[str, str]
    load: dict[str, tuple[float, float]]
    pace: dict[str, float]
    figures: dict[str, Figure]

    def write(self, path: pathlib.Path) -> None:
        """Writes the file, which appears only when it is complete."""
        content = dataclasses.asdict(self)
        for name, figure in self.figures.items():
            content["figures"][name] |= {
                "median": figure.median,
                "spread": figure.spread,
            }
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(content, indent=1) + "\n")
        partial.replace(path)

    def comparable(self, other: "Result") -> bool:
        """Whether both results have the same machine and versions of Python and TFX."""
        return self.machine == other.machine and all(
            self.versions.get(name) == other.versions.get(name)
            for name in ("python", "tfx")
        )


def read(path: pathlib.Path) -> Result:
    """Returns what `Result.write` wrote."""
    content = json.loads(path.read_text())
    figures = {
        name: Figure(found["name"], found["unit"], found["values"])
        for name, found in content.pop("figures").items()
    }
    load = {name: (pair[0], pair[1]) for name, pair in content.pop("load").items()}
    return Result(**content, figures=figures, load=load)


def last(folders: Iterable[pathlib.Path], new: Result) -> Result | None:
    """Returns the newest result in `folders` with which `new` can be compared."""
    found = [
        result
        for folder in folders
        for result in map(read, sorted(folder.glob("*.json")))
        if result.comparable(new) and result.made < new.made
    ]
    return max(found, key=lambda result: result.made, default=None)


def now() -> str:
    """Returns the time in the form of `Result.made`."""
    return f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def machine() -> dict[str, Any]:
    """Returns the processor's name and how many cores this process may use."""
    info = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    keys = ("vendor_id", "cpu family", "model", "model name")
    fields = dict(line.split(":", 1) for line in reversed(info) if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    return {
        "processor": " ".join(named.get(key, "") for key in keys).strip(),
        "cores": len(os.sched_getaffinity(0)),
    }


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that decide the speed."""
    found = {"python": platform.python_version()}
    for name in _VERSIONS:
        found[name] = importlib.metadata.version(name)
    return found


def pace() -> float:
    """Returns the CPU seconds of a fixed calculation, the least of five."""
    # NumPy is imported here because reading a result does not need it.
    import numpy as np

    numbers = np.random.default_rng(0).random(1 << 20)
    seconds = []
    for _ in range(5):
        started = time.process_time()
        np.sort(numbers)
        sum(i * i for i in range(200_000))
        seconds.append(time.process_time() - started)
    return min(seconds)
