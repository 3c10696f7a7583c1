"""Lists all fields of the configuration: name, type, default and meaning.

The meaning comes from the docstring of the class that has the field, so it is written
in one place.
"""

import dataclasses
import inspect
import json
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pydantic

from ncf_model import field_docs
from pipeline.config import PipelineConfig

SET = "set"  # The default of a section that could be null and is not.
_OPTIONAL = "a section or null"
_ANYTHING: pydantic.TypeAdapter = pydantic.TypeAdapter(Any)


@dataclasses.dataclass(frozen=True)
class ConfigField:
    """A field of the configuration.

    Attributes:
        name: dotted, such as `train.epochs`.
        type: in words, such as `integer, 1 or more`.
        default: the value where the configuration sets none, as YAML writes it.
        meaning: what the field is for.
    """

    name: str
    type: str
    default: str
    meaning: str


def fields(
    model: type[pydantic.BaseModel] = PipelineConfig, prefix: str = ""
) -> Iterator[ConfigField]:
    """Yields the fields of `model` and of the sections in it, in order."""
    meanings = field_docs.meanings(model)
    for name, declared in model.model_fields.items():
        default = declared.get_default(call_default_factory=True)
        section = _section(declared.annotation)
        if section is not None:
            if section is not declared.annotation:
                default = None if default is None else SET
                meaning = meanings.get(name, "")
                yield ConfigField(prefix + name, _OPTIONAL, _yaml(default), meaning)
            yield from fields(section, f"{prefix}{name}.")
            continue
        yield ConfigField(
            name=prefix + name,
            type=_type(declared.annotation, declared.metadata),
            default=_yaml(_ANYTHING.dump_python(default, mode="json")),
            meaning=meanings.get(name, ""),
        )


def settings(config: PipelineConfig) -> dict[str, dict[str, Any]]:
    """Returns, by dotted name, the `value` of each field and its `default`."""
    values = config.model_dump(mode="json")
    defaults = PipelineConfig().model_dump(mode="json")
    return {
        field.name: {"value": _at(values, field), "default": _at(defaults, field)}
        for field in fields()
        if not _is_left_out(values, field.name)
    }


def told_to_report(config: PipelineConfig) -> str:
    """Returns the JSON for the node Report: fields that are changed, and `evaluation`.

    Not all fields are in it, because a compiled pipeline would change with each field
    that is added to the configuration.
    """
    searched = config.searched()
    shown = {
        name: setting
        for name, setting in settings(config).items()
        if setting["value"] != setting["default"]
        or name.startswith("evaluation.")
        or name in searched
    }
    return json.dumps(shown, sort_keys=True)


def json_schema() -> dict[str, Any]:
    """Returns the JSON schema of a configuration file, meanings included."""
    return field_docs.described_schema(PipelineConfig)


def markdown(found: Iterable[ConfigField]) -> str:
    """Returns a table with a row per field, for the README."""
    rows = [
        f"| `{field.name}` | {_code(field.default)} | {_cell(field.meaning)} |"
        for field in found
    ]
    return "\n".join(["| field | default | what it is |", "|---|---|---|", *rows])


def _code(default: str) -> str:
    return "none" if default == "null" else f"`{default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _section(annotation: Any) -> type[pydantic.BaseModel] | None:
    """Returns the class of a field that is a section; None for other fields."""
    for one in (annotation, *typing.get_args(annotation)):
        if inspect.isclass(one) and issubclass(one, pydantic.BaseModel):
            return one
    return None


def _type(annotation: Any, limits: list[Any]) -> str:
    """Returns a type in words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(arguments[0], [*arguments[1:], *limits])
    if origin is typing.Literal:
        return " or ".join(map(_yaml, arguments))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(argument, limits) for argument in arguments)
    if origin in (tuple, list):
        return f"list of {_type(arguments[0], limits)}"
    if origin in (dict, Mapping):
        return f"mapping of {' to '.join(_type(one, []) for one in arguments)}"
    if annotation is type(None):
        return "null"
    names = {bool: "true or false", int: "integer", float: "number", str: "text"}
    name = names.get(annotation, getattr(annotation, "__name__", str(annotation)))
    return name + _limits(limits if annotation in (int, float) else [])


def _limits(limits: list[Any]) -> str:
    """Returns the bounds in pydantic's metadata in words."""
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    found = [
        f"{word} {value}"
        for limit in _flat(limits)
        for name, word in words.items()
        if (value := getattr(limit, name, None)) is not None
    ]
    return f" {' and '.join(found)}" if found else ""


def _flat(limits: list[Any]) -> Iterator[Any]:
    for limit in limits:
        if isinstance(limit, pydantic.fields.FieldInfo):
            yield from limit.metadata
        else:
            yield limit


def _yaml(value: Any) -> str:
    """Returns a value as YAML, text without quotes."""
    return value if isinstance(value, str) else json.dumps(value)


def _at(values: Any, field: ConfigField) -> Any:
    """Returns a field's value; for a section that may be null, `SET` or null."""
    for part in field.name.split("."):
        values = None if values is None else values[part]
    return SET if field.type == _OPTIONAL and values is not None else values


def _is_left_out(values: Any, name: str) -> bool:
    """Returns whether a field belongs to a section that is null."""
    for part in name.split(".")[:-1]:
        values = values[part]
        if values is None:
            return True
    return False
