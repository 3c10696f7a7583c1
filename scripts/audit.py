"""Asks OSV for known vulnerabilities of the locked packages, in one request.

OSV (https://osv.dev) gathers the advisories of PyPI, GitHub and others. The exit status
is 1 if OSV knows a vulnerability of a locked package. If OSV cannot be reached, the
script says so and the exit status is 0, so that an outage of OSV fails no build.
"""

import json
import os
import pathlib
import re
import sys
import urllib.request
from typing import Any, Callable, Dict, List, Tuple

LOCKS = pathlib.Path(__file__).resolve().parents[1] / "requirements"
SERVICE = os.environ.get("NCF_ADVISORIES", "https://api.osv.dev/v1/querybatch")
TIMEOUT_S = 60
AT_ONCE = 900  # Packages in one request; OSV allows a thousand.
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^\s;\\]+)")

Package = Tuple[str, str]


def pinned(lock: pathlib.Path) -> List[Package]:
    """Returns (name, version) of each package in a lock file, sorted."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    found = (_PINNED.match(line) for line in lines)
    return sorted({(match[1].lower(), match[2]) for match in found if match})


def holes(
    packages: List[Package],
    open_url: Callable[..., Any] = urllib.request.urlopen,
) -> Dict[Package, List[str]]:
    """Returns the ids of the advisories, by package; packages without any are absent.

    Raises:
        OSError: the service does not answer.
        ValueError: the service's answer does not have one result per package.
    """
    found = {}
    for start in range(0, len(packages), AT_ONCE):
        asked = packages[start : start + AT_ONCE]
        queries = [
            {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
            for name, version in asked
        ]
        request = urllib.request.Request(
            SERVICE,
            json.dumps({"queries": queries}).encode(),
            {"Content-Type": "application/json"},
        )
        with open_url(request, timeout=TIMEOUT_S) as answer:
            results = json.load(answer).get("results")
        if not isinstance(results, list) or len(results) != len(asked):
            raise ValueError(f"{SERVICE} did not answer for each package")
        for package, result in zip(asked, results):
            if ids := sorted(hole["id"] for hole in result.get("vulns", ())):
                found[package] = ids
    return found


def main(open_url: Callable[..., Any] = urllib.request.urlopen) -> int:
    """Prints the advisories on the packages of all lock files.

    Returns:
        The exit status.
    """
    packages = sorted({p for lock in LOCKS.glob("*.txt") for p in pinned(lock)})
    try:
        found = holes(packages, open_url)
    except (OSError, ValueError) as error:
        print(f"audit: not done, {SERVICE} is out of reach: {error}")
        print("audit: NCF_ADVISORIES may name another service with OSV's interface")
        return 0
    for (name, version), ids in sorted(found.items()):
        print(f"{name} {version}: {', '.join(ids)}")
    print(f"audit: {len(packages)} packages, {len(found)} with advisories")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
