"""Asks PyPI for known holes in the locked packages; installs nothing.

Each line of a lock is asked for with PyPI's JSON interface, which carries the advisories
of OSV. Where that cannot be reached this is said, and the exit status is 0: no answer is
no hole. With a hole it is 1.
"""

import json
import os
import pathlib
import re
import sys
import urllib.error
import urllib.request
from concurrent import futures

LOCKS = pathlib.Path(__file__).resolve().parents[1] / "requirements"
SERVICE = os.environ.get("NCF_ADVISORIES", "https://pypi.org/pypi")
TIMEOUT_S = 20
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^\s;\\]+)")


class Unreachable(Exception):
    """The advisories cannot be had."""


def pinned(lock):
    """Returns (name, version) of each package of a lock, sorted."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    found = (_PINNED.match(line) for line in lines)
    return sorted({(match[1].lower(), match[2]) for match in found if match})


def holes(package, open_url=urllib.request.urlopen):
    """Returns a line for each advisory on a package; none if PyPI knows of none.

    Raises:
        Unreachable: the service does not answer, or answers something else.
    """
    name, version = package
    url = "{}/{}/{}/json".format(SERVICE, name, version)
    try:
        with open_url(url, timeout=TIMEOUT_S) as answer:
            found = json.load(answer)["vulnerabilities"]
    except urllib.error.HTTPError as error:
        if error.code == 404:  # A package that is not PyPI's has no advisories there.
            return []
        raise Unreachable("{}: {}".format(url, error)) from error
    except (OSError, ValueError, KeyError) as error:
        raise Unreachable("{}: {}".format(url, error)) from error
    return [
        "{} {}: {}, mended in {}".format(
            name, version, hole["id"], ", ".join(hole.get("fixed_in") or ["no release"])
        )
        for hole in found
        if not hole.get("withdrawn")
    ]


def main(open_url=urllib.request.urlopen):
    """Prints the holes of all locks; returns the exit status."""
    packages = sorted({p for lock in LOCKS.glob("*.txt") for p in pinned(lock)})
    try:
        holes(packages[0], open_url)  # Ask once before asking hundreds of times.
        with futures.ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda package: holes(package, open_url), packages)
            found = [line for answer in answers for line in answer]
    except Unreachable as error:
        print("audit: not done, advisories are out of reach: {}".format(error))
        print("audit: set NCF_ADVISORIES to a mirror of https://pypi.org/pypi")
        return 0
    for line in found:
        print(line)
    print("audit: {} packages, {} advisories".format(len(packages), len(found)))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
