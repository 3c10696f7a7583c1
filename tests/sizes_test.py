"""Limits for the length of files and functions, and reasons for the exceptions.

A function's length is that of its body: its docstring and its parameters, which a
command declares as its options, do not count; nested functions count for themselves.
"""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MOST_LINES, MOST_OF_A_FUNCTION = 400, 45
# Without a limit: prose, data and generated files.
CODE = {".py", ".sh", ".j2", ".html", ".css", ".tf", ".yaml", ".toml"}
FOLDERS = (
    "benchmarks",
    "components",
    "kubeflow",
    "ncf_model",
    "pipeline",
    "scripts",
    "tests",
)
GENERATED = ("tests/pipeline/kfp/golden/",)
# `path:function` -> why the function is not divided.
REASONS = {
    "tests/reliability/odd_files.py:text_cases": "a table: a line or three per file",
    "tests/reliability/odd_files.py:parquet_cases": "a table: a line or three per file",
    "tests/pipeline/kfp/pods_test.py:test_all_that_a_pod_can_have": "all it can have",
}


def _files(*suffixes):
    found = [ROOT / "setup.py", ROOT / "pyproject.toml"]
    for folder in FOLDERS:
        found += sorted((ROOT / folder).rglob("*"))
    return [
        path
        for path in found
        if path.suffix in suffixes
        and not path.relative_to(ROOT).as_posix().startswith(GENERATED)
    ]


def _length(function):
    """Returns the lines from a function's first statement to its last."""
    first, *others = function.body
    docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    start = others[0] if docstring and others else first
    length = function.end_lineno - start.lineno + 1
    return length - sum(map(_whole_length, _inner(function)))


def _inner(node):
    """Yields the functions in a node, but not those inside of them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTIONS):
            yield child
        else:
            yield from _inner(child)


def _whole_length(function):
    first = min([function.lineno, *(d.lineno for d in function.decorator_list)])
    return function.end_lineno - first + 1


def _long_functions(source, name):
    return {
        f"{name}:{node.name}": _length(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, FUNCTIONS) and _length(node) > MOST_OF_A_FUNCTION
    }


def test_no_file_is_too_long():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in _files(*CODE)
        if (lines := path.read_text(encoding="utf-8").count("\n")) > MOST_LINES
    }
    assert long == {}


def test_no_function_is_too_long_without_a_reason():
    found = {}
    for path in _files(".py"):
        name = path.relative_to(ROOT).as_posix()
        found |= _long_functions(path.read_text(encoding="utf-8"), name)
    assert {name: n for name, n in found.items() if name not in REASONS} == {}
    assert REASONS.keys() <= found.keys(), "a reason for what is short by now"


def test_a_function_inside_counts_for_itself():
    inner = "    @a\n    def g():\n" + "        a\n" * 46
    source = f"def f():\n{inner}" + "    a\n" * 45
    assert _long_functions(source, "a.py") == {"a.py:g": 46}


@pytest.mark.parametrize(("lines", "found"), [(45, {}), (46, {"a.py:f": 46})])
def test_the_limit_is_inclusive(lines, found):
    source = 'def f(\n    a,\n):\n    """Says\n    much."""\n' + "    a\n" * lines
    assert _long_functions(source, "a.py") == found
