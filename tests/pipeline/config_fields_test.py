"""The fields of the configuration, read from their declarations."""

import json
from typing import Annotated, Literal

import pydantic
import pytest
from typer import testing

from pipeline import cli, config, config_fields


class _Inner(pydantic.BaseModel):
    """A section.

    Attributes:
        width, height: in metres,
            both of them.
    """

    width: pydantic.PositiveInt = 3
    height: Annotated[float, pydantic.Field(ge=0, lt=1)] | None = None


class _Outer(pydantic.BaseModel):
    """The whole.

    Attributes:
        kind: what it is.
        maybe: a section, or nothing.
    """

    kind: Literal["a", "b"] = "a"
    sizes: tuple[int, ...] = (1, 2)
    inner: _Inner = _Inner()
    maybe: _Inner | None = _Inner()


def test_each_field_has_its_type_default_and_meaning():
    found = {field.name: field for field in config_fields.fields(_Outer)}
    assert found["kind"] == config_fields.ConfigField(
        "kind", "a or b", "a", "what it is."
    )
    assert found["sizes"].type == "list of integer"
    assert found["sizes"].default == "[1, 2]"
    assert found["inner.width"].type == "integer above 0"
    assert found["inner.height"].type == "number at least 0 and below 1 or null"
    assert found["inner.height"].default == "null"
    assert found["inner.height"].meaning == "in metres, both of them."
    assert found["maybe"].default == "set"
    assert "maybe.width" in found


def test_settings_tell_what_was_changed():
    given = config.load(None, ["train.epochs=3", "model.history=null"])
    settings = config_fields.settings(given)
    changed = {n: s["value"] for n, s in settings.items() if s["value"] != s["default"]}
    assert changed == {"train.epochs": 3, "model.history": None}
    assert not any(name.startswith("model.history.") for name in settings)
    json.dumps(settings)


def test_the_report_is_told_of_changes_and_of_the_gate():
    told = json.loads(config_fields.told_to_report(config.load(None, ["seed=7"])))
    assert told["seed"]["value"] == 7
    assert "evaluation.gate.min_hit_rate" in told
    assert "train.epochs" not in told


def test_the_schema_names_every_field_and_its_meaning():
    schema = config_fields.json_schema()
    epochs = schema["$defs"]["TrainConfig"]["properties"]["epochs"]
    assert epochs["default"] == config.PipelineConfig().train.epochs
    assert epochs["description"].startswith("passes over the training")
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train.epochs"], "train.epochs = "),
        (["train", "--json"], '"name": "train.epochs"'),
        (["--json-schema"], '"$schema"'),
        (["--markdown"], "| `train.epochs` | "),
    ],
)
def test_the_command_prints_them(arguments, expected):
    result = testing.CliRunner().invoke(cli.app, ["config", *arguments])
    assert result.exit_code == 0, result.output
    assert expected in result.output


def test_the_command_refuses_a_name_that_is_none():
    result = testing.CliRunner().invoke(cli.app, ["config", "train.epoch"])
    assert result.exit_code == 2
    assert "No such field or section: train.epoch" in result.output
