"""A node's code, found by following imports; tested on a copy of our packages."""

import importlib.metadata
import pathlib
import shutil

import pytest

from pipeline import code_digest, config
from pipeline import pipeline as definition

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path):
    """A copy of our code, to be edited."""
    for package in code_digest.PACKAGES:
        shutil.copytree(
            ROOT / package,
            tmp_path / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    return tmp_path


NODES = {
    "Trainer": "ncf_model.trainer.run_fn",
    "Transform": "ncf_model.preprocessing.preprocessing_fn",
    "Evaluator": "ncf_model.evaluation.metrics",
    "NegativeSampling": "components.negative_sampling.executor",
    "EvalContext": "components.eval_context.executor",
    "Report": "components.report.executor",
    "Pusher": "components.pusher.executor",
}


def _digests(root):
    return {node: code_digest.digest([name], root=root) for node, name in NODES.items()}


DATA = {"Transform", "NegativeSampling"}
TRAINS = {"Transform", "NegativeSampling", "EvalContext", "Trainer"}


@pytest.mark.parametrize(
    ("file", "changed", "same"),
    [
        ("ncf_model/network/layers.py", {"Trainer"}, DATA),
        ("ncf_model/preprocessing.py", {"Transform"}, {"NegativeSampling", "Trainer"}),
        ("ncf_model/evaluation/metrics.py", {"Evaluator"}, TRAINS),
        (
            "components/negative_sampling/splitting.py",
            {"NegativeSampling"},
            {"Transform", "Trainer", "Pusher"},
        ),
        (
            "ncf_model/sampling/negatives.py",
            {"NegativeSampling", "Trainer"},
            {"Transform", "Pusher"},
        ),
        ("components/report/page.html.j2", {"Report"}, set(NODES) - {"Report"}),
        ("components/report/page.py", {"Report"}, set(NODES) - {"Report"}),
        ("ncf_model/serving/versions.py", {"Pusher"}, TRAINS),
        ("pipeline/cli.py", set(), set(NODES)),
        ("pipeline/local/terminal.py", set(), set(NODES)),
        ("components/pusher/README.md", set(), set(NODES)),
        ("components/interactions_example_gen/executor.py", set(), set(NODES)),
    ],
)
def test_an_edit_changes_the_nodes_that_depend_on_the_file(root, file, changed, same):
    before = _digests(root)
    assert before == _digests(ROOT)
    path = root / file
    path.write_text(path.read_text() + "\nEDITED = 1\n")
    after = _digests(root)
    found = {node for node in NODES if before[node] != after[node]}
    assert changed <= found
    assert not same & found


def test_comments_and_docstrings_do_not_count_but_a_constant_does(root):
    path = root / "ncf_model" / "preprocessing.py"
    before, text = _digests(root), path.read_text()
    assert text.startswith('"""')
    path.write_text('"""Another."""\n# A comment.\n' + text.split('"""', 2)[2])
    assert _digests(root) == before
    path.write_text(text + "\nNAME = 'of a thing'\n")
    assert _digests(root) != before


def test_a_late_import_counts_and_so_does_what_a_new_one_brings(root):
    path = root / "ncf_model" / "preprocessing.py"
    new = root / "ncf_model" / "brought.py"
    new.write_text("VALUE = 1\n")
    path.write_text(
        path.read_text()
        + "\n\ndef late():\n    from ncf_model.brought import VALUE\n    return VALUE\n"
    )
    before = _digests(root)
    new.write_text("VALUE = 2\n")
    after = _digests(root)
    assert before["Transform"] != after["Transform"]
    assert before["Trainer"] == after["Trainer"]


def test_another_tensorflow_changes_every_node_and_another_scipy_some(monkeypatch):
    version = importlib.metadata.version

    def with_other(package):
        code_digest._version.cache_clear()
        monkeypatch.setattr(
            importlib.metadata,
            "version",
            lambda name: "0" if name == package else version(name),
        )
        return _digests(ROOT)

    before = with_other("none")
    tensorflow, scipy = with_other("tensorflow"), with_other("scipy")
    code_digest._version.cache_clear()
    assert all(before[node] != tensorflow[node] for node in NODES)
    changed = {node for node in NODES if before[node] != scipy[node]}
    assert "EvalContext" in changed
    assert not changed & {"NegativeSampling", "Pusher", "Transform"}


def test_the_version_of_every_package_that_is_imported_is_known():
    for name in NODES.values():
        for package in code_digest.code_of([name]).packages:
            assert code_digest._version(package), package


def test_names_are_found_in_properties():
    properties = ['{"a": "[\\"ncf_model.evaluation.metrics\\"]"}', 3, None, "a.b"]
    assert code_digest.names_in(properties) == {"ncf_model.evaluation.metrics"}


def _pipeline(tmp_path, schema):
    places = definition.Locations(
        interactions=str(tmp_path / "a.csv"),
        pipeline_root=str(tmp_path),
        serving=str(tmp_path / "serving"),
        schema=str(schema),
    )
    made = definition.create_pipeline(config.load(), places, dataset="a")
    return {
        node.id: node.exec_properties.get(code_digest.PROPERTY)
        for node in made.components
    }


def test_every_node_that_can_be_cached_has_the_digest_of_what_it_runs(tmp_path):
    schema = tmp_path / "schema.pbtxt"
    schema.write_text("feature {}")
    found = _pipeline(tmp_path, schema)
    resolvers = {"LatestBlessedModel", "ShrinkGuard"}  # Never cached.
    assert {node for node, digest in found.items() if not digest} == resolvers
    assert len(set(found.values())) > 8
    schema.write_text("feature { name: 'a' }")
    again = _pipeline(tmp_path, schema)
    assert {node for node in found if found[node] != again[node]} == {"ImportSchemaGen"}
