"""Reads YAML as people mean it: YAML 1.2's core types, `<<`, and no key twice."""

import re
from typing import Any

import yaml

_INT = re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$")
_FLOAT = re.compile(
    r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"
    r"|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
)
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_MERGE = re.compile("^<<$")
_MOST_DIGITS = 40
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")


class _Loader(yaml.SafeLoader):
    """SafeLoader, but `yes`, `12:30:45` and `010` are what they look like.

    YAML 1.1, which PyYAML reads, turns these into true, 45045 and 8.
    """

    yaml_implicit_resolvers: dict[str, list[Any]] = {}

    def construct_yaml_int(self, node: Any) -> int:
        text = node.value
        if len(text) > _MOST_DIGITS:
            raise yaml.constructor.ConstructorError(
                problem=f"a number has {_MOST_DIGITS} digits at most",
                problem_mark=node.start_mark,
            )
        return int(text, 0) if text.startswith(("0o", "0x")) else int(text)

    def compose_mapping_node(self, anchor: Any) -> Any:
        """Refuses a key that is there twice, before `<<` brings keys from elsewhere."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key `{key_node.value}` is there twice; keep one",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key_node.value)
        return node


for _tag, _pattern, _first in (
    ("bool", _BOOL, "tTfF"),
    ("int", _INT, "-+0123456789"),
    ("float", _FLOAT, "-+0123456789."),
    ("null", _NULL, ["~", "n", "N", ""]),
    ("merge", _MERGE, "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
# `<<` that is no key is text.
_Loader.add_constructor("tag:yaml.org,2002:merge", lambda _, node: node.value)


class NotYamlError(ValueError):
    """The text breaks YAML's syntax."""


def read(text: str) -> Any:
    """Returns what `text` holds, in lists, dictionaries and single values.

    Raises:
        NotYamlError: the text is not valid YAML.
        ValueError: the text has a key twice, a number is too long, or the text is
            nested too deep.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader, see above
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        said = getattr(error, "problem", None) or error
        is_value = isinstance(error, yaml.constructor.ConstructorError)
        kind = ValueError if is_value else NotYamlError
        raise kind(f"not valid YAML{where}: {said}") from None
    except RecursionError:
        raise ValueError("not valid YAML: it is nested too deep") from None
