"""The README tells of every field of the configuration, with its default."""

import pathlib
import re

from pipeline.config import PipelineConfig

ROOT = pathlib.Path(__file__).resolve().parents[1]


def _fields(model, prefix=""):
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from _fields(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


def _told():
    """Returns the fields of the table; `a.b`, `.c` in one cell are a.b and a.c."""
    told = set()
    for line in (ROOT / "README.md").read_text().splitlines():
        if not line.startswith("| `"):
            continue
        section = ""
        for name in re.findall(r"`([a-z_0-9.]+)`", line.split("|")[1]):
            if name.startswith("."):
                name = section + name
            section = name.rpartition(".")[0]
            told.add(name)
    return told


def test_every_field_is_told():
    assert set(_fields(PipelineConfig)) - _told() == set()


def test_nothing_is_told_that_is_not_there():
    sections = set(PipelineConfig.model_fields)
    told = {name for name in _told() if name.split(".")[0] in sections}
    assert told - set(_fields(PipelineConfig)) == set()
