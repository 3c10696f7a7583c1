"""The digest of the code that a node runs: a part of its cache key, on every runner.

TFX names code by its dotted path (`run_fn="ncf_model.trainer.run_fn"`), and so does the
key under which a result is kept: an edit or another TensorFlow changes neither. So each
node gets a property `code_digest`, made from

- its executor's module, and every module of ours that is named in its properties;
- all modules of ours that these import, wherever the import stands;
- other files in the folders of a component's modules, such as a template;
- the versions of the packages that any of these, or TFX's own executor, import, and of
  TFX, TensorFlow and Python.

Imports are read from the source, nothing is imported. Comments, docstrings and
READMEs do not count.
"""

import ast
import contextlib
import functools
import hashlib
import importlib.metadata
import os
import pathlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

PROPERTY = "code_digest"
PACKAGES = ("ncf_model", "components", "pipeline")
ROOT = pathlib.Path(__file__).resolve().parents[1]

_NAMES = re.compile(rf"\b(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+")
_ALWAYS = ("tensorflow", "tfx")  # They run every node.
# Modules whose distribution has another name, in the order of trying.
_DISTRIBUTIONS = {
    "absl": ("absl-py",),
    "google": ("protobuf",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-tpu"),
    "yaml": ("pyyaml",),
}
_NO_SOURCE = (".pyc", ".md")


class Code(NamedTuple):
    """What a node depends on.

    Attributes:
        files: of this project, sorted.
        packages: names of modules of others, sorted.
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
        names: of modules, or of things in them; ours are followed, others noted.
        others: files of other packages' modules, of which the imports count.
        root: folder of our packages.
    """
    waiting: set[str] = {*names, *_ALWAYS}
    for other in map(pathlib.Path, others):
        waiting |= set(_imports(other, _stamp(other)))
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
                waiting |= set(_imports(file, _stamp(file)))
    files |= {other for file in files for other in _beside(file, root)}
    return Code(tuple(sorted(files)), tuple(sorted(packages - sys.stdlib_module_names)))


def digest(
    names: Iterable[str],
    *,
    others: Iterable[str | os.PathLike[str]] = (),
    extra: str = "",
    root: pathlib.Path = ROOT,
) -> str:
    """Returns the digest of all that modules depend on.

    Args:
        names, others, root: see `code_of`.
        extra: what else the result depends on.
    """
    code = code_of(names, others=others, root=root)
    total = hashlib.sha256(extra.encode())
    for file in code.files:
        name = file.relative_to(root).as_posix()
        total.update(f"{name}\0{_content(file, _stamp(file))}\0".encode())
    for package in code.packages:
        total.update(f"{package}=={_version(package)}\0".encode())
    total.update(f"python{sys.version_info.major}.{sys.version_info.minor}".encode())
    return total.hexdigest()[:32]


def _files_of(name: str, root: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the files that importing a dotted name runs, its packages' included."""
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
    """Returns what changes with the file, so that what was read of it can be kept."""
    status = file.stat()
    return status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=1024)
def _imports(file: pathlib.Path, stamp: tuple[int, int]) -> tuple[str, ...]:
    del stamp  # A part of the key alone.
    found = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(found)


@functools.lru_cache(maxsize=1024)
def _content(file: pathlib.Path, stamp: tuple[int, int]) -> str:
    """Returns a digest of what a file means: of Python without comments, docstrings."""
    del stamp
    content = file.read_bytes()
    if file.suffix == ".py":
        tree = ast.parse(content)
        if b"__doc__" not in content:
            for node in ast.walk(tree):
                _drop_docstring(node)
        content = ast.dump(tree).encode()
    return hashlib.sha256(content).hexdigest()


def _drop_docstring(node: ast.AST) -> None:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
        del node.body[0]


def _beside(file: pathlib.Path, root: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the files that are no Python beside a module of a component."""
    if file.parent.parent != root / "components":
        return
    for other in file.parent.iterdir():
        if other.is_file() and other.suffix not in (".py", *_NO_SOURCE):
            yield other


@functools.cache
def _version(module: str) -> str:
    """Returns the version of the distribution that has a module; empty if unknown."""
    for name in _DISTRIBUTIONS.get(module, (module,)):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return ""
