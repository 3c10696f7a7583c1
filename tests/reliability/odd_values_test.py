"""Tests every field of the configuration with odd values that somebody may type."""

import random

import pytest

from pipeline import config, config_fields
from tests.reliability import scale

VALUES = (
    *("", "null", "true", "false", "yes", "no", "0", "-1", "1", "1.5", "1e309", "-0.0"),
    *(".nan", ".inf", "-.inf", str(2**31), str(2**63), str(10**30), "9" * 5000),
    *("12:30:45", "010", "0x10", "2001-01-01", "abc", "[]", "{}", "[1, a]", "{a: 1}"),
    *("x" * 4000, "'[/red]'", '"\\e[2J"', "!!python/name:os.system", "&a [*a]"),
    *("a: b: c", "'", "\t", "- 1", "*a", "@", "%", "a\0b"),
)
LONG = ("[" * 3000, "{" * 3000, "x" * 100_000, "'" + "x" * 100_000)
FIELDS_OF_LONG = ["seed", "data.delimiter"][: scale.of(quick=1, full=2)]
LONGEST = 1500  # The most characters that a refusal may have.


def _fields():
    return sorted(config_fields.settings(config.PipelineConfig()))


def _try(overrides):
    """Loads a configuration; returns why it is refused, or "" if it is accepted."""
    try:
        loaded = config.load(None, overrides)
    except ValueError as error:
        return str(error)
    # An accepted configuration goes to clusters as JSON, from which it is read
    # unchanged.
    text = loaded.model_dump_json()
    assert config.PipelineConfig.model_validate_json(text) == loaded
    return ""


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value[:20]))
def test_a_value_in_any_field_is_taken_or_refused_in_a_few_words(value):
    fields = _fields()
    assert len(fields) > 80
    drawn = random.Random(f"{scale.SEED} {value[:20]}")
    for field in drawn.sample(fields, scale.of(quick=20, full=len(fields))):
        said = _try([f"{field}={value}"])
        assert len(said) < LONGEST, field
        section, _, name = field.rpartition(".")
        assert not said or name in said or section in said or "YAML" in said, said


@pytest.mark.parametrize("value", LONG, ids=lambda value: value[:2])
@pytest.mark.parametrize(
    "field", ["seed", "data.delimiter"][: scale.of(quick=1, full=2)]
)
def test_a_long_value_is_not_printed_whole(field, value):
    assert 0 < len(_try([f"{field}={value}"])) < LONGEST
    assert len(_try([value])) < LONGEST


def test_values_in_several_fields(tmp_path):
    rng = random.Random(scale.SEED)
    fields = _fields()
    for _ in range(scale.of(quick=40, full=5000)):
        chosen = [f"{rng.choice(fields)}={rng.choice(VALUES)}" for _ in range(3)]
        said = _try(chosen)
        assert len(said) < 3 * LONGEST, chosen


TEXTS = (
    *("[", "a: [", "a: b: c", "- 1", "abc", "12", "null", "", "---\n---\n", "? a"),
    *("a: 1\na: 2", "data:\n\tdataset: x", "data: abc", "data: [1]", "\ufeffseed: 1"),
    *("a: " * 500, "[" * 3000, "{a: " * 3000, "a: &x [*x]", "<<: {seed: 1}", "\x07"),
    "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]",
)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:20]))
def test_a_file_is_taken_or_refused_in_a_few_words(tmp_path, text):
    file = tmp_path / "odd.yaml"
    file.write_text(text, encoding="utf-8")
    said = ""
    try:
        config.load(file)
    except ValueError as error:
        said = str(error)
    assert len(said) < LONGEST
    assert not said or "odd.yaml" in said or "the configuration is not valid" in said
