"""The rules for which module may import which."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "ncf_model": set(),
    "components": {"ncf_model"},
    "pipeline": {"components", "ncf_model"},
    "kubeflow": {"pipeline"},
}
OPERATOR_SDK = "kubeflow.training"  # The SDK, which is not our folder `kubeflow`.
FOLDERS = MAY_IMPORT.keys() | {"tests"}


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: use absolute imports"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if not name.startswith(OPERATOR_SDK))


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT))
def test_folder_imports_only_what_it_may(folder):
    allowed = MAY_IMPORT[folder] | {folder}
    for path in sorted((ROOT / folder).rglob("*.py")):
        for name in _imports(path):
            assert name.split(".")[0] not in FOLDERS - allowed, (
                f"{path.relative_to(ROOT)} imports {name}; "
                f"{folder}/ may import {sorted(allowed)} only."
            )


# A variant of a component may import that component.
BUILDS_ON = {"kubeflow_pusher": "pusher", "vertex_pusher": "pusher"}


def test_components_do_not_import_each_other():
    for path in sorted((ROOT / "components").glob("*/**/*.py")):
        owner = path.relative_to(ROOT).parts[1]
        for name in _imports(path):
            if name.startswith("components."):
                known = (owner, BUILDS_ON.get(owner))
                assert name.split(".")[1] in known, f"{path} imports {name}"


# The packages in ncf_model, lowest first: each may import those before it.
ROOMS = (
    "sampling",
    "network",
    "evaluation",
    "training",
    "history",
    "serving",
    "tuning",
)


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_of_ncf_model_import_only_those_below(room):
    above = set(ROOMS[ROOMS.index(room) + 1 :]) | {"trainer", "train_job"}
    for path in sorted((ROOT / "ncf_model" / room).rglob("*.py")):
        for name in _imports(path):
            parts = name.split(".")
            assert parts[0] != "ncf_model" or parts[1] not in above, (
                f"{path.relative_to(ROOT)} imports {name}, of a room above its own."
            )


def test_every_room_of_ncf_model_has_its_place():
    rooms = {path.parent.name for path in (ROOT / "ncf_model").glob("*/__init__.py")}
    assert rooms <= set(ROOMS)


def _modules():
    """Returns our modules, by dotted name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for folder in ("ncf_model", "components", "pipeline")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py"
    }


def _circle(uses):
    """Returns modules each of which imports the next, and the last the first."""
    done, way = set(), []

    def visit(name):
        if name in way:
            return way[way.index(name) :]
        if name in done:
            return []
        way.append(name)
        for used in sorted(uses[name]):
            if found := visit(used):
                return found
        way.pop()
        done.add(name)
        return []

    return next((found for name in sorted(uses) if (found := visit(name))), [])


def test_no_modules_import_each_other_in_a_circle():
    """Imports inside functions, and for types alone, count too."""
    modules = _modules()
    uses = {}
    for name, path in modules.items():
        imported = set(_imports(path))
        imported |= {one.rpartition(".")[0] for one in imported}
        uses[name] = imported & modules.keys()
    assert len(uses) > 200
    assert any(uses.values())
    assert _circle(uses) == []


def test_a_circle_is_found():
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["b", "c"]
    assert _circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


# Files that a component does not need because TFX declares that part.
DECLARED_BY_TFX = {
    "explaining_evaluator": {"spec"},
    "interactions_example_gen": {"spec"},
    "kubeflow_pusher": {"spec"},
    "latest_blessed_model": {"spec", "component", "executor"},
    "pusher": {"spec"},
    "strict_example_validator": {"spec"},
    "vertex_pusher": {"spec"},
}


def test_components_have_the_same_files():
    """The files are spec.py, component.py, executor.py and README.md."""
    for folder in sorted((ROOT / "components").glob("*/")):
        if not (folder / "__init__.py").exists():
            continue
        wanted = {"spec", "component", "executor"}
        wanted -= DECLARED_BY_TFX.get(folder.name, set())
        assert (folder / "README.md").exists(), folder
        assert wanted <= {path.stem for path in folder.glob("*.py")}, folder
