"""The requirements: complete, explained, and locked without any address."""

import ast
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"
LINES = ("older", "current")
OURS = {"benchmarks", "components", "ncf_model", "pipeline", "scripts", "tests"}
# Import name -> distribution, where the two names differ.
DISTRIBUTIONS = {
    "absl": "absl-py",
    "google.api_core": "google-api-core",
    "google.auth": "google-auth",
    "google.cloud.aiplatform": "google-cloud-aiplatform",
    "google.cloud.bigquery": "google-cloud-bigquery",
    "google.cloud.storage": "google-cloud-storage",
    "google.protobuf": "protobuf",
    "grpc": "grpcio",
    "kubeflow.training": "kubeflow-training",
    "sklearn": "scikit-learn",
    "tensorflow_serving": "tensorflow-serving-api",
    "yaml": "pyyaml",
}
PIN = re.compile(r"([a-z0-9-]+)==([^ ]+)( ; .+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
COMMENT = re.compile(r"\s*#.*")


def _named(name):
    """Returns the distributions that a *.in file names."""
    text = (REQUIREMENTS / name).read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {re.match(r"[\w-]+", line)[0].lower() for line in lines}


def _pins(name):
    """Returns {(distribution, marker): version} of a lock."""
    matches = map(PIN.fullmatch, (REQUIREMENTS / name).read_text().splitlines())
    return {(m[1], m[3]): m[2] for m in matches if m}


def _imports(folder):
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _distribution(name):
    for module, distribution in DISTRIBUTIONS.items():
        if f"{name}.".startswith(f"{module}."):
            return distribution
    return name.partition(".")[0].replace("_", "-")


@pytest.mark.parametrize("path", sorted(REQUIREMENTS.glob("*.txt")), ids=str)
def test_lock_has_pins_and_hashes_and_nothing_else(path):
    text = path.read_text()
    for line in text.splitlines():
        assert any(p.fullmatch(line) for p in (PIN, HASH, COMMENT)), line
    assert "://" not in text
    assert len(re.findall(r"\\\n    --hash", text)) >= len(_pins(path.name)) > 0


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize(("source", "suffix"), [("requirements", ""), ("dev", "-dev")])
def test_what_is_required_is_locked(line, source, suffix):
    locked = {name for name, _ in _pins(f"{line}{suffix}.txt")}
    assert _named(f"{source}.in") <= locked


@pytest.mark.parametrize("line", LINES)
def test_locks_of_a_line_agree(line):
    runtime, tools = _pins(f"{line}.txt"), _pins(f"{line}-dev.txt")
    common = runtime.keys() & tools.keys()
    assert {key: tools[key] for key in common} == {key: runtime[key] for key in common}


@pytest.mark.parametrize(
    ("folder", "sources"),
    [
        ("ncf_model", ["requirements.in"]),
        ("components", ["requirements.in"]),
        ("pipeline", ["requirements.in"]),
        ("tests", ["requirements.in", "dev.in"]),
    ],
)
def test_what_is_imported_is_required(folder, sources):
    required = set().union(*map(_named, sources))
    helpers = {path.stem for path in (ROOT / folder).rglob("*.py")}
    for name in set(_imports(folder)):
        top = name.partition(".")[0]
        if top not in OURS | helpers | sys.stdlib_module_names:
            assert _distribution(name) in required, f"{folder} imports {name}"


def test_every_requirement_is_explained():
    table = (ROOT / "docs" / "dependencies.md").read_text().lower()
    explained = set(re.findall(r"`([\w-]+)`", table))
    assert _named("requirements.in") | _named("dev.in") | _named("uv.in") <= explained


def test_set_up_is_written_for_python_3_8():
    for path in (ROOT / "scripts").rglob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 8))
