"""Runs all benchmarks (`make bench`), stores one result and page, tells what is slower.

Usage: python -m benchmarks.bench [--full] [--only PART ...] [--data-dir DIR]
                                  [--peer PYTHON] [--out DIR]

Each part runs in a process of its own, whose standard error goes to a log file. Each
run writes its result as a file into the folder `--out`, beside the logs and the page
`index.html`. The result is compared with the newest
earlier one of the same machine and versions, in that folder or in `benchmarks/stored`.
The exit status is 1 if a part fails. It is 0 if only something got slower, because a
person has to decide whether that matters.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from benchmarks import bench_page, comparison, parts, results
from ncf_model import libraries

ROOT = pathlib.Path(__file__).resolve().parents[1]
STORED = ROOT / "benchmarks" / "stored"
OUT = ROOT / "build" / "bench"
_TOLD = 20  # Lines of the log of a part that failed.


def main() -> int:
    """Runs the parts; returns the exit status."""
    options = _parser().parse_args()
    if options.part:
        return _run_part(options)
    libraries.set_up(os.environ)  # The parts' processes inherit what runs have.
    made, load, pace, failed = results.now(), {}, {}, []
    figures: dict[str, results.Figure] = {}
    for name in options.only or list(parts.PARTS):
        print(f"bench: {name}", flush=True)
        before = os.getloadavg()[0]
        pace[name] = results.pace()
        found = _in_a_process(name, options)
        load[name] = (before, os.getloadavg()[0])
        if found is None:
            failed.append(name)
        for figure in found or ():
            figures[figure.name] = figure
            print(f"  {figure.name:<56}{figure.median:>14,.4g} {figure.unit}")
    new = results.Result(
        made=made,
        full=options.full,
        machine=results.machine(),
        versions=results.versions(),
        load=load,
        pace=pace,
        figures=figures,
    )
    _tell(new, options.out)
    if failed:
        print(f"bench: failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--full", action="store_true", help="all sizes, more rounds")
    parser.add_argument("--only", nargs="+", choices=list(parts.PARTS))
    parser.add_argument("--data-dir", default=_data_dir())
    parser.add_argument("--peer", help="Python of an environment with the peers")
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    parser.add_argument("--part", nargs=2, metavar=("PART", "FILE"), help="internal")
    return parser


def _data_dir() -> str | None:
    """Returns the folder of data sets that the tests use; None if it does not exist."""
    folder = ROOT.parent / "shared" / "data"
    return str(folder) if folder.is_dir() else None


def _in_a_process(
    name: str, options: argparse.Namespace
) -> list[results.Figure] | None:
    """Returns a part's figures; None after having told why the part failed."""
    options.out.mkdir(parents=True, exist_ok=True)
    log = options.out / f"{name}.log"
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "figures"
        command = [sys.executable, "-m", "benchmarks.bench", "--part", name, str(file)]
        command += ["--full"] if options.full else []
        for flag in ("data_dir", "peer"):
            if value := getattr(options, flag):
                command += [f"--{flag.replace('_', '-')}", value]
        with log.open("w") as errors:
            done = subprocess.run(command, cwd=ROOT, check=False, stderr=errors)
        if done.returncode:
            print(f"bench: {name} failed; the end of {log}:", file=sys.stderr)
            told = log.read_text(errors="replace").splitlines()[-_TOLD:]
            print(*told, sep="\n", file=sys.stderr)
            return None
        return [results.Figure(*values) for values in json.loads(file.read_text())]


def _run_part(options: argparse.Namespace) -> int:
    """Runs one part; the body of the process that `_in_a_process` starts."""
    name, file = options.part
    parts.quiet_tensorflow()
    found = [[f.name, f.unit, list(f.values)] for f in parts.PARTS[name](options)]
    pathlib.Path(file).write_text(json.dumps(found))
    return 0


def _tell(new: results.Result, out: pathlib.Path) -> None:
    """Stores the result and its page in `out`; prints what changed."""
    old = results.last([STORED, out], new)
    found = comparison.changes(new, old) if old else []
    path = out / f"{new.made.replace(':', '')}.json"
    new.write(path)
    (out / "index.html").write_text(bench_page.render(new, old, found))
    if old is None:
        print("bench: no earlier result of this kind of machine to compare with")
    else:
        machine = comparison.pace(new, old)
        print(
            f"bench: against {old.made}; the machine took {machine:.2f} times as long"
        )
        for change in found:
            if change.verdict != "same":
                print(
                    f"  {change.verdict}: {change.name}, {change.slower:.2f} times as "
                    f"slow, noise {change.noise:.0%}"
                )
        if all(change.verdict == "same" for change in found):
            print(f"  nothing of {len(found)} figures changed beyond the noise")
    print(f"bench: {path} and {out / 'index.html'}")


if __name__ == "__main__":
    sys.exit(main())
