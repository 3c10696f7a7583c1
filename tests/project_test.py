"""The project's drawing of the pipeline, pages, version and licence are right."""

import pathlib
import re

import yaml

from tests import conftest

ROOT = pathlib.Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "pipeline" / "kfp" / "golden" / "pipeline.yaml"


def _text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def _nodes():
    """Returns the nodes of the compiled pipeline, by the names of a local run."""
    first = next(yaml.safe_load_all(GOLDEN.read_text(encoding="utf-8")))
    tasks = set(first["root"]["dag"]["tasks"])
    return {name.replace("LatestPushedModel", "LatestBlessedModel") for name in tasks}


def test_the_readme_draws_every_node():
    drawing = re.search(r"```mermaid\n(.*?)```", _text("README.md"), re.DOTALL)[1]
    assert {"Transform", "Trainer", "Pusher"} <= _nodes()
    missing = [node for node in _nodes() if not re.search(rf"\b{node}\b", drawing)]
    assert missing == []


def test_each_page_of_the_documentation_can_be_found():
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}
    assert set(yaml.safe_load(_text("properdocs.yml"))["nav"]) == pages
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", _text("docs/index.md")))
    assert linked == pages - {"index.md"}


def test_the_version_stands_in_one_place_and_has_its_changes():
    [version] = re.findall(r'version="([\d.]+)"', _text("setup.py"))
    assert f"\n## {version} (" in _text("CHANGELOG.md")
    for name in ("pyproject.toml", "README.md"):
        assert version not in _text(name)


def test_the_licence_is_the_one_that_is_named():
    assert "Apache License" in _text("LICENSE")
    assert "Licence: Apache 2.0" in _text("README.md")


def test_what_a_run_makes_is_not_committed():
    assert {"/runs/", "/.venv/", "/build/"} <= set(_text(".gitignore").splitlines())


def test_the_test_files_that_start_first_are_there():
    """A file that was moved would be started late, and nobody would notice."""
    for name in conftest.LONGEST_FIRST:
        assert list((ROOT / name).rglob("*_test.py")) or (ROOT / name).is_file(), name
