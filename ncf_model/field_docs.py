"""What the fields of a typed document mean, from the docstring of its class."""

import inspect
import re
import typing
from collections.abc import Iterator
from typing import Any

import docstring_parser
import pydantic

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def meanings(model: type[pydantic.BaseModel]) -> dict[str, str]:
    """Returns what the docstrings of `model` and its bases say of each field."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, pydantic.BaseModel):
            for parameter in docstring_parser.parse(_text(base)).params:
                for name in parameter.arg_name.split(","):
                    if name.strip() in model.model_fields:
                        found[name.strip()] = _one_line(parameter.description or "")
    return found


def described_schema(model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """Returns the JSON schema of `model` with the meanings of its fields."""
    schema = model.model_json_schema()
    for part in _models(model):
        target = schema["$defs"].get(part.__name__, schema)
        about = docstring_parser.parse(_text(part)).short_description
        target["description"] = _one_line(about or "")
        for name, meaning in meanings(part).items():
            key = part.model_fields[name].alias or name
            target["properties"][key]["description"] = meaning
    return {"$schema": _DIALECT} | schema


def _models(annotation: Any) -> Iterator[type[pydantic.BaseModel]]:
    """Yields the models in a type annotation, and the models in their annotations."""
    if inspect.isclass(annotation) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
        for declared in annotation.model_fields.values():
            yield from _models(declared.annotation)
    else:
        for argument in typing.get_args(annotation):
            yield from _models(argument)


def _text(model: type[pydantic.BaseModel]) -> str:
    return inspect.cleandoc(model.__doc__ or "")


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
