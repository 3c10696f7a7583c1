"""The documentation: no link is dead, and the site is built without a warning."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
FOLDERS = ("docs", "components", "benchmarks", "kubeflow", "pipeline", "tests")


def _pages():
    yield from sorted(ROOT.glob("*.md"))
    for folder in FOLDERS:
        yield from sorted((ROOT / folder).rglob("*.md"))


def _anchors(file):
    """Returns the anchors of a page's headings, as Git hosts form them."""
    text = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    kept = (
        re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(text)
    )
    return {heading.replace(" ", "-") for heading in kept}


def _dead(page):
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue  # A link to another site: tests must not need the network.
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            yield link


@pytest.mark.parametrize("page", list(_pages()), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_link_is_dead(page):
    assert list(_dead(page)) == []


def test_the_site_is_built_and_loads_nothing_from_elsewhere(tmp_path):
    # Not --quiet: --strict does not count warnings that are not printed.
    command = [sys.executable, "-m", "properdocs", "build", "--strict"]
    done = subprocess.run(
        [*command, f"--site-dir={tmp_path}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for page in (ROOT / "docs").glob("*.md"):
        text = (tmp_path / f"{page.stem}.html").read_text(encoding="utf-8")
        assert not re.search(r'<(script|img|link)[^>]+(src|href)="(https?:)?//', text)
