"""The digest of the code that a node runs: a part of its cache key, on every runner.

TFX names code by its dotted path (`run_fn="ncf_model.trainer.run_fn"`), and the key of
a cached result has this path only: it stays the same after an edit or with another
TensorFlow. So each node gets a property `code_digest`, made from

- the module of the node's executor, and every module of ours that the node's properties
  name;
- all modules of ours that these modules import, anywhere in their code;
- other files in the folders of a component's modules, such as a template;
- the versions of the packages that any of these modules, or TFX's own executor, import,
  and of TFX, TensorFlow and Python.

Imports are read from the source; nothing is imported. Comments, docstrings and READMEs
do not count.
"""

import ast
import contextlib
import functools
import hashlib
import importlib.metadata
import inspect
import os
import pathlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pipeline import code_cache

PROPERTY = "code_digest"
PACKAGES = ("ncf_model", "components", "pipeline")
ROOT = pathlib.Path(__file__).resolve().parents[1]

_NAMES = re.compile(rf"\b(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+")
_ALWAYS = ("tensorflow", "tfx")  # Every node runs with these.
# Modules whose distribution has another name, in the order of the search.
_DISTRIBUTIONS = {
    "absl": ("absl-py",),
    "google": ("protobuf",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-tpu"),
    "yaml": ("pyyaml",),
}
_NO_SOURCE = (".pyc", ".md")


class Code(NamedTuple):
    """The code that a node depends on.

    Attributes:
        files: files of this project, sorted.
        packages: names of modules of other projects, sorted.
    """

    files: tuple[pathlib.Path, ...]
    packages: tuple[str, ...]


def names_in(values: Iterable[Any]) -> set[str]:
    """Returns the dotted names of our code in execution properties.

    Example:
        >>> names_in(['{"module": "ncf_model.evaluation.metrics"}', 3, None])
        {'ncf_model.evaluation.metrics'}
    """
    texts = (value for value in values if isinstance(value, str))
    return {name for text in texts for name in _NAMES.findall(text)}


def code_of(
    names: Iterable[str],
    *,
    others: Iterable[str | os.PathLike[str]] = (),
    root: pathlib.Path = ROOT,
) -> Code:
    """Returns the files and packages that modules depend on.

    Args:
        names: dotted names of modules, or of objects in them. The imports of our
            modules are followed; other modules are only noted.
        others: files of other packages' modules, whose imports count, too.
        root: folder of our packages.
    """
    waiting: set[str] = {*names, *_ALWAYS}
    for other in map(pathlib.Path, others):
        waiting |= set(_read(other, _stamp(other))[1:])
    files: set[pathlib.Path] = set()
    packages: set[str] = set()
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name.split(".")[0] not in PACKAGES:
            packages.add(name.split(".")[0])
            continue
        for file in _files_of(name, root):
            if file not in files:
                files.add(file)
                waiting |= set(_read(file, _stamp(file))[1:])
    files |= {other for file in files for other in _beside(file, root)}
    return Code(tuple(sorted(files)), tuple(sorted(packages - sys.stdlib_module_names)))


def digest(
    names: Iterable[str],
    *,
    others: Iterable[str | os.PathLike[str]] = (),
    extra: str = "",
    root: pathlib.Path = ROOT,
) -> str:
    """Returns the digest of the code that modules depend on.

    Args:
        names, others, root: see `code_of`.
        extra: further texts on which the result depends.
    """
    code = code_of(names, others=others, root=root)
    total = hashlib.sha256(extra.encode())
    for file in code.files:
        name = file.relative_to(root).as_posix()
        total.update(f"{name}\0{_read(file, _stamp(file))[0]}\0".encode())
    for package in code.packages:
        total.update(f"{package}=={_version(package)}\0".encode())
    _parsed.save()
    total.update(f"python{sys.version_info.major}.{sys.version_info.minor}".encode())
    return total.hexdigest()[:32]


def _files_of(name: str, root: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the files that run when a dotted name is imported, with its packages."""
    place = root
    for part in name.split("."):
        file = place / f"{part}.py"
        place = place / part
        if (place / "__init__.py").is_file():
            yield place / "__init__.py"
        elif file.is_file():
            yield file
            return
        else:
            return


def _stamp(file: pathlib.Path) -> tuple[int, int]:
    """Returns time and size of a file, which show whether it has changed."""
    status = file.stat()
    return status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=1024)
def _read(file: pathlib.Path, stamp: tuple[int, int]) -> list[str]:
    """Returns a digest of a file, and, of Python, the dotted names it imports."""
    del stamp  # Only a part of the cache's key.
    content = file.read_bytes()
    if file.suffix == ".py":
        return _parsed(content)
    return [hashlib.sha256(content).hexdigest()]


def _parse(content: bytes) -> list[str]:
    """Returns a digest of Python without comments and docstrings, and its imports."""
    tree = ast.parse(content)
    imports: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports += [f"{node.module}.{alias.name}" for alias in node.names]
        elif b"__doc__" not in content:
            _drop_docstring(node)
    return [hashlib.sha256(ast.dump(tree).encode()).hexdigest(), *imports]


def _drop_docstring(node: ast.AST) -> None:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
        del node.body[0]


def _beside(file: pathlib.Path, root: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the files other than Python in the folder of a component's module."""
    if file.parent.parent != root / "components":
        return
    for other in file.parent.iterdir():
        if other.is_file() and other.suffix not in (".py", *_NO_SOURCE):
            yield other


@functools.cache
def _version(module: str) -> str:
    """Returns the version of the distribution of a module; "" if unknown."""
    for name in _DISTRIBUTIONS.get(module, (module,)):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return ""


_RULE = inspect.getsource(_parse) + inspect.getsource(_drop_docstring)
_parsed = code_cache.Cache(_parse, _RULE)
