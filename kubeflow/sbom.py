"""Lists the packages of an image's Python environment, and their licences.

`python kubeflow/sbom.py FOLDER` writes a software bill of materials, `sbom.cdx.json`
(CycloneDX 1.5), and `licences.txt`. The script needs nothing but Python, and lists the
packages of the environment whose Python runs it.
"""

import importlib.metadata
import json
import pathlib
import re
import sys
from typing import Any

_LICENCE = re.compile(r"^License :: (?:OSI Approved :: )?(.*)$")


def bill() -> dict[str, object]:
    """Returns the bill of materials, sorted by name.

    There is no time in the bill, so that the same packages give the same file.
    """
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{found.version}",
            "purl": f"pkg:pypi/{name}@{found.version}",
            "name": name,
            "version": found.version,
            "licenses": [{"license": {"name": licence(found)}}],
        }
        for name, found in sorted(_installed().items())
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "components": components,
    }


def licence(found: importlib.metadata.Distribution) -> str:
    """Returns the licence's name as the package states it, `unknown` if it does not."""
    metadata: Any = found.metadata  # Its type on Python 3.10 has no `get`.
    stated = metadata.get("License-Expression") or metadata.get("License") or ""
    classified = [
        match[1]
        for text in metadata.get_all("Classifier") or ()
        if (match := _LICENCE.match(text))
    ]
    if classified and (not stated or "\n" in stated or len(stated) > 60):
        return ", ".join(classified)
    # Some packages state the whole text of the licence, whose first line is its name.
    return stated.strip().split("\n")[0].strip()[:60] or "unknown"


def _installed() -> dict[str, importlib.metadata.Distribution]:
    return {
        re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower(): found
        for found in importlib.metadata.distributions()
    }


def main(folder: pathlib.Path) -> None:
    """Writes the bill of materials and the licences into `folder`."""
    text = json.dumps(bill(), indent=1) + "\n"
    (folder / "sbom.cdx.json").write_text(text, encoding="utf-8")
    lines = [f"{name} {d.version}: {licence(d)}" for name, d in _installed().items()]
    (folder / "licences.txt").write_text("\n".join(sorted(lines)) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
